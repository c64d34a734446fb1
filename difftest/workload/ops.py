# SPDX-License-Identifier: GPL-2.0-only
"""The vocabulary: one class for each operation, in all that difftest knows of it.

Its fields are the words of the text form, in order. Its docstring is its documentation. `draw`
chooses one for a shape, with at most OP_BYTES choices; `weight` and `weight_in_window` say how
often. `play` does it on the model; a function of the same name in `difftest/guest/play.c` does it
on a kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from difftest.workload.limits import MAX_COPY, MAX_PAGES, PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from difftest.model.kernel import May
    from difftest.model.system import System
    from difftest.workload.choices import Choices
    from difftest.workload.workload import Map

    Tag = Callable[[int], int]

OP_BYTES = 8
"""The choices that an operation may make, its windows aside."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the operations of a workload may refer to."""

    blocks: int
    files: tuple[int, ...]
    maps: tuple[Map, ...]
    target: tuple[int, int] | None = None
    """In a window: the file and page that the copy is about to fill."""


@dataclass(frozen=True, slots=True)
class Op:
    """An operation. `windows` are the actions in each window of a copy; no other has any."""

    name: ClassVar[str]
    weight: ClassVar[int] = 1
    weight_in_window: ClassVar[int] = 1

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


@dataclass(frozen=True, slots=True)
class Copy(Op):
    """UFFDIO_COPY to the pages of a mapping from `page` on, one for each letter of `source`.

    R: the source page is resident. M: it is missing, the copy stops there with no lock held, and
    the actions of the next window happen before it goes on. Returns 0 or an errno, and the
    `copy` field.
    """

    name = "copy"
    weight = 12
    weight_in_window = 0

    map: int
    page: int
    source: str
    actions: tuple[tuple[Op, ...], ...] = ()

    @property
    def windows(self) -> tuple[tuple[Op, ...], ...]:
        return self.actions

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        number = choose.below(len(shape.maps))
        page, pages = _range(choose, shape.maps[number].pages)
        length = min(pages, MAX_COPY)
        letters = choose.below(2**length)
        return cls(number, page, "".join("MR"[letters >> i & 1] for i in range(length)))

    def play(self, system: System, tag: Tag) -> May[int]:
        source = system.place_source(
            [tag(i) for i in range(len(self.source))], [letter == "R" for letter in self.source]
        )
        to = system.maps[self.map].vm_start + self.page * PAGE_SIZE
        return (yield from system.uffdio_copy(to, source, len(self.source)))


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
        to = system.maps[self.map].vm_start + self.page * PAGE_SIZE
        return (yield from system.uffdio_zeropage(to, self.pages))


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
        tags = [tag(i) for i in range(pages)]
        ret = yield from system.pwrite(system.filler, system.filler_pages, tags)
        if ret > 0:
            system.filler_pages += ret // PAGE_SIZE
        return ret


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
        system.filler_pages = max(0, system.filler_pages - self.pages)
        yield "ftruncate"
        return system.ftruncate(system.filler, system.filler_pages)


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
        yield "ftruncate"
        return system.ftruncate(system.files[self.file], self.pages)


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
        yield "fallocate"
        return system.punch_hole(system.files[self.file], self.page, self.pages)


@dataclass(frozen=True, slots=True)
class Munmap(Op):
    """munmap() of a whole mapping. Returns 0."""

    name = "munmap"
    weight_in_window = 3

    map: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        return cls(choose.below(len(shape.maps)))

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        yield "munmap"
        return system.munmap(system.maps[self.map])


@dataclass(frozen=True, slots=True)
class Unregister(Op):
    """UFFDIO_UNREGISTER of a whole mapping. Returns 0, or an errno if it is unmapped."""

    name = "unregister"
    weight_in_window = 3

    map: int

    @classmethod
    def draw(cls, choose: Choices, shape: Shape) -> Op:
        return cls(choose.below(len(shape.maps)))

    def play(self, system: System, tag: Tag) -> May[int]:  # noqa: ARG002 - writes nothing
        yield "unregister"
        return system.unregister(system.maps[self.map])


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


#: The whole vocabulary. A new operation: a class above, a line here, a function in play.c.
OPS: tuple[type[Op], ...] = (
    Copy,
    Zeropage,
    Write,
    Fill,
    Free,
    Truncate,
    Punch,
    Munmap,
    Unregister,
    MunmapSource,
)
