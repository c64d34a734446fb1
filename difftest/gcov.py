# SPDX-License-Identifier: GPL-2.0-only
"""Gcov: kernels that count how often their lines run, and what they counted."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from difftest import kernels
from difftest.backends.uml import UmlBackend
from difftest.errors import RigError
from difftest.toolchain import CommandError, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest.backends.channel import Channel
    from difftest.backends.guest import Machine
    from difftest.backends.program import Program
    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload

FILES = ("mm/shmem.c", "mm/userfaultfd.c")
"""What GCOV counts."""

#: How often each line ran, by file; lines that hold no code are not in it.
Counts = dict[str, dict[int, int]]


@dataclass(frozen=True, slots=True)
class _Counting:
    """A machine whose guests leave their counts below a directory."""

    machine: Machine
    counts: Path

    @property
    def silence(self) -> float:
        return self.machine.silence

    def channel(self, texts: list[str]) -> Channel:
        return self.machine.channel(texts)

    def command(self, channel: Channel) -> Sequence[str | Path]:
        return ("env", f"GCOV_PREFIX={self.counts}", *self.machine.command(channel))

    def command_for(self, program: Program) -> Sequence[str | Path]:
        return ("env", f"GCOV_PREFIX={self.counts}", *self.machine.command_for(program))


class CountingBackend(UmlBackend):
    def __init__(self, series: kernels.Series, counts: Path) -> None:
        super().__init__(series, kernels.GCOV, writable=(counts,))
        self._counts = counts

    def count(self, chain: Sequence[Strategy], workloads: Sequence[Workload]) -> Counts:
        """Run workloads and return how often lines ran."""
        with self.runner(chain) as runner:
            for _ in runner.run(workloads):
                pass
        return _read(self._kernel(chain).linux.parent, self._counts)

    def _machine(self, kernel: kernels.Kernel, initrd: Path) -> Machine:
        return _Counting(super()._machine(kernel, initrd), self._counts)


class _GcovLine(msgspec.Struct):
    line_number: int
    count: int


class _GcovFile(msgspec.Struct):
    file: str
    lines: list[_GcovLine]


class _Gcov(msgspec.Struct):
    files: list[_GcovFile]


def _read(notes: Path, data: Path) -> Counts:
    """Read what guests left in `data`; `notes` holds what the compiler said of the lines."""
    counts: Counts = {}
    for file in FILES:
        name = str(Path(file).with_suffix(".gcda"))
        found = list(data.rglob(name))
        if len(found) != 1:
            raise RigError(f"the guests left {len(found)} files {name}: expected one")
        shutil.copy2(notes / f"{found[0].stem}.gcno", found[0].parent)
        try:
            text = run(["gcov", "--json-format", "--stdout", found[0].name], where=found[0].parent)
            report = msgspec.json.decode(text, type=_Gcov)
        except (CommandError, msgspec.MsgspecError) as error:
            raise RigError(f"gcov cannot read what the guests left: {error}") from error
        lines: dict[int, int] = {}
        for one in report.files:
            if one.file.endswith(f"/{file}"):
                # A function that is inlined in two places has its lines twice.
                for line in one.lines:
                    lines[line.line_number] = lines.get(line.line_number, 0) + line.count
        counts[file] = lines
    return counts
