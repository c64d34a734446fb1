# SPDX-License-Identifier: GPL-2.0-only
"""A transcript: the lines a guest agent writes, read back into outcomes."""

from __future__ import annotations

import msgspec

from difftest.outcome import Ending, File, Filler, Outcome, State, Step, Window


class Garbage(Exception):  # noqa: N818 - what the guest wrote, not what went wrong here
    """A line that no agent of ours would write."""


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """Any line. Which fields it has says what it is."""

    at: str | None = None
    window: str | None = None
    ret: int | None = None
    copy: int | None = None
    used: int | None = None
    hits: tuple[int, ...] = ()
    files: tuple[File, ...] | None = None
    filler: Filler | None = None
    maps: tuple[tuple[int | None, ...] | None, ...] | None = None
    mlocked: int = 0
    unevictable: int = 0
    swapped: int = 0
    protected: tuple[str, ...] = ()
    huge: int = 0
    reserved: int = 0
    left: int | None = None
    committed: int | None = None
    held: int | None = None
    done: int | None = None
    error: str | None = None
    owner: str | None = None
    end: int | None = None


_decoder = msgspec.json.Decoder(_Line)

WARM_UP = -1
"""The number of the workload that the agent plays first, by itself."""


class Transcript:
    """What one boot wrote, line by line. It should play workloads `first` to `total` - 1."""

    def __init__(self, first: int, total: int) -> None:
        self.booted = False
        self.complete = False
        self.error = ""
        self.outcomes: list[Outcome] = []
        #: The stacks that allocated what a workload left, by its place among the outcomes.
        self.owners: dict[int, list[str]] = {}
        self._first = first
        self._total = total
        self._restart()

    def _restart(self) -> None:
        self.trace: list[Step | Window] = []
        self._state: State | None = None

    def read(self, lines: list[bytes]) -> None:
        """Take in all the lines of a boot. Raises Garbage; what came before it is kept."""
        for text in lines:
            try:
                line = _decoder.decode(text)
            except (msgspec.DecodeError, msgspec.ValidationError) as error:
                raise Garbage(f"the guest agent wrote {text[:60]!r}: {error}") from error
            self._take(line, text)

    def _take(self, line: _Line, text: bytes) -> None:
        if line.at is not None and line.ret is not None and line.used is not None:
            self.trace.append(Step(line.at, line.ret, line.used, line.copy, line.hits))
        elif line.window is not None and line.used is not None:
            self.trace.append(Window(line.window, line.used, line.hits))
        elif line.files is not None and line.filler is not None and line.maps is not None:
            self._state = State(
                line.files,
                line.filler,
                line.maps,
                line.mlocked,
                line.swapped,
                line.unevictable,
                line.protected,
                line.huge,
                line.reserved,
            )
        elif line.done is not None and line.left is not None and line.held is not None:
            self._done(line.done, line)
        elif line.owner is not None and self.outcomes:
            self.owners.setdefault(len(self.outcomes) - 1, []).append(line.owner)
        elif line.error is not None:
            self.error = line.error
        elif line.end == self._total == self._next():
            self.complete = True
        else:
            raise Garbage(f"the guest agent wrote {text[:60]!r}, which is nothing we know")

    def _next(self) -> int:
        return self._first + len(self.outcomes)

    def _done(self, number: int, line: _Line) -> None:
        expected = self._next() if self.booted else WARM_UP
        if number != expected or self._state is None:
            raise Garbage(f"the guest agent is done with {number}, not with {expected}")
        if self.booted:
            trace = tuple(self.trace)
            self.outcomes.append(
                Outcome(
                    Ending.FINISHED,
                    trace,
                    "",
                    self._state,
                    line.left,
                    line.held,
                    line.committed,
                    huge=line.huge,
                    reserved=line.reserved,
                )
            )
        self.booted = True
        self._restart()
