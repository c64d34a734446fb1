# SPDX-License-Identifier: GPL-2.0-only
"""The backends `uml:SERIES`: real kernels as User-mode Linux processes on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from difftest import kernels, sandbox
from difftest.backends.channel import Channel
from difftest.backends.guest import GuestBackend
from difftest.errors import ToolchainError
from difftest.toolchain import BUILDERS, require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from difftest.backends.guest import Machine
    from difftest.backends.program import Program
    from difftest.kernels import Flavour, Series

MEMORY = 64
"""MiB of a guest. The largest workload needs 1 MB; with less than 32 the kernel grows stingy."""

SILENCE = 10.0
"""Seconds without a new line after which a guest counts as hung. A line comes every 0.1 ms; a
machine with ten times more guests than processors still made one in 0.1 s."""

# lpj: delay calibration is most of the boot otherwise; nothing here depends on exact delays.
# con0 to a file: printk, and programs other than the agent, which has a channel of its own.
# loglevel 5 keeps WARN and BUG.
_ARGUMENTS = (
    "rdinit=/init",
    "con=null",
    "con0=null,fd:1",
    "ssl=null",
    "loglevel=5",
    "lpj=5000000",
    "panic=-1",
    "panic_on_warn=1",
)


_NO_HUGETLB = "User-mode Linux has no hugetlb memory"
_NO_WP = "User-mode Linux has no write-protection by userfaultfd"


class UmlBackend(GuestBackend):
    unplayed = MappingProxyType(
        {
            "map_hugetlb": _NO_HUGETLB,
            "map_hugetlb_noreserve": _NO_HUGETLB,
            "remap_hugetlb": _NO_HUGETLB,
            "fill_hugetlb": _NO_HUGETLB,
            "register_wp": _NO_WP,
        }
    )

    def __init__(
        self, series: Series, flavour: Flavour = kernels.UML, writable: tuple[Path, ...] = ()
    ) -> None:
        self._writable = writable
        super().__init__(f"uml:{series.name}{flavour.suffix}", series, flavour)
        self.default = series.name == kernels.DEFAULT and flavour is kernels.UML

    def missing(self) -> str:
        try:
            require(*BUILDERS)
        except ToolchainError as error:
            return str(error)
        return ""

    def platform(self) -> str:
        return sandbox.title()

    def _machine(self, kernel: kernels.Kernel, initrd: Path) -> Machine:
        return UmlMachine(kernel.linux, initrd, SILENCE, self._flavour, self._writable)


@dataclass(frozen=True, slots=True)
class UmlMachine:
    linux: Path
    initrd: Path
    silence: float
    flavour: Flavour
    writable: tuple[Path, ...]
    """Where the guest's process may leave files, besides what is its own."""

    def channel(self, texts: list[str]) -> Channel:
        return Channel(texts)

    def command(self, channel: Channel) -> Sequence[str | Path]:
        return self._command(MEMORY, f"iomem=mmapper,/proc/self/fd/{channel.fd}")

    def command_for(self, program: Program) -> Sequence[str | Path]:
        return self._command(program.memory, "--", *program.arguments)

    def _command(self, memory: int, *arguments: str) -> Sequence[str | Path]:
        own = self.initrd.parent if sandbox.missing() else sandbox.TMP
        command: tuple[str | Path, ...] = (
            # Where the heap begins decides how much memory UML adds "to account for
            # exec-shield gap"; randomized, up to 800 MB of it: 32 ms a boot, not 24.
            "setarch",
            "-R",
            self.linux,
            *_ARGUMENTS,
            *self.flavour.arguments,
            f"mem={memory * self.flavour.memory}M",
            f"initrd={self.initrd}",
            f"uml_dir={own}/",
            *arguments,
        )
        return sandbox.wrapped(command, [self.linux, self.initrd], self.writable)
