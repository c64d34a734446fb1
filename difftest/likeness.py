# SPDX-License-Identifier: GPL-2.0-only
"""Likeness: on which workloads of a run two strategies came to the same outcome."""

from __future__ import annotations

import hashlib
from array import array
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from difftest.tally import Run, Tally

_BYTES = 8
"""Of what stands for an outcome: two that differ have the same once in 2**64 times."""

#: What stands for the outcomes of a strategy: by backend and number, 0 where there is none known.
Marks: TypeAlias = "Mapping[str, array[int]]"


class Compared(NamedTuple):
    """Of so many workloads with a known outcome of both these numbers differ."""

    compared: int
    differ: list[int]


def marks(tallies: Iterable[Tally], count: int) -> Marks:
    """Return the marks of a strategy: `count` for each backend. Its backends come sorted."""
    found: dict[str, array[int]] = {}
    for tally in tallies:
        row = found.setdefault(tally.backend, array("Q", bytes(_BYTES * count)))
        for run in tally.runs:
            row[run.number] = _mark(run)
    return dict(sorted(found.items()))


def first(marks: Marks, count: int) -> Marks:
    """Return the marks of the first `count` workloads."""
    return {backend: row[:count] for backend, row in marks.items()}


def _mark(run: Run) -> int:
    if not run.outcome.known:
        return 0
    told = msgspec.msgpack.encode(run.outcome)
    return int.from_bytes(hashlib.blake2b(told, digest_size=_BYTES).digest(), "big") or 1


def compared(one: Marks, other: Marks) -> dict[str, Compared]:
    """Compare two strategies on each backend that both were run on."""
    found = {}
    for backend in one:
        if backend in other:
            pairs = list(zip(one[backend], other[backend], strict=True))
            differ = [number for number, (a, b) in enumerate(pairs) if a and b and a != b]
            found[backend] = Compared(sum(bool(a and b) for a, b in pairs), differ)
    return found
