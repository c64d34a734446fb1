# SPDX-License-Identifier: GPL-2.0-only
"""Benchmarks: both sides are measured in turn, and the bare loop does what the workload says."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from benchmarks.__main__ import measure
from benchmarks.bare import _function
from benchmarks.crash import CRASH
from benchmarks.measure import Row, interleaved
from difftest.outcome import Ending, Outcome, Step, Window

if TYPE_CHECKING:
    import pytest


def test_sides_are_measured_in_turn() -> None:
    seen: list[str] = []

    def side(name: str, repeat: int) -> int:
        seen.append(f"{name}{repeat}")
        return repeat

    assert interleaved("", 2, lambda n: side("a", n), lambda n: side("b", n)) == [[0, 1], [0, 1]]
    assert seen == ["a0", "b0", "a1", "b1"]


def test_a_ratio_is_what_was_measured_by_what_it_stands_beside() -> None:
    assert Row("kernel", "difftest", 500.0, "bare loop", 1000.0, "1/s").ratio == 0.5


def test_the_bare_loop_fills_as_many_blocks_as_were_free() -> None:
    trace = (Window("0.0", 1), Step("0.0.0", 4096, 2), Step("0", -11, 2, 4096))
    text = _function("w0", CRASH, Outcome(Ending.FINISHED, trace))
    assert text == (
        "static void w0_0_0(void)\n{\n\texpect(4096, op_fill(1));\n}\n\n"
        "static void w0(void)\n{\n\tbegin(2);\n\tfile(4);\n\tmap(0, 0, 4);\n"
        '\texpect(-11, op_copy(0, 0, "RM", 1, (run[]){ w0_0_0 }));\n\tend();\n}\n'
    )


def test_what_cannot_be_measured_is_named_with_the_package_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    rows, missed = measure(["explore"], quick=True)
    assert not rows
    assert missed == ["explore was not measured: spin is not installed: apt-get install spin"]
