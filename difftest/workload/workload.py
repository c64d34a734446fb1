# SPDX-License-Identifier: GPL-2.0-only
"""A workload: the files and mappings there are, and the operations on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.workload.ops import Op


@dataclass(frozen=True, slots=True)
class Map:
    """A shared, writable mapping of pages `offset` to `offset + pages` of a file."""

    file: int
    offset: int
    pages: int


@dataclass(frozen=True, slots=True)
class Workload:
    """A tmpfs mount of `blocks` blocks with files of so many pages, their mappings, and `steps`."""

    blocks: int
    files: tuple[int, ...]
    maps: tuple[Map, ...]
    steps: tuple[Op, ...]

    def places(self) -> Iterator[tuple[str, Op]]:
        """Every operation with its place, in text order: "0", "0.0.0", "0.0.1", "0.1.0", "1"."""
        for number, op in enumerate(self.steps):
            yield str(number), op
            for window, actions in enumerate(op.windows):
                for inner, action in enumerate(actions):
                    yield f"{number}.{window}.{inner}", action


def tag_of(ordinal: int, page: int) -> int:
    """Return what fills a page: the `page`-th that the operation number `ordinal` writes."""
    return (ordinal + 1) * 256 + page + 1
