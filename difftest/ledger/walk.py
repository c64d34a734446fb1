# SPDX-License-Identifier: GPL-2.0-only
"""The walk along an outcome that keeps the books."""

from __future__ import annotations

from dataclasses import dataclass
from errno import EAGAIN, EBADF, EEXIST, EFAULT, EINTR, EINVAL, ENOENT, ENOMEM
from typing import TYPE_CHECKING

from difftest.ledger.books import Book, Mapping
from difftest.ledger.flights import Attempt, Filling, Flight, Removal, Returned
from difftest.outcome import Ending, Outcome, Step, Window
from difftest.workload import ops
from difftest.workload.limits import HPAGE_SIZE, PAGE_SIZE
from difftest.workload.workload import Kind, Map, Workload, tag_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Suspect:
    """A page, counted from the start of a flight's range, that it came to with one kept before."""

    flight: Flight
    page: int
    mapping: Mapping


class Ledger:
    """Follows an outcome; `walk` yields events, and between them the books are as of then."""

    def __init__(self, workload: Workload, outcome: Outcome) -> None:
        self.workload = workload
        self.files = [
            *(Book(size, limited=workload.blocks > 0) for size in workload.files),
            *map(Book, workload.memfds),
        ]
        self.filler = Book(0, limited=workload.blocks > 0)
        self.maps = [self._mapping(one) for one in workload.maps]
        self._outcome = outcome
        self._ops = {at: (number, op) for number, (at, op) in enumerate(workload.places())}
        self._flights: dict[str, Flight] = {}
        self._last_copy: Flight | None = None
        self._source_closed = False
        self._destination_closed = False
        self._removal: Removal | None = None
        self._limit: int | None = None
        self.used = 0
        """Blocks in use, as last reported, and the pages installed since."""
        self.suspects: list[Suspect] = []
        """Pages that may hold what was meant for another one."""

    def _mapping(self, one: Map) -> Mapping:
        book = self.files[one.file] if one.kind.of_file else None
        if one.kind is Kind.SHARED_ANONYMOUS:
            book = Book(one.pages, charged=False)
        mapping = Mapping(book, one.offset, one.pages, one.kind.shared)
        if one.kind.huge:
            mapping.book = Book(one.pages, charged=False)
            mapping.size = HPAGE_SIZE
            mapping.scarce = one.kind is Kind.HUGETLB_NORESERVE
        return mapping

    @property
    def blocks(self) -> int:
        """Return how many blocks of the mount all files together should use."""
        return sum(len(book.pages) for book in (*self.files, self.filler) if book.limited)

    @property
    def reclaimed(self) -> int:
        """Return how many blocks of the mount a wrong fix may have lost: they were reclaimed."""
        return sum(len(book.reclaimed & book.pages.keys()) for book in self.files if book.limited)

    @property
    def in_flight(self) -> bool:
        """Whether a copy is stopped."""
        return bool(self._flights)

    def full(self, book: Book, own: Flight | None = None) -> bool:
        """Whether a file may be refused another page, by the copy `own` if it asks for one.

        A fix may keep memory committed for each copy that is stopped, as it may keep a block.
        """
        if book.limited and self.used >= self.workload.blocks:
            return True
        if not book.charged or self._limit is None:
            return False
        kept = sum(one is not own and one.stops > 0 for one in self._flights.values())
        return self._committed() + kept >= self._limit

    def has_room(self, book: Book) -> bool:
        """Whether a file may have another page by what all of them hold.

        What the kernel counts, `full` goes by; and a fix may count a page more for each copy that
        is stopped.
        """
        if book.limited and self.blocks >= self.workload.blocks:
            return False
        return not book.charged or self._limit is None or self._committed() < self._limit

    def interrupted(self) -> tuple[str, ops.Op] | None:
        """Return what a kernel that crashed was in, and its place, after `walk`.

        A copy that goes on is meant by its own place, whoever lets it go on.
        """
        at = self._interrupted()
        return (at, self._ops[at][1]) if at else None

    def _interrupted(self) -> str:
        seen = {one.at for one in self._outcome.trace}
        following = ""
        for at in self._ops:
            window = at.rpartition(".")[0]
            if at in seen or at in self._flights or (window and window not in seen):
                continue
            if window:
                return at
            following = at
            break
        # Nothing else begins while a copy is in its window: it goes on before what follows.
        if copy := next((at for at in self._flights if isinstance(self._ops[at][1], ops.Copy)), ""):
            return copy
        if not following:
            return next(iter(self._flights), "")
        op = self._ops[following][1]
        if isinstance(op, ops.Resume):
            begins = [at for at, (_, op) in self._ops.items() if isinstance(op, ops.Begin)]
            if begins[op.begin] in self._flights:
                return begins[op.begin]
        return following

    def _committed(self) -> int:
        return sum(len(book.pages) for book in (*self.files, self.filler))

    def walk(self) -> Iterator[Attempt | Returned]:
        """Follow what was reported, in its order.

        Raises LookupError if an outcome that is finished lacks the result of an operation, or
        reports one that the workload does not have.
        """
        for one in self._outcome.trace:
            if isinstance(one, Window):
                yield from self._stop(one)
            else:
                yield from self._return(one)
        if self._outcome.ending is Ending.FINISHED:
            self._check_complete()
            self._remove()
        elif flight := self._flights.get(self._interrupted()):
            yield self._attempt(flight, flight.page, installed=False)

    def _check_complete(self) -> None:
        seen = {one.at for one in self._outcome.trace}
        for at in self._ops:
            window = at.rpartition(".")[0]
            if at not in seen and (not window or window in seen):
                raise LookupError(f"the outcome has no result of step {at}")

    def _flight(self, at: str) -> Flight:
        if at not in self._flights:
            ordinal, op = self._ops[at]
            if not isinstance(op, Filling):
                raise LookupError(f"step {at} is not one that could stop")
            mapping = self.maps[op.map]
            small = isinstance(op, ops.CopyUnaligned)
            size = PAGE_SIZE if small else mapping.size
            flight = self._flights[at] = Flight(at, op, ordinal, mapping.moved, size)
            if isinstance(op, ops.Copy):
                self._last_copy = flight
                if self._source_closed:
                    self._close_source(flight)
        return self._flights[at]

    def _stop(self, window: Window) -> Iterator[Attempt]:
        at, _, stop = window.at.rpartition(".")
        flight = self._flight(at)
        self._enter_hits(flight, window.hits)
        page = flight.page_of_stop(int(stop))
        yield from self._fill_up_to(flight, page)
        flight.stopped_at = page
        flight.stops = int(stop) + 1
        self.used = window.used

    def _return(self, step: Step) -> Iterator[Attempt | Returned]:
        if step.at not in self._ops:
            raise LookupError(f"the workload has no step {step.at}")
        _, op = self._ops[step.at]
        if isinstance(op, Filling):
            flight = self._flight(step.at)
            self._enter_hits(flight, step.hits)
            done = (step.copy or 0) // flight.size
            yield from self._fill_up_to(flight, min(done, op.pages))
            if flight.page < op.pages:
                yield self._attempt(flight, flight.page, installed=False)
            del self._flights[step.at]
        else:
            self._apply(step.at, op, step)
        self.used = step.used
        book = self._written_by(op)
        yield Returned(
            step.at,
            op,
            step,
            self.used,
            self.blocks,
            kept=self.blocks - self.reclaimed,
            stopped=self.in_flight,
            full=book is not None and self.full(book),
        )

    def _written_by(self, op: ops.Op) -> Book | None:
        match op:
            case ops.Write():
                return self.files[op.file]
            case ops.Fill():
                return self.filler
            case _:
                return None

    def _enter_hits(self, flight: Flight, hits: Sequence[int]) -> None:
        """Note which faults hit since the flight was last heard of."""
        page = -1
        for number in hits:
            fault = self.workload.faults[number]
            if fault.errno:
                flight.injected.add(fault.errno)
            else:
                # As long as the page stays, each call comes in with it: one for each page.
                page = flight.retried() if page < 0 else page + 1
                flight.kept.add(page)

    def _fill_up_to(self, flight: Flight, end: int) -> Iterator[Attempt]:
        """Enter the pages before `end` as filled."""
        while flight.page < end:
            yield self._attempt(flight, flight.page, installed=True)
            mapping, page = self.maps[flight.op.map], flight.op.page + flight.page
            if flight.page in flight.kept:
                flight.page += 1
                continue
            if flight.at_risk(flight.page):
                self.suspects.append(Suspect(flight, flight.page, mapping))
            mapping.fill(page, protect=isinstance(flight.op, ops.CopyWp))
            if isinstance(flight.op, ops.Continue):
                mapping.own[page] = None
            elif not mapping.shared:
                mapping.own[page] = flight.tag(flight.page)
            elif mapping.book:
                index = mapping.offset + page
                self.used += index not in mapping.book.pages and mapping.book.limited
                mapping.book.fill(index, flight.tag(flight.page))
            flight.page += 1

    def _attempt(self, flight: Flight, number: int, *, installed: bool) -> Attempt:
        op = flight.op
        mapping, page = self.maps[op.map], op.page + number
        book, index = mapping.book, mapping.offset + page
        fills_file = mapping.shared and not isinstance(op, ops.Continue)
        start, length = op.page * flight.size, op.pages * flight.size
        barred = {
            EINTR: flight.killed,
            EBADF: self._destination_closed and flight.stopped_at < 0,
            EAGAIN: self._removal is not None,
            ENOENT: not mapping.mapped
            or not mapping.registered
            or mapping.moved != flight.moved
            or start + length > mapping.pages * mapping.size,
            EINVAL: (isinstance(op, ops.CopyWp) and not mapping.protects)
            or (isinstance(op, ops.Continue) and not book)
            or (isinstance(op, ops.Zeropage) and mapping.size != PAGE_SIZE)
            or start % mapping.size != 0
            or length % mapping.size != 0,
            EFAULT: self._cannot_be_read(flight, number)
            or (book is not None and index >= book.size)
            or (isinstance(op, ops.Continue) and book is not None and index not in book.pages),
            EEXIST: page in mapping.present
            or (fills_file and book is not None and index in book.pages),
        }
        reasons = {errno for errno, holds in barred.items() if holds}
        possible = reasons | flight.injected
        kept = number in flight.kept
        if kept:
            reasons = set()
        if page in mapping.doubtful:
            possible.add(EEXIST)
        if mapping.scarce or (fills_file and book and self.full(book, flight)):
            possible.add(ENOMEM)
        if isinstance(op, ops.Continue):
            # A kernel without UFFDIO_CONTINUE, or a page beyond the end of the file.
            possible.add(EINVAL)
        retried = number == flight.stopped_at
        return Attempt(
            flight.at,
            op,
            mapping,
            number,
            frozenset(possible),
            frozenset(reasons),
            retried,
            installed,
            room=book is not None
            and not mapping.scarce
            and len(self._flights) == 1
            and self.has_room(book),
            full=0 < self.workload.blocks <= self.used,
            kept=kept,
            injected=bool(flight.injected),
            size=flight.size,
        )

    def _cannot_be_read(self, flight: Flight, number: int) -> bool:
        if not isinstance(flight.op, ops.Copying) or flight.at_risk(number):
            return False
        holes = any(flight.letters[source] == "U" for source in flight.needed_for(number))
        return holes or flight.source_gone

    def _apply(self, at: str, op: ops.Op, step: Step) -> None:
        """Enter what an operation that fills no mapping did, by what it returned."""
        match op:
            case ops.Write() | ops.Fill() | ops.Free() | ops.Truncate() | ops.Punch():
                self._apply_to_file(at, op, step)
            case ops.Overcommit():
                self._limit = self._committed() + op.leave
            case ops.Mprotect():
                self.maps[op.map].writable = bool(op.write)
            case ops.Fork() | ops.Resume() | ops.Swapon() | ops.FillHugetlb():
                pass
            case ops.MunmapSource() | ops.CloseSource() | ops.KillCopier():
                self._apply_to_copy(op)
            case ops.RemoveBegin():
                self._begin_removal(op, step)
            case ops.RemoveEnd():
                self._remove()
            case ops.CloseDestination():
                self._remove()
                self._destination_closed = True
                for mapping in self.maps:
                    mapping.protected.clear()
            case _:
                self._apply_to_map(op, step)

    def _apply_to_file(self, at: str, op: ops.Op, step: Step) -> None:
        match op:
            case ops.Write():
                self._enter(at, self.files[op.file], op.page, step.ret)
            case ops.Fill():
                self._enter(at, self.filler, self.filler.size, step.ret)
            case ops.Free():
                self._truncate(self.filler, max(0, self.filler.size - op.pages))
            case ops.Truncate():
                self._truncate(self.files[op.file], op.pages)
            case ops.Punch():
                self._punch(self.files[op.file], range(op.page, op.page + op.pages))

    def _apply_to_map(self, op: ops.Op, step: Step) -> None:
        """Enter what an operation on a mapping did."""
        match op:
            case ops.Munmap():
                self._unmap(self.maps[op.map])
            case ops.Remap():
                shared = not isinstance(op, ops.RemapPrivate)
                self._remap(op.map, self.files[op.file], op.offset, step, shared=shared)
            case ops.RemapAnonymous():
                self._remap(op.map, None, 0, step, shared=False)
            case ops.RemapHugetlb():
                self._remap_huge(op, step)
            case ops.Pageout():
                # EINVAL: pages that are locked into memory, or huge, stay there.
                for page in range(op.page, op.page + op.pages) if step.ret != -EINVAL else ():
                    self.maps[op.map].page_out(page)
            case ops.Mremap() | ops.Mlock() | ops.Register() | ops.RegisterWp() | ops.Unregister():
                if step.ret == 0:
                    self._change(self.maps[op.map], op)
            case _:
                raise NotImplementedError(f"the ledger does not know the operation {op.name}")

    def _change(self, mapping: Mapping, op: ops.Op) -> None:
        match op:
            case ops.Mremap():
                mapping.moved = not mapping.moved
                mapping.unregister()
            case ops.Mlock():
                mapping.locked = mapping.size == PAGE_SIZE
            case ops.Unregister():
                mapping.unregister()
            case _:
                # One that is registered for both already stays so.
                mapping.registered = True
                mapping.protects |= isinstance(op, ops.RegisterWp)

    def _apply_to_copy(self, op: ops.Op) -> None:
        """Enter what an action does to the copy whose window it is in."""
        copy = self._last_copy
        assert copy is not None  # noqa: S101 - they stand in windows only
        match op:
            case ops.MunmapSource():
                copy.source_gone = True
            case ops.KillCopier():
                copy.killed = True
            case _:
                self._source_closed = True
                self._close_source(copy)

    def _close_source(self, copy: Flight) -> None:
        """Nobody fills the missing pages of a source any more, from where the copy stopped on."""
        copy.zeros.update(copy.missing[max(0, copy.stops - 1) :])

    def _enter(self, at: str, book: Book, first: int, ret: int) -> None:
        ordinal, _ = self._ops[at]
        for page in range(max(0, ret) // PAGE_SIZE):
            book.fill(first + page, tag_of(ordinal, page))
            book.size = max(book.size, first + page + 1)

    def _of(self, book: Book) -> Iterator[Mapping]:
        return (one for one in self.maps if one.book is book and one.mapped)

    def _truncate(self, book: Book, size: int) -> None:
        for mapping in self._of(book) if size < book.size else ():
            for page in range(max(0, size - mapping.offset), mapping.pages):
                mapping.drop(page)
        book.size = size
        book.pages = {page: tag for page, tag in book.pages.items() if page < size}

    def _punch(self, book: Book, hole: range) -> None:
        """Punch a hole: private pages stay, but the page of zeros may have to be mapped anew."""
        for index in hole:
            book.pages.pop(index, None)
        for mapping in self._of(book):
            for page in range(mapping.pages):
                if mapping.offset + page not in hole:
                    continue
                if mapping.is_of_file(page):
                    mapping.drop(page)
                elif mapping.own.get(page) == 0:
                    mapping.doubt(page)

    def _unmap(self, mapping: Mapping) -> None:
        for page in range(mapping.pages):
            mapping.drop(page)
        mapping.mapped = mapping.registered = mapping.locked = False

    def _remap(
        self, number: int, book: Book | None, offset: int, step: Step, *, shared: bool
    ) -> None:
        old = self.maps[number]
        self.maps[number] = Mapping(book, offset, old.pages, shared, moved=old.moved)
        self.maps[number].registered = step.ret == 0

    def _remap_huge(self, op: ops.RemapHugetlb, step: Step) -> None:
        """Enter hugetlb memory; if it could not be reserved, nothing is mapped any more."""
        book = Book(op.pages, charged=False)
        new = Mapping(book, 0, op.pages, shared=True, moved=self.maps[op.map].moved)
        new.size = HPAGE_SIZE
        new.mapped = step.ret != -ENOMEM
        new.registered = step.ret == 0
        self.maps[op.map] = new

    def _begin_removal(self, op: ops.RemoveBegin, step: Step) -> None:
        mapping = self.maps[op.map]
        idle = self._removal or self._destination_closed
        # 5.10 removes no hugetlb memory.
        if idle or not mapping.mapped or mapping.locked or step.ret == -EINVAL:
            return
        start = op.page * mapping.size
        end = start + op.pages * mapping.size
        self._removal = Removal(op.map, start, end, mapping.moved)
        # It waits, and so it is told nothing, only where what is registered is to go.
        if not mapping.registered or step.ret:
            self._remove()

    def _remove(self) -> None:
        """Take away what a madvise(MADV_DONTNEED) waits to take away, from what is there now."""
        removal, self._removal = self._removal, None
        mapping = self.maps[removal.map] if removal else None
        if removal and mapping and mapping.mapped and mapping.moved == removal.moved:
            for page in removal.pages(mapping) if not mapping.locked else ():
                mapping.drop(page)


_last: tuple[Workload, Outcome, Ledger, tuple[Attempt | Returned, ...]] | None = None


def follow(workload: Workload, outcome: Outcome) -> tuple[Ledger, tuple[Attempt | Returned, ...]]:
    """Return a ledger that has walked to the end, and the events on the way.

    Oracles ask one after another for the same outcome: the last answer is kept, and not to be
    changed. Raises LookupError as `walk` does.
    """
    global _last  # noqa: PLW0603 - it depends on the arguments alone
    if _last is None or _last[0] is not workload or _last[1] is not outcome:
        ledger = Ledger(workload, outcome)
        _last = workload, outcome, ledger, tuple(ledger.walk())
    return _last[2], _last[3]
