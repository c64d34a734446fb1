# SPDX-License-Identifier: GPL-2.0-only
"""Flights: operations that fill a mapping while others go on, and what they report."""

from __future__ import annotations

from dataclasses import dataclass, field
from errno import EAGAIN, EBADF, EINTR, EINVAL, ENOENT
from typing import TYPE_CHECKING

from difftest.ledger.books import MIXTURE
from difftest.workload import ops
from difftest.workload.limits import PAGE_SIZE
from difftest.workload.workload import tag_of

if TYPE_CHECKING:
    from difftest.ledger.books import Mapping
    from difftest.outcome import Step


class UntoldError(LookupError):
    """An outcome leaves open what happened: nobody can judge it."""


Filling = ops.Copying | ops.CopyWp | ops.Zeropage | ops.Continue

#: What is checked before anything is charged or allocated for a page.
_BEFORE = frozenset((EAGAIN, EBADF, EINTR, EINVAL, ENOENT))


@dataclass(frozen=True, slots=True)
class Attempt:
    """A page that a copy, zeropage or continue comes to, for the last time.

    `op` is the operation; `page` counts from the start of its range. `reasons` are the errno values
    with which the documentation lets it fail here; `barred` those that must keep it from filling
    the page. `retried`: it stopped here before. `installed`: it says that it put the page there.
    `mapping` is what was mapped there; `room`: by what files hold there is space for the page, and
    no other copy is in flight that a block may be kept for; `full`: the mount has no block left.
    `kept`: it says that it put the page there because a fault made the callee say so, which had
    done nothing. `injected`: a fault has made the operation fail somewhere. `size` is that of the
    page.
    """

    at: str
    op: Filling
    mapping: Mapping
    page: int
    reasons: frozenset[int]
    barred: frozenset[int]
    retried: bool
    installed: bool
    room: bool
    full: bool
    kept: bool = False
    injected: bool = False
    size: int = PAGE_SIZE

    @property
    def entered(self) -> bool:
        """Whether the kernel came as far as to charge or allocate something for the page."""
        return not self.barred & _BEFORE


@dataclass(frozen=True, slots=True)
class Returned:
    """An operation that returned; the ledger is as it should be after it. Last of its events.

    `used` blocks are in use by what was reported, `blocks` by what files hold, `kept` of those by
    what was never to be reclaimed; `stopped`: a copy is. `full`: the file that it is to write to
    may be refused another page.
    """

    at: str
    op: ops.Op
    step: Step
    used: int
    blocks: int
    kept: int
    stopped: bool
    full: bool


@dataclass(frozen=True, slots=True)
class Removal:
    """A madvise(MADV_DONTNEED) that waits: for bytes of a mapping, at one of its two places."""

    map: int
    start: int
    end: int
    moved: bool

    def pages(self, mapping: Mapping) -> range:
        """Return the pages of what is mapped now that are to go: only whole huge ones do."""
        if self.start % mapping.size:
            return range(0)
        return range(self.start // mapping.size, min(self.end // mapping.size, mapping.pages))


@dataclass(slots=True)
class Flight:
    """A copy, zeropage or continue in progress. `page` is the next that it comes to."""

    at: str
    op: Filling
    ordinal: int
    moved: bool
    """Which of the two places of its mapping it began with."""
    size: int
    """Of a page, as the mapping was then."""
    page: int = 0
    stops: int = 0
    stopped_at: int = -1
    """The page that it stopped for last."""
    zeros: set[int] = field(default_factory=set)
    """The source pages that nobody filled, which are read as zeros."""
    source_gone: bool = False
    killed: bool = False
    injected: set[int] = field(default_factory=set)
    """The errno values of faults that hit in it."""
    kept: set[int] = field(default_factory=set)
    """The pages of which a callee said that they are in place, and did nothing."""

    @property
    def letters(self) -> str:
        return self.op.source if isinstance(self.op, ops.Copying) else "R" * self.op.pages

    def needed_for(self, page: int) -> range:
        """Return the source pages that a page is copied from."""
        halves = isinstance(self.op, ops.Copying) and self.op.shift
        return range(page, page + (2 if halves else 1))

    def page_of_stop(self, stop: int) -> int:
        """Return the page that it is about to fill when it stops for that time, from 0."""
        missing = self.missing
        if stop >= len(missing):
            raise LookupError(f"step {self.at} stopped more often than its source has pages for")
        return next(page for page in self._reading if missing[stop] in self.needed_for(page))

    @property
    def missing(self) -> list[int]:
        """The source pages at which it stops, if it comes so far."""
        read = {source for page in self._reading for source in self.needed_for(page)}
        return [n for n, letter in enumerate(self.letters) if letter == "M" and n in read]

    @property
    def _reading(self) -> list[int]:
        """The pages that it reads its source for."""
        return [page for page in range(self.op.pages) if not self.at_risk(page)]

    def retried(self) -> int:
        """Return the page that it comes to for the second time.

        That is where it stopped; but it comes again, and does not stop, where nobody fills the
        source. Raises UntoldError if it cannot be told which one.
        """
        pages = [self.page] if self.page == self.stopped_at else []
        for page in range(self.page + len(pages), self.op.pages):
            seen = self.needed_for(page - 1) if page else ()
            if any(source in self.zeros and source not in seen for source in self.needed_for(page)):
                pages.append(page)
        if len(pages) != 1:
            raise UntoldError("which page a callee kept cannot be told")
        return pages[0]

    def at_risk(self, page: int) -> bool:
        """Whether it came to a page with one that was kept before: it reads no source then."""
        return page - 1 in self.kept

    def tag(self, page: int) -> int:
        """Return what it fills a page with."""
        if isinstance(self.op, ops.Zeropage):
            return 0
        zeros = {source in self.zeros for source in self.needed_for(page)}
        if len(zeros) > 1:
            return MIXTURE
        return 0 if True in zeros else tag_of(self.ordinal, page)
