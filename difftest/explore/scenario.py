# SPDX-License-Identifier: GPL-2.0-only
"""A scenario: threads that run operations of the vocabulary side by side. Its text form.

    mount blocks=2
    file pages=1
    map file=0 offset=0 pages=1
    thread
      copy map=0 page=0 source=M
    thread
      fill leave=0

Set-up lines are those of a workload. Each `thread` runs the operations below it, one after the
other. A copy that stops goes on whenever the explorer lets it: its window is as long as may be.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from difftest.errors import UsageError
from difftest.workload import codec
from difftest.workload.ops import IN_WINDOW, Begin, CopyUnaligned, CopyWp, Op, Resume

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from difftest.workload.workload import Map

#: A begin is a copy here, and nobody says when one is resumed. Sources of the others are shared.
NOT_HERE = (*IN_WINDOW, Begin, Resume, CopyUnaligned, CopyWp)
MAX_THREADS = 8
MAX_OPS = 32
"""Operations of all threads: far more than can be explored."""
SUFFIX = ".scenario"


@dataclass(frozen=True, slots=True)
class Scenario:
    """Set-up as of a workload, and threads. `about` is the comment that its file begins with."""

    name: str
    blocks: int
    files: tuple[int, ...]
    memfds: tuple[int, ...]
    maps: tuple[Map, ...]
    threads: tuple[tuple[Op, ...], ...]
    about: str = ""

    def ops(self) -> Iterator[tuple[int, int, Op]]:
        """Every operation with its thread and its number there, in text order."""
        for number, thread in enumerate(self.threads):
            for position, op in enumerate(thread):
                yield number, position, op


def to_text(scenario: Scenario) -> str:
    """Return the text form, without the comment."""
    lines = codec.set_up_lines(scenario.blocks, scenario.files, scenario.memfds, scenario.maps)
    for thread in scenario.threads:
        lines.append("thread")
        lines += [f"  {codec.line_of(op)}" for op in thread]
    return "\n".join(lines) + "\n"


def from_text(text: str, source: str) -> Scenario:
    """Read a scenario. `source` is what messages call it. Raises UsageError naming the line."""
    lines = text.splitlines()
    reader = _Reader(source)
    reader.read_all(lines)
    if reader.blocks is None or not reader.threads or not all(reader.threads):
        raise UsageError(
            f"{source}: expected `mount blocks=N` first, and at least one `thread` line, each "
            "with operations below it"
        )
    if sum(map(len, reader.threads)) > MAX_OPS or len(reader.threads) > MAX_THREADS:
        raise UsageError(f"{source}: more than {MAX_THREADS} threads or {MAX_OPS} operations")
    about = [line.lstrip("# ") for line in lines if line.startswith("#") and "SPDX" not in line]
    return Scenario(
        Path(source).stem,
        reader.blocks,
        tuple(reader.files),
        tuple(reader.memfds),
        tuple(reader.maps),
        tuple(map(tuple, reader.threads)),
        " ".join(about),
    )


class _Reader(codec.Reader):
    """The reader of workloads, with threads in the place of steps."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.threads: list[list[Op]] = []

    def read_all(self, lines: Iterable[str]) -> None:
        for self.number, self.line in enumerate(lines, 1):
            words = self.line.split()
            if words and not words[0].startswith("#"):
                self.read_line(len(self.line) - len(self.line.lstrip(" ")), words)

    def read_line(self, blanks: int, words: list[str]) -> None:
        match blanks, words[0]:
            case 0, name if name in codec.SETUP and not self.threads:
                self.set_up(name, words[1:])
            case 0, "thread" if len(words) == 1:
                self.threads.append([])
            case 2, _ if self.threads:
                op = self.op(words)
                if isinstance(op, NOT_HERE):
                    self.wrong(f"{words[0]} cannot stand in a thread of a scenario")
                self.threads[-1].append(op)
            case _:
                self.wrong("expected set-up, then `thread`, or `  OPERATION` in a thread")


def bundled() -> dict[str, Scenario]:
    """Return the scenarios that come with difftest, by name."""
    folder = resources.files("difftest") / "scenarios"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(SUFFIX)), key=lambda f: f.name
    )
    every = (from_text(file.read_text(encoding="utf-8"), file.name) for file in files)
    return {one.name: one for one in every}


def find(name: str) -> Scenario:
    """Return a bundled scenario, or that of a file. Raises UsageError if it is neither."""
    known = bundled()
    if name in known:
        return known[name]
    path = Path(name)
    if path.is_file():
        try:
            return from_text(path.read_text(encoding="utf-8"), name)
        except UnicodeDecodeError as error:
            raise UsageError(f"{name} is no text: expected a scenario") from error
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(
        f"{name!r} is neither a scenario nor a file: {hint}There are: {', '.join(known)}."
    )
