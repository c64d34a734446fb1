# SPDX-License-Identifier: GPL-2.0-only
"""A tally: what one shard of a campaign saw. Plain data: pickled, stored, added up."""

from __future__ import annotations

import zlib

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

    def packed(self) -> bytes:
        """Return it as it is sent and stored."""
        return zlib.compress(msgspec.msgpack.encode(self))

    @classmethod
    def unpacked(cls, packed: bytes) -> Tally:
        """Return what was packed. Raises zlib.error or MsgspecError for other bytes."""
        return msgspec.msgpack.decode(zlib.decompress(packed), type=cls)


class Done(Record, frozen=True):
    """What a worker made of a shard: the tally of so many runs, packed.

    `consoles` are those of guests that did not finish, by the number of the workload.
    """

    strategy: str
    backend: str
    shard: int
    runs: int
    packed: bytes
    consoles: dict[int, str]


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
