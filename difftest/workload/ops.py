# SPDX-License-Identifier: GPL-2.0-only
"""The vocabulary: one class for each operation, in all that difftest knows of it.

Its fields are the words of the text form, in order. Its docstring is its documentation. `draw`
chooses one for a shape, with at most OP_BYTES choices; `weight` and `weight_in_window` say how
often. `play` does it on the model; a function of the same name in `difftest/guest/play.c` does it
on a kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from difftest.workload.limits import MAX_COPY, MAX_HUGE, MAX_PAGES, PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from difftest.model.kernel import May
    from difftest.model.system import System
    from difftest.workload.choices import Choices
    from difftest.workload.workload import Map

    Tag = Callable[[int], int]

OP_BYTES = 8
"""The choices that an operation may make, its windows aside."""


class Theme(StrEnum):
    """What a few workloads are about; others have no operation of it. HUGE ones may PROTECT, too.

    A backend for which that is too much cannot play these workloads; they also cost more.
    """

    HUGE = "huge"
    PROTECT = "protect"


@dataclass(frozen=True, slots=True)
class Shape:
    """What the operations of a workload may refer to."""

    blocks: int
    files: tuple[int, ...]
    maps: tuple[Map, ...]
    begins: int = 0
    """Copies that were begun so far."""
    target: tuple[int, int] | None = None
    """In a window: the file and page that the copy is about to fill."""
    theme: Theme | None = None


@dataclass(frozen=True, slots=True)
class Op:
    """An operation. `windows` are the actions in each window of a copy; no other has any."""

    name: ClassVar[str]
    weight: ClassVar[int] = 1
    weight_in_window: ClassVar[int] = 1
    theme: ClassVar[Theme | None] = None

    @property
    def windows(self) -> tuple[tuple[Op, ...], ...]:
        return ()

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        raise NotImplementedError

    def play(self, system: System, tag: Tag) -> May[int]:
        """Do it; `tag(i)` fills the i-th page that it writes. Returns what the kernel would."""
        raise NotImplementedError


def _place(choose: Choices, shape: Shape) -> tuple[int, int, int]:
    """A file, a first page and a number of pages; in a window mostly what the copy wants."""
    aside = choose.chance(1, 3)
    if shape.target and not aside:
        return *shape.target, 1
    number = choose.below(len(shape.files))
    return number, *_range(choose, shape.files[number])


def _range(choose: Choices, pages: int) -> tuple[int, int]:
    """A first page and a number of pages; one in eight goes a page beyond the end."""
    first = choose.below(max(1, pages))
    count = choose.between(1, MAX_COPY)
    rest = max(1, pages - first)
    beyond = count == MAX_COPY and pages < MAX_PAGES
    return first, rest + 1 if beyond else min(count, rest)


def _source(choose: Choices, pages: int) -> str:
    """A letter for each source page; one source in sixteen ends in a hole."""
    letters = choose.below(2**pages)
    source = "".join("MR"[letters >> i & 1] for i in range(pages))
    return source[:-1] + "U" if choose.chance(1, 16) else source


@dataclass(frozen=True, slots=True)
class Copying(Op):
    """UFFDIO_COPY. `source` has a letter for each source page, see Copy.

    It begins `shift` bytes into the first of them.
    """

    shift: ClassVar[int] = 0

    map: int
    page: int
    source: str

    @property
    def pages(self) -> int:
        return len(self.source)

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        number = choose.below(len(shape.maps))
        page, pages = _range(choose, shape.maps[number].pages)
        return cls(number, page, _source(choose, min(pages, MAX_COPY)))

    def play(self, system: System, tag: Tag) -> May[int]:
        size = PAGE_SIZE if self.shift else system.page_size(self.map)
        source = system.place_source(
            [tag(i) for i in range(self.pages)], self.source, size, self.shift
        )
        return (yield from system.uffdio_copy(self.map, self.page, source, self.pages, size))


@dataclass(frozen=True, slots=True)
class Copy(Copying):
    """UFFDIO_COPY to the pages of a mapping from `page` on, one for each letter of `source`.

    R: the source page is resident. M: it is missing, the copy stops there with no lock held, and
    the actions of the next window happen before it goes on. U: it is not mapped. Returns 0 or an
    errno, and the `copy` field.
    """

    name = "copy"
    weight = 24
    weight_in_window = 0

    actions: tuple[tuple[Op, ...], ...] = ()

    @property
    def windows(self) -> tuple[tuple[Op, ...], ...]:
        return self.actions


@dataclass(frozen=True, slots=True)
class CopyUnaligned(Copy):
    """UFFDIO_COPY from a source that begins in the middle of its first page.

    As copy; but each page is copied from two source pages, and `source` has one letter more than
    there are pages to fill. A copy may stop twice for one page. None of the pages is huge, also
    where those of the mapping are, which then refuses them.
    """

    name = "copy_unaligned"
    weight = 4
    shift = PAGE_SIZE // 2

    @property
    def pages(self) -> int:
        return len(self.source) - 1

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        number = choose.below(len(shape.maps))
        page, pages = _range(choose, shape.maps[number].pages)
        return cls(number, page, _source(choose, min(pages, MAX_COPY - 1) + 1))


@dataclass(frozen=True, slots=True)
class CopyWp(Op):
    """UFFDIO_COPY of resident pages with UFFDIO_COPY_MODE_WP, for which see register_wp.

    Returns 0 or an errno, and the `copy` field.
    """

    name = "copy_wp"
    weight_in_window = 0

    map: int
    page: int
    pages: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        number = choose.below(len(shape.maps))
        page, pages = _range(choose, shape.maps[number].pages)
        return cls(number, page, min(pages, MAX_COPY))

    def play(self, system: System, tag: Tag) -> May[int]:
        size = system.page_size(self.map)
        source = system.place_source([tag(i) for i in range(self.pages)], "R" * self.pages, size)
        return (
            yield from system.uffdio_copy(self.map, self.page, source, self.pages, size, wp=True)
        )


@dataclass(frozen=True, slots=True)
class Begin(Copying):
    """A UFFDIO_COPY that stays stopped, if it stops, until a `resume` lets it go on.

    Several may be in flight, each in a thread of its own. What is in flight in the end is resumed
    until it is through, the first one first. The result is that of the copy, when it returns.
    """

    name = "begin"
    weight = 4
    weight_in_window = 0

    def place(self, system: System, tag: Tag) -> int:
        """Make its source, and return where that is."""
        size = system.page_size(self.map)
        return system.place_source([tag(i) for i in range(self.pages)], self.source, size, own=True)

    def play(self, system: System, tag: Tag) -> May[int]:
        size = system.page_size(self.map)
        source = self.place(system, tag)
        return (yield from system.uffdio_copy(self.map, self.page, source, self.pages, size))


@dataclass(frozen=True, slots=True)
class Resume(Op):
    """Give the copy of the `begin` number `begin`, from 0, its page: until it stops or returns.

    Nothing happens if it is not in flight. Returns 0.
    """

    name = "resume"
    weight = 2
    weight_in_window = 0

    begin: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        return cls(choose.below(max(1, shape.begins)))

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        """Do nothing to the system: it is the player who lets the copy go on."""
        yield "resume"
        return 0


@dataclass(frozen=True, slots=True)
class Zeropage(Op):
    """UFFDIO_ZEROPAGE on pages of a mapping. Returns 0 or an errno, and the `zeropage` field."""

    name = "zeropage"
    weight = 2

    map: int
    page: int
    pages: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        number = choose.below(len(shape.maps))
        return cls(number, *_range(choose, shape.maps[number].pages))

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - zeros have no tag
        return (yield from system.uffdio_zeropage(self.map, self.page, self.pages))


@dataclass(frozen=True, slots=True)
class Continue(Op):
    """UFFDIO_CONTINUE on pages of a mapping: map what is in the page cache.

    Returns 0 or an errno, and the `mapped` field.
    """

    name = "continue"
    weight = 3

    map: int
    page: int
    pages: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        number = choose.below(len(shape.maps))
        return cls(number, *_range(choose, shape.maps[number].pages))

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.uffdio_continue(self.map, self.page, self.pages))


@dataclass(frozen=True, slots=True)
class Write(Op):
    """pwrite() of whole pages of a file. Returns the bytes written, or an errno."""

    name = "write"
    weight = 3
    weight_in_window = 4

    file: int
    page: int
    pages: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        return cls(*_place(choose, shape))

    def play(self, system: System, tag: Tag) -> May[int]:
        tags = [tag(i) for i in range(self.pages)]
        return (yield from system.pwrite(system.files[self.file], self.page, tags))


@dataclass(frozen=True, slots=True)
class Fill(Op):
    """write() to the filler, a file of its own, until only `leave` blocks of the mount are free.

    Returns the bytes written, or an errno.
    """

    name = "fill"
    weight = 3
    weight_in_window = 6

    leave: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:  # noqa: ARG003 - any mount can be filled
        return cls(choose.pick((0, 0, 0, 1, 1, 2)))

    def play(self, system: System, tag: Tag) -> May[int]:
        pages = system.sb.max_blocks - system.used() - self.leave
        if pages <= 0:
            return 0
        return (yield from system.fill([tag(i) for i in range(pages)]))


@dataclass(frozen=True, slots=True)
class Free(Op):
    """ftruncate() of the filler by `pages` pages, as far as it has them. Returns 0."""

    name = "free"
    weight_in_window = 2

    pages: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:  # noqa: ARG003 - the filler may have any size
        return cls(choose.between(1, 3))

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.free(self.pages))


@dataclass(frozen=True, slots=True)
class Truncate(Op):
    """ftruncate() of a file to `pages` pages: down or up. Returns 0."""

    name = "truncate"
    weight_in_window = 3

    file: int
    pages: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        number, page, _ = _place(choose, shape)
        anywhere = choose.chance(1, 2)
        return cls(number, choose.between(0, MAX_PAGES) if anywhere else page)

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.ftruncate(system.files[self.file], self.pages))


@dataclass(frozen=True, slots=True)
class Punch(Op):
    """fallocate(FALLOC_FL_PUNCH_HOLE) over whole pages of a file. Returns 0."""

    name = "punch"
    weight_in_window = 2

    file: int
    page: int
    pages: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        return cls(*_place(choose, shape))

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.punch_hole(system.files[self.file], self.page, self.pages))


@dataclass(frozen=True, slots=True)
class _OnMap(Op):
    """An operation on a whole mapping, wherever it is by now."""

    map: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        return cls(choose.below(len(shape.maps)))


@dataclass(frozen=True, slots=True)
class Munmap(_OnMap):
    """munmap() of a whole mapping. Returns 0."""

    name = "munmap"
    weight_in_window = 3

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.munmap(self.map))


@dataclass(frozen=True, slots=True)
class Remap(Op):
    """mmap(MAP_SHARED | MAP_FIXED) of a file over a mapping, registered for missing pages.

    Returns 0, or the errno of UFFDIO_REGISTER.
    """

    name = "remap"
    weight_in_window = 2

    map: int
    file: int
    offset: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        return cls(
            choose.below(len(shape.maps)),
            choose.below(len(shape.files)),
            choose.pick((0, 0, 0, 1, 2)),
        )

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.remap(self.map, self.file, self.offset, shared=True))


@dataclass(frozen=True, slots=True)
class RemapPrivate(Remap):
    """mmap(MAP_PRIVATE | MAP_FIXED) of a file over a mapping, registered for missing pages.

    Returns 0, or the errno of UFFDIO_REGISTER.
    """

    name = "remap_private"
    weight_in_window = 1

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.remap(self.map, self.file, self.offset, shared=False))


@dataclass(frozen=True, slots=True)
class RemapAnonymous(_OnMap):
    """mmap(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED) over a mapping, registered.

    Returns 0, or the errno of UFFDIO_REGISTER.
    """

    name = "remap_anonymous"

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.remap(self.map, None, shared=False))


@dataclass(frozen=True, slots=True)
class RemapHugetlb(Op):
    """mmap(MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB) over a mapping, registered.

    The mapping then has `pages` huge pages, and those that it had are gone. Returns 0, or the
    errno of mmap() if the pool cannot reserve as many, or that of UFFDIO_REGISTER.
    """

    name = "remap_hugetlb"
    weight = 3
    weight_in_window = 3
    theme = Theme.HUGE

    map: int
    pages: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        return cls(choose.below(len(shape.maps)), choose.between(1, MAX_HUGE))

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.remap_hugetlb(self.map, self.pages))


@dataclass(frozen=True, slots=True)
class FillHugetlb(Op):
    """mmap() of hugetlb memory until only `leave` huge pages are free and not reserved.

    It stays until the end of the workload. Returns 0.
    """

    name = "fill_hugetlb"
    weight = 2
    weight_in_window = 3
    theme = Theme.HUGE

    leave: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:  # noqa: ARG003 - there is but one pool
        return cls(choose.pick((0, 0, 1, 2)))

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.fill_hugetlb(self.leave))


@dataclass(frozen=True, slots=True)
class Mremap(_OnMap):
    """mremap(MREMAP_MAYMOVE | MREMAP_FIXED) of a mapping to its other place, or back.

    What was registered is not any more: there is no EVENT_REMAP here. Later operations mean the
    new place. Returns 0, or an errno if it is unmapped.
    """

    name = "mremap"

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.mremap(self.map))


@dataclass(frozen=True, slots=True)
class Mprotect(Op):
    """mprotect() of a whole mapping: read and write, or with `write` 0 read alone.

    Returns 0, or an errno if it is unmapped.
    """

    name = "mprotect"

    map: int
    write: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        return cls(choose.below(len(shape.maps)), choose.pick((0, 0, 1)))

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.mprotect(self.map, write=bool(self.write)))


@dataclass(frozen=True, slots=True)
class Mlock(_OnMap):
    """mlock2(MLOCK_ONFAULT) of a whole mapping: pages that it has, and gets, stay in memory.

    Nothing happens to hugetlb memory, which does so anyway: the call would fill it, and wait for a
    page that nobody brings. Returns 0, or an errno if it is unmapped.
    """

    name = "mlock"

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.mlock(self.map))


@dataclass(frozen=True, slots=True)
class Pageout(Op):
    """madvise(MADV_PAGEOUT) over pages of a mapping. Without swap only clean pages can go.

    Returns 0 or an errno.
    """

    name = "pageout"
    weight = 2

    map: int
    page: int
    pages: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        number = choose.below(len(shape.maps))
        pages = shape.maps[number].pages
        # A part of it seldom has a page that is in memory.
        whole = choose.chance(1, 2)
        return cls(number, 0, pages) if whole else cls(number, *_range(choose, pages))

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        yield "madvise"
        return system.pageout(self.map, self.page, self.pages)


@dataclass(frozen=True, slots=True)
class Unregister(_OnMap):
    """UFFDIO_UNREGISTER of a whole mapping. Returns 0 or an errno."""

    name = "unregister"
    weight_in_window = 3

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.unregister(self.map))


@dataclass(frozen=True, slots=True)
class Register(_OnMap):
    """UFFDIO_REGISTER of a whole mapping for missing pages. Returns 0 or an errno."""

    name = "register"

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.register(self.map))


@dataclass(frozen=True, slots=True)
class RegisterWp(_OnMap):
    """UFFDIO_REGISTER of a whole mapping for missing pages and for write-protection.

    Returns 0 or an errno.
    """

    name = "register_wp"
    weight = 3
    weight_in_window = 3
    theme = Theme.PROTECT

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.register(self.map, wp=True))


@dataclass(frozen=True, slots=True)
class RemoveBegin(Op):
    """madvise(MADV_DONTNEED) over pages of a mapping, in a thread of its own.

    If the mapping is registered, the thread waits until somebody reads the UFFD_EVENT_REMOVE, and
    until then no ioctl fills a page; `remove_end` reads it, and so does the end of the workload.
    Nothing happens while another one waits, or when the userfaultfd is closed. Returns 0 if it
    waits, else what madvise() returns.
    """

    name = "remove_begin"

    map: int
    page: int
    pages: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        number = choose.below(len(shape.maps))
        return cls(number, *_range(choose, shape.maps[number].pages))

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        yield "madvise"
        return system.remove_begin(self.map, self.page, self.pages)


@dataclass(frozen=True, slots=True)
class RemoveEnd(Op):
    """Read the UFFD_EVENT_REMOVE that a madvise() waits with. Returns what that then returns.

    Returns 0 if there is none.
    """

    name = "remove_end"

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:  # noqa: ARG003 - there is but one
        return cls()

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        yield "read"
        return system.remove_end()


@dataclass(frozen=True, slots=True)
class Fork(Op):
    """fork() of a child that stays until the end of the workload. Returns 0."""

    name = "fork"

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:  # noqa: ARG003 - nothing to choose
        return cls()

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        return (yield from system.fork())


@dataclass(frozen=True, slots=True)
class Swapon(Op):
    """swapon() of a disk with room for all pages, until the end of the workload. Returns 0.

    Nothing happens if it is on.
    """

    name = "swapon"

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:  # noqa: ARG003 - there is but one disk
        return cls()

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        yield "swapon"
        return system.swapon()


@dataclass(frozen=True, slots=True)
class Overcommit(Op):
    """Set overcommit_memory to 2, with a limit that leaves `leave` pages for files to grow.

    What mappings take or give back does not count: the limit moves with it. Returns 0.
    """

    name = "overcommit"

    leave: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:  # noqa: ARG003 - any system has memory
        return cls(choose.pick((0, 0, 1, 2, 3)))

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        yield "sysctl"
        return system.overcommit(self.leave)


@dataclass(frozen=True, slots=True)
class CloseDestination(Op):
    """close() of the userfaultfd of the destinations, after a pending UFFD_EVENT_REMOVE is read.

    A copy in flight holds it open until it returns. Later ioctls fail. Returns 0 or an errno.
    """

    name = "close_destination"

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:  # noqa: ARG003 - there is but one
        return cls()

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        yield "close"
        return system.close_destination()


@dataclass(frozen=True, slots=True)
class MunmapSource(Op):
    """munmap() of the whole source of the copy whose window this is in. Returns 0."""

    name = "munmap_source"
    weight = 0

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:  # noqa: ARG003 - there is but one source
        return cls()

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        yield "munmap"
        return system.munmap_source()


@dataclass(frozen=True, slots=True)
class CloseSource(Op):
    """close() of the userfaultfd of the source of the copy whose window this is in, as its end.

    It lets the copy go on with zeros wherever the source is missing, and open no more windows.
    Returns 0.
    """

    name = "close_source"
    weight = 0

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:  # noqa: ARG003 - there is but one source
        return cls()

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        yield "close"
        return system.close_source()


@dataclass(frozen=True, slots=True)
class KillCopier(Op):
    """SIGKILL to the thread whose copy's window this is in, as the window's end. Returns 0.

    The copy then returns nothing that anybody could see: EINTR stands for that.
    """

    name = "kill_copier"
    weight = 0

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:  # noqa: ARG003 - there is but one copier
        return cls()

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        yield "kill"
        return system.kill_copier()


#: What stands in a window only, and what in addition ends it.
IN_WINDOW = (MunmapSource, CloseSource, KillCopier)
ENDS_WINDOW = (CloseSource, KillCopier)

#: The whole vocabulary. A new operation: a class above, a line here, a function in play.c.
OPS: tuple[type[Op], ...] = (
    Copy,
    CopyUnaligned,
    CopyWp,
    Begin,
    Resume,
    Zeropage,
    Continue,
    Write,
    Fill,
    Free,
    Truncate,
    Punch,
    Munmap,
    Remap,
    RemapPrivate,
    RemapAnonymous,
    RemapHugetlb,
    FillHugetlb,
    Mremap,
    Mprotect,
    Mlock,
    Pageout,
    Unregister,
    Register,
    RegisterWp,
    RemoveBegin,
    RemoveEnd,
    Fork,
    Swapon,
    Overcommit,
    CloseDestination,
    MunmapSource,
    CloseSource,
    KillCopier,
)
