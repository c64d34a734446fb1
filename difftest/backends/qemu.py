# SPDX-License-Identifier: GPL-2.0-only
"""The backends `qemu:SERIES`: real x86-64 kernels in QEMU, with two processors and huge pages."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from difftest import kernels, sandbox
from difftest.backends import cpu, kvm
from difftest.backends.channel import Channel
from difftest.backends.guest import GuestBackend, GuestRunner, make_initrd
from difftest.errors import ToolchainError
from difftest.guest.build import agent
from difftest.toolchain import BUILDERS, require, require_headers, run
from difftest.workload.limits import POOL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest.backends.program import Program
    from difftest.kernels import Series
    from difftest.strategy import Strategy

PROGRAM = "qemu-system-x86_64"

MEMORY = 128 << 20
"""Of the guest, in bytes: room for the kernel, the agent, and huge pages."""

SILENCE = 30.0
"""Seconds without a new line after which a guest counts as hung. Emulated, one comes every 0.3 ms
once the kernel is up, which takes 0.4 s; both more with more guests than processors."""

PROBE_SILENCE = 5.0
"""The same with KVM, where a kernel is up in less than a second."""

_INITRD_MARGIN = 1 << 20
"""QEMU puts the initrd at the end of memory, less some tables of a firmware that is not there."""

_ARGUMENTS = (
    "rdinit=/init",
    "console=ttyS0",
    "loglevel=5",
    "panic=-1",
    "oops=panic",
    "panic_on_warn=1",
    # For the kernel and for our programs: without ACPI there is no power to switch off.
    "reboot=triple",
    "restart=yes",
    # The heap could come to lie where the agent puts its mappings.
    "norandmaps",
    # Pages that RCU holds in reserve, more or less of them, would count as held.
    "rcutree.rcu_min_cached_objs=0",
    # Calibration is a third of the boot; nothing here depends on exact delays.
    "lpj=5000000",
    "nolapic_timer",
)

#: All of a workload on one processor: what another one holds back in its lists (pages that wait
#: for the LRU) would count as held. The kernel's own threads still use both.
_ONE_PROCESSOR = "isolcpus=1"

_POOL = f"hugepages={POOL}"


@dataclass(frozen=True, slots=True)
class Accelerator:
    """What runs the guest's instructions, as options of QEMU, and what a report calls it."""

    title: str
    options: tuple[str, ...]
    devices: tuple[Path, ...] = ()


KVM = Accelerator("with KVM", ("-accel", "kvm", "-cpu", "host"), (kvm.DEVICE,))

# One thread for both processors: where they wait for each other, and the host has no processor to
# spare, two threads took ten times as long. With a processor that claims to copy bytes fast (ERMS,
# FSRM) kernels copy them one by one, emulated: without, a huge page takes a fifth of the time.
TCG = Accelerator("without KVM", ("-accel", "tcg,thread=single", "-cpu", "max,-erms,-fsrm"))


_NO_BIT = "the kernel shows the write-protection of a userfaultfd only from 5.14 on"


class QemuBackend(GuestBackend):
    unplayed = MappingProxyType(
        {
            "overcommit": "with SMP the limit of committed memory is off by some pages",
            "swapon": "these kernels are built without swap",
        }
    )

    def __init__(self, series: Series) -> None:
        super().__init__(f"qemu:{series.name}", series, kernels.X86)
        if self._patches == "5.10":
            self.unseen = MappingProxyType({"state.protected": _NO_BIT})

    def missing(self) -> str:
        try:
            require(*BUILDERS, PROGRAM)
            require_headers(*self._flavour.headers)
        except ToolchainError as error:
            return str(error)
        return ""

    def prepare(self, chain: Sequence[Strategy]) -> str:
        self._accelerator()
        return super().prepare(chain)

    def platform(self) -> str:
        return f"QEMU {_version()} {self._accelerator().title}, {sandbox.title()}"

    def _machine(self, kernel: kernels.Kernel, initrd: Path) -> QemuMachine:
        return QemuMachine(kernel.linux, initrd, self._accelerator(), SILENCE)

    def _accelerator(self) -> Accelerator:
        return KVM if kvm.works(_version(), self._boots_with_kvm) else TCG

    def _boots_with_kvm(self) -> bool:
        """Boot this series as it is under KVM."""
        kernel = kernels.build(self._series.name, (), self._flavour)
        with tempfile.TemporaryDirectory(prefix="difftest-guest-") as name, cpu.slot() as number:
            initrd = make_initrd(kernel, {"/init": agent()}, Path(name))
            machine = QemuMachine(kernel.linux, initrd, KVM, PROBE_SILENCE)
            with machine.channel([]) as channel:
                boot = GuestRunner(machine, Path(name), number, {}).boot(channel, 0)
        return boot.transcript.complete


@dataclass(frozen=True, slots=True)
class QemuMachine:
    linux: Path
    initrd: Path
    accelerator: Accelerator
    silence: float

    def channel(self, texts: list[str]) -> Channel:
        return Channel(texts, MEMORY, self.initrd.stat().st_size + _INITRD_MARGIN)

    def command(self, channel: Channel) -> Sequence[str | Path]:
        size = f"{channel.bytes >> 10}K"
        place = f"mem-path=/proc/self/fd/{channel.fd},share=on"
        return self._command(
            (_ONE_PROCESSOR, _POOL, f"mem={MEMORY >> 20}M", f"channel={channel.start:#x}"),
            *("-m", size),
            *("-object", f"memory-backend-file,id=memory,size={size},{place}"),
            *("-machine", "memory-backend=memory"),
        )

    def command_for(self, program: Program) -> Sequence[str | Path]:
        return self._command(("--", *program.arguments), "-m", f"{program.memory}M")

    def _command(self, arguments: Sequence[str], *options: str) -> Sequence[str | Path]:
        command: tuple[str | Path, ...] = (
            PROGRAM,
            *("-machine", "microvm,acpi=off"),
            *self.accelerator.options,
            *("-smp", "2"),
            "-no-user-config",
            "-nodefaults",
            "-no-reboot",
            *("-display", "none"),
            *("-serial", "stdio"),
            *("-kernel", self.linux),
            *("-initrd", self.initrd),
            *("-append", " ".join((*_ARGUMENTS, *arguments))),
            *options,
        )
        readable = [self.linux, self.initrd]
        return sandbox.wrapped(command, readable, devices=self.accelerator.devices)


@functools.cache
def _version() -> str:
    """Return QEMU's version: the fourth word of what it says of itself."""
    return run([PROGRAM, "--version"], where=Path("/")).split()[3]
