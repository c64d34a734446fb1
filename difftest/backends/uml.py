# SPDX-License-Identifier: GPL-2.0-only
"""The backends `uml:SERIES`: real kernels as User-mode Linux processes on this machine."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from difftest import kernels
from difftest.backends import console, cpu
from difftest.backends.channel import Channel
from difftest.backends.transcript import Garbage, Transcript
from difftest.errors import ToolchainError
from difftest.guest.build import agent
from difftest.outcome import Ending, Outcome
from difftest.toolchain import PACKAGES, require
from difftest.workload.codec import to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from difftest.kernels import Series
    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload

MEMORY = "64M"
"""Of the guest. The largest workload needs 1 MB; less than 32 MB and the kernel grows stingy."""

SILENCE = 10.0
"""Seconds without a new line after which a guest counts as hung. A line comes every 0.1 ms; a
machine with ten times more guests than processors still made one in 0.1 s."""

BOOT_ATTEMPTS = 2
"""Boots that may fail before a kernel counts as one that never boots: one could be the rig."""

# lpj: delay calibration is most of the boot otherwise; nothing here depends on exact delays.
# con0 to a file: printk only; the agent has a channel of its own. loglevel 5 keeps WARN and BUG.
_ARGUMENTS = (
    f"mem={MEMORY}",
    "rdinit=/init",
    "con=null",
    "con0=null,fd:1",
    "ssl=null",
    "loglevel=5",
    "lpj=5000000",
    "panic=-1",
    "panic_on_warn=1",
)


@dataclass(frozen=True, slots=True)
class _Boot:
    """One boot that is over: what the agent wrote, what the console says."""

    transcript: Transcript
    console: str
    hung: bool
    status: int
    garbage: str


class UmlBackend:
    def __init__(self, series: Series) -> None:
        self.name = f"uml:{series.name}"
        self.default = series.name == kernels.DEFAULT
        self._series = series

    def missing(self) -> str:
        try:
            require(*PACKAGES)
        except ToolchainError as error:
            return str(error)
        return ""

    def supports(self, strategy: Strategy) -> str:
        if self._series.name in strategy.kernel_patches:
            return ""
        return f"no patch for {self._series.name}"

    def prepare(self, chain: Sequence[Strategy]) -> str:
        agent()
        return self._kernel(chain).digest

    def _kernel(self, chain: Sequence[Strategy]) -> kernels.Kernel:
        series = self._series.name
        patches = [
            kernels.Patch(f"strategy {one.name}", one.kernel_patches[series]) for one in chain
        ]
        return kernels.build(series, patches, chain[-1].name)

    @contextlib.contextmanager
    def runner(self, chain: Sequence[Strategy]) -> Iterator[UmlRunner]:
        kernel = self._kernel(chain)
        with tempfile.TemporaryDirectory(prefix="difftest-uml-") as folder, cpu.slot() as number:
            initrd = _initrd(kernel, agent(), Path(folder))
            yield UmlRunner(kernel.linux, initrd, number, self._series.renamed)


def _initrd(kernel: kernels.Kernel, init: Path, folder: Path) -> Path:
    """Make the guest's file system: the agent and a console. Needs no root, unlike mknod."""
    listing = folder / "initrd.list"
    listing.write_text(
        f"dir /dev 0755 0 0\nnod /dev/console 0600 0 0 c 5 1\nfile /init {init} 0755 0 0\n",
        encoding="utf-8",
    )
    initrd = folder / "initrd"
    with initrd.open("wb") as file:
        subprocess.run([kernel.gen_init_cpio, listing], stdout=file, check=True)
    return initrd


class UmlRunner:
    """Boots a kernel as often as it takes to play all workloads."""

    def __init__(
        self, linux: Path, initrd: Path, number: int, renamed: Mapping[tuple[str, str], str]
    ) -> None:
        self._linux = linux
        self._renamed = renamed
        self._initrd = initrd
        self._cpu = number
        self._folder = initrd.parent
        self.consoles: dict[int, str] = {}
        # A panic aborts the process: with core files allowed, each would leave 64 MB.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))

    def run(self, workloads: Sequence[Workload]) -> Iterator[Outcome]:
        self.consoles = {}
        texts = [to_text(workload) for workload in workloads]
        attempts = 0
        with Channel(texts) as channel:
            first = 0
            while first < len(texts):
                boot = self._boot(channel, first)
                outcomes = self._outcomes(boot, texts, first)
                if not boot.transcript.booted:
                    attempts += 1
                    if attempts < BOOT_ATTEMPTS:
                        continue
                    self.consoles[first] = boot.console
                    yield from [_no_boot(boot)] * (len(texts) - first)
                    return
                attempts = 0
                yield from outcomes
                first += len(outcomes)

    def _outcomes(self, boot: _Boot, texts: list[str], first: int) -> list[Outcome]:
        """Return what a boot came to: an outcome for each workload begun in it."""
        transcript = boot.transcript
        outcomes = list(transcript.outcomes)
        complaint = console.read(boot.console, self._renamed)
        if not transcript.booted:
            return []
        if not transcript.complete or boot.garbage:
            failure = _failure(boot, complaint, empty=not outcomes)
            if failure:
                self.consoles[first + len(outcomes)] = boot.console
                outcomes.append(failure)
        elif complaint:
            # The kernel complained and went on ("Bad page state"): find out over which workload.
            if len(outcomes) == 1:
                self.consoles[first] = boot.console
                return [Outcome(complaint.ending, outcomes[0].trace, complaint.title)]
            outcomes = []
            for number, text in enumerate(texts[first:]):
                with Channel([text]) as channel:
                    alone = self._outcomes(self._boot(channel, 0), [text], 0)
                if 0 in self.consoles and first + number:
                    self.consoles[first + number] = self.consoles.pop(0)
                outcomes += alone or [Outcome(Ending.NO_BOOT, (), "it did not boot again")]
        return outcomes

    def _boot(self, channel: Channel, first: int) -> _Boot:
        """Boot, wait for the end, and read what was written."""
        channel.rewind(first)
        output = self._folder / "console"
        with output.open("wb") as file, cpu.pinned(self._cpu):
            guest = subprocess.Popen(
                [
                    # A guest must not outlive us, however we end.
                    "setpriv",
                    "--pdeathsig=TERM",
                    # Where the heap begins decides how much memory UML adds "to account for
                    # exec-shield gap"; randomized, up to 800 MB of it: 32 ms a boot, not 24.
                    "setarch",
                    "-R",
                    self._linux,
                    *_ARGUMENTS,
                    f"initrd={self._initrd}",
                    f"uml_dir={self._folder}/",
                    f"iomem=mmapper,/proc/self/fd/{channel.fd}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                pass_fds=[channel.fd],
                start_new_session=True,
            )
        try:
            hung = not _wait(guest, channel)
        finally:
            _end(guest)
            for left in self._folder.iterdir():
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
        transcript = Transcript(first, channel.count)
        garbage = ""
        try:
            transcript.read(channel.lines())
        except Garbage as error:
            garbage = str(error)
        text = output.read_text(encoding="utf-8", errors="replace")
        return _Boot(transcript, text, hung, guest.returncode, garbage)


def _wait(guest: subprocess.Popen[bytes], channel: Channel) -> bool:
    """Wait for a guest to end; False if it fell silent."""
    pidfd = os.pidfd_open(guest.pid)
    try:
        seen, since = channel.end, time.monotonic()
        while not select.select([pidfd], [], [], SILENCE / 20)[0]:
            if channel.end != seen:
                seen, since = channel.end, time.monotonic()
            elif time.monotonic() - since > SILENCE:
                return False
        return True
    finally:
        os.close(pidfd)


def _end(guest: subprocess.Popen[bytes]) -> None:
    """End a guest and all of its processes: the main one alone would leave others spinning."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(guest.pid, signal.SIGKILL)
    guest.wait()


def _failure(boot: _Boot, complaint: console.Complaint | None, *, empty: bool) -> Outcome | None:
    """Return the outcome of the workload in which a guest ended; None: begin there again."""
    trace = tuple(boot.transcript.trace)
    if boot.hung:
        return Outcome(Ending.HUNG, trace, f"no sign of life for {SILENCE:.0f} s")
    if boot.garbage:
        return Outcome(Ending.AGENT_FAILED, trace, boot.garbage)
    if boot.transcript.error:
        return Outcome(Ending.AGENT_FAILED, trace, f"guest agent: {boot.transcript.error}")
    if complaint:
        return Outcome(complaint.ending, trace, complaint.title)
    if boot.status == 0 and not empty:
        return None  # the channel was full
    return Outcome(Ending.LOST, trace, f"the guest vanished with status {boot.status}")


def _no_boot(boot: _Boot) -> Outcome:
    complaint = console.read(boot.console)
    if boot.hung:
        cause = f"no sign of life for {SILENCE:.0f} s"
    elif boot.transcript.error or boot.garbage:
        cause = boot.transcript.error or boot.garbage
    elif complaint:
        cause = complaint.title
    else:
        words = boot.console.strip().splitlines()
        cause = f"status {boot.status}, last words: {words[-1] if words else 'none'}"
    return Outcome(Ending.NO_BOOT, (), f"the kernel never came up: {cause}")
