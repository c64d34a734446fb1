# SPDX-License-Identifier: GPL-2.0-only
"""The ledger: what files and mappings should hold, kept from what the operations reported.

It knows the documentation and the results, and nothing of how a kernel comes to them; so it can
judge a kernel and the model alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from difftest.outcome import Ending, Outcome, Step
from difftest.workload import ops
from difftest.workload.limits import PAGE_SIZE
from difftest.workload.workload import Workload, tag_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ENOENT, ENOMEM, EFAULT, EEXIST = 2, 12, 14, 17


@dataclass(slots=True)
class Book:
    """A file: its size in pages, and the tags of the pages that it has."""

    size: int
    pages: dict[int, int] = field(default_factory=dict)

    def truncate(self, size: int) -> None:
        self.size = size
        self.pages = {page: tag for page, tag in self.pages.items() if page < size}


@dataclass(slots=True)
class Mapping:
    """A shared mapping: pages `offset` to `offset + pages` of a file."""

    file: int
    offset: int
    pages: int
    mapped: bool = True
    registered: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """A page that a copy or zeropage comes to, for the last time.

    `page` counts from the start of its range. `reasons` are the errno values with which the
    documentation lets it fail here; ENOMEM among them if no block is free. `retried`: it stopped
    here before. `installed`: the operation says that it put the page there.
    """

    at: str
    page: int
    reasons: frozenset[int]
    retried: bool
    installed: bool


@dataclass(frozen=True, slots=True)
class Returned:
    """An operation that returned; the ledger is as it should be after it. Last of its events."""

    at: str
    op: ops.Op
    step: Step


class Ledger:
    """Follows an outcome; `walk` yields events, and between them the books are as of then."""

    def __init__(self, workload: Workload, outcome: Outcome) -> None:
        self.workload = workload
        self.files = [Book(size) for size in workload.files]
        self.filler = Book(0)
        self.maps = [Mapping(one.file, one.offset, one.pages) for one in workload.maps]
        self._ordinal = {at: number for number, (at, _) in enumerate(workload.places())}
        self._steps = {one.at: one for one in outcome.trace if isinstance(one, Step)}
        self._used = {one.at: one.used for one in outcome.trace}
        self._finished = outcome.ending is Ending.FINISHED
        self._source_gone = False
        self.used = 0
        """Blocks in use, as last reported, and the pages installed since."""

    @property
    def blocks(self) -> int:
        """Return how many blocks all files together should use."""
        return sum(len(book.pages) for book in (*self.files, self.filler))

    def walk(self) -> Iterator[Attempt | Returned]:
        """Follow the operations as far as they were reported.

        Raises LookupError if an outcome that is finished lacks the result of one.
        """
        for number, op in enumerate(self.workload.steps):
            yield from self._follow(str(number), op)
            if str(number) not in self._steps:
                return

    def _follow(self, at: str, op: ops.Op) -> Iterator[Attempt | Returned]:
        step = self._steps.get(at)
        if self._finished and not step:
            raise LookupError(f"the outcome has no result of step {at}")
        if isinstance(op, ops.Copy | ops.Zeropage):
            yield from self._fill_pages(at, op, step)
        elif step:
            self._apply(at, op, step)
        if step:
            self.used = step.used
            yield Returned(at, op, step)

    def _fill_pages(
        self, at: str, op: ops.Copy | ops.Zeropage, step: Step | None
    ) -> Iterator[Attempt | Returned]:
        """Go through the pages of a copy: a window, if it stops there; then the page itself."""
        letters = "R" * op.pages if isinstance(op, ops.Zeropage) else op.source
        if isinstance(op, ops.Copy):
            self._source_gone = False
        installed = max(0, (step.copy or 0) // PAGE_SIZE) if step else 0
        window = 0
        for page, letter in enumerate(letters):
            place = f"{at}.{window}"
            retried = letter == "M" and place in self._used
            if retried:
                self.used = self._used[place]
                for inner, action in enumerate(next(iter(op.windows[window : window + 1]), ())):
                    yield from self._follow(f"{place}.{inner}", action)
                window += 1
            if not step:
                # It never returned. A page with another window after it was filled; one that it
                # came back for, and no more was heard, is where it ended.
                if f"{at}.{window}" in self._used:
                    installed = page + 1
                elif not retried:
                    return
            ok = page < installed
            yield Attempt(at, page, self._reasons(op, page, len(letters)), retried, ok)
            if not ok:
                return
            mapping = self.maps[op.map]
            book = self.files[mapping.file]
            index = mapping.offset + op.page + page
            tag = tag_of(self._ordinal[at], page) if isinstance(op, ops.Copy) else 0
            self.used += index not in book.pages
            book.pages[index] = tag

    def _reasons(self, op: ops.Copy | ops.Zeropage, page: int, pages: int) -> frozenset[int]:
        mapping = self.maps[op.map]
        book = self.files[mapping.file]
        index = mapping.offset + op.page + page
        outside = op.page + pages > mapping.pages
        found = {
            ENOENT: not mapping.mapped or not mapping.registered or outside,
            EFAULT: index >= book.size or (self._source_gone and isinstance(op, ops.Copy)),
            EEXIST: index in book.pages,
            ENOMEM: self.used >= self.workload.blocks,
        }
        return frozenset(errno for errno, holds in found.items() if holds)

    def _apply(self, at: str, op: ops.Op, step: Step) -> None:
        """Enter what an operation other than a copy or zeropage did, by what it returned."""
        match op:
            case ops.Write():
                self._enter(at, self.files[op.file], op.page, step.ret)
            case ops.Fill():
                self._enter(at, self.filler, self.filler.size, step.ret)
            case ops.Free():
                self.filler.truncate(max(0, self.filler.size - op.pages))
            case ops.Truncate():
                self.files[op.file].truncate(op.pages)
            case ops.Punch():
                book = self.files[op.file]
                for index in range(op.page, op.page + op.pages):
                    book.pages.pop(index, None)
            case ops.Munmap():
                self.maps[op.map].mapped = False
            case ops.Unregister():
                self.maps[op.map].registered = False
            case ops.MunmapSource():
                self._source_gone = True
            case _:
                raise NotImplementedError(f"the ledger does not know the operation {op.name}")

    def _enter(self, at: str, book: Book, first: int, ret: int) -> None:
        for page in range(max(0, ret) // PAGE_SIZE):
            book.pages[first + page] = tag_of(self._ordinal[at], page)
            book.size = max(book.size, first + page + 1)
