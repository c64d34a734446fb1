# SPDX-License-Identifier: GPL-2.0-only
"""Reasons for lines that no workload can execute: they cover these lines, or are called stale."""

from __future__ import annotations

import pytest

from difftest.unreached import Unreached, explained, places

ADDED = [(5, "    a()"), (6, ""), (7, "    b()"), (8, "} else {"), (12, "c()"), (13, "a()")]
CODED = {5, 7, 12, 13}


def reason(lines: str) -> Unreached:
    return Unreached("model.patch", lines, "they\ncannot\n")


def test_lines_are_found_wherever_they_follow_each_other_but_for_blanks() -> None:
    assert places("\n  a()\n\tb()\n", ADDED) == [[5, 7]]
    assert places("a()", ADDED) == [[5], [13]]
    assert places("b()\nc()", ADDED) == []


def test_a_reason_covers_its_lines_with_code() -> None:
    told = explained([reason("b()\n} else {")], ADDED, CODED, {7, 12})
    assert told == ({7: "they cannot"}, [])


@pytest.mark.parametrize(
    ("lines", "never", "stale", "covered"),
    [
        ("c()", {7}, "`c()` is executed", set()),
        ("b()\n} else {\nc()", {7}, "`c()` is executed", {7}),
        ("} else {", {7}, "its lines hold no code", set()),
        ("a()", {5, 13}, "its lines are added 2 times, expected once", set()),
        ("gone()", {7}, "its lines are added 0 times, expected once", set()),
    ],
)
def test_a_reason_that_does_not_hold_is_stale(
    lines: str, never: set[int], stale: str, covered: set[int]
) -> None:
    told = explained([reason(lines)], ADDED, CODED, never)
    assert told.stale == [f"mutants.toml: the reason 'they cannot' is stale: {stale}"]
    assert set(told.reasons) == covered
