# SPDX-License-Identifier: GPL-2.0-only
"""Measuring two sides in turn, and a row of the table that comes of it."""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """`value` of `what` beside `against`, both in `unit`; `target` is what is asked for."""

    benchmark: str
    what: str
    value: float
    against: str
    other: float
    unit: str
    target: str = ""

    @property
    def ratio(self) -> float:
        return self.value / self.other


def interleaved(title: str, repeats: int, *sides: Callable[[int], T]) -> list[list[T]]:
    """Measure the sides in turn, `repeats` times over; return what each side measured.

    A side is called with the number of the repetition. In turn, so that whatever else the machine
    does meanwhile falls on all of them alike.
    """
    found: list[list[T]] = [[] for _ in sides]
    for repeat in range(repeats):
        sys.stderr.write(f"{title}: {repeat + 1} of {repeats}\n")
        for side, values in zip(sides, found, strict=True):
            values.append(side(repeat))
    return found


def seconds(function: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def medians(title: str, repeats: int, *sides: Callable[[int], float]) -> list[float]:
    """Measure the sides in turn; return the median of each."""
    return [statistics.median(values) for values in interleaved(title, repeats, *sides)]
