# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from made import (
    BUNDLED,
    HUNG,
    NAIVE_HOLD,
    RELEASE_PAGE,
    UNPATCHED,
    campaign,
    run,
    seen,
    settings,
    strategy,
)

from difftest.assemble import result_of
from difftest.tally import Run, Tally
from reports.table import TableReport

WHOLE = result_of(campaign(workloads=2000, shard_size=500))
PAGE = TableReport().render(WHOLE, "runs/0001")


def flat(text: str) -> str:
    return " ".join(text.split())


def test_it_fits_a_hundred_columns() -> None:
    assert max(map(len, PAGE.splitlines())) <= 100
    assert PAGE.endswith(".\n")
    assert not any(line.endswith(" ") for line in PAGE.splitlines())


def test_each_backend_has_its_table_with_a_row_for_each_strategy() -> None:
    for backend in WHOLE.backends:
        table = PAGE[PAGE.index(f"\n{backend} ") :].splitlines()[1:]
        rows = [line.split()[0] for line in table[2:13] if not line.startswith(" ")]
        assert rows[:5] == [one.name for one in BUNDLED]
        assert table[0].split() == [backend, *WHOLE.oracles]


def test_cells_have_counts_bounds_and_what_was_not_judged() -> None:
    assert "unpatched             400/2000         0/1600 ?400" in PAGE
    assert "(<0.19 %)" in PAGE
    assert "? the kernel crashed (unpatched, unacct_before_return)" in PAGE


def test_the_smallest_failing_workload_can_be_read_and_replayed() -> None:
    assert "0.0.0 |     fill leave=0" in PAGE
    assert "kernel BUG at mm/userfaultfd.c:__mcopy_atomic" in PAGE
    assert (
        "difftest replay runs/0001/witnesses/unpatched-no_kernel_bug.workload "
        "\\ --strategy unpatched --backend model --backend uml:6.1"
    ) in flat(PAGE)


def test_who_did_it_stands_beside_the_workload() -> None:
    assert "who: " not in PAGE
    parts = campaign()
    parts.told = {("unpatched", 3): "allocated by x < y"}
    assert TableReport().render(result_of(parts)).count("\n    who: allocated by x < y\n\n") == 1


def test_the_decision_comes_last_with_its_reasons() -> None:
    last = flat(PAGE[PAGE.index("Recommended: release_page") :])
    assert "no failure in 2000 workloads on model and uml:6.1" in last
    assert "remove_bug_on passed as well but deletes the assertion BUG_ON(page)" in last


def test_few_oracles_have_cells_in_one_line() -> None:
    def play(name: str, number: int) -> Run:
        whole = seen(name, number)
        return msgspec.structs.replace(whole, verdicts=whole.verdicts[:2])

    parts = campaign(play)
    parts.settings = settings(oracles=WHOLE.oracles[:2])
    page = TableReport().render(result_of(parts))
    assert "unpatched             20/100           0/80 (<3.7 %) ?20" in page


def test_many_oracles_go_into_several_tables() -> None:
    names = [f"oracle_with_a_long_name_{n}" for n in range(8)]

    def play(name: str, number: int) -> Run:
        whole = seen(name, number)
        return msgspec.structs.replace(whole, verdicts=(whole.verdicts * 2)[:8])

    parts = campaign(play, [replace(one, must_fail=()) for one in BUNDLED])
    parts.settings = settings([replace(one, must_fail=()) for one in BUNDLED], oracles=names)
    page = TableReport().render(result_of(parts))
    assert max(map(len, page.splitlines())) <= 100
    headers = [line for line in page.splitlines() if line.startswith("uml:6.1 ")]
    assert [name for line in headers for name in line.split()[1:]] == names


def test_a_strategy_without_a_patch_says_so() -> None:
    kernel_only = strategy("kernel_only", added=["x"], model_patch=None)
    parts = campaign(strategies=[UNPATCHED, kernel_only])
    parts.every = [
        one for one in parts.every if (one.strategy, one.backend) != ("kernel_only", "model")
    ]
    assert "kernel_only  no model patch" in flat_rows(TableReport().render(result_of(parts)))


def flat_rows(page: str) -> list[str]:
    return ["  ".join(part for part in line.split("  ") if part) for line in page.splitlines()]


def test_what_failed_among_the_checks_is_loud() -> None:
    parts = campaign(lambda _, n: run(n), [UNPATCHED, NAIVE_HOLD, RELEASE_PAGE])
    parts.every = [
        Tally(one.strategy, one.backend, one.shard, (run(0, HUNG), *one.runs[1:]))
        for one in parts.every
    ]
    page = TableReport().render(result_of(parts))
    assert "FAILED  unpatched fails no_kernel_bug on model: not caught" in page
    assert "VOID: this run proves nothing\n====" in page
    assert "Recommended" not in page
    assert "ok      model and kernel agree" in page


def test_conformance_shows_where_they_part() -> None:
    parts = campaign(strategies=[UNPATCHED, RELEASE_PAGE])
    parts.every[0] = Tally(
        *("unpatched", "model", 0), (run(0, seen("unpatched", 3).outcome), *parts.every[0].runs[1:])
    )
    page = TableReport().render(result_of(parts))
    assert "DIFFER  unpatched on uml:6.1: 1 of 100 outcomes differ" in page
    assert "workload 0: step 0 not seen (crashed:" in page


def test_a_state_that_was_never_reached_is_loud() -> None:
    rows = [line.split() for line in PAGE.splitlines()]
    assert ["window_opened", "1000/2000", "1000/2000"] in rows
    assert ["charge_failed_on_retry", "NONE/2000", "NONE/2000"] in rows


@pytest.mark.parametrize("begun", [True, False])
def test_a_run_that_has_hardly_begun_can_be_rendered(begun: bool) -> None:  # noqa: FBT001 - a parameter
    parts = campaign()
    parts.every = parts.every[:1] if begun else []
    page = TableReport().render(result_of(parts))
    assert "No recommendation" in page
    assert "not run" in page
    assert "(0 done everywhere)" in page


def test_each_strategy_is_introduced_with_what_it_stands_on_and_equals() -> None:
    parts = campaign()
    parts.built = {(name, "uml:6.1"): "hash" for name in ("release_page", "remove_bug_on")}
    page = flat(TableReport().render(result_of(parts)))
    assert "release_page mends it. (+3 -1 lines; the same kernel as remove_bug_on)" in page
    assert "unacct_before_return mends it. (+2 -0 lines; on top of naive_hold)" in page
    assert "unpatched: unpatched mends it. remove_bug_on:" in page
