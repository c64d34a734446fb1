# SPDX-License-Identifier: GPL-2.0-only
"""Shards: how the workloads of a campaign are shared out, and how each share is drawn."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from difftest.workload import codec, faulty, generate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.workload.workload import Workload


class Shard(NamedTuple):
    """`length` workloads from number `first` on; `number` is its own among those of its kind."""

    first: int
    length: int
    number: int
    faults: bool

    def draw(self, seed: int) -> list[str]:
        """Return the texts of its workloads: the same for the same seed, for ever."""
        return list(_drawn(self, seed))


@lru_cache(maxsize=16)
def drawn(shard: Shard, seed: int) -> list[Workload]:
    """Return the workloads of a shard. They are kept, for whoever plays them on many strategies.

    16 shards are those of a campaign of 2000 workloads, twice.
    """
    return [codec.from_text(text) for text in shard.draw(seed)]


def plan(workloads: int, faults: int) -> list[Shard]:
    """Return the shards of so many workloads, and of so many with faults, which come after them."""
    return [*_shards(0, workloads, faults=False), *_shards(workloads, faults, faults=True)]


def _shards(first: int, count: int, *, faults: bool) -> Iterator[Shard]:
    for number, begin in enumerate(range(0, count, generate.SHARD)):
        yield Shard(first + begin, min(generate.SHARD, count - begin), number, faults)


@lru_cache(maxsize=16)  # to draw one takes longer than to play it
def _drawn(shard: Shard, seed: int) -> tuple[str, ...]:
    kind = faulty if shard.faults else generate
    return tuple(codec.to_text(one) for one in kind.shard(seed, shard.number, shard.length))
