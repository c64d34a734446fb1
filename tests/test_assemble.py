# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import (
    BACKENDS,
    BUNDLED,
    RELEASE_PAGE,
    UNPATCHED,
    campaign,
    run,
    seen,
    strategy,
)

from difftest.assemble import result_of, same_kernels
from difftest.errors import StoreError
from difftest.outcome import Ending, Outcome
from difftest.rendering import absence, introduction
from difftest.result import upper_bound

if TYPE_CHECKING:
    from difftest.tally import Run, Tally

WHOLE = campaign()


@given(st.permutations(WHOLE.every))
@settings(max_examples=30)
def test_the_order_in_which_tallies_come_makes_no_difference(tallies: list[Tally]) -> None:
    assert result_of(replace(WHOLE, every=tallies)) == result_of(WHOLE)


@given(st.integers(1, 20))
@settings(max_examples=20)
def test_the_size_of_shards_makes_no_difference(size: int) -> None:
    assert result_of(campaign(shard_size=size)) == result_of(WHOLE)


def test_bundled_strategies_come_out_as_known() -> None:
    result = result_of(WHOLE)
    assert result.done == result.workloads == 100
    assert result.decision.recommended == "release_page"
    assert result.decision.order == ("release_page", "remove_bug_on")
    assert {one.name for one in result.strategies if one.ruled_out} == {
        "unpatched",
        "naive_hold",
        "unacct_before_return",
    }
    assert len(result.cells) == len(BUNDLED) * len(BACKENDS) * len(result.oracles)
    assert all(one.differ == 0 and one.compared == 100 for one in result.conformance)


def test_guided_workloads_rule_out_and_no_bound_counts_them() -> None:
    def late(strategy: str, number: int) -> Run:
        if strategy == "remove_bug_on" and number == 99:
            return run(number, page_leak="1 page")
        return seen(strategy, number)

    whole = campaign(late)
    split = msgspec.structs.replace(whole.settings, workloads=60, guided=40)
    result = result_of(replace(whole, settings=split))
    assert (result.workloads, result.guided, result.faults, result.done) == (100, 40, 0, 100)
    assert {cell.drawn for cell in result.cells} == {60}
    clean = [cell for cell in result.cells if cell.upper_bound is not None]
    assert {cell.upper_bound for cell in clean} == {upper_bound(cell.bounding) for cell in clean}
    assert max(cell.bounding for cell in clean) == 60
    out = {one.name: one.ruled_out for one in result.strategies}
    assert "page_leak in 1 of 100 workloads" in " ".join(out["remove_bug_on"])
    assert "100 workloads, 40 of them guided (no bound counts those)," in introduction(result)
    likeness = [like for pair in result.pairs for like in pair.likeness]
    assert {(like.compared, like.bounding) for like in likeness} == {(100, 60)}
    both = msgspec.structs.replace(result, faults=20)
    assert ", 20 of them with faults, 40 of them guided (no bound counts those), on" in (
        introduction(both)
    )
    assert result.decision.reasons[0] == (
        "release_page: no failure in 100 workloads on model and uml:6.1 (each oracle <4.9 % at "
        "95 %, without the guided ones)."
    )


def test_timings_are_the_only_part_that_may_differ() -> None:
    slow = result_of(replace(WHOLE, timings={"run": 9.0}))
    assert slow != result_of(WHOLE)
    assert msgspec.structs.replace(slow, timings={}) == result_of(WHOLE)


def test_a_strategy_that_a_backend_refuses_has_no_cells_there_and_the_reason() -> None:
    parts = campaign()
    refused = ("remove_bug_on", "uml:6.1")
    parts.every = [one for one in parts.every if (one.strategy, one.backend) != refused]
    parts.refused = {refused: "does not apply: hunk 1"}
    result = result_of(parts)
    assert result.done == result.workloads
    cells = [one for one in result.cells if (one.strategy, one.backend) == refused]
    assert cells == []
    (one,) = (one for one in result.strategies if one.name == "remove_bug_on")
    assert absence(one, "uml:6.1") == "does not apply: hunk 1"


def test_who_did_it_goes_to_every_witness_of_that_workload() -> None:
    parts = replace(WHOLE, told={("unpatched", 3): "x", ("release_page", 3): "y"})
    told = [one for one in result_of(parts).witnesses if one.culprit]
    assert [(one.strategy, one.number, one.culprit) for one in told] == [("unpatched", 3, "x")]


def test_what_a_backend_cannot_play_is_neither_a_run_nor_missing_evidence() -> None:
    def play(strategy: str, number: int) -> Run:
        unplayed = Outcome(Ending.UNPLAYED, (), title="with SMP the limit is off")
        return run(number, unplayed) if number == 7 else seen(strategy, number)

    result = result_of(campaign(play))
    assert {(one.runs, one.unknown) for one in result.cells if one.oracle == "no_kernel_bug"} == {
        (99, 0)
    }
    assert result.decision.recommended == "release_page"


def test_a_strategy_without_a_model_patch_has_no_cells_there_and_nothing_to_conform() -> None:
    kernel_only = strategy("kernel_only", added=["x"], model_patch=None)
    parts = campaign(strategies=[UNPATCHED, kernel_only])
    parts.every = [
        one for one in parts.every if (one.strategy, one.backend) != ("kernel_only", "model")
    ]
    result = result_of(parts)
    assert {one.backend for one in result.cells if one.strategy == "kernel_only"} == {"uml:6.1"}
    assert [one.strategy for one in result.conformance] == ["unpatched"]
    assert result.done == 100
    assert result.decision.recommended == "kernel_only"
    assert "It was not run on model: no model patch." in result.decision.reasons


def test_a_run_that_was_stopped_says_so() -> None:
    parts = campaign(workloads=200, shard_size=100)
    parts.every = [one for one in parts.every if (one.strategy, one.shard) != ("naive_hold", 1)]
    result = result_of(parts)
    assert (result.done, result.workloads) == (100, 200)
    assert "The run is not complete: 100 of 200 workloads were run everywhere." in (
        result.decision.reasons
    )


def test_a_run_that_has_not_begun_has_a_result() -> None:
    parts = campaign()
    parts.every, parts.texts = [], {}
    result = result_of(parts)
    assert (result.done, result.decision.recommended) == (0, None)
    assert {one.holds for one in result.controls} == {None}


def test_states_are_counted_on_the_baseline_or_else_on_the_first() -> None:
    others = [strategy("first", added=["x"]), RELEASE_PAGE]
    on_first = result_of(campaign(strategies=others, workloads=10)).reached
    assert {one.count for one in on_first if one.state == "window_opened"} == {5}
    both = [strategy("first", added=["x"]), UNPATCHED]
    stopped = campaign(strategies=both, workloads=10)
    stopped.every = [one for one in stopped.every if one.strategy != "unpatched"]
    assert {one.runs for one in result_of(stopped).reached} == {0}


def test_a_tally_of_a_workload_without_text_is_damage() -> None:
    parts = campaign()
    del parts.texts[13]
    with pytest.raises(StoreError, match="workload 13"):
        result_of(parts)


def test_strategies_with_equal_kernels_are_named() -> None:
    kernels = {
        ("release_page", "uml:6.1"): "a",
        ("release_page", "model"): "m",
        ("remove_bug_on", "uml:6.1"): "a",
        ("remove_bug_on", "model"): "n",
        ("naive_hold", "uml:6.1"): "b",
    }
    by_name = {one.name: one for one in result_of(replace(WHOLE, built=kernels)).strategies}
    assert by_name["release_page"].same_kernel_as == ("remove_bug_on",)
    assert by_name["remove_bug_on"].same_kernel_as == ("release_page",)
    assert by_name["naive_hold"].same_kernel_as == ()


def test_kernels_are_the_same_only_if_they_are_so_in_every_series() -> None:
    one = {("a", "uml:6.1"): "x", ("b", "uml:6.1"): "x", ("a", "uml:6.12"): "y"}
    assert same_kernels(one | {("b", "uml:6.12"): "z"}) == {"a": set(), "b": set()}
    assert same_kernels(one) == {"a": {"b"}, "b": {"a"}}
    assert same_kernels({("a", "model"): "x", ("b", "model"): "x"}) == {}
