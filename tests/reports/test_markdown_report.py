# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from made import RACE, UNPATCHED, campaign, run, seen, strategy, whole
from msgspec.structs import replace

from difftest.assemble import result_of
from difftest.result import Telling
from reports.markdown import MarkdownReport

if TYPE_CHECKING:
    from difftest.tally import Run

WHOLE = whole()
PAGE = MarkdownReport().render(WHOLE, "runs/0001")


def test_the_decision_comes_first() -> None:
    headings = [line for line in PAGE.splitlines() if line.startswith("#")]
    assert headings[:3] == [
        "# Comparison of fixes",
        "## Recommended: release_page",
        "## What was seen",
    ]
    assert "- release_page: no failure in 2000 workloads on model and uml:6.1" in PAGE


def test_tables_have_as_many_cells_in_each_row() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {
        len(WHOLE.oracles) + 2,
        len(WHOLE.backends) + 2,  # states
        len(WHOLE.backends) + 3,  # operations
    }
    assert "| release_page | 0/2000 (<0.15 %) |" in PAGE


def test_workloads_and_commands_stand_in_fences() -> None:
    assert PAGE.count("```") == 2 * len(re.findall(r"```(?:text|sh)\n", PAGE))
    assert "```text\n        mount blocks=4\n" in PAGE
    assert "```sh\ndifftest replay runs/0001/witnesses/naive_hold-block_accounting.workload" in PAGE


def test_text_of_others_cannot_break_the_page() -> None:
    def play(name: str, number: int) -> Run:
        if name == "odd" and number == 3:
            return run(number, content="<b> | `x` *y*\n# no heading __z")
        return seen(name, number)

    parts = campaign(play, [UNPATCHED, strategy("odd", added=["x"])])
    page = MarkdownReport().render(result_of(parts))
    assert "\\<b> \\| \\`x\\` \\*y\\* \\# no heading \\_\\_z" in page


def test_lists_and_blocks_are_set_apart_by_one_blank_line() -> None:
    assert "\n\n\n" not in PAGE
    assert PAGE.endswith("\n")
    assert not PAGE.endswith("\n\n")
    for before, after in zip(PAGE.splitlines(), PAGE.splitlines()[1:], strict=False):
        if after.startswith(("```sh", "```text", "#")):
            assert before == ""


def test_the_smallest_workload_is_the_one_shown() -> None:
    assert WHOLE.witnesses[0].text == RACE
    assert PAGE.count("```text") == len({one.strategy for one in WHOLE.witnesses})


def test_who_did_it_stands_beside_the_workload() -> None:
    assert "Who: " not in PAGE
    parts = campaign()
    parts.told = {("unpatched", 3): "allocated by x < y"}
    page = MarkdownReport().render(result_of(parts))
    assert "\n\nWho: allocated by x < y\n\n```text\n" in page
    assert page.count("Who: ") == 1


def test_failed_checks_are_bold() -> None:
    page = MarkdownReport().render(result_of(campaign(lambda _, number: run(number))))
    assert "- **FAILED** unpatched fails no_kernel_bug on model: not caught in any" in page
    assert "## VOID: this run proves nothing" in page


def test_each_strategy_is_introduced() -> None:
    assert "- **release_page**: release_page mends it. (+3 -1 lines; for 6.1)" in PAGE


def test_each_two_strategies_have_the_witness_that_tells_them_apart_or_what_was_compared() -> None:
    told = Telling("naive_hold", "block_accounting", ("model",), 3, "x\n", "1 block", "witnesses/n")
    pairs = [
        replace(one, told=(told,)) if "naive_hold" in (one.one, one.other) else one
        for one in WHOLE.pairs
    ]
    page = MarkdownReport().render(replace(WHOLE, pairs=tuple(pairs)), "runs/0001")
    (part,) = re.findall("## What tells them apart\n(.*?)\n## ", page, re.DOTALL)
    assert "| naive_hold | 1 | 1 | 1 |  | 1 |" in part
    assert "| 1 | naive_hold | block_accounting | model | 1 block | runs/0001/witnesses/n |" in part
    assert "- remove_bug_on and release_page: 0 of 2000 outcomes differ on model" in part


def test_a_run_without_pairs_has_no_such_part() -> None:
    assert "tells them apart" not in MarkdownReport().render(replace(WHOLE, pairs=()), "")
