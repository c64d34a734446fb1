# SPDX-License-Identifier: GPL-2.0-only
"""An outcome: what was seen of one workload on one backend. The same record from each of them."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Ending(StrEnum):
    """How a workload ended. Only `finished` and `crashed` say something about the kernel."""

    FINISHED = "finished"
    CRASHED = "crashed"
    """The kernel broke: BUG, WARN, oops or panic of its own making."""
    HUNG = "hung"
    """No sign of life within the time limit: the kernel or the rig, nobody knows."""
    AGENT_FAILED = "agent_failed"
    """The guest agent died or wrote what is no outcome: the rig broke."""
    OUT_OF_MEMORY = "out_of_memory"
    """The guest had no memory left: the rig was too small, or something leaks."""
    NO_BOOT = "no_boot"
    """The kernel never came up as far as the agent: a bad build, a bad patch, or the rig."""
    UNPLAYED = "unplayed"
    """The backend has no way to play this workload as it is meant."""
    LOST = "lost"
    """The guest vanished without a word (killed from outside, say): the rig broke."""


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """The base of all records that cross a boundary: frozen, compared by value, JSON-able."""


class Step(Record, frozen=True, tag="step"):
    """One operation that returned.

    `at` is its place: "2" at the top level, "2.0.1" for the second action in the first window of
    operation 2. `ret` is what the system call returned, a negative errno for a failure. `copy` is
    the `copy` (`zeropage`, `mapped`) field of the ioctl in bytes, or its negative errno; None where
    the kernel did not write it. `used` counts the blocks in use right after. `hits` are the faults
    of the workload, by number from 0, that hit since what stands before this in the trace.
    """

    at: str
    ret: int
    used: int
    copy: int | None = None
    hits: tuple[int, ...] = ()


class Window(Record, frozen=True, tag="window"):
    """A UFFDIO_COPY stopped on a missing source page: `at` "2.0" is operation 2's first stop.

    The step of a copy comes when it returns, so that of one that was begun may come late.
    """

    at: str
    used: int
    hits: tuple[int, ...] = ()


class File(Record, frozen=True):
    """A file at the end: sizes in pages.

    `cached` has one character for each of its first MAX_PAGES pages, "1" if the page is in the
    page cache, and not in swap; `content` the tag of each page up to its size: 0 for zeros, -1 for
    a mixture.
    """

    size: int
    blocks: int
    cached: str
    content: tuple[int, ...]


class Filler(Record, frozen=True):
    """The file that `fill` and `free` write and truncate; size and blocks in pages."""

    size: int
    blocks: int


class State(Record, frozen=True):
    """What there is when the last operation has returned and nothing has been taken down yet.

    `maps` has for each mapping None if it is unmapped, else for each of its pages the tag that
    memory holds there, or None where there is no page-table entry. `mlocked` counts the pages
    that are mlocked, `swapped` the page-table entries whose page is in swap, `unevictable` the
    pages on the list of those that cannot be reclaimed; it and `mlocked` are 0 where nothing was
    ever mlocked. Copies that were still in flight have been resumed, and events read.

    `protected` has for each mapping a character for each of its pages: "1" if its entry is
    write-protected by a userfaultfd, "m" if a marker of that is all there is, else "0"; nothing
    for one that is unmapped, nor for a workload that protects nothing. `huge` counts the huge
    pages in use, `reserved` those that the pool keeps for mappings.
    """

    files: tuple[File, ...]
    filler: Filler
    maps: tuple[tuple[int | None, ...] | None, ...]
    mlocked: int = 0
    swapped: int = 0
    unevictable: int = 0
    protected: tuple[str, ...] = ()
    huge: int = 0
    reserved: int = 0


class Outcome(Record, frozen=True):
    """All that was seen of one workload.

    `title` is the crash in one line, or the cause of any other ending but `finished`. `left`
    counts blocks in use, `held` pages still allocated and `committed` pages of committed memory
    more than before, after everything was closed and unmapped; they and `state` are None if the
    workload did not get there. `hits` are the faults that hit after all that the trace has: in what
    a kernel crashed in. `huge` and `reserved` count the huge pages that the pool lacks in the end
    and the reservations that are still kept, where a workload had to do with it.
    """

    ending: Ending
    trace: tuple[Step | Window, ...]
    title: str = ""
    state: State | None = None
    left: int | None = None
    held: int | None = None
    committed: int | None = None
    hits: tuple[int, ...] = ()
    huge: int = 0
    reserved: int = 0

    @property
    def known(self) -> bool:
        """Whether this says anything about the kernel at all."""
        return self.ending in (Ending.FINISHED, Ending.CRASHED)
