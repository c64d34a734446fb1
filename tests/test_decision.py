# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from made import (
    CRASHED,
    HUNG,
    NAIVE_HOLD,
    ORACLES,
    RELEASE_PAGE,
    REMOVE_BUG_ON,
    UNACCT,
    UNPATCHED,
    campaign,
    finished,
    run,
    seen,
    settings,
    strategy,
)

from difftest.assemble import result_of
from difftest.verdict import UNREACHED, Traits, Value, fail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from difftest.result import Result, StrategyResult
    from difftest.strategy import Strategy
    from difftest.tally import Run


def decided(
    *strategies: Strategy,
    play: Callable[[str, int], Run] = seen,
    workloads: int = 100,
    backends: Sequence[str] = ("model", "uml:6.1"),
) -> Result:
    return result_of(campaign(play, strategies, workloads, backends))


def of(result: Result, name: str) -> StrategyResult:
    return next(one for one in result.strategies if one.name == name)


def except_for(name: str, numbers: Sequence[int], instead: Run) -> Callable[[str, int], Run]:
    """Play what is usually seen, but `instead` for one strategy on some numbers."""

    def play(strategy: str, number: int) -> Run:
        if strategy == name and number in numbers:
            return type(instead)(number, instead.outcome, instead.verdicts, instead.states)
        return seen(strategy, number)

    return play


def test_the_one_that_passes_is_recommended_with_its_bound() -> None:
    decision = decided(UNPATCHED, RELEASE_PAGE, workloads=2000).decision
    assert decision.recommended == "release_page"
    assert decision.void == ""
    (reason,) = decision.reasons
    assert reason == (
        "release_page: no failure in 2000 workloads on model and uml:6.1 "
        "(each oracle <0.15 % at 95 %)."
    )


def test_a_failure_rules_out_and_names_count_backend_and_witness() -> None:
    result = decided(UNPATCHED, NAIVE_HOLD, RELEASE_PAGE)
    (reason,) = of(result, "naive_hold").ruled_out
    assert reason == (
        "It fails block_accounting in 20 of 100 workloads on model and 20 of 100 on uml:6.1; "
        "the smallest is workload 3."
    )
    assert result.decision.order == ("release_page",)


def test_one_failure_on_one_backend_is_enough() -> None:
    parts = campaign(strategies=[UNPATCHED, RELEASE_PAGE])
    leak = run(99, page_leak="1 page")
    parts.every = [
        type(one)(one.strategy, one.backend, one.shard, (*one.runs[:-1], leak))
        if (one.strategy, one.backend, one.shard) == ("release_page", "uml:6.1", 1)
        else one
        for one in parts.every
    ]
    result = result_of(parts)
    assert of(result, "release_page").ruled_out == (
        "It fails page_leak in 1 of 100 workloads on uml:6.1; the smallest is workload 99.",
    )
    assert result.decision.recommended is None


def test_a_witness_that_fails_on_fewer_backends_says_so() -> None:
    parts = campaign(strategies=[UNPATCHED, RELEASE_PAGE])
    here, there = run(0, content="x"), run(1, content="x")
    parts.every = [
        type(one)(
            one.strategy,
            one.backend,
            one.shard,
            (here, run(1), *one.runs[2:])
            if one.backend == "model"
            else (run(0), there, *one.runs[2:]),
        )
        if (one.strategy, one.shard) == ("release_page", 0)
        else one
        for one in parts.every
    ]
    assert (
        of(result_of(parts), "release_page")
        .ruled_out[0]
        .endswith("the smallest is workload 0, which fails on model only.")
    )


def test_the_baseline_is_never_recommended_even_where_it_passes() -> None:
    result = decided(strategy("unpatched"), play=lambda _, number: run(number))
    assert of(result, "unpatched").ruled_out == ("It is the code before any fix.",)
    assert result.decision.recommended is None
    assert result.decision.order == ()
    assert any("no fix in this run" in reason for reason in result.decision.reasons)


def test_a_run_on_which_the_baseline_passes_decides_nothing() -> None:
    decision = decided(
        strategy("unpatched"), RELEASE_PAGE, play=lambda _, number: run(number)
    ).decision
    assert decision.recommended is None
    assert decision.order == ("release_page",)
    (reason,) = decision.reasons
    assert reason.startswith("Cannot decide: unpatched failed nothing, so passing proves nothing;")


def test_a_run_without_the_baseline_needs_another_failure_and_says_what_is_missing() -> None:
    assert decided(RELEASE_PAGE).decision.recommended is None
    decision = decided(NAIVE_HOLD, RELEASE_PAGE).decision
    assert decision.recommended == "release_page"
    assert any("unpatched is not part of this run" in reason for reason in decision.reasons)


def test_a_control_that_fails_makes_the_run_void() -> None:
    result = decided(UNPATCHED, NAIVE_HOLD, RELEASE_PAGE, play=lambda _, n: run(n))
    assert result.decision.recommended is None
    assert result.decision.order == ()
    assert "unpatched fails no_kernel_bug on uml:6.1: not caught in any of 100 workloads" in (
        result.decision.void
    )


def test_a_model_that_does_not_conform_makes_the_run_void() -> None:
    parts = campaign(strategies=[UNPATCHED, RELEASE_PAGE])
    odd = run(99, finished(used=5))
    parts.every = [
        type(one)(one.strategy, one.backend, one.shard, (*one.runs[:-1], odd))
        if (one.strategy, one.backend, one.shard) == ("release_page", "model", 1)
        else one
        for one in parts.every
    ]
    assert result_of(parts).decision.void == (
        "model and kernel agree: 1 of 200 pairs of outcomes differ, the first: release_page, "
        "workload 99: step 0: used 5 on model, 1 on uml:6.1"
    )


def test_a_control_that_could_not_be_made_leaves_it_undecided() -> None:
    play = except_for("unpatched", range(100), run(0, HUNG))
    decision = decided(UNPATCHED, NAIVE_HOLD, RELEASE_PAGE, play=play).decision
    assert (decision.recommended, decision.void) == (None, "")
    assert any(
        'the control "unpatched fails no_kernel_bug on model" could not be made' in reason
        for reason in decision.reasons
    )


@pytest.mark.parametrize(("hung", "taken"), [(1, True), (2, True), (3, False), (200, False)])
def test_more_than_one_in_a_hundred_unjudged_is_missing_evidence(hung: int, taken: bool) -> None:  # noqa: FBT001 - a parameter of the test
    play = except_for("release_page", range(hung), run(0, HUNG))
    result = decided(UNPATCHED, RELEASE_PAGE, play=play, workloads=200)
    assert (result.decision.recommended == "release_page") is taken
    reasons = of(result, "release_page").ruled_out
    assert bool(reasons) is not taken
    if not taken:
        assert reasons[0] == (
            f"Evidence is missing: no_kernel_bug could not judge {hung} of 200 workloads on model "
            "(hung: no sign of life for 10 s)."
        )
        assert "release_page, evidence is missing" in result.decision.reasons[-1]


@pytest.mark.parametrize(("reached", "taken"), [(58, False), (59, True)])
def test_a_cell_that_too_few_workloads_reached_is_missing_evidence(
    reached: int,
    taken: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    def play(name: str, number: int) -> Run:
        whole = seen(name, number)
        if name != "release_page" or number < reached:
            return whole
        verdicts = (*whole.verdicts[:-1], UNREACHED)
        return type(whole)(number, whole.outcome, verdicts, whole.states)

    result = decided(UNPATCHED, RELEASE_PAGE, play=play, workloads=200)
    assert (result.decision.recommended == "release_page") is taken
    cells = [cell for cell in result.cells if cell.strategy == "release_page"]
    assert [cell.verdict for cell in cells if cell.oracle == "contract"] == (
        [Value.PASS if taken else Value.UNKNOWN] * 2
    )
    if not taken:
        assert of(result, "release_page").ruled_out[0] == (
            "Evidence is missing: 58 of 200 workloads on model reached what contract judges; "
            "at least 59 have to, of about 210."
        )


def test_a_failure_that_few_workloads_reach_is_a_failure_all_the_same() -> None:
    def play(name: str, number: int) -> Run:
        whole = seen(name, number)
        if name != "release_page":
            return whole
        last = fail("once") if number == 1 else UNREACHED
        return type(whole)(number, whole.outcome, (*whole.verdicts[:-1], last), whole.states)

    assert of(decided(UNPATCHED, RELEASE_PAGE, play=play), "release_page").ruled_out == (
        (
            "It fails contract in 1 of 1 workloads on model and 1 of 1 on uml:6.1; "
            "the smallest is workload 1."
        ),
    )


def test_a_crash_that_no_oracle_of_the_run_judges_is_missing_evidence() -> None:
    parts = campaign(except_for("release_page", [1, 2], run(1, CRASHED)), [UNPATCHED, RELEASE_PAGE])
    without = [
        type(one)(
            one.strategy,
            one.backend,
            one.shard,
            tuple(type(r)(r.number, r.outcome, r.verdicts[1:], r.states) for r in one.runs),
        )
        for one in parts.every
    ]
    parts.every = without
    parts.settings = settings([UNPATCHED, RELEASE_PAGE], oracles=ORACLES[1:])
    result = result_of(parts)
    assert of(result, "release_page").ruled_out[0] == (
        "Evidence is missing: block_accounting could not judge 2 of 100 workloads on model "
        "(the kernel crashed)."
    )


def test_a_crash_that_was_judged_is_a_failure_and_no_missing_evidence() -> None:
    reasons = of(decided(UNPATCHED, RELEASE_PAGE), "unpatched").ruled_out
    assert reasons[0] == "It is the code before any fix."
    assert len(reasons) == 2
    assert not any("Evidence is missing" in reason for reason in reasons)


def test_a_strategy_that_was_not_run_lacks_evidence() -> None:
    parts = campaign(strategies=[UNPATCHED, RELEASE_PAGE, REMOVE_BUG_ON])
    parts.every = [
        one for one in parts.every if (one.strategy, one.backend) != ("release_page", "uml:6.1")
    ]
    result = result_of(parts)
    assert of(result, "release_page").ruled_out == (
        "Evidence is missing: it was not run on uml:6.1.",
    )
    assert result.decision.recommended == "remove_bug_on"
    assert "release_page was left out: it failed nothing, but evidence is missing." in (
        result.decision.reasons
    )


def test_a_strategy_that_fits_no_backend_of_the_run_lacks_evidence() -> None:
    elsewhere = strategy("elsewhere", added=["x"], series=["5.10"], model_patch=None)
    result = decided(UNPATCHED, RELEASE_PAGE, elsewhere)
    assert of(result, "elsewhere").ruled_out == (
        "Evidence is missing: it fits no backend of this run (its patches are for 5.10).",
    )


def test_a_guard_that_is_kept_counts_more_than_lines() -> None:
    decision = decided(UNPATCHED, REMOVE_BUG_ON, RELEASE_PAGE).decision
    assert decision.order == ("release_page", "remove_bug_on")
    assert decision.reasons[1] == (
        "remove_bug_on passed as well but deletes the assertion BUG_ON(page); "
        "what that guards against was not tested here."
    )


def test_one_that_deletes_a_guard_says_so_when_it_is_all_there_is() -> None:
    decision = decided(UNPATCHED, REMOVE_BUG_ON).decision
    assert decision.recommended == "remove_bug_on"
    assert decision.reasons[1] == (
        "It deletes the assertion BUG_ON(page); what that guards against was not tested here."
    )


def test_more_series_count_more_than_lines() -> None:
    wide = strategy("wide", added=list("abcdef"), series=["6.1", "6.12"])
    decision = decided(UNPATCHED, RELEASE_PAGE, wide).decision
    assert decision.order == ("wide", "release_page")
    assert decision.reasons[1] == (
        "release_page passed as well but has patches for fewer kernel series (1 against 2)."
    )


def test_fewer_lines_win_where_all_else_is_equal() -> None:
    small = strategy("small", added=["x"])
    decision = decided(UNPATCHED, RELEASE_PAGE, small).decision
    assert decision.order == ("small", "release_page")
    assert "changes more lines (4 against 1)" in decision.reasons[1]


def test_equals_are_a_tie_that_names_them_and_what_would_decide() -> None:
    twins = [strategy(name, added=["x"]) for name in ("one", "other")]
    decision = decided(UNPATCHED, RELEASE_PAGE, *twins).decision
    assert decision.recommended is None
    assert decision.order == ("one", "other", "release_page")
    (reason,) = decision.reasons
    assert reason.startswith("Cannot decide between one and other: all passed,")
    assert "would decide" in reason


def test_a_tie_of_equal_kernels_says_so() -> None:
    parts = campaign(strategies=[UNPATCHED, *(strategy(name, added=["x"]) for name in "ab")])
    parts.built = {("a", "uml:6.1"): "hash", ("b", "uml:6.1"): "hash"}
    (reason,) = result_of(parts).decision.reasons
    assert "built from equal source" in reason


def test_a_tie_behind_the_best_does_not_matter() -> None:
    twins = [strategy(name, added=["x", "y"]) for name in ("one", "other")]
    small = strategy("small", added=["x"])
    assert decided(UNPATCHED, *twins, small).decision.recommended == "small"


def test_nothing_can_be_taken_if_every_fix_fails() -> None:
    decision = decided(UNPATCHED, NAIVE_HOLD, UNACCT).decision
    assert decision.recommended is None
    assert decision.reasons == (
        "No fix can be taken: every one of them fails. Another fix is needed.",
    )


def test_a_model_alone_is_no_kernel() -> None:
    decision = decided(UNPATCHED, RELEASE_PAGE, backends=["model"]).decision
    assert decision.recommended == "release_page"
    assert "No real kernel was run: this rests on the model alone." in decision.reasons


def test_one_that_has_no_kernel_patch_rests_on_the_model() -> None:
    on_paper = strategy("on_paper", added=["x"], series=[])
    parts = campaign(strategies=[UNPATCHED, on_paper])
    parts.every = [
        one for one in parts.every if (one.strategy, one.backend) != ("on_paper", "uml:6.1")
    ]
    decision = result_of(parts).decision
    assert decision.recommended == "on_paper"
    assert "It was not run on uml:6.1: no patch for 6.1." in decision.reasons
    assert "No real kernel was run with it: this rests on the model alone." in decision.reasons


def test_one_that_ran_on_the_kernel_comes_before_one_that_did_not() -> None:
    deletes = strategy("deletes", removed=["\t\tBUG_ON(page);"])
    model_only = strategy("model_only", added=["\ta = 1;"], series=(), model_patch="")
    decision = decided(UNPATCHED, model_only, deletes).decision
    assert decision.order == ("deletes", "model_only")
    assert "model_only passed as well but was not run on uml:6.1." in decision.reasons


def test_a_stacked_strategy_tells_what_it_does_to_its_base() -> None:
    result = decided(UNPATCHED, NAIVE_HOLD, UNACCT)
    assert of(result, "unacct_before_return").against_base == (
        "Against its base naive_hold, unacct_before_return mends block_accounting "
        "and brings no_kernel_bug failures."
    )
    assert of(result, "naive_hold").against_base == ""


def test_a_stacked_strategy_that_leaves_a_failure_says_so() -> None:
    leaves = strategy("leaves", added=["x"], base="naive_hold")
    result = decided(
        UNPATCHED,
        NAIVE_HOLD,
        leaves,
        play=lambda name, n: seen("naive_hold" if name == "leaves" else name, n),
    )
    assert of(result, "leaves").against_base == (
        "Against its base naive_hold, leaves leaves block_accounting failing."
    )


def test_what_could_not_be_judged_is_not_mended() -> None:
    play = except_for("unacct_before_return", range(100), run(0, HUNG))
    result = decided(UNPATCHED, NAIVE_HOLD, UNACCT, play=play)
    assert of(result, "unacct_before_return").against_base == (
        "Whether unacct_before_return mends block_accounting of its base naive_hold was not seen."
    )


def test_a_base_that_was_not_run_cannot_be_compared_with() -> None:
    assert of(decided(UNPATCHED, UNACCT), "unacct_before_return").against_base == (
        "unacct_before_return stands on naive_hold, which was not run."
    )


def test_an_oracle_that_informs_rules_nothing_out_and_one_that_ranks_puts_behind() -> None:
    play = except_for("release_page", [4], run(4, content="x"))
    parts = campaign(play, [UNPATCHED, RELEASE_PAGE, REMOVE_BUG_ON])
    assert result_of(parts).decision.recommended == "remove_bug_on"
    for trait in ("informational", "ranks"):
        traits = {"content": Traits(**{trait: True})}
        parts.settings = msgspec.structs.replace(parts.settings, traits=traits)
        result = result_of(parts)
        assert of(result, "release_page").ruled_out == ()
        best = "release_page" if trait == "informational" else "remove_bug_on"
        assert result.decision.recommended == best
    assert result.decision.reasons[-1] == (
        "release_page passed as well but changes results where unpatched was right, in 2 runs "
        "(see what it changes)."
    )


def test_what_a_backend_cannot_see_is_named_and_no_missing_evidence() -> None:
    parts = campaign(strategies=[UNPATCHED, RELEASE_PAGE])
    parts.settings = msgspec.structs.replace(
        parts.settings,
        unseen={"uml:6.1": {"held": "no counter"}},
        traits={"page_leak": Traits(sees=("held",))},
    )
    decision = result_of(parts).decision
    assert decision.recommended == "release_page"
    assert "Not judged on uml:6.1: page_leak (held: no counter)." in decision.reasons
