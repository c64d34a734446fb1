# SPDX-License-Identifier: GPL-2.0-only
"""A matrix: each pair has its witness, or the reason why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from made import BUNDLED, campaign
from msgspec.structs import replace

from difftest import matrix
from difftest.assemble import result_of
from difftest.result import Likeness, Pair, Telling

if TYPE_CHECKING:
    from difftest.result import Result

NAMES = [one.name for one in BUNDLED[:3]]
A, B, C = NAMES
RULES = Telling(A, "no_kernel_bug", ("model",), 3, "x\n", "BUG", "witnesses/a.workload")
RANKS = Telling(A, "unchanged", ("model",), 4, "x\n", "changed", "witnesses/r.workload")
PARTS = Telling("", "", ("model", "uml:6.1"), 5, "x\n", "ret", "partings/bc.workload", "not again")


def result(*pairs: Pair) -> Result:
    whole = result_of(campaign(strategies=BUNDLED[:3], workloads=10))
    return replace(whole, pairs=pairs, ranking=("unchanged",))


def pair(
    one: str,
    other: str,
    *told: Telling,
    compared: int = 100,
    differ: int = 0,
    bounding: int | None = None,
) -> Pair:
    drawn = compared if bounding is None else bounding
    return Pair(one, other, told, (Likeness("model", compared, differ, drawn),))


def test_what_rules_out_comes_before_what_is_smaller_and_only_ranks() -> None:
    seen = result(pair(A, B, RANKS, RULES), pair(A, C, RULES), pair(B, C, PARTS))
    assert matrix.tellings(seen) == [RULES, PARTS]
    assert matrix.cells(seen) == [[A, "", "1", "1"], [B, "1", "", "2"], [C, "1", "2", ""]]
    assert matrix.rows(seen, "RUN") == [
        ["1", A, "no_kernel_bug", "model", "BUG", "RUN/witnesses/a.workload"],
        ["2", "neither: their outcomes differ", "", "model and uml:6.1", "ret (not again)",
         "RUN/partings/bc.workload"],
    ]  # fmt: skip


def test_what_kernels_show_as_well_comes_before_what_the_model_shows_alone() -> None:
    kernel = replace(RULES, backends=("model", "uml:6.1"), file="witnesses/k.workload")
    assert matrix.tellings(result(pair(A, B, RULES, kernel))) == [kernel]


def test_what_nothing_tells_apart_is_alike_different_or_not_known() -> None:
    seen = result(pair(A, B), pair(A, C, differ=2), pair(B, C, compared=0))
    assert matrix.cells(seen) == [[A, "", "=", "≠"], [B, "=", "", "?"], [C, "≠", "?", ""]]
    assert matrix.alike(seen) == [
        f"{A} and {B}: 0 of 100 outcomes differ on model (<3.0 %)",
        f"{A} and {C}: 2 of 100 outcomes differ on model",
    ]


def test_guided_workloads_are_in_the_count_and_not_in_the_bound_of_what_is_alike() -> None:
    assert matrix.alike(result(pair(A, B, bounding=59))) == [
        f"{A} and {B}: 0 of 100 outcomes differ on model (<5.0 %)"
    ]
    assert matrix.alike(result(pair(A, B, bounding=0))) == [
        f"{A} and {B}: 0 of 100 outcomes differ on model"
    ]
