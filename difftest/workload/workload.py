# SPDX-License-Identifier: GPL-2.0-only
"""A workload: the files and mappings there are, and the operations on them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.workload.faults import Fault
    from difftest.workload.ops import Op


class Kind(StrEnum):
    """What a mapping is of. The value is its line in the text form."""

    SHARED = "map"
    PRIVATE = "map_private"
    ANONYMOUS = "map_anonymous"
    SHARED_ANONYMOUS = "map_shared_anonymous"
    HUGETLB = "map_hugetlb"
    HUGETLB_NORESERVE = "map_hugetlb_noreserve"

    @property
    def of_file(self) -> bool:
        return self in (Kind.SHARED, Kind.PRIVATE)

    @property
    def shared(self) -> bool:
        return self not in (Kind.PRIVATE, Kind.ANONYMOUS)

    @property
    def huge(self) -> bool:
        """Whether its pages are huge: MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB."""
        return self in (Kind.HUGETLB, Kind.HUGETLB_NORESERVE)


@dataclass(frozen=True, slots=True)
class Map:
    """A writable mapping of pages `offset` to `offset + pages` of a file, or of no file.

    That of HUGETLB has `pages` huge pages, for which the pool has reservations; HUGETLB_NORESERVE
    is the same with MAP_NORESERVE. An operation on such a mapping counts in huge pages.
    All are registered with the userfaultfd of the destinations, for missing pages.
    """

    file: int
    offset: int
    pages: int
    kind: Kind = Kind.SHARED


@dataclass(frozen=True, slots=True)
class Workload:
    """Files of so many pages, their mappings, and `steps`.

    `files` are on a tmpfs mount of `blocks` blocks, without limit if that is 0. `memfds` come
    from memfd_create() and go on with the numbers of the files. `faults` are armed before the first
    of the steps.
    """

    blocks: int
    files: tuple[int, ...]
    maps: tuple[Map, ...]
    steps: tuple[Op, ...]
    memfds: tuple[int, ...] = ()
    faults: tuple[Fault, ...] = ()

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


def operation_of(tag: int) -> int:
    """Return the number of the operation that filled a page with a tag; -1 if it is of none."""
    return tag // 256 - 1 if tag > 0 else -1
