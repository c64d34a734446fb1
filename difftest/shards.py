# SPDX-License-Identifier: GPL-2.0-only
"""Shards: how the workloads of a campaign are shared out, and how each share is drawn."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from difftest.guided import search
from difftest.workload import codec, faulty, generate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from difftest.guided import Models
    from difftest.settings import Settings
    from difftest.workload.workload import Workload


class Shard(NamedTuple):
    """`length` workloads from number `first` on; `number` is its own among those of its kind.

    Those of a `guided` one depend on each other, and on the strategies of a run.
    """

    first: int
    length: int
    number: int
    faults: bool
    guided: bool = False

    def draw(self, seed: int, models: Callable[[], Models] | None = None) -> list[str]:
        """Return the texts of its workloads: the same for the same seed, for ever.

        `models` makes those that a guided one is steered by: it takes new ones, each time.
        """
        if self.guided:
            assert models is not None  # noqa: S101 - who plans guided shards knows what to play
            found = search(models(), seed, self.number, faults=self.faults)
            return [codec.to_text(one) for one in islice(found, self.length)]
        return list(_drawn(self, seed))


@lru_cache(maxsize=16)
def drawn(shard: Shard, seed: int) -> list[Workload]:
    """Return the workloads of a shard, no guided one. They are kept, for who plays them often.

    16 shards are those of a campaign of 2000 workloads, twice.
    """
    return [codec.from_text(text) for text in shard.draw(seed)]


def plan(workloads: int, faults: int, guided: int = 0) -> list[Shard]:
    """Return the shards of so many workloads, of so many with faults, and of so many guided ones.

    They come in this order. Half of the guided ones have faults, if there are others that do.
    """
    with_faults = guided // 2 if faults else 0
    independent = workloads + faults
    return [
        *_shards(0, workloads, faults=False),
        *_shards(workloads, faults, faults=True),
        *_shards(independent, guided - with_faults, faults=False, guided=True),
        *_shards(independent + guided - with_faults, with_faults, faults=True, guided=True),
    ]


def planned(settings: Settings) -> list[Shard]:
    """Return the shards of a run."""
    return plan(settings.workloads, settings.faults, settings.guided)


def _shards(first: int, count: int, *, faults: bool, guided: bool = False) -> Iterator[Shard]:
    for number, begin in enumerate(range(0, count, generate.SHARD)):
        yield Shard(first + begin, min(generate.SHARD, count - begin), number, faults, guided)


@lru_cache(maxsize=16)  # to draw one takes longer than to play it
def _drawn(shard: Shard, seed: int) -> tuple[str, ...]:
    kind = faulty if shard.faults else generate
    return tuple(codec.to_text(one) for one in kind.shard(seed, shard.number, shard.length))
