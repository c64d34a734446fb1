# SPDX-License-Identifier: GPL-2.0-only
"""Another bug, which all have, tells nobody apart; the bug in question is never taken for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from made import CRASHED, ORACLES, RELEASE_PAGE, REMOVE_BUG_ON, UNPATCHED, campaign, run, strategy

from difftest.assemble import result_of
from difftest.outcome import Ending, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from difftest.result import Result
    from difftest.strategy import Strategy
    from difftest.tally import Run

LEAK = "1 pages are still allocated when everything is gone"
FIXES = (RELEASE_PAGE, REMOVE_BUG_ON)


def crashes(number: int) -> bool:
    """Every fifth workload is the bug in question, every tenth from 6 on the other one."""
    return number % 5 == 3


def leaks(number: int) -> bool:
    return number % 10 == 6


def usual(name: str, number: int) -> Run:
    if name == "unpatched" and crashes(number):
        return run(number, CRASHED)
    return run(number, page_leak=LEAK) if leaks(number) else run(number)


def decided(
    play: Callable[[str, int], Run] = usual, strategies: tuple[Strategy, ...] = FIXES
) -> Result:
    return result_of(campaign(play, [UNPATCHED, *strategies]))


def reasons(result: Result, name: str) -> tuple[str, ...]:
    return next(one.ruled_out for one in result.strategies if one.name == name)


def test_a_failure_that_all_have_rules_nobody_out_and_is_reported_with_its_witness() -> None:
    result = decided()
    assert result.decision.recommended == "release_page"
    assert reasons(result, "remove_bug_on") == ()
    bug, there = result.other_bugs
    assert (bug.oracle, bug.backend, bug.count, bug.number) == ("page_leak", "model", 10, 6)
    assert (bug.evidence, there.backend) == (LEAK, "uml:6.1")
    (cell,) = (
        one
        for one in result.cells
        if (one.strategy, one.backend, one.oracle) == ("release_page", "model", "page_leak")
    )
    assert (cell.fail, cell.shared, cell.reached, cell.verdict) == (10, 10, 100, "pass")
    assert cell.upper_bound
    assert not any(one.oracle == "page_leak" for one in result.witnesses)


def test_one_strategy_that_passes_once_makes_it_a_difference() -> None:
    def play(name: str, number: int) -> Run:
        return run(number) if (name, number) == ("release_page", 6) else usual(name, number)

    result = decided(play)
    assert result.other_bugs == ()
    assert "It fails page_leak" in reasons(result, "remove_bug_on")[0]


def test_a_fix_that_mends_half_of_the_bug_is_not_forgiven_the_other_half() -> None:
    def play(name: str, number: int) -> Run:
        if name != "unpatched" and number % 10 == 3:
            return run(number, CRASHED)
        return run(number) if leaks(number) else usual(name, number)

    result = decided(play)
    assert result.other_bugs == ()
    assert result.decision.recommended is None
    assert "It fails no_kernel_bug in 10 of 100" in reasons(result, "release_page")[0]


def test_fixes_that_mend_nothing_are_not_forgiven_what_they_leave() -> None:
    def play(name: str, number: int) -> Run:  # noqa: ARG001 - all are as the baseline
        return usual("unpatched", number)

    result = decided(play)
    assert result.other_bugs == ()
    assert len(reasons(result, "release_page")) == 2


def test_without_the_baseline_nothing_is_shared() -> None:
    result = result_of(campaign(usual, list(FIXES)))
    assert result.other_bugs == ()
    assert "It fails page_leak" in reasons(result, "release_page")[0]


def test_what_a_fix_says_in_other_words_is_its_own() -> None:
    def play(name: str, number: int) -> Run:
        if name == "release_page" and number == 16:
            return run(number, page_leak=LEAK.replace("1", "2"))
        return usual(name, number)

    result = decided(play)
    assert reasons(result, "remove_bug_on") == ()
    assert reasons(result, "release_page") == (
        (
            "It fails page_leak in 1 of 100 workloads on model and 1 of 100 on uml:6.1; "
            "the smallest is workload 16."
        ),
    )


def test_what_a_fix_fails_where_the_baseline_passes_is_its_own() -> None:
    def play(name: str, number: int) -> Run:
        own = (name, number) == ("release_page", 4)
        return run(number, page_leak=LEAK) if own else usual(name, number)

    result = decided(play)
    assert reasons(result, "remove_bug_on") == ()
    assert "page_leak in 1 of 100" in reasons(result, "release_page")[0]


def test_a_fix_that_leaks_where_the_baseline_crashes_is_not_forgiven() -> None:
    def play(name: str, number: int) -> Run:
        own = name != "unpatched" and crashes(number)
        return run(number, page_leak=LEAK) if own else usual(name, number)

    result = decided(play)
    assert len(result.other_bugs) == 2
    for name in ("release_page", "remove_bug_on"):
        assert "It fails page_leak in 20 of 100" in reasons(result, name)[0]


def both(name: str, number: int) -> Run:
    """Workload 3 has both bugs: it crashes the baseline, and the fixes leak."""
    other = name != "unpatched" and number == 3
    return run(number, page_leak=LEAK) if other else usual(name, number)


def test_fixes_that_agree_where_the_baseline_crashes_first_are_forgiven() -> None:
    result = decided(both)
    assert result.decision.recommended == "release_page"
    assert [one.hidden for one in result.other_bugs] == [1, 1]


def test_one_fix_alone_is_not_forgiven_what_the_baseline_does_not_come_to() -> None:
    result = decided(both, (RELEASE_PAGE,))
    assert "page_leak in 1 of 100" in reasons(result, "release_page")[0]


def test_a_strategy_that_crashes_there_too_says_nothing_of_it() -> None:
    def play(name: str, number: int) -> Run:
        return usual("unpatched", number) if name == "as_bad" else both(name, number)

    result = decided(play, (*FIXES, strategy("as_bad", added=["x"])))
    assert result.decision.recommended == "release_page"
    assert len(reasons(result, "as_bad")) == 1


def test_a_crash_that_all_have_elsewhere_is_another_bug_by_its_title() -> None:
    other = Outcome(Ending.CRASHED, (), title="BUG at mm/hugetlb.c elsewhere")

    def play(name: str, number: int) -> Run:
        return run(number, other) if leaks(number) else usual(name, number)

    result = decided(play)
    assert [one.oracle for one in result.other_bugs] == ["no_kernel_bug"] * 2
    assert "elsewhere" in result.other_bugs[0].evidence
    # What it hides from the other oracles is as if it had not been run.
    assert result.decision.recommended == "release_page"
    (cell,) = (
        one
        for one in result.cells
        if (one.strategy, one.backend, one.oracle) == ("release_page", "model", "content")
    )
    assert (cell.runs, cell.unknown) == (90, 0)


def test_no_control_is_caught_by_a_failure_that_all_have() -> None:
    bad = strategy("bad", added=["x"], must_fail=("page_leak",))
    result = decided(usual, (*FIXES, bad))
    (control, _) = (one for one in result.controls if one.name.startswith("bad fails"))
    assert control.holds is False
    assert control.detail == "not caught in any of 100 workloads (in 10 by a bug that all have)"
    assert result.decision.void


def test_a_control_is_caught_by_what_it_fails_besides() -> None:
    bad = strategy("bad", added=["x"], must_fail=("page_leak",))

    def play(name: str, number: int) -> Run:
        own = name == "bad" and crashes(number)
        return run(number, page_leak=LEAK.replace("1", "2")) if own else usual(name, number)

    result = decided(play, (*FIXES, bad))
    (control, _) = (one for one in result.controls if one.name.startswith("bad fails"))
    assert (control.holds, control.detail) == (True, "caught in 20 of 100 workloads")
    assert result.decision.recommended == "release_page"
    assert "page_leak in 20 of 100" in reasons(result, "bad")[0]


def test_a_shard_that_is_not_done_yet_shows_nothing() -> None:
    parts = campaign(usual, [UNPATCHED, *FIXES])
    parts.every = [one for one in parts.every if (one.strategy, one.shard) != ("remove_bug_on", 1)]
    result = result_of(parts)
    assert {one.oracle for one in result.other_bugs} == {"page_leak"}
    assert "page_leak" in ORACLES
