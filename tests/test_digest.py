# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from made import BUNDLED, HUNG, campaign, run, seen, strategy, whole
from msgspec.structs import replace

from difftest import digest
from difftest.assemble import result_of
from difftest.result import Control, OtherBug
from difftest.verdict import Value

if TYPE_CHECKING:
    from difftest.tally import Run

WHOLE = whole()


def row(result: object, name: str) -> digest.Row:
    return next(one for one in digest.rows(result) if one.name == name)  # type: ignore[arg-type]


def test_the_best_comes_first_and_what_is_ruled_out_last() -> None:
    assert [(one.name, one.verdict) for one in digest.rows(WHOLE)] == [
        ("release_page", "recommended"),
        ("remove_bug_on", "passed"),
        ("unpatched", "ruled out"),
        ("naive_hold", "ruled out"),
        ("unacct_before_return", "ruled out"),
    ]


def test_a_failure_that_is_the_same_everywhere_is_said_once() -> None:
    assert row(WHOLE, "naive_hold").fails == ("block_accounting 400/2000",)
    assert row(WHOLE, "release_page").fails == ()


def test_the_bound_is_the_largest_of_the_clean_cells() -> None:
    assert row(WHOLE, "release_page").bound == "0.15 %"
    assert row(WHOLE, "unpatched").bound == "0.19 %"
    assert row(WHOLE, "unpatched").unjudged == "400"


def test_a_failure_on_one_backend_only_names_it() -> None:
    cells = [
        replace(cell, fail=0, passed=cell.reached, upper_bound=0.1, verdict=Value.PASS)
        if (cell.strategy, cell.backend) == ("naive_hold", "model") and cell.fail
        else cell
        for cell in WHOLE.cells
    ]
    result = replace(WHOLE, cells=tuple(cells))
    assert row(result, "naive_hold").fails == ("block_accounting 400/2000 on uml:6.1",)


def test_what_was_not_run_is_no_clean_cell() -> None:
    kernel_only = strategy("kernel_only", added=["x"], model_patch=None)
    parts = campaign(strategies=[*BUNDLED, kernel_only])
    parts.every = [
        one for one in parts.every if (one.strategy, one.backend) != ("kernel_only", "model")
    ]
    assert row(result_of(parts), "kernel_only").fails == ("model: no model patch",)


def test_an_oracle_that_is_unknown_is_named() -> None:
    def play(name: str, number: int) -> Run:
        return run(number, HUNG) if name == "release_page" else seen(name, number)

    found = row(result_of(campaign(play)), "release_page")
    assert "contract UNKNOWN" in found.fails
    assert found.bound == ""


def test_a_bound_that_rests_on_too_few_workloads_is_none() -> None:
    cells = tuple(
        replace(one, upper_bound=0.4, reached=6, verdict=Value.UNKNOWN)
        if (one.strategy, one.backend, one.oracle) == ("release_page", "uml:6.1", "content")
        else one
        for one in WHOLE.cells
    )
    found = row(replace(WHOLE, cells=cells), "release_page")
    assert found.fails == ("content UNKNOWN on uml:6.1",)
    assert found.bound == "0.15 %"


def test_oracles_that_nobody_fails_are_folded_into_a_sentence() -> None:
    assert digest.clean_oracles(WHOLE) == "No strategy fails page_leak, content or contract."


def test_the_evidence_is_that_of_the_smallest_workload() -> None:
    named = {one.name: one for one in WHOLE.strategies}
    assert digest.evidence(WHOLE, named["naive_hold"]) == (
        "block_accounting: 1 block in use after all was closed, expected 0"
    )


def test_checks_that_hold_are_counted_and_others_spelt_out() -> None:
    assert digest.checks(WHOLE, "R")[:2] == [
        "Controls: all 5 hold.",
        "Model against kernels: all 5 hold.",
    ]
    bad = result_of(campaign(lambda _, number: run(number)))
    assert any(
        "FAILED: unpatched fails no_kernel_bug on model" in one for one in digest.checks(bad, "R")
    )


def test_pairs_that_could_not_be_compared_are_not_folded_away() -> None:
    def play(name: str, number: int) -> Run:
        return run(number, HUNG) if number == 7 else seen(name, number)

    said = digest.checks(result_of(campaign(play, workloads=2000, shard_size=500)), "R")
    assert "5 pairs of outcomes on uml:6.1 are unknown." in said


def test_what_a_backend_cannot_see_is_named() -> None:
    parts = campaign()
    parts.settings = replace(parts.settings, unseen={"uml:6.1": {"held": "no counters"}})
    assert "Not compared on uml:6.1: held (no counters)." in digest.checks(result_of(parts), "R")


def test_backends_that_missed_the_same_share_a_sentence() -> None:
    said = digest.missed(WHOLE)
    assert said[:2] == [
        "Not judged on model and uml:6.1: the kernel crashed (unpatched, unacct_before_return).",
        "Never reached on model and uml:6.1: charge_failed_on_retry.",
    ]
    assert said[2].startswith("On model and uml:6.1 0 of 60 operations reached; not reached: copy")


def test_of_many_checks_that_do_not_hold_the_worst_are_told() -> None:
    names = [f"control {n}" for n in range(9)]
    controls = tuple(
        Control(name, holds=False if name == "control 8" else None, detail="x") for name in names
    )
    assert digest.checks(replace(WHOLE, controls=controls, conformance=()), "R") == [
        "Controls: FAILED: control 8: x",
        "Controls: NOT MADE: control 0: x",
        "Controls: NOT MADE: control 1: x",
        "Controls: 6 more do not hold or were not made.",
    ]


def test_entries_of_a_column_are_not_torn() -> None:
    def play(_: str, number: int) -> Run:
        return run(number, **dict.fromkeys(WHOLE.oracles[1:], "x"))

    parts = campaign(play, [strategy("a_fix_that_is_wrong_in_every_way_there_is", added=["x"])])
    lines = digest.table(result_of(parts), 100)
    assert max(map(len, lines)) <= 100
    assert [line[54:].split("  ")[0].strip() for line in lines[2:]] == [
        "block_accounting 100/100",
        "page_leak 100/100",
        "content 100/100",
        "contract 100/100",
    ]
    assert len(digest.table(result_of(parts), 200)) == 3


def test_a_strategy_is_tested_when_every_cell_is_below_the_bound() -> None:
    assert digest.untested(WHOLE) == []


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"done": 1999}, "1999 of 2000 workloads were run everywhere"),
        ({"backends": ("model",)}, "no real kernel was run"),
        (
            {"controls": (replace(WHOLE.controls[0], holds=None), *WHOLE.controls[1:])},
            "the control does not hold: model and kernel agree",
        ),
        ({"decision": replace(WHOLE.decision, recommended=None)}, "no strategy is recommended"),
        (
            {"cells": tuple(one for one in WHOLE.cells if one.backend == "model")},
            "it was not run on uml:6.1: not run",
        ),
        (
            {
                "cells": tuple(
                    replace(one, upper_bound=0.003) if one.oracle == "content" else one
                    for one in WHOLE.cells
                )
            },
            "content on uml:6.1 shows <0.30 %",
        ),
    ],
)
def test_less_than_that_is_not_tested(change: dict[str, object], missing: str) -> None:
    assert digest.untested(replace(WHOLE, **change)) == [missing]


def test_a_cell_that_judged_nothing_is_not_tested() -> None:
    cells = tuple(
        replace(one, upper_bound=None, reached=0, verdict=Value.UNKNOWN)
        if one.oracle == "content"
        else one
        for one in WHOLE.cells
    )
    assert digest.untested(replace(WHOLE, cells=cells)) == ["content on uml:6.1 shows nothing"]


def test_what_only_informs_stands_among_the_remarks() -> None:
    result = replace(WHOLE, informational=("block_accounting",))
    assert row(result, "naive_hold").fails == ()
    assert digest.remarks(result) == [
        (
            "block_accounting (for information): naive_hold fails it on model and uml:6.1 in "
            "400 of 2000 workloads"
        )
    ]


def test_what_only_ranks_is_told_apart() -> None:
    result = replace(WHOLE, ranking=("block_accounting",))
    assert row(result, "naive_hold").fails == ("block_accounting 400/2000 (ranks it)",)


def test_failures_that_all_have_alike_are_another_bug() -> None:
    cells = tuple(
        replace(one, shared=400, verdict=Value.PASS, upper_bound=0.0019)
        if one.oracle == "block_accounting" and one.fail
        else one
        for one in WHOLE.cells
    )
    bugs = tuple(
        OtherBug("content", backend, ("unpatched",), 5, 0, 3, "", "zeros")
        for backend in WHOLE.backends
    )
    result = replace(WHOLE, cells=cells, other_bugs=bugs, informational=("no_kernel_bug",))
    assert row(result, "naive_hold").fails == ()
    first, *others = digest.remarks(result)
    assert "fail content on model and uml:6.1 alike, in 5 workloads" in first
    assert all("(for information)" in one for one in others)


def test_where_there_is_nothing_to_judge_nothing_is_unknown() -> None:
    cells = tuple(
        replace(one, unseen="no counters", verdict=Value.UNKNOWN, upper_bound=None, unknown=2000)
        if (one.backend, one.oracle) == ("uml:6.1", "page_leak")
        else one
        for one in WHOLE.cells
    )
    result = replace(WHOLE, cells=cells)
    assert row(result, "release_page") == digest.Row(
        "release_page", "recommended", (), "0.15 %", ""
    )
    assert digest.untested(result) == ["page_leak on uml:6.1 shows nothing"]
    assert any("page_leak: no counters" in one for one in digest.missed(result))


def test_gaps_of_a_strategy_that_fails_anyway_are_counted() -> None:
    cells = tuple(
        replace(one, verdict=Value.UNKNOWN, upper_bound=0.2, reached=9)
        if one.oracle in {"page_leak", "content"}
        else one
        for one in WHOLE.cells
    )
    result = replace(WHOLE, cells=cells)
    assert row(result, "naive_hold").fails == ("block_accounting 400/2000", "2 UNKNOWN")
    assert row(result, "release_page").fails == ("page_leak UNKNOWN", "content UNKNOWN")
    ranked = row(replace(result, ranking=("block_accounting",)), "naive_hold").fails
    assert ranked[1:] == ("page_leak UNKNOWN", "content UNKNOWN")


def test_a_strategy_with_a_failure_lacks_no_evidence() -> None:
    def play(name: str, number: int) -> Run:
        return run(number, HUNG) if name == "release_page" else seen(name, number)

    assert digest.lacking(WHOLE) == []
    silent = result_of(campaign(play))
    assert [one.name for one in digest.lacking(silent)] == ["release_page"]
    assert row(silent, "release_page").verdict == "unknown"
