# SPDX-License-Identifier: GPL-2.0-only
"""Pairs: what tells two strategies apart is shrunk with both, and left as a witness of its own."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from difftest import plugins, session, witness
from difftest.pairs import Apart
from difftest.replay import replay
from difftest.store import Store
from difftest.verdict import Value
from difftest.witness import Head, compared

if TYPE_CHECKING:
    from difftest.workload.workload import Workload

PLUGINS = plugins.load()
STRATEGIES = ("unpatched", "naive_hold", "hold_reservation", "install_pte_v4", "never_dirty")
ORACLES = ("block_accounting", "unchanged")


def ran(output: Path) -> dict[str, tuple[Head, Workload]]:
    """Run, and return the witnesses that the run left, by the names of their files."""
    asked = session.Request(STRATEGIES, (), ("model",), ORACLES, 200, 1)
    with session.begin(PLUGINS, asked, output, ()) as running:
        assert not running.run(1)
        running.report()
        found = {}
        for path in sorted(running.directory.glob("witnesses/*.workload")):
            head, workload = witness.from_text(path.read_text(encoding="utf-8"), path.stem)
            assert head
            found[path.stem] = head, workload
        return found


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[Head, Workload]]]:
    folder = tmp_path_factory.mktemp("runs")
    return folder, ran(folder)


Left = "tuple[Path, dict[str, tuple[Head, Workload]]]"


def test_every_witness_of_the_run_shows_what_its_head_says_of_all_that_it_names(
    left: Left,
) -> None:
    for name, (head, workload) in left[1].items():
        oracle = [PLUGINS.oracle(head.oracle)]
        again = [
            replay(PLUGINS, workload, PLUGINS.strategy(one), PLUGINS.backend("model"), oracle)
            for one in head.strategies
        ]
        wrong = [said for shown, said in compared(head, again) if not shown]
        assert (len(again) > 0, wrong) == (True, []), name


def test_two_that_fail_the_same_oracle_are_told_apart_by_a_witness_of_their_own(left: Left) -> None:
    """A stop shows that both hold a block; only what comes later, that one of them loses it."""
    alone, _ = left[1]["naive_hold-unchanged"]
    pair, _ = left[1]["naive_hold-unchanged-not-hold_reservation"]
    assert "hold_reservation" not in alone.passes
    assert "hold_reservation" in pair.passes
    assert (pair.strategy, pair.oracle, pair.shrunk) == ("naive_hold", "unchanged", True)


def test_what_a_witness_tells_already_is_no_finding_of_its_own(left: Left) -> None:
    for name in left[1]:
        first, _, other = name.partition("-not-")
        if other:
            assert other not in left[1][first][0].passes


def test_nothing_that_differs_in_the_run_is_left_untold(left: Left) -> None:
    """Asked of the verdicts themselves: A fails and B passes, somewhere in the run."""
    folder, witnesses = left
    with Store.open(folder / "0001") as store:
        assert Apart.of(store).left(store.shrunk()) == []
        verdicts = {
            (name, run.number): run.verdicts
            for name in STRATEGIES
            for tally in store.tallies(name)
            for run in tally.runs
        }
        numbers = store.workloads()
    for column, oracle in enumerate(ORACLES):
        for one in STRATEGIES:
            for other in STRATEGIES:
                differ = any(
                    verdicts[one, number][column].value is Value.FAIL
                    and verdicts[other, number][column].value is Value.PASS
                    and verdicts[other, number][column].reached
                    for number in numbers
                )
                heads = (head for head, _ in witnesses.values())
                told = any(
                    (head.strategy, head.oracle) == (one, oracle) and other in head.passes
                    for head in heads
                )
                assert told or not differ, (one, other, oracle)


def test_the_result_says_of_every_pair_what_tells_them_apart(left: Left) -> None:
    """By files that the run left, with heads that say the same."""
    folder, witnesses = left
    result = session.stored(folder / "0001")
    assert [(one.one, one.other) for one in result.pairs] == list(combinations(STRATEGIES, 2))
    for pair in result.pairs:
        names = {pair.one, pair.other}
        told = {
            (name, head.strategy)
            for name, (head, _) in witnesses.items()
            if head.strategy in names and names - {head.strategy} <= set(head.passes)
        }
        assert {(Path(one.file).stem, one.fails) for one in pair.told} == told, names
        assert all(witnesses[Path(one.file).stem][0].workload == one.number for one in pair.told)
        assert pair.likeness[0].differ > 0


def test_two_that_no_oracle_tells_apart_differ_in_an_outcome_or_in_none(tmp_path: Path) -> None:
    names = ("release_page", "acct_last", "install_pte_v6")
    asked = session.Request(names, (), ("model",), ("no_kernel_bug",), 20, 1, faults=0)
    with session.begin(PLUGINS, asked, tmp_path, ()) as running:
        assert not running.run(1)
        result = running.report()
    pairs = {(one.one, one.other): one for one in result.pairs}
    (told,) = pairs["release_page", "acct_last"].told
    assert (told.fails, told.oracle, told.file) == (
        "", "", "partings/release_page-acct_last.workload",
    )  # fmt: skip
    assert told.evidence == "step 1: ret -12 on release_page, -14 on acct_last"
    text = (running.directory / told.file).read_text(encoding="utf-8")
    assert text == (
        f"# what is left of workload {told.number} of seed 1: release_page and acct_last part: "
        f"{told.evidence}\n{told.text}"
    )
    alike = pairs["release_page", "install_pte_v6"]
    assert (alike.told, [(one.compared, one.differ) for one in alike.likeness]) == ((), [(20, 0)])


def test_the_same_run_leaves_the_same_pairs(left: Left, tmp_path: Path) -> None:
    assert ran(tmp_path) == left[1]
