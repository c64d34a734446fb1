# SPDX-License-Identifier: GPL-2.0-only
"""The text form of workloads: what people read, files keep, and the guest agent plays.

    mount blocks=4
    file pages=6
    memfd pages=2
    map file=0 offset=0 pages=6
    map_private file=1 offset=0 pages=2
    map_anonymous pages=1
    fault site=block_charge call=2 error=ENOMEM
    copy map=0 page=1 source=MR
      window
        fill leave=0
    zeropage map=0 page=3 pages=1

Two blanks for each level. The words after a name are the fields of its class, in order.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NoReturn

from difftest.errors import UsageError
from difftest.workload.faults import SITES, Fault
from difftest.workload.limits import (
    MAX_BEGINS,
    MAX_BLOCKS,
    MAX_CALL,
    MAX_COPIES,
    MAX_COPY,
    MAX_FAULTS,
    MAX_FILES,
    MAX_HUGE,
    MAX_MAPS,
    MAX_PAGES,
    MAX_STEPS,
)
from difftest.workload.ops import (
    ENDS_WINDOW,
    IN_WINDOW,
    OPS,
    Begin,
    Copy,
    Copying,
    CopyUnaligned,
    CopyWp,
    Op,
    RemapHugetlb,
    Resume,
)
from difftest.workload.workload import Kind, Map, Workload

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BY_NAME = {op.name: op for op in OPS}
#: The lines before the first operation, and their words.
SETUP = {
    "mount": ("blocks",),
    "file": ("pages",),
    "memfd": ("pages",),
    **{kind.value: ("file", "offset", "pages") if kind.of_file else ("pages",) for kind in Kind},
    "fault": ("site", "call", "error"),
}

#: The fields that are no numbers.
_WORDS = ("source", "site", "error")

#: The lines that a field counts: `map=1` is the second `map`.
COUNTED = {
    "file": ("file", "memfd"),
    "map": tuple(kind.value for kind in Kind),
    "begin": ("begin",),
}

#: The lines that a plainer one, with the same fields, could stand for.
PLAINER = {
    "copy_unaligned": "copy",
    "begin": "copy",
    "remap_private": "remap",
    "memfd": "file",
    "map_private": "map",
    "map_hugetlb_noreserve": "map_hugetlb",
    "register_wp": "register",
}


_FIELDS = {
    op: tuple(field.name for field in dataclasses.fields(op) if field.name != "actions")
    for op in OPS
}


def fields_of(op: type[Op]) -> tuple[str, ...]:
    """Return the words of an operation's text form."""
    return _FIELDS[op]


def to_text(workload: Workload) -> str:
    """Return the text form, lines that end in a newline."""
    lines = set_up_lines(workload.blocks, workload.files, workload.memfds, workload.maps)
    lines += [line_of_fault(one) for one in workload.faults]
    for op in workload.steps:
        lines.append(line_of(op))
        for actions in op.windows:
            lines.append("  window")
            lines += [f"    {line_of(action)}" for action in actions]
    return "\n".join(lines) + "\n"


def set_up_lines(
    blocks: int, files: Sequence[int], memfds: Sequence[int], maps: Sequence[Map]
) -> list[str]:
    """Return the lines before the first operation."""
    lines = [f"mount blocks={blocks}"]
    lines += [f"file pages={pages}" for pages in files]
    lines += [f"memfd pages={pages}" for pages in memfds]
    return lines + [_line_of_map(one) for one in maps]


def size(text: str) -> tuple[int, int]:
    """Return how large a workload's text is, for comparing: lines, then characters."""
    return len(text.splitlines()), len(text)


def _line_of_map(one: Map) -> str:
    return " ".join(
        [one.kind.value, *(f"{name}={getattr(one, name)}" for name in SETUP[one.kind.value])]
    )


def line_of_fault(one: Fault) -> str:
    return f"fault site={one.site} call={one.call} error={one.error}"


def line_of(op: Op) -> str:
    """Return one operation as text, without its windows."""
    return " ".join([op.name, *(f"{name}={getattr(op, name)}" for name in fields_of(type(op)))])


def from_text(text: str, source: str = "workload") -> Workload:
    """Read a workload. `source` is what messages call the text.

    Empty lines and lines that begin with # are skipped. Raises UsageError, which names the line.
    """
    return Reader(source).read(text.splitlines())


def _usage(name: str, fields: tuple[str, ...]) -> str:
    return " ".join([name, *(f"{field}=…" for field in fields)])


class UnknownOperationError(UsageError):
    """A line has the name of no operation: correct it, or use the difftest that knows it."""


class Reader:
    """Reads line by line; what it has so far is what later lines may refer to."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.number = 0
        self.line = ""
        self.blocks: int | None = None
        self.files: list[int] = []
        self.memfds: list[int] = []
        self.maps: list[Map] = []
        self.faults: list[Fault] = []
        self.steps: list[Op] = []
        self.windows: list[list[Op]] = []

    def wrong(self, expected: str, kind: type[UsageError] = UsageError) -> NoReturn:
        raise kind(f"{self.source}, line {self.number}: {self.line!r}: {expected}")

    def read(self, lines: Iterable[str]) -> Workload:
        count = 0
        for self.number, self.line in enumerate(lines, 1):
            words = self.line.split()
            if words and not words[0].startswith("#"):
                self.read_line(len(self.line) - len(self.line.lstrip(" ")), words)
                count += 1
        self._close()
        if self.blocks is None:
            self.wrong("expected `mount blocks=N` as the first line")
        copies = sum(isinstance(op, Copying | CopyWp) for op in self.steps)
        begins = sum(isinstance(op, Begin) for op in self.steps)
        if count > MAX_STEPS or copies > MAX_COPIES or begins > MAX_BEGINS:
            raise UsageError(
                f"{self.source}: more than {MAX_STEPS} lines, {MAX_COPIES} copies or {MAX_BEGINS} "
                "of them begun"
            )
        for op in self.steps:
            if isinstance(op, Resume) and op.begin >= begins:
                raise UsageError(
                    f"{self.source}: {line_of(op)!r}: there is no begin {op.begin}: the workload "
                    f"has {begins}"
                )
        return Workload(
            self.blocks,
            tuple(self.files),
            tuple(self.maps),
            tuple(self.steps),
            tuple(self.memfds),
            tuple(self.faults),
        )

    def _files(self) -> int:
        return len(self.files) + len(self.memfds)

    def read_line(self, blanks: int, words: list[str]) -> None:
        match blanks, words[0]:
            case 0, name if name in SETUP:
                self.set_up(name, words[1:])
            case 0, _:
                self._close()
                self.steps.append(self.op(words))
                if isinstance(self.steps[-1], IN_WINDOW):
                    self.wrong(f"{words[0]} stands in a window of the copy that it is about")
            case 2, "window" if len(words) == 1:
                if not self.steps or not isinstance(self.steps[-1], Copy):
                    self.wrong("a window belongs to a copy")
                self.windows.append([])
            case 4, _ if self.windows:
                if self.windows[-1] and isinstance(self.windows[-1][-1], ENDS_WINDOW):
                    self.wrong(f"{self.windows[-1][-1].name} ends its window")
                self.windows[-1].append(self.op(words))
                if isinstance(self.windows[-1][-1], Copying | CopyWp | Resume):
                    self.wrong(f"{words[0]} cannot stand in a window")
            case _:
                self.wrong("expected an operation, or `  window`, or `    ACTION` in a window")

    def _close(self) -> None:
        """Give the last copy its windows; more than it has missing pages can never open."""
        if self.windows:
            copy = self.steps[-1]
            assert isinstance(copy, Copy)  # noqa: S101 - see where windows are opened
            if len(self.windows) > copy.source.count("M"):
                self.wrong(f"the copy has {len(self.windows)} windows, and fewer missing pages")
            actions = tuple(tuple(window) for window in self.windows)
            self.steps[-1] = dataclasses.replace(copy, actions=actions)
            self.windows = []

    def _values(self, name: str, words: list[str], fields: tuple[str, ...]) -> list[str]:
        pairs = [word.partition("=") for word in words]
        if tuple(pair[0] for pair in pairs) != fields:
            self.wrong(f"expected `{_usage(name, fields)}`")
        for field, _, value in pairs:
            if field not in _WORDS and not value.isdecimal():
                self.wrong(f"{field} must be a number in `{_usage(name, fields)}`")
        return [pair[2] for pair in pairs]

    def set_up(self, name: str, words: list[str]) -> None:
        if self.steps:
            self.wrong("set-up comes before the first operation")
        fields = SETUP[name]
        if name == "fault":
            self._set_up_fault(*self._values(name, words, fields))
            return
        if self.faults:
            self.wrong("faults come last, right before the first operation")
        values = [int(value) for value in self._values(name, words, fields)]
        if name == "mount":
            if self.blocks is not None or values[0] > MAX_BLOCKS:
                self.wrong(f"expected one mount, of 0 to {MAX_BLOCKS} blocks, as the first line")
            self.blocks = values[0]
        elif self.blocks is None:
            self.wrong("expected `mount blocks=N` first")
        elif name in ("file", "memfd"):
            if self._files() == MAX_FILES or values[0] > MAX_PAGES:
                self.wrong(f"expected at most {MAX_FILES} files of at most {MAX_PAGES} pages")
            if name == "file" and self.memfds:
                self.wrong("files come before memfds")
            (self.files if name == "file" else self.memfds).append(values[0])
        else:
            self._set_up_map(Kind(name), dict(zip(fields, values, strict=True)))

    def _set_up_fault(self, name: str, call: str, error: str) -> None:
        if self.blocks is None:
            self.wrong("expected `mount blocks=N` first")
        site = SITES.get(name)
        if site is None:
            self.wrong(f"there is no such site; known: {', '.join(SITES)}")
        if error not in site.errors:
            self.wrong(f"error must be {' or '.join(site.errors)} for {name}")
        if not 1 <= int(call) <= MAX_CALL:
            self.wrong(f"call must be 1 to {MAX_CALL}: the first one is 1")
        if len(self.faults) == MAX_FAULTS:
            self.wrong(f"expected at most {MAX_FAULTS} faults")
        if any((one.site, one.call) == (name, int(call)) for one in self.faults):
            self.wrong("that call has a fault already")
        self.faults.append(Fault(name, int(call), error))

    def _set_up_map(self, kind: Kind, values: dict[str, int]) -> None:
        new = Map(values.get("file", 0), values.get("offset", 0), values["pages"], kind)
        most = MAX_HUGE if kind.huge else MAX_PAGES
        fits = 1 <= new.pages <= most and new.offset <= MAX_PAGES
        if len(self.maps) == MAX_MAPS or not fits:
            self.wrong(f"expected at most {MAX_MAPS} maps of 1 to {most} pages")
        if new.kind.of_file:
            self._refer("file", new.file, self._files())
        self.maps.append(new)

    def _refer(self, what: str, number: int, count: int) -> None:
        if number >= count:
            self.wrong(f"there is no {what} {number}: the workload has {count}")

    def op(self, words: list[str]) -> Op:
        kind = _BY_NAME.get(words[0])
        if kind is None:
            self.wrong(f"unknown operation; known: {', '.join(_BY_NAME)}", UnknownOperationError)
        fields = fields_of(kind)
        values: dict[str, int | str] = {}
        for field, value in zip(fields, self._values(words[0], words[1:], fields), strict=True):
            if field == "source":
                least = 2 if kind is CopyUnaligned else 1
                if not least <= len(value) <= MAX_COPY or set(value) - set("MRU"):
                    self.wrong(f"source must be {least} to {MAX_COPY} letters M, R or U")
                values[field] = value
                continue
            values[field] = int(value)
            if field == "file":
                self._refer("file", int(value), self._files())
            if field == "map":
                self._refer("map", int(value), len(self.maps))
        first, pages = values.get("page", 0), values.get("pages", 0)
        if int(first) + int(pages) > MAX_PAGES:
            self.wrong(f"page and pages must stay within {MAX_PAGES} pages")
        if "page" in values and values.get("pages") == 0:
            self.wrong("pages must be at least 1")
        if kind is RemapHugetlb and not 1 <= int(pages) <= MAX_HUGE:
            self.wrong(f"pages must be 1 to {MAX_HUGE} huge pages")
        return kind(**values)
