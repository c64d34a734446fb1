# SPDX-License-Identifier: GPL-2.0-only
"""Oracles that compare with the baseline: in a run, where it is missing, shrunk and replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from difftest import Ending, Outcome, Workload, fail, plugins, session
from difftest.assemble import result_of
from difftest.backends.model import ModelBackend
from difftest.outcome import Step
from difftest.replay import replay
from difftest.settings import Settings
from difftest.store import Store
from difftest.verdict import PASS, Oracle, Pairwise, Traits, Value, Verdict, judge_safely
from difftest.workload.codec import from_text
from oracles.committed import Committed
from oracles.lru import Lru
from oracles.unchanged import Unchanged

if TYPE_CHECKING:
    from pathlib import Path

    from difftest.result import Cell, Result

ONE = from_text("mount blocks=1\nfile pages=1\nmap file=0 offset=0 pages=1\n")


def ran(output: Path, *strategies: str, workloads: int = 200) -> Result:
    asked = session.Request(strategies, (), ("model",), ("unchanged", "contract"), workloads, 3)
    with session.begin(plugins.load(), asked, output, ()) as running:
        assert not running.run(1)
        return running.report()


def cell(result: Result, strategy: str) -> Cell:
    return next(c for c in result.cells if (c.strategy, c.oracle) == (strategy, "unchanged"))


def test_a_run_compares_each_fix_with_the_baseline_whatever_their_order(tmp_path: Path) -> None:
    result = ran(tmp_path, "naive_hold", "release_page", "unpatched")
    right, changed = cell(result, "release_page"), cell(result, "naive_hold")
    assert (right.verdict, right.fail, right.unknown) == (Value.PASS, 0, 0)
    assert changed.fail > 10
    assert cell(result, "unpatched").unseen == "the others are compared with it"
    # What changes something is not out for it.
    reasons = next(one.ruled_out for one in result.strategies if one.name == "naive_hold")
    assert not any("unchanged" in reason for reason in reasons)
    counts = {one.kind: one.fail for one in result.kinds if one.strategy == "naive_hold"}
    assert counts["blocks in use after a stop"] > 10
    assert sum(counts.values()) == changed.fail
    (witness,) = (one for one in result.witnesses if one.oracle == "unchanged")
    assert witness.shrunk
    assert witness.text.count("\n") == 4
    again = replay(
        plugins.load(), from_text(witness.text), plugins.load().strategy("naive_hold"),
        ModelBackend(), [Unchanged()],
    )  # fmt: skip
    assert again.failed


def test_a_stored_run_renders_where_the_oracle_is_gone(tmp_path: Path) -> None:
    result = ran(tmp_path, "unpatched", "naive_hold", workloads=60)
    with Store.open(tmp_path / "0001") as store:
        again = result_of(store)
    assert again.ranking == ("unchanged",)
    assert again.kinds == result.kinds
    assert again.cells == result.cells


def test_without_the_baseline_there_is_nothing_to_compare_and_nothing_missing(
    tmp_path: Path,
) -> None:
    result = ran(tmp_path, "naive_hold", "release_page")
    assert cell(result, "release_page").unseen == "unpatched is not part of this run"
    reasons = [one.ruled_out for one in result.strategies if one.name == "release_page"]
    assert reasons == [()]


def test_a_change_puts_a_fix_behind_one_that_changes_nothing(tmp_path: Path) -> None:
    result = ran(tmp_path, "unpatched", "hold_reservation", "release_page")
    assert result.decision.order == ("release_page", "hold_reservation")


FINISHED = Outcome(Ending.FINISHED, (Step("0", 0, 1, 4096),), left=0, held=0, committed=0)


@pytest.mark.parametrize(
    ("baseline", "value", "cause"),
    [
        (None, Value.UNKNOWN, "there is no outcome of unpatched to compare with"),
        (Outcome(Ending.HUNG, (), "quiet"), Value.UNKNOWN, "unpatched: hung: quiet"),
        (FINISHED, Value.PASS, ""),
    ],
)
def test_what_the_baseline_lacks_is_unknown(
    baseline: Outcome | None, value: Value, cause: str
) -> None:
    verdict = judge_safely(Unchanged(), ONE, FINISHED, baseline)
    assert (verdict.value, verdict.evidence) == (value, cause)


COPY = from_text("mount blocks=1\nfile pages=1\nmap file=0 offset=0 pages=1\n"
                 "copy map=0 page=0 source=R\n")  # fmt: skip


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"trace": (Step("0", -17, 1, -17),)}, "done became EEXIST (copy)"),
        ({"trace": (Step("0", -17, 1, -12),)}, "done became EEXIST (copy)"),
        ({"trace": (Step("0", 0, 2, 4096),)}, "blocks in use after copy"),
        ({"trace": (Step("0", 0, 1, 8192),)}, "another count (copy)"),
        ({"left": 1}, "left, when everything is gone"),
        ({"committed": 1}, "committed, when everything is gone"),
        ({"ending": Ending.CRASHED, "title": "BUG"}, "finished became crashed: BUG"),
    ],
)
def test_each_difference_has_a_kind(change: dict[str, object], kind: str) -> None:
    other = msgspec.structs.replace(FINISHED, **change)
    verdict = Unchanged().compare(COPY, FINISHED, other)
    assert (verdict.value, verdict.kinds) == (Value.FAIL, (kind,))


@pytest.mark.parametrize("change", [{"left": 1}, {"held": 1}, {"committed": 1}])
def test_nothing_is_compared_with_a_baseline_that_leaks(change: dict[str, int]) -> None:
    wrong = msgspec.structs.replace(FINISHED, **change)
    assert not Unchanged().compare(COPY, wrong, FINISHED).reached


def test_traits_are_those_of_the_class_and_may_be_left_out() -> None:
    class Plain:
        name = "plain"
        question = ""

        def judge(self, workload: Workload, outcome: Outcome) -> Verdict:  # noqa: ARG002
            return PASS

    class Comparing:
        name = "comparing"
        question = ""

        def compare(self, workload: Workload, baseline: Outcome, outcome: Outcome) -> Verdict:
            return fail(f"{workload}{baseline}{outcome}")

    plain: Oracle = Plain()
    comparing: Pairwise = Comparing()
    assert Traits.of(plain) == Traits()
    assert Traits.of(comparing) == Traits(pairwise=True)
    assert Traits.of(Lru()) == Traits(informational=True)
    assert Traits.of(Unchanged()) == Traits(ranks=True, pairwise=True)
    assert Traits.of(Committed()) == Traits(sees=("committed",))


def test_an_oracle_is_not_asked_where_a_backend_cannot_see_what_it_needs() -> None:
    settings = Settings(
        1, 1, (), (), ("committed", "content"), ("a", "b"), (), {"b": {"committed": "no counter"}},
        "", traits={"committed": Traits(sees=("committed",))},
    )  # fmt: skip
    assert settings.blind("committed", "x", "a") == ""
    assert settings.blind("committed", "x", "b") == "committed: no counter"
    assert settings.blind("content", "x", "b") == ""
