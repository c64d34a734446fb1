# SPDX-License-Identifier: GPL-2.0-only
"""A tally: what one shard of a campaign saw. Plain data: pickled, stored, added up."""

from __future__ import annotations

import msgspec

from difftest.outcome import Outcome, Record
from difftest.verdict import Verdict  # noqa: TC001 - msgspec reads the annotations


class Run(Record, frozen=True):
    """One workload, by its number in the campaign, on the tally's strategy and backend.

    `verdicts` are in the order of the campaign's oracles. `outcome` is the whole of it.
    """

    number: int
    outcome: Outcome
    verdicts: tuple[Verdict, ...]
    states: tuple[str, ...]
    """The interesting states it came through (difftest/workload/states.py)."""


class Tally(Record, frozen=True):
    """The runs of one shard, in the order of their numbers.

    `reached` counts the operations of all of them by what they came to (difftest/reached.py).
    """

    strategy: str
    backend: str
    shard: int
    runs: tuple[Run, ...]
    reached: dict[tuple[str, bool, str], int] = msgspec.field(default_factory=dict)


class Again(Record, frozen=True):
    """A shard of the baseline that was run twice on a backend.

    `compared` workloads had a known outcome both times, `differ` of them another one; `first`
    describes the first of those, or is "".
    """

    backend: str
    shard: int
    compared: int
    differ: int
    first: str = ""
