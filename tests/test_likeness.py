# SPDX-License-Identifier: GPL-2.0-only
"""Likeness: only outcomes that are known are compared, and every field of them counts."""

from __future__ import annotations

from made import HUNG, finished, run

from difftest.likeness import Compared, compared, marks
from difftest.outcome import Ending, Outcome, Step
from difftest.tally import Run, Tally


def tally(backend: str, *runs: Run) -> Tally:
    return Tally("one", backend, 0, runs)


def test_what_differs_in_any_field_is_counted_by_number() -> None:
    ends_full = Outcome(Ending.FINISHED, (Step("0", 0, 1),), left=1, held=0)
    one = marks([tally("model", run(0), run(1), run(2))], 3)
    other = marks([tally("model", run(0), run(1, ends_full), run(2, finished(2)))], 3)
    assert compared(one, other) == {"model": Compared(3, [1, 2])}
    assert compared(one, one) == {"model": Compared(3, [])}


def test_what_is_not_known_of_both_is_not_compared() -> None:
    one = marks([tally("model", run(0, HUNG), run(1)), tally("uml:6.1", run(0))], 3)
    other = marks([tally("model", run(0), run(1), run(2))], 3)
    assert compared(one, other) == {"model": Compared(1, [])}


def test_two_that_hang_alike_are_not_alike() -> None:
    one = marks([tally("model", run(0, HUNG))], 1)
    assert compared(one, one) == {"model": Compared(0, [])}
