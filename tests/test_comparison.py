# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import CRASHED, HUNG, ORACLES, RACE, SMALL, run, strategy

from difftest.comparison import (
    AGREEMENT,
    cells,
    controls,
    kinds,
    reached,
    runs_of,
    seen_of,
    sharing,
    witnesses,
)
from difftest.conformance import conformance
from difftest.outcome import Ending, Outcome
from difftest.result import upper_bound
from difftest.tally import Run, Tally
from difftest.verdict import PASS, UNREACHED, Value, Verdict, fail, unknown


def numbered(*runs: Run) -> dict[int, Run]:
    return {one.number: one for one in runs}


@given(st.integers(1, 10**7))
def test_upper_bound_is_exact_and_falls_with_more_trials(n: int) -> None:
    assert (1 - upper_bound(n)) ** n == pytest.approx(0.05)
    assert upper_bound(n + 1) < upper_bound(n) < 1


def test_upper_bound_of_two_thousand_clean_runs() -> None:
    assert upper_bound(2000) == pytest.approx(0.0014967, abs=1e-7)
    assert upper_bound(1) == pytest.approx(0.95)


def test_cell_counts_each_value_and_bounds_only_what_did_not_fail() -> None:
    runs = {"model": numbered(run(0), run(1, page_leak="2 pages"), run(2, CRASHED), run(3, HUNG))}
    bug, accounting, leak, *_ = cells("x", runs, ["model"], ORACLES)
    assert (bug.runs, bug.reached, bug.passed, bug.fail, bug.unknown) == (4, 3, 2, 1, 1)
    assert bug.upper_bound is None
    assert (accounting.reached, accounting.unknown) == (2, 2)
    assert accounting.upper_bound == upper_bound(2)
    assert accounting.causes == ("the kernel crashed", "hung: no sign of life for 10 s")
    assert (leak.passed, leak.fail, leak.upper_bound) == (1, 1, None)


def test_cell_reached_counts_what_could_have_failed_and_was_judged() -> None:
    given = (PASS, UNREACHED, fail("x"), unknown("y"))
    runs = {"model": {n: Run(n, run(n).outcome, (one,), ()) for n, one in enumerate(given)}}
    (cell,) = cells("x", runs, ["model"], ["o"])
    assert (cell.runs, cell.reached, cell.passed, cell.fail, cell.unknown) == (4, 2, 2, 1, 1)
    del runs["model"][2]
    (cell,) = cells("x", runs, ["model"], ["o"])
    assert (cell.verdict, cell.reached, cell.upper_bound) == (Value.UNKNOWN, 1, upper_bound(1))


def test_a_bound_counts_no_guided_workload_and_failures_do() -> None:
    runs = {"model": numbered(*(run(number) for number in range(100)))}
    (cell, *_) = cells("x", runs, ["model"], ORACLES, independent=60)
    assert (cell.runs, cell.reached, cell.drawn, cell.bounding) == (100, 100, 60, 60)
    assert (cell.verdict, cell.upper_bound) == (Value.PASS, upper_bound(60))
    (cell, *_) = cells("x", runs, ["model"], ORACLES, independent=58)
    assert (cell.verdict, cell.upper_bound) == (Value.UNKNOWN, upper_bound(58))
    (cell, *_) = cells("x", runs, ["model"], ORACLES, independent=0)
    assert (cell.verdict, cell.upper_bound, cell.reached) == (Value.UNKNOWN, None, 100)
    runs["model"][99] = run(99, CRASHED)
    (cell, *_) = cells("x", runs, ["model"], ORACLES, independent=60)
    assert (cell.verdict, cell.fail, cell.upper_bound) == (Value.FAIL, 1, None)


def test_what_all_have_in_guided_workloads_takes_nothing_from_the_bound() -> None:
    failing = [run(number, page_leak="x") for number in (0, 99)]
    runs = {"model": numbered(*(run(number) for number in range(1, 99)), *failing)}
    leak = cells("x", runs, ["model"], ORACLES, independent=60)[2]
    shared = sharing(leak, 2, drawn=1)
    assert (shared.drawn, shared.bounding, shared.upper_bound) == (59, 59, upper_bound(59))
    assert shared.verdict is Value.PASS


def test_what_an_oracle_tells_apart_is_bounded_without_guided_workloads() -> None:
    told = Verdict(Value.PASS, kinds=("private",))
    runs = {"model": {n: Run(n, run(n).outcome, (told,), ()) for n in range(10)}}
    (kind,) = kinds("x", runs, ["model"], ["o"], independent=4)
    assert (kind.reached, kind.bounding) == (10, 4)


def test_cell_where_nothing_could_be_judged_has_no_bound() -> None:
    cell, *_ = cells("x", {"model": numbered(run(0, HUNG))}, ["model"], ORACLES)
    assert (cell.runs, cell.reached, cell.upper_bound) == (1, 0, None)


def test_cell_of_what_was_not_run_is_empty() -> None:
    assert {cell.runs for cell in cells("x", {}, ["model"], ORACLES)} == {0}


def test_cell_has_at_most_three_different_causes() -> None:
    hung = [run(n, Outcome(Ending.HUNG, (), title=f"cause {n // 2}")) for n in range(10)]
    cell, *_ = cells("x", {"model": numbered(*hung)}, ["model"], ORACLES)
    assert cell.causes == ("hung: cause 0", "hung: cause 1", "hung: cause 2")


def test_shards_of_a_backend_are_put_together_by_number() -> None:
    tallies = [Tally("x", "model", 1, (run(5), run(6))), Tally("x", "model", 0, (run(4),))]
    assert list(runs_of(tallies)["model"]) == [4, 5, 6]


@pytest.mark.parametrize(
    ("texts", "smallest"),
    [
        ({0: "a\nb\nc\n", 1: "aaaaaaaaaaaaa\nb\n"}, 1),  # lines before characters
        ({0: "aaa\nb\n", 1: "a\nb\n"}, 1),  # characters before numbers
        ({0: "a\nb\n", 1: "b\na\n"}, 0),
    ],
)
def test_witness_is_the_smallest_failing_workload(texts: dict[int, str], smallest: int) -> None:
    runs = {"model": numbered(run(1, content="late"), run(0, content="early"), run(2))}
    (witness,) = witnesses("x", seen_of(runs), ["model"], ORACLES, texts | {2: ""})
    assert (witness.number, witness.text) == (smallest, texts[smallest])
    assert witness.evidence == ("early", "late")[smallest]


def test_witness_that_fails_on_all_backends_beats_a_smaller_one() -> None:
    runs = {
        "model": numbered(run(0, content="here"), run(1, content="here too")),
        "uml:6.1": numbered(run(0), run(1, content="there")),
        "qemu:6.1": numbered(run(0), run(1)),
    }
    backends = ["model", "uml:6.1", "qemu:6.1"]
    (witness,) = witnesses("x", seen_of(runs), backends, ORACLES, {0: "a\n", 1: RACE})
    assert (witness.number, witness.evidence) == (1, "here too")
    assert witness.backends == ("model", "uml:6.1")


def test_witness_that_fails_on_some_backends_will_do_if_there_is_no_other() -> None:
    runs = {
        "model": numbered(run(0), run(1, content="here")),
        "uml:6.1": numbered(run(0, content="there"), run(1)),
    }
    (witness,) = witnesses("x", seen_of(runs), ["model", "uml:6.1"], ORACLES, {0: SMALL, 1: RACE})
    assert (witness.number, witness.backends) == (0, ("uml:6.1",))


def test_each_failed_oracle_has_its_own_witness() -> None:
    runs = {"model": numbered(run(0, content="a", contract="b"), run(1, page_leak="c"))}
    found = witnesses("x", seen_of(runs), ["model"], ORACLES, {0: RACE, 1: SMALL})
    assert [(one.oracle, one.number) for one in found] == [
        ("page_leak", 1),
        ("content", 0),
        ("contract", 0),
    ]


def test_controls_say_whether_what_is_known_to_be_bad_was_caught() -> None:
    bad = strategy("bad", must_fail=("content", "of_another_run"))
    runs = {
        "model": numbered(run(0), run(1, content="x")),
        "uml:6.1": numbered(run(0), run(1)),
        "qemu:6.1": numbered(run(0, HUNG)),
    }
    counted = cells("bad", runs, ["model", "uml:6.1", "qemu:6.1"], ORACLES)
    agreement, *found = controls([bad], counted, [], faults=True)
    assert (agreement.name, agreement.holds) == (AGREEMENT, None)
    assert [(one.name, one.holds, one.detail) for one in found] == [
        ("bad fails content on model", True, "caught in 1 of 2 workloads"),
        ("bad fails content on uml:6.1", False, "not caught in any of 2 workloads"),
        ("bad fails content on qemu:6.1", None, "none of 1 workloads could be judged"),
    ]


def test_what_shows_only_with_faults_is_no_broken_control_without_any() -> None:
    sly = strategy("sly", gives_up=("content",), needs_faults=True)
    for faults, failing, holds in (
        (False, {}, None),
        (False, {"content": "x"}, True),
        (True, {}, False),
        (True, {"content": "x"}, True),
    ):
        counted = cells("sly", {"model": numbered(run(0, **failing))}, ["model"], ORACLES)
        _, control = controls([sly], counted, [], faults=faults)
        assert control.holds is holds
    assert control.name == "sly fails content on model"


def test_model_and_kernel_do_not_agree_if_any_pair_differs() -> None:
    runs = {"model": numbered(run(0), run(1)), "uml:6.1": numbered(run(0), run(1, CRASHED))}
    same = {"model": runs["model"], "uml:6.1": runs["model"]}
    texts = {0: SMALL, 1: RACE}
    found = [
        one
        for name, some in (("x", runs), ("y", same))
        for one in conformance(name, some, ["model", "uml:6.1"], {}, texts)
    ]
    (control,) = controls([], [], found, faults=True)
    assert control.holds is False
    assert control.detail.startswith("1 of 4 pairs of outcomes differ, the first: x, workload 1:")
    assert controls([], [], found[1:], faults=True)[0].holds is True


def test_reached_counts_every_state_also_those_never_seen() -> None:
    runs = {"model": numbered(run(0), run(1), run(3))}
    found = reached(runs, ["model", "uml:6.1"], ["never", "window_opened"])
    assert [(one.backend, one.state, one.count, one.runs) for one in found] == [
        ("model", "never", 0, 3),
        ("model", "window_opened", 2, 3),
        ("uml:6.1", "never", 0, 0),
        ("uml:6.1", "window_opened", 0, 0),
    ]


def test_a_state_that_nobody_announced_shows_as_well() -> None:
    (found,) = reached({"model": numbered(run(1))}, ["model"], [])
    assert (found.state, found.count) == ("window_opened", 1)
