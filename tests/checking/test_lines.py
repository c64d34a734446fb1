# SPDX-License-Identifier: GPL-2.0-only
"""Lines: what a strategy adds is executed, or named."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from played import KNOWN

from difftest import facts, plugins, shards
from difftest.backends.model import ModelRunner
from difftest.checking import State, lines
from difftest.kernels import SERIES
from difftest.strategy import Strategy
from difftest.unreached import Unreached

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.outcome import Outcome
    from difftest.workload.workload import Workload

MODEL = KNOWN["release_page"].model_patch or ""
FEW = shards.plan(40, 0)


def fix(*added: str) -> Strategy:
    """Return a strategy that adds lines where release_page does."""
    head, before, *_, after = MODEL.splitlines()[2:]
    grown = head.replace("+235,5", f"+235,{2 + len(added)}")
    lines_of = [
        *MODEL.splitlines()[:2],
        grown,
        before,
        *(f"+{' ' * 8}{one}" for one in added),
        after,
    ]
    return Strategy(name="mine", claim="", model_patch="\n".join([*lines_of, ""]))


def test_all_lines_of_a_fix_are_executed_and_no_more_workloads_played_than_it_takes() -> None:
    for found in lines.on_models([KNOWN["release_page"]], shards.plan(2000, 0), 1):
        assert found.state is State.OK
        assert int(found.text.split()[0]) < 100
        assert "all 3 that are added" in found.text


def test_lines_that_no_workload_executes_are_told() -> None:
    one = fix("if memory is None:", "    put_page(pagep.page)", "pagep.page = None")
    for found in lines.on_models([one], FEW, 1):
        assert found.state is State.WRONG
        head, line, hint = found.text.splitlines()
        assert "mutants.toml beside the patch" in hint
        assert head == "1 of 3 added lines were not executed by 40 workloads:"
        assert line.startswith("mm/shmem.py:")
        assert line.endswith(": put_page(pagep.page)")


@pytest.fixture
def _one_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "SERIES", {"6.1": SERIES["6.1"]})


@pytest.mark.usefixtures("_one_series")
def test_a_line_with_a_reason_is_told_and_fine_and_the_others_are_not() -> None:
    dead = fix("if memory is None:", "    put_page(1)", "    put_page(2)", "pagep.page = None")
    one = Unreached("model.patch", "put_page(1)", "there is always memory")
    both = Unreached("model.patch", "put_page(1)\nput_page(2)", "there is always memory")
    (found,) = lines.on_models([replace(dead, unreached=(both,))], FEW, 1)
    assert found.state is State.OK
    head, *told = found.text.splitlines()
    assert head.startswith("40 workloads execute 2 of the 4 that are added; the others none can")
    assert [line.partition(": ")[2] for line in told] == [
        f"put_page({number})    [there is always memory]" for number in (1, 2)
    ]
    (found,) = lines.on_models([replace(dead, unreached=(one,))], FEW, 1)
    assert found.state is State.WRONG
    assert found.text.splitlines()[0].startswith("1 of 4 added lines were not executed")
    assert "put_page(2)" in found.text
    assert "put_page(1)" not in found.text


@pytest.mark.usefixtures("_one_series")
@pytest.mark.parametrize("line", ["put_page(pagep.page)", "pagep.page = None"])
def test_a_reason_for_a_line_that_is_executed_is_stale(line: str) -> None:
    entry = Unreached("model.patch", line, "why")
    (found,) = lines.on_models([replace(KNOWN["release_page"], unreached=(entry,))], FEW, 1)
    assert found.state is State.WRONG
    assert found.text.endswith(f"the reason 'why' is stale: `{line}` is executed")


@pytest.mark.usefixtures("_one_series")
def test_a_reason_for_another_file_explains_nothing() -> None:
    dead = fix("if memory is None:", "    put_page(1)", "pagep.page = None")
    entry = Unreached("kernel-6.1.patch", "put_page(1)", "why")
    (found,) = lines.on_models([replace(dead, unreached=(entry,))], FEW, 1)
    assert found.state is State.WRONG


def test_a_reason_for_what_no_patch_adds_is_wrong_without_a_run() -> None:
    gone = Unreached("kernel-6.1.patch", "gone();", "why")
    other = Unreached("kernel-6.2.patch", "put_page(*pagep);", "why")
    kept = Unreached("kernel-6.1.patch", "return -ENOMEM;", "a line that is there before")
    known = KNOWN["release_page_v1"]
    found = list(lines.reasons(replace(known, unreached=(*known.unreached, gone, other, kept))))
    assert [one.state for one in found] == [State.WRONG] * 3
    assert "adds: they are there 0 times, expected once\ngone();" in found[0].text
    assert "kernel-6.2.patch adds: the patches are model.patch, kernel-5.10.patch" in found[1].text
    assert "return -ENOMEM;" in found[2].text


def test_a_patch_that_changes_no_code_is_vacuous() -> None:
    one = fix("# Fixed.")
    for found in lines.on_models([one], FEW, 1):
        assert (found.state, found.text) == (
            State.WRONG,
            "the patch changes nothing that is executed",
        )


def test_a_patch_that_raises_is_wrong_and_no_error() -> None:
    for found in lines.on_models([fix("page.gone()")], FEW, 1):
        assert found.state is State.WRONG
        assert "raised NameError for mine: name 'page' is not defined" in found.text


def test_a_patch_that_is_meant_to_be_empty_is_none() -> None:
    chain = facts.chain(KNOWN["install_pte_v6"], KNOWN)
    found = list(lines.on_models(chain, FEW, 1))
    assert [(one.state, one.text) for one in found] == [(State.OK, "the patch is empty")] * 2


def test_only_lines_of_the_strategy_itself_count_not_those_of_its_base() -> None:
    base = Strategy(name="base", claim="", model_patch=MODEL)
    (bug_on,) = [KNOWN["remove_bug_on"].model_patch]
    own = Strategy(name="mine", claim="", base="base", model_patch=bug_on)
    for found in lines.on_models([base, own], FEW, 1):
        assert (found.state, found.text) == (
            State.OK,
            "none is added, and what is taken out changes the code",
        )


def test_lines_that_take_a_fault_are_executed_by_workloads_with_faults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "SERIES", {"6.1": SERIES["6.1"]})
    strategy = KNOWN["install_pte_v4"]
    without = [one.state for one in lines.on_models([strategy], shards.plan(100, 0), 1)]
    having = [one.state for one in lines.on_models([strategy], shards.plan(100, 250), 1)]
    assert (set(without), set(having)) == ({State.WRONG}, {State.OK})


def test_whoever_watched_before_watches_again() -> None:
    before = sys.gettrace()
    list(lines.on_models([KNOWN["release_page"]], FEW, 1))
    assert sys.gettrace() is before


def test_where_somebody_else_traces_meanwhile_no_line_is_called_executed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "SERIES", {"6.1": SERIES["6.1"]})
    run = ModelRunner.run

    def untraced(self: ModelRunner, workloads: Sequence[Workload]) -> Iterator[Outcome]:
        sys.settrace(None)
        return run(self, workloads)

    monkeypatch.setattr(ModelRunner, "run", untraced)
    (found,) = lines.on_models([KNOWN["release_page"]], FEW, 1)
    assert found.state is State.WRONG
    assert "somebody else traced the model meanwhile" in found.text


@pytest.mark.kernel
def test_lines_are_counted_on_a_kernel() -> None:
    loaded = plugins.load()
    found = lines.on_kernel(loaded, KNOWN["release_page"], "uml:6.1", 60, 1)
    assert (found.state, found.about) == (State.OK, "release_page, lines on uml:6.1")
    found = lines.on_kernel(loaded, KNOWN["release_page"], "uml:6.1", 1, 1)
    assert found.state is State.WRONG
    assert "put_page" in found.text
