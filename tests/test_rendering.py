# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import RACE, campaign, finished
from msgspec.structs import replace

from difftest import verdict
from difftest.assemble import result_of
from difftest.comparison import cells, sharing
from difftest.rendering import (
    cell_text,
    command,
    listing,
    numbered,
    origin,
    percent,
    remarks,
    steps,
)
from difftest.result import Kind, OtherBug, Witness, upper_bound
from difftest.tally import Run
from difftest.verdict import PASS, UNREACHED
from reports.markdown import MarkdownReport
from reports.table import TableReport


@pytest.mark.parametrize(
    ("n", "text"),
    [(1, "95 %"), (2, "78 %"), (28, "11 %"), (100, "3.0 %"), (2000, "0.15 %"), (1788, "0.17 %"),
     (10**6, "0.00030 %")],
)  # fmt: skip
def test_bounds_have_two_digits(n: int, text: str) -> None:
    assert percent(upper_bound(n)) == text


@given(st.integers(1, 10**7))
def test_a_rounded_bound_is_still_a_bound(n: int) -> None:
    shown = float(percent(upper_bound(n)).removesuffix(" %")) / 100
    assert shown >= upper_bound(n) * (1 - 1e-6)
    assert shown <= upper_bound(n) * 1.1


@pytest.mark.parametrize(
    ("passed", "fail", "unknown", "text"),
    [
        (2000, 0, 0, "0/2000 (<0.15 %)"),
        (1788, 212, 0, "212/2000"),
        (1788, 0, 212, "0/1788 (<0.17 %) ?212"),
        (0, 0, 5, "UNKNOWN (0 of 5) ?5"),
        (58, 0, 0, "UNKNOWN (58 of 58)"),
        (59, 0, 0, "0/59 (<5.0 %)"),
        (1, 1, 1, "1/2 ?1"),
    ],
)
def test_cells(passed: int, fail: int, unknown: int, text: str) -> None:
    given = [PASS] * passed + [verdict.fail("x")] * fail + [verdict.unknown("y")] * unknown
    runs = {n: Run(n, finished(), (one,), ()) for n, one in enumerate(given)}
    (cell,) = cells("s", {"model": runs}, ["model"], ["o"])
    assert cell_text(cell) == text


def test_a_cell_that_too_few_workloads_reached_says_how_many() -> None:
    given = [PASS] * 3 + [UNREACHED] * 1997
    runs = {n: Run(n, finished(), (one,), ()) for n, one in enumerate(given)}
    (cell,) = cells("s", {"model": runs}, ["model"], ["o"])
    assert cell_text(cell) == "UNKNOWN (3 of 2000)"


def test_names_are_joined_as_in_a_sentence() -> None:
    assert [listing("a"), listing("ab"), listing("abc")] == ["a", "a and b", "a, b and c"]


def test_steps_are_numbered_as_the_trace_names_them() -> None:
    more = (
        RACE
        + "copy map=0 page=0 source=MM\n  window\n    punch map=0\n    free\n  window\n    fill\n"
    )
    assert [number for number, _ in numbered(more)] == (
        ["", "", "", "0", "0.0", "0.0.0", "1", "2", "2.0", "2.0.0", "2.0.1", "2.1", "2.1.0"]
    )


def test_what_runs_in_a_window_stands_behind_a_bar() -> None:
    assert steps(RACE)[2:6] == [
        "        map file=0 offset=0 pages=6",
        "0       copy map=0 page=1 source=MR",
        "0.0   |   window",
        "0.0.0 |     fill leave=0",
    ]


def test_the_command_is_one_that_a_shell_takes() -> None:
    witness = Witness(
        "unpatched", "no_kernel_bug", ("model", "uml:6.1"), 3, RACE, shrunk=False, evidence=""
    )
    joined = "\n".join(command(witness, "my runs/0001")).replace("\\\n", " ")
    assert shlex.split(joined) == [
        *("difftest", "replay", "my runs/0001/witnesses/unpatched-no_kernel_bug.workload"),
        *("--strategy", "unpatched", "--backend", "model", "--backend", "uml:6.1"),
    ]


def test_remarks_tell_what_oracles_tell_apart_of_the_first_strategy_and_of_failures() -> None:
    def kind(
        strategy: str, oracle: str, name: str, reached: int, fail: int, backend: str = "model"
    ) -> Kind:
        return Kind(strategy, backend, oracle, name, reached, fail, bounding=reached)

    result = replace(
        result_of(campaign()),
        ranking=("contract",),
        kinds=(
            kind("unpatched", "content", "private copy", 412, 0),
            kind("unpatched", "content", "zeropage", 20, 0),
            kind("release_page", "content", "private copy", 400, 0),
            kind("naive_hold", "content", "private copy", 400, 2),
            kind("naive_hold", "contract", "ENOMEM became EEXIST (copy)", 3, 3),
            kind("naive_hold", "contract", "blocks in use after copy", 30, 30),
            kind("naive_hold", "content", "private copy", 400, 2, "uml:6.1"),
        ),
    )
    assert remarks(result) == [
        (
            "content: unpatched on model: private copy: 0 of 412 (<0.73 %); "
            "zeropage: UNKNOWN, 20 workloads reached it"
        ),
        "content: naive_hold on model and uml:6.1: private copy: 2 of 400",
        (
            "contract: naive_hold on model: blocks in use after copy (30 workloads); "
            "ENOMEM became EEXIST (copy) (3 workloads)"
        ),
    ]


def test_remarks_name_failures_that_only_inform_and_bugs_that_all_have() -> None:
    whole = result_of(campaign())
    bug = OtherBug("page_leak", "uml:6.1", ("unpatched",), 4, 1, 7, RACE, "1 pages are left")
    result = replace(whole, informational=("block_accounting",), other_bugs=(bug,))
    assert remarks(result) == [
        "block_accounting (for information): naive_hold fails it on model in 20 of 100 workloads",
        "block_accounting (for information): naive_hold fails it on uml:6.1 in 20 of 100 workloads",
        (
            "another bug of the kernel that no fix here touches: unpatched and every fix fail "
            "page_leak on uml:6.1 alike, in 4 workloads, and 1 that crash unpatched before it "
            "shows; the smallest is workload 7: 1 pages are left"
        ),
    ]
    assert "Besides" in TableReport().render(result)
    assert "## Besides" in MarkdownReport().render(result)


@pytest.mark.parametrize(
    ("unseen", "shared", "text"),
    [("no counter", 0, "-"), ("", 3, "0/97 (<3.1 %) +3"), ("", 50, "UNKNOWN (50 of 50) +50")],
)
def test_cells_show_what_all_fail_and_what_nobody_can_see(
    unseen: str, shared: int, text: str
) -> None:
    given = [verdict.fail("x")] * shared + [PASS] * (100 - shared)
    runs = {n: Run(n, finished(), (one,), ()) for n, one in enumerate(given)}
    (cell,) = cells("s", {"model": runs}, ["model"], ["o"], lambda *_: unseen)
    assert cell_text(sharing(cell, shared)) == text


def test_a_witness_that_has_a_caveat_is_never_named_without_it() -> None:
    told = Witness("a", "o", ("model",), 7, "", shrunk=True, evidence="", caveat="it may be large")
    assert origin(told) == "what is left of workload 7 (it may be large)"
