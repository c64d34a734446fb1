# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from justhtml import JustHTML
from made import BUNDLED, UNPATCHED, campaign, crowd, finished, run, seen, strategy, whole
from msgspec.structs import replace
from played import KNOWN, MODEL, outcomes

from difftest.assemble import result_of
from difftest.outcome import Ending, Outcome, Window
from difftest.result import Deciding, Telling
from difftest.verdict import Value
from difftest.workload.codec import from_text
from reports.html import HtmlReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from difftest.result import Result
    from difftest.tally import Run

WHOLE = whole()
SCRIPT = "<script>alert(1)</script>&amp;\"'"


def page_of(result: Result) -> str:
    return HtmlReport().render(result, "runs/0001")


@cache
def parsed(page: str) -> Any:
    """Parse a page as the standard says; raises for anything that it calls an error."""
    return JustHTML(page, strict=True, sanitize=False)


def texts(page: str, selector: str) -> list[str]:
    return [" ".join(one.to_text().split()) for one in parsed(page).query(selector)]


def witnessed(strategy_name: str, oracle: str, text: str, **outcome: Outcome) -> str:
    """Return the page of a run in which a strategy fails on a workload, played on the model."""
    workload = from_text(text)
    seen_there = outcomes(MODEL, KNOWN[strategy_name], [workload])[0]
    witnesses = [
        replace(one, text=text, outcomes={"model": seen_there, "uml:6.1": seen_there} | outcome)
        for one in WHOLE.witnesses
        if (one.strategy, one.oracle) == (strategy_name, oracle)
    ]
    assert len(witnesses) == 1
    return page_of(replace(WHOLE, witnesses=tuple(witnesses)))


@cache
def crash() -> str:
    return witnessed(
        "unpatched",
        "no_kernel_bug",
        "mount blocks=1\nfile pages=1\nmap file=0 offset=0 pages=1\n"
        "copy map=0 page=0 source=M\n  window\n    fill leave=0\n",
    )


@cache
def leak() -> str:
    return witnessed(
        "naive_hold",
        "block_accounting",
        "mount blocks=4\nfile pages=1\nmap file=0 offset=0 pages=1\ncopy map=0 page=0 source=U\n",
    )


@pytest.mark.parametrize(
    "result_is",
    [whole, crowd, lambda: result_of(campaign(lambda _, number: run(number)))],
    ids=["5 strategies", "12 strategies", "void"],
)
def test_it_is_valid_html(result_is: Callable[[], Result]) -> None:
    assert parsed(page_of(result_is())).query("main table")


def test_an_empty_run_is_valid_html() -> None:
    parts = campaign()
    parts.every, parts.texts = [], {}
    assert texts(page_of(result_of(parts)), "h1") == ["No recommendation"]


@pytest.mark.parametrize(
    "shown", [lambda: page_of(WHOLE), crash, leak], ids=["whole", "crash", "leak"]
)
def test_it_asks_the_network_for_nothing(shown: Callable[[], str]) -> None:
    page = shown()
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|//[a-z]|@import|url\(", page)
    assert not parsed(page).query("script, link, img, iframe, object, embed")
    targets = {one.attrs["id"] for one in parsed(page).query("[id]")}
    links = {one.attrs["href"] for one in parsed(page).query("a")}
    assert links
    assert links <= {f"#{name}" for name in targets}


def test_tables_of_many_oracles_are_set_small() -> None:
    assert not parsed(page_of(WHOLE)).query("table.cells.many")
    assert len(parsed(page_of(crowd())).query("table.cells.many")) == 3


def test_the_decision_comes_first() -> None:
    page = page_of(WHOLE)
    assert texts(page, "h1") == ["Recommended: release_page"]
    assert page.index("no failure in 2000 workloads") < page.index("<h2>")
    assert texts(page, "title") == ["Recommended: release_page"]


def test_each_backend_has_a_table_with_a_cell_for_each_oracle() -> None:
    page = page_of(WHOLE)
    assert len(parsed(page).query("table.cells")) == len(WHOLE.backends)
    cells = parsed(page).query("table.cells td")
    assert len(cells) == len(WHOLE.cells)
    assert {one.attrs["class"] for one in cells} == {"fail", "clean"}
    assert "0/2000 (<0.15 %)" in texts(page, "table.cells td.clean")
    assert set(texts(page, "table.cells td.fail")) == {"400/2000"}


def test_a_cell_that_judged_nothing_is_not_shown_as_clean() -> None:
    cells = tuple(
        replace(one, upper_bound=0.4, reached=6, bounding=6, verdict=Value.UNKNOWN)
        if one.strategy == "release_page"
        else one
        for one in WHOLE.cells
    )
    page = page_of(replace(WHOLE, cells=cells))
    assert set(texts(page, "table.cells td.unknown")) == {"UNKNOWN (6 of 2000)"}


def test_the_witness_is_a_timeline_with_a_column_for_each_thread() -> None:
    assert texts(crash(), "table.timeline th[scope=col]") == [
        "step", "copier", "monitor", "blocks of 1 in use", "pages of files",
    ]  # fmt: skip
    assert texts(crash(), "table.timeline tbody th") == ["0.0", "0.0.0", "0"]
    assert texts(crash(), "table.timeline caption") == ["model and uml:6.1"]


def test_the_window_and_the_lock_are_marked() -> None:
    stop, inside, back = parsed(crash()).query("table.timeline tbody tr")
    assert "its window opens" in stop.to_text()
    assert "no lock held" in stop.to_text()
    assert [one.attrs.get("class") for one in inside.query("td")] == [
        "open", "acts", "blocks", "blocks",
    ]  # fmt: skip
    assert "under its lock again" in back.to_text()
    assert not back.query("td.open")


def test_blocks_are_shown_before_and_after_each_step() -> None:
    assert texts(crash(), "table.timeline td.blocks") == ["0 → 0", "", "0 → 1", "1", "1 → ?", ""]


def test_the_crash_is_marked_where_it_happened() -> None:
    assert texts(crash(), "tr.crash th") == ["0"]
    assert "crashed: BUG at mm/userfaultfd.c mcopy_atomic" in texts(crash(), "tr.crash td.acts")[0]
    assert not parsed(crash()).query("tr.leak")


def test_a_leak_is_marked_from_the_step_on_that_leaves_it() -> None:
    assert texts(leak(), "tr.leak th") == ["0", ""]
    assert texts(leak(), "tr.leak td.blocks") == ["0 → 1", "0 leak", "1 → 1", "0 leak"]
    assert not parsed(leak()).query("tr.crash")


def test_backends_that_saw_different_things_have_a_timeline_each() -> None:
    other = Outcome(Ending.CRASHED, (Window("0.0", 0),), title="oops")
    text = "mount blocks=1\nfile pages=1\nmap file=0 offset=0 pages=1\ncopy map=0 page=0 source=M\n"
    page = witnessed("unpatched", "no_kernel_bug", text, **{"uml:6.1": other})
    assert texts(page, "table.timeline caption") == [
        "model: backends differ here",
        "uml:6.1: backends differ here",
    ]


def test_the_step_that_the_evidence_names_is_pointed_at() -> None:
    witness = replace(WHOLE.witnesses[0], evidence="BUG at x.c f, after step 0.0.0")
    text = parsed(crash()) and "copy map=0 page=0 source=M\n  window\n    fill leave=0\n"
    text = f"mount blocks=1\nfile pages=1\nmap file=0 offset=0 pages=1\n{text}"
    seen_there = outcomes(MODEL, KNOWN["unpatched"], [from_text(text)])[0]
    witness = replace(witness, text=text, outcomes={"model": seen_there})
    page = page_of(replace(WHOLE, witnesses=(witness,)))
    assert texts(page, "tr.pointed th") == ["0.0.0"]


def test_a_witness_that_cannot_be_told_is_shown_as_text() -> None:
    witness = replace(WHOLE.witnesses[0], outcomes={})
    page = page_of(replace(WHOLE, witnesses=(witness,)))
    assert not parsed(page).query("table.timeline")
    assert "0.0.0 | fill leave=0" in " ".join(texts(page, ".witness pre"))


def test_patches_are_shown_for_what_was_run_with_those_below() -> None:
    page = page_of(WHOLE)
    section = next(
        one
        for one in parsed(page).query("section.strategy")
        if one.query("h2")[0].to_text().startswith("unacct_before_return")
    )
    assert [one.to_text().strip() for one in section.query("figcaption")] == [
        "6.1, of naive_hold", "6.1", "model, of naive_hold", "model",
    ]  # fmt: skip
    assert [one.to_text().strip() for one in section.query(".diff .added")] == ["+d", "+e"] * 2


def test_the_lines_that_decide_are_marked_in_the_patch_that_was_tried() -> None:
    parts = campaign()
    on_both = (Deciding("model", (5,)), Deciding("6.1", (5,)))
    parts.decided = {("naive_hold", "block_accounting"): on_both}
    page = page_of(result_of(parts))
    assert texts(page, ".diff .decides") == ["+d", "+d"]
    assert "Without the lines of the model patch that are marked" in page
    assert "Without the lines of the 6.1 patch that are marked" in page


def test_patches_for_other_kernels_are_named() -> None:
    fix = strategy("fix", added=["x"], series=("6.1", "5.10"))
    page = page_of(result_of(campaign(strategies=[*BUNDLED, fix])))
    assert "There are patches for 5.10 as well" in page


def test_text_of_strangers_stays_text() -> None:
    def play(name: str, number: int) -> Run:
        if name == f"odd{SCRIPT}" and number == 3:
            return run(number, content=f"{SCRIPT}\x00\x1b[31m\ufffe\ud800")
        return seen(name, number)

    odd = strategy(
        f"odd{SCRIPT}", added=[SCRIPT], claim=SCRIPT, function=SCRIPT, weakness=SCRIPT,
        reference=SCRIPT, base="naive_hold",
    )  # fmt: skip
    parts = campaign(play, [UNPATCHED, odd])
    parts.texts[3] = f"mount blocks=1\n# {SCRIPT}\n{SCRIPT}\n"
    parts.told = {(odd.name, 3): SCRIPT}
    parts.consoles = {(odd.name, "uml:6.1", 3): f"BUG: bad{SCRIPT}"}
    parts.releases = {"uml:6.1": SCRIPT}
    result = result_of(parts)
    page = page_of(replace(result, oracles=(*result.oracles, SCRIPT)))
    assert "<script" not in page
    assert not parsed(page).query("script")
    assert page.count("&lt;script&gt;") >= 12
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", page)
    page.encode("utf-8")


def test_a_name_of_a_strategy_is_no_anchor() -> None:
    ids = [one.attrs["id"] for one in parsed(page_of(WHOLE)).query("section.strategy")]
    assert ids == [f"strategy-{n}" for n in range(1, 6)]


def test_checks_that_fail_are_loud() -> None:
    page = page_of(result_of(campaign(lambda _, number: run(number, finished()))))
    assert texts(page, "h1.void") == ["VOID: this run proves nothing"]
    assert any(one.startswith("FAILED unpatched fails") for one in texts(page, "li.loud"))


def test_it_is_laid_out_for_dark_screens_narrow_ones_and_paper() -> None:
    page = page_of(WHOLE)
    for query in ("(prefers-color-scheme: dark)", "(max-width: 60rem)", "@media print"):
        assert query in page
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in page


def test_it_says_how_it_was_tested() -> None:
    parts = campaign()
    parts.releases = {"uml:6.1": "6.1.192-1"}
    shown = texts(page_of(result_of(parts)), "#tested dd")
    assert shown == [
        "100, of which 100 were run everywhere",
        "7",
        "simulated",
        "Linux 6.1.192-1",
        "0.1.0",
    ]


def test_what_was_seen_besides_is_there() -> None:
    page = page_of(replace(WHOLE, informational=("block_accounting",)))
    assert len(texts(page, "#besides li")) == 2
    assert not parsed(page_of(WHOLE)).query("#besides")


def test_each_two_strategies_have_the_witness_that_tells_them_apart() -> None:
    told = Telling("naive_hold", "block_accounting", ("model",), 3, "x\n", SCRIPT, "witnesses/n")
    pairs = tuple(
        replace(one, told=(told,)) if "naive_hold" in (one.one, one.other) else one
        for one in WHOLE.pairs
    )
    page = page_of(replace(WHOLE, pairs=pairs))
    rows = texts(page, "#apart tr")
    names = " ".join(one.name for one in BUNDLED)
    assert rows[0].replace("_ ", "_") == names
    assert "naive_hold 1 1 1 1" in rows
    assert rows[-1] == f"1 naive_hold block_accounting model {SCRIPT} runs/0001/witnesses/n"
    assert "#apart" in page
    assert "apart" not in page_of(replace(WHOLE, pairs=()))
