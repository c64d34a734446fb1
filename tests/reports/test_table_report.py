# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from made import (
    BUNDLED,
    HUNG,
    NAIVE_HOLD,
    RELEASE_PAGE,
    UNPATCHED,
    campaign,
    crowd,
    run,
    seen,
    strategy,
    whole,
)
from msgspec.structs import replace

from difftest.assemble import result_of
from difftest.result import Kind, OtherBug
from difftest.tally import Tally
from reports.table import TableReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from difftest.tally import Run

WHOLE = whole()
PAGE = TableReport().render(WHOLE, "runs/0001")

#: What a terminal shows at once.
LINES, COLUMNS = 50, 100
#: Strategies that nothing is heard of.
QUIET = ("remove_bug_on", "release_page")


@cache
def crowded() -> str:
    return TableReport().render(crowd(), "runs/0001")


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("rendered", [lambda: PAGE, crowded], ids=["5 strategies", "12 strategies"])
def test_it_fits_one_screen(rendered: Callable[[], str]) -> None:
    page = rendered()
    lines = page.splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS
    assert not any(line.endswith(" ") for line in lines)
    assert page.endswith(".\n")


@pytest.mark.parametrize("rendered", [lambda: PAGE, crowded], ids=["5 strategies", "12 strategies"])
def test_the_decision_comes_last_with_its_reasons(rendered: Callable[[], str]) -> None:
    page = rendered()
    last = page[page.index("\nRecommended: ") :]
    assert "no failure in 2000 workloads on model" in flat(last)
    assert "passed as well but" in flat(last)


def test_there_is_a_row_for_each_strategy() -> None:
    rows = [line.split() for line in PAGE.splitlines()[2:9]]
    assert rows[0] == ["strategy", "fails", "bound", "unknown"]
    assert rows[2] == ["release_page", "recommended", "nothing", "<0.15", "%"]
    assert rows[4:6] == [
        ["unpatched", "ruled", "out", "no_kernel_bug", "400/2000", "<0.19", "%", "400"],
        ["naive_hold", "ruled", "out", "block_accounting", "400/2000", "<0.15", "%"],
    ]
    assert "Not judged on model and uml:6.1: the kernel crashed (unpatched, " in PAGE


def test_oracles_without_a_failure_are_folded_into_a_sentence() -> None:
    assert "No strategy fails page_leak, content or contract." in PAGE
    assert "No strategy fails oracle_number_1 or oracle_number_11." in crowded()


def test_what_is_out_has_its_evidence_and_how_to_see_it() -> None:
    out = PAGE[PAGE.index("Ruled out\n") : PAGE.index("Controls")]
    assert "naive_hold            block_accounting: 1 block in use after all was closed" in out
    assert "unpatched             no_kernel_bug: kernel BUG at mm/userfaultfd.c" in out
    assert "difftest replay runs/0001/witnesses/STRATEGY-ORACLE.workload --strategy" in out
    assert "difftest report runs/0001 --format html" in out


def test_a_strategy_without_a_patch_says_so() -> None:
    kernel_only = strategy("kernel_only", added=["x"], model_patch=None)
    parts = campaign(strategies=[UNPATCHED, kernel_only])
    parts.every = [
        one for one in parts.every if (one.strategy, one.backend) != ("kernel_only", "model")
    ]
    assert "model: no model patch" in TableReport().render(result_of(parts))


def test_what_failed_among_the_checks_is_loud() -> None:
    parts = campaign(lambda _, n: run(n), [UNPATCHED, NAIVE_HOLD, RELEASE_PAGE])
    parts.every = [
        Tally(one.strategy, one.backend, one.shard, (run(0, HUNG), *one.runs[1:]))
        for one in parts.every
    ]
    page = TableReport().render(result_of(parts))
    assert "Controls: FAILED: unpatched fails no_kernel_bug on model: not caught" in flat(page)
    assert "VOID: this run proves nothing\n====" in page
    assert "Recommended" not in page
    assert "Model against kernels: all 3 hold." in page
    assert "3 pairs of outcomes on uml:6.1 are unknown." in page


def test_conformance_shows_where_they_part() -> None:
    parts = campaign(strategies=[UNPATCHED, RELEASE_PAGE])
    parts.every[0] = Tally(
        *("unpatched", "model", 0), (run(0, seen("unpatched", 3).outcome), *parts.every[0].runs[1:])
    )
    page = TableReport().render(result_of(parts))
    assert "DIFFER: unpatched on uml:6.1: 1 of 100 outcomes differ" in page
    assert "workload 0: step 0 not seen (crashed:" in page


@pytest.mark.parametrize("begun", [True, False])
def test_a_run_that_has_hardly_begun_can_be_rendered(begun: bool) -> None:  # noqa: FBT001 - a parameter
    parts = campaign()
    parts.every = parts.every[:1] if begun else []
    page = TableReport().render(result_of(parts))
    assert "No recommendation" in page
    assert "not run" in page
    assert "(0 done everywhere)" in page


def test_strategies_that_are_the_same_kernel_are_named() -> None:
    parts = campaign()
    parts.built = {(name, "uml:6.1"): "hash" for name in ("release_page", "remove_bug_on")}
    page = TableReport().render(result_of(parts))
    assert "The kernels of release_page and remove_bug_on are the same." in page


def test_who_did_it_stands_beside_the_evidence() -> None:
    assert "who: " not in PAGE
    parts = campaign()
    parts.told = {("unpatched", 3): "allocated by x < y"}
    page = TableReport().render(result_of(parts))
    assert flat(page).count(" who: allocated by x < y") == 1


def test_other_bugs_are_told_and_other_remarks_counted() -> None:
    kinds = tuple(Kind(f"odd_{n}", "model", "content", "kind", 100, n + 1, 100) for n in range(9))
    page = TableReport().render(replace(WHOLE, kinds=kinds))
    assert "\nBesides: 9 remarks, in the other formats.\nControls: " in page
    bugs = tuple(
        OtherBug("content", backend, ("unpatched",), 5, 0, 3, "", "zeros")
        for backend in WHOLE.backends
    )
    page = flat(TableReport().render(replace(WHOLE, kinds=kinds, other_bugs=bugs)))
    assert "Besides: another bug of the kernel that no fix here touches: unpatched and" in page
    assert "Also: 9 remarks, in the other formats. Controls: " in page


def test_where_a_strategy_does_not_apply_the_table_has_the_reason() -> None:
    late = strategy("late", added=["x"], does_not_apply={"6.1": "what it changes came with 6.2"})
    page = flat(TableReport().render(result_of(campaign(strategies=[*BUNDLED, late]))))
    assert "uml:6.1: what it changes came with 6.2" in page


def test_strategies_that_lack_the_same_are_told_together() -> None:
    def play(name: str, number: int) -> Run:
        return run(number, HUNG) if name in QUIET else seen(name, number)

    page = flat(TableReport().render(result_of(campaign(play))))
    assert page.count("Evidence is missing: ") == 1
    assert "The like holds for release_page." in page
