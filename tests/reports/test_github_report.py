# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from made import BUNDLED, campaign, crowd, run, whole
from msgspec.structs import replace
from published import github, shown

from difftest.assemble import result_of
from reports.github import LIMIT, GithubReport
from reports.markdown import MarkdownReport

WHOLE = whole()
TEXT = GithubReport().render(WHOLE, "runs/0001")
PAGE = github(TEXT)


def test_the_decision_comes_first_with_its_reasons() -> None:
    assert TEXT.startswith("## Recommended: release_page\n")
    assert shown(PAGE, "h2") == ["Recommended: release_page"]
    assert shown(PAGE, "li")[0].startswith("release_page: no failure in 2000 workloads on model")


def test_the_table_is_a_table_with_a_row_for_each_strategy() -> None:
    assert shown(PAGE, "th") == ["strategy", "", "fails", "bound", "unknown"]
    rows = [shown(PAGE, f"tbody tr:nth-child({at + 1}) td") for at in range(len(BUNDLED))]
    assert [len(row) for row in rows] == [5] * len(BUNDLED)
    assert rows[0] == ["release_page", "recommended", "nothing", "<0.15 %", ""]
    assert "block_accounting 400/2000" in {row[2] for row in rows}


def test_what_failed_is_folded_away_with_its_workload_and_the_command_to_replay_it() -> None:
    assert shown(PAGE, "details > summary") == [
        "unpatched fails no_kernel_bug",
        "naive_hold fails block_accounting",
        "unacct_before_return fails no_kernel_bug",
    ]
    codes = shown(PAGE, "details > pre > code")
    assert len(codes) == 2 * 3
    assert "0.0.0 | fill leave=0" in codes[0]
    assert codes[1].startswith(
        "difftest replay runs/0001/witnesses/unpatched-no_kernel_bug.workload"
    )


def test_nothing_but_its_own_folds_is_html() -> None:
    told = TEXT.replace("<details><summary>", "").replace("</summary>", "")
    assert not any(one in told.replace("</details>", "") for one in ("</", "<d", "<s", "<b"))


def test_a_void_run_says_so_first() -> None:
    page = github(GithubReport().render(result_of(campaign(lambda _, number: run(number)))))
    assert shown(page, "h2") == ["VOID: this run proves nothing"]
    assert shown(page, "li")[0].startswith("unpatched fails no_kernel_bug")


def test_it_is_shorter_than_the_whole() -> None:
    large = crowd()
    assert len(GithubReport().render(large)) < len(MarkdownReport().render(large)) / 2


def test_what_is_too_long_for_a_comment_is_left_out_in_whole_blocks() -> None:
    text = "fill leave=0\n" * 2000
    witnesses = [replace(one, text=text, evidence="|" * 4000) for one in WHOLE.witnesses]
    result = replace(WHOLE, witnesses=tuple(witnesses))
    told = GithubReport().render(result, "runs/0001")
    assert len(told) <= LIMIT
    page = github(told)
    assert 0 < len(shown(page, "details")) < len(witnesses)
    assert told.count("<details>") == told.count("</details>")
    assert shown(page, "p")[-1] == "More of it: difftest report runs/0001 --format markdown"


def test_one_word_that_is_too_long_is_cut() -> None:
    witnesses = [replace(one, evidence="x" * 4000) for one in WHOLE.witnesses]
    told = GithubReport().render(replace(WHOLE, witnesses=tuple(witnesses)))
    assert "x" * 300 in told
    assert "x" * 500 not in told
