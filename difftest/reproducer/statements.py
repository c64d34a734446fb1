# SPDX-License-Identifier: GPL-2.0-only
"""Statements: what each operation of a workload is in C, by one emitter for each.

An emitter adds the statements of the program's `play()`, and, where a copy may stop, the thread
that makes it. What they call is in `program.c.jinja`: each part of it is there only if it is used.
An operation without an emitter cannot be exported.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from difftest.errors import UsageError
from difftest.workload import ops
from difftest.workload.codec import line_of
from difftest.workload.limits import MAX_PAGES
from difftest.workload.workload import Kind, tag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from difftest.outcome import Step
    from difftest.workload.ops import Begin, Copying, Op
    from difftest.workload.workload import Workload

_FLAGS = {
    Kind.SHARED: "MAP_SHARED",
    Kind.PRIVATE: "MAP_PRIVATE",
    Kind.ANONYMOUS: "MAP_PRIVATE | MAP_ANONYMOUS",
    Kind.SHARED_ANONYMOUS: "MAP_SHARED | MAP_ANONYMOUS",
}

STRIDE = MAX_PAGES + 2
"""Pages from one mapping to the next: no two ever touch, so that none of them merge."""


class Thread(NamedTuple):
    """A copy with a thread of its own: its number among copies, its place, its line."""

    copy: int
    at: str
    line: str


@dataclass
class Body:
    """A program in the making.

    `opens` are the windows that a kernel without the failure opens, by place. `due` has what
    operations return there, and in which `copy` field, by place, if that is what is checked: others
    are printed. `uses` names parts of the template.
    """

    workload: Workload
    opens: Collection[str]
    due: Mapping[str, Step] = field(default_factory=lambda: MappingProxyType({}))
    lines: list[str] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    copies: int = 0
    begun: list[int] = field(default_factory=list)
    uses: set[str] = field(default_factory=set)
    ordinal: int = -1
    indent: str = ""

    @property
    def files(self) -> int:
        return len(self.workload.files) + len(self.workload.memfds)

    def add(self, *lines: str) -> None:
        self.lines += [self.indent + line if line else "" for line in lines]

    def told(self, at: str, call: str, copied: str = "") -> None:
        """Add a call whose result is checked or printed, and the `copy` field with it."""
        due = self.due.get(at)
        if due is None or self.indent:
            self.uses.add("tell")
            self.add(f'tell("{at}", {call});')
            return
        self.uses.add("expect")
        self.add(f'expect("{at} returns {_said(due.ret)}", {call}, {_number(due.ret)});')
        if copied and due.copy is not None:
            self.add(
                f'expect("{at} fills {due.copy} bytes", {copied}, {_number(due.copy)});'
                if due.copy >= 0
                else f'expect("{at} says {_said(due.copy)}", {copied}, {_number(due.copy)});'
            )

    def step(self, at: str, op: Op) -> None:
        """Add an operation with its windows, below a comment that is its line."""
        self.ordinal += 1
        emit = EMITTERS.get(type(op))
        if emit is None:
            names = ", ".join(one.name for one in ops.OPS if one in EMITTERS)
            raise UsageError(
                f"step {at} ({line_of(op)}) cannot be exported: there is no C for {op.name}; "
                f"there is for {names}"
            )
        self.add("", f"/* {at}: {line_of(op)} */")
        emit(self, at, op)

    def land(self) -> None:
        """Let what is still in flight in the end go on until it is through."""
        for copy in self.begun:
            self.add(f"while (copy_{copy}.flying)", f"\tresume(&copy_{copy});")


def _said(number: int) -> str:
    return errno.errorcode[-number] if number < 0 else str(number)


def _number(number: int) -> str:
    return f"-{errno.errorcode[-number]}" if number < 0 else str(number)


def set_up(body: Body) -> None:
    """Add the files and mappings that there are before the first operation."""
    workload = body.workload
    for number, pages in enumerate((*workload.files, *workload.memfds)):
        memfd = number >= len(workload.files)
        body.uses.add("memfd" if memfd else "file")
        opened = f"open_memfd({pages})" if memfd else f"open_file({pages})"
        body.add(f"file[{number}] = {opened};")
    for number, one in enumerate(workload.maps):
        if one.kind.huge:
            raise UsageError(
                f"`{one.kind.value} pages={one.pages}` cannot be exported: there is no C for "
                "hugetlb memory"
            )
        body.uses.add("map")
        file = f"file[{one.file}]" if one.kind.of_file else "-1"
        made = f"map({number}, {one.pages}, {_FLAGS[one.kind]}, {file}, {one.offset})"
        body.add(f'must({made}, "mapping {number}");')


def _at(map_: int, page: int) -> str:
    return f"map_at[{map_}]" + (f" + {page} * PAGE" if page else "")


def _range(op: Op) -> str:
    """Return start and length of an operation on pages of a mapping."""
    one = cast("ops.Zeropage", op)
    return f"{_at(one.map, one.page)}, {one.pages} * PAGE"


def _whole(body: Body, number: int) -> str:
    return f"{_at(number, 0)}, {body.workload.maps[number].pages} * PAGE"


def _source(body: Body, op: Copying) -> str:
    """Add what makes the source of a copy; return the name of the copy."""
    body.uses |= {"copy", "memory", "fill_page"}
    name = f"copy_{body.copies}"
    body.copies += 1
    letters = op.source
    body.add(
        f"source_of(&{name}, {len(letters)}, {op.shift}, {op.pages}, {tag_of(body.ordinal, 0)});"
    )
    for number, letter in enumerate(letters):
        if letter == "R":
            body.uses.add("resident")
            body.add(f"resident(&{name}, {number});")
    if "M" in letters:
        body.uses |= {"window"}
        missing = ", ".join(str(number) for number, one in enumerate(letters) if one == "M")
        body.add(f"watch_source(&{name});\t/* missing: {missing} */")
    for number, letter in enumerate(letters):
        if letter == "U":
            body.add(f"munmap({name}.source + {number} * PAGE, PAGE);")
    body.add(f"copy_to(&{name}, {_at(op.map, op.page)}, {op.shift}, {op.pages});")
    return name


def _start(body: Body, at: str, op: Copying, name: str) -> None:
    number = int(name.removeprefix("copy_"))
    body.threads.append(Thread(number, at, line_of(op)))
    body.add(f"start(&{name}, copier_{number});")


def _copy(body: Body, at: str, op: Copying) -> None:
    name = _source(body, op)
    copied = f"{name}.request.copy"
    if "M" not in op.source:
        body.told(at, f"make(&{name})", copied)
        return
    _start(body, at, op, name)
    for number in range(op.source.count("M")):
        actions = op.windows[number] if number < len(op.windows) else ()
        _window(body, f"{at}.{number}", name, actions)
    body.add("", f"/* {at}: the copy returns */")
    body.told(at, f"wait_for(&{name})", copied)


def _window(body: Body, at: str, name: str, actions: tuple[Op, ...]) -> None:
    """Add a window: what happens while the copy is stopped, with no lock held."""
    body.add("", f"/* {at}: the copy stops, with no lock held */")
    if at in body.opens:
        body.add(f"if (!stops(&{name}))", f'\tcannot("window {at} did not open");')
        for number, action in enumerate(actions):
            body.step(f"{at}.{number}", action)
        body.add("", f"go_on(&{name});")
        return
    if not actions:
        body.add(f"if (stops(&{name}))", f"\tgo_on(&{name});")
        return
    body.add(f"if (stops(&{name})) {{")
    body.indent += "\t"
    for number, action in enumerate(actions):
        body.step(f"{at}.{number}", action)
    body.add(f"go_on(&{name});")
    body.indent = body.indent[:-1]
    body.add("}")


def _begin(body: Body, at: str, op: Begin) -> None:
    body.uses |= {"begun", "window", "tell"}
    name = _source(body, op)
    body.begun.append(int(name.removeprefix("copy_")))
    body.add(f'{name}.at = "{at}";')
    if "M" not in op.source:
        body.told(at, f"make(&{name})")
        return
    _start(body, at, op, name)
    body.add(f"until_stop(&{name});")


def _resume(body: Body, at: str, op: ops.Resume) -> None:  # noqa: ARG001 - as all of them
    body.add(f"resume(&copy_{body.begun[op.begin]});")


def _zeropage(body: Body, at: str, op: Op) -> None:
    body.uses.add("zeropage")
    body.told(at, f"zeropage({_range(op)})")


def _continue(body: Body, at: str, op: Op) -> None:
    body.uses.add("continue")
    body.told(at, f"map_cached({_range(op)})")


def _write(body: Body, at: str, op: ops.Write) -> None:
    body.uses |= {"write", "memory", "fill_page"}
    tag = tag_of(body.ordinal, 0)
    body.told(at, f"write_pages(file[{op.file}], {op.page}, {op.pages}, {tag})")


def _fill(body: Body, at: str, op: ops.Fill) -> None:
    body.uses |= {"write", "memory", "fill_page", "filler", "fill", "file"}
    body.told(at, f"fill({op.leave}, {tag_of(body.ordinal, 0)})")


def _free(body: Body, at: str, op: ops.Free) -> None:
    body.uses |= {"filler", "free", "file"}
    body.told(at, f"free_pages({op.pages})")


def _truncate(body: Body, at: str, op: ops.Truncate) -> None:
    body.told(at, f"result(ftruncate(file[{op.file}], {op.pages} * PAGE))")


def _punch(body: Body, at: str, op: ops.Punch) -> None:
    body.uses.add("punch")
    body.told(at, f"punch(file[{op.file}], {op.page}, {op.pages})")


def _munmap(body: Body, at: str, op: ops.Munmap) -> None:
    body.told(at, f"result(munmap({_whole(body, op.map)}))")


def _remap(flags: Kind) -> Emitter:
    def emit(body: Body, at: str, op: Op) -> None:
        pages = body.workload.maps[cast("ops.Remap", op).map].pages
        file, offset = ("-1", 0)
        if isinstance(op, ops.Remap):
            file, offset = f"file[{op.file}]", op.offset
        number = cast("ops.Remap", op).map
        body.told(at, f"map({number}, {pages}, {_FLAGS[flags]}, {file}, {offset})")

    return emit


def _mremap(body: Body, at: str, op: ops.Mremap) -> None:
    body.uses.add("move")
    body.told(at, f"move({op.map}, {body.workload.maps[op.map].pages})")


def _mprotect(body: Body, at: str, op: ops.Mprotect) -> None:
    protection = "PROT_READ | PROT_WRITE" if op.write else "PROT_READ"
    body.told(at, f"result(mprotect({_whole(body, op.map)}, {protection}))")


def _mlock(body: Body, at: str, op: ops.Mlock) -> None:
    body.told(at, f"result(mlock2({_whole(body, op.map)}, MLOCK_ONFAULT))")


def _pageout(body: Body, at: str, op: Op) -> None:
    body.told(at, f"result(madvise({_range(op)}, MADV_PAGEOUT))")


def _register(body: Body, at: str, op: ops.Register) -> None:
    body.told(at, f"watch(destination, {_whole(body, op.map)})")


def _unregister(body: Body, at: str, op: ops.Unregister) -> None:
    body.uses.add("unregister")
    body.told(at, f"unregister({_whole(body, op.map)})")


def _close_destination(body: Body, at: str, op: Op) -> None:  # noqa: ARG001 - as all of them
    body.told(at, "result(close(destination))")
    body.add("destination = -1;")


def _munmap_source(body: Body, at: str, op: Op) -> None:  # noqa: ARG001 - as all of them
    name = f"copy_{body.copies - 1}"
    body.uses.add("gone")
    body.told(at, f"result(munmap({name}.source, {name}.length))")


#: Adds an operation that stands in a place.
Emitter: TypeAlias = "Callable[[Body, str, Op], None]"

#: One for each operation that can be exported.
EMITTERS: Mapping[type[Op], Emitter] = MappingProxyType(
    cast(
        "dict[type[Op], Emitter]",
        {
            ops.Copy: _copy,
            ops.CopyUnaligned: _copy,
            ops.Begin: _begin,
            ops.Resume: _resume,
            ops.Zeropage: _zeropage,
            ops.Continue: _continue,
            ops.Write: _write,
            ops.Fill: _fill,
            ops.Free: _free,
            ops.Truncate: _truncate,
            ops.Punch: _punch,
            ops.Munmap: _munmap,
            ops.Remap: _remap(Kind.SHARED),
            ops.RemapPrivate: _remap(Kind.PRIVATE),
            ops.RemapAnonymous: _remap(Kind.ANONYMOUS),
            ops.Mremap: _mremap,
            ops.Mprotect: _mprotect,
            ops.Mlock: _mlock,
            ops.Pageout: _pageout,
            ops.Register: _register,
            ops.Unregister: _unregister,
            ops.CloseDestination: _close_destination,
            ops.MunmapSource: _munmap_source,
        },
    )
)
