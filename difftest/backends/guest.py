# SPDX-License-Identifier: GPL-2.0-only
"""Guests: virtual machines with a real kernel that play workloads, whatever they run in."""

from __future__ import annotations

import abc
import contextlib
import os
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from difftest import kernels, sandbox
from difftest.backends import console, cpu, culprit
from difftest.backends.boot import Boot
from difftest.backends.program import Ended
from difftest.backends.transcript import Transcript
from difftest.errors import BuildError, PatchError
from difftest.guest.build import agent
from difftest.kernels.knobs import knobs
from difftest.outcome import Ending, Outcome
from difftest.workload.codec import to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from difftest.backends.channel import Channel
    from difftest.backends.program import Program
    from difftest.kernels import Flavour, Series
    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload

ATTEMPTS = 2
"""Boots that may never come up, or vanish, in a row: the first could be an accident of the rig."""


class Machine(Protocol):
    """A kind of virtual machine with a kernel to boot in it.

    `silence` is how many seconds without a new line make a guest count as hung.
    """

    @property
    def silence(self) -> float: ...

    def channel(self, texts: list[str]) -> Channel:
        """Make a channel that the guests can map, with workloads in it."""
        ...

    def command(self, channel: Channel) -> Sequence[str | Path]:
        """Return the command that is a guest: it ends when the guest does."""
        ...

    def command_for(self, program: Program) -> Sequence[str | Path]:
        """Return the command for a guest with that program; what it writes is on the console."""
        ...


class GuestBackend(abc.ABC):
    """What backends have in common that boot kernels of one series and flavour."""

    default = False
    unseen: Mapping[str, str] = MappingProxyType({})
    unplayed: Mapping[str, str] = MappingProxyType({})
    """Operations and kinds of mappings that these guests do not play as they are meant, by name.

    Each has the reason. Workloads with any of them are not played at all.
    """

    def __init__(self, name: str, series: Series, flavour: Flavour) -> None:
        self.name = name
        self._series = series
        self._patches = series.like or series.name
        self._flavour = flavour

    def supports(self, strategy: Strategy) -> str:
        if self._patches not in strategy.kernel_patches:
            no_patch = f"no patch for {self._patches}"
            return strategy.does_not_apply.get(self._patches, no_patch)
        # Of a stacked one this is known when those below it are applied.
        if self._series.like and not strategy.base:
            try:
                kernels.digest(self._series.name, self._of([strategy]), self._flavour)
            except PatchError as error:
                return f"does not apply: {_line(error)}"
        return ""

    def prepare(self, chain: Sequence[Strategy]) -> str:
        agent()
        return self._kernel(chain).digest

    def _kernel(
        self, chain: Sequence[Strategy], more: Sequence[kernels.Patch] = ()
    ) -> kernels.Kernel:
        patches = [*self._of(chain), *more]
        label = chain[-1].name + (" with fault knobs" if more else "")
        return kernels.build(self._series.name, patches, self._flavour, label)

    def _of(self, chain: Sequence[Strategy]) -> list[kernels.Patch]:
        return [
            kernels.Patch(f"strategy {one.name}", one.kernel_patches[self._patches])
            for one in chain
        ]

    @contextlib.contextmanager
    def runner(self, chain: Sequence[Strategy]) -> Iterator[GuestRunner]:
        with contextlib.ExitStack() as stack:
            kernel = self._kernel(chain)
            machine, folder, number = stack.enter_context(self._place(kernel))

            def with_knobs() -> GuestRunner | str:
                return self._with_knobs(chain, number, stack)

            yield GuestRunner(
                machine, folder, number, self._series.renamed, self.unplayed, with_knobs
            )

    def _with_knobs(
        self, chain: Sequence[Strategy], number: int, stack: contextlib.ExitStack
    ) -> GuestRunner | str:
        """Make what plays workloads with faults, or say why there is no such kernel."""
        try:
            kernel = self._kernel(chain, knobs(self._patches))
        except (PatchError, BuildError) as error:
            return f"it takes no fault knobs: {_line(error)}"
        folder = stack.enter_context(_folder())
        machine = self._machine(kernel, make_initrd(kernel, {"/init": agent()}, folder))
        return GuestRunner(machine, folder, number, self._series.renamed, self.unplayed)

    def prepare_faults(self, chain: Sequence[Strategy]) -> None:
        """Build the kernel that workloads with faults run on, if it can be; see `prepare`."""
        with contextlib.suppress(PatchError, BuildError):
            self._kernel(chain, knobs(self._patches))

    def boot(self, chain: Sequence[Strategy], program: Program) -> Ended:
        files = {"/init": program.init, **program.files}
        with self._place(self._kernel(chain), files) as (machine, folder, number):
            return _boot(
                machine.command_for(program),
                folder,
                number,
                self._series.renamed,
                lambda guest: _ends_within(guest, program.patience),
            )

    @contextlib.contextmanager
    def _place(
        self, kernel: kernels.Kernel, files: Mapping[str, Path] | None = None
    ) -> Iterator[tuple[Machine, Path, int]]:
        """Yield a machine with these files in it, the directory and the processor of its guests.

        Without files: with the agent.
        """
        files = files or {"/init": agent()}
        with _folder() as folder, cpu.slot() as number:
            yield self._machine(kernel, make_initrd(kernel, files, folder)), folder, number

    @abc.abstractmethod
    def _machine(self, kernel: kernels.Kernel, initrd: Path) -> Machine:
        """Return what boots this kernel; the directory of `initrd` is the guests' own."""


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="difftest-guest-") as name:
        yield Path(name)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def make_initrd(kernel: kernels.Kernel, files: Mapping[str, Path], folder: Path) -> Path:
    """Make the guest's file system: programs and a console. Needs no root, unlike mknod."""
    listing = folder / "initrd.list"
    lines = ["dir /dev 0755 0 0", "nod /dev/console 0600 0 0 c 5 1"]
    lines += [f"file {path} {file} 0755 0 0" for path, file in files.items()]
    listing.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    initrd = folder / "initrd"
    with initrd.open("wb") as file:
        subprocess.run([kernel.gen_init_cpio, listing], stdout=file, check=True)
    return initrd


class GuestRunner:
    """Boots a kernel as often as it takes to play all workloads.

    Those with faults are played by the runner that `with_knobs` makes. It is asked when the first
    one comes, and says why if there is none.
    """

    def __init__(
        self,
        machine: Machine,
        folder: Path,
        number: int,
        renamed: Mapping[tuple[str, str], str],
        unplayed: Mapping[str, str] = MappingProxyType({}),
        with_knobs: Callable[[], GuestRunner | str] | None = None,
    ) -> None:
        self.machine = machine
        self._folder = folder
        self._cpu = number
        self._renamed = renamed
        self._unplayed = unplayed
        self._with_knobs = with_knobs
        self._knobs: GuestRunner | str | None = None
        """What `with_knobs` returned."""
        self.consoles: dict[int, str] = {}
        self.culprits: dict[int, str] = {}

    def run(self, workloads: Sequence[Workload]) -> Iterator[Outcome]:
        self.consoles, self.culprits = {}, {}
        refused = {
            place: Outcome(Ending.UNPLAYED, (), why)
            for place, workload in enumerate(workloads)
            for why in [self._why_not(workload)]
            if why
        }
        left = [place for place in range(len(workloads)) if place not in refused]
        faulty = [place for place in left if self._needs_knobs(workloads[place])]
        plain = [place for place in left if place not in set(faulty)]
        outcomes = dict.fromkeys(plain, self.play(workloads, plain))
        if faulty:
            assert isinstance(self._knobs, GuestRunner)  # noqa: S101 - _why_not has seen to it
            self._knobs.consoles, self._knobs.culprits = self.consoles, self.culprits
            outcomes |= dict.fromkeys(faulty, self._knobs.play(workloads, faulty))
        for place in range(len(workloads)):
            yield refused[place] if place in refused else next(outcomes[place])

    def _why_not(self, workload: Workload) -> str:
        names = {op.name for _, op in workload.places()} | {one.kind for one in workload.maps}
        if why := next((why for name, why in self._unplayed.items() if name in names), ""):
            return why
        return self._no_knobs() if self._needs_knobs(workload) else ""

    def _needs_knobs(self, workload: Workload) -> bool:
        return bool(workload.faults and self._with_knobs)

    def _no_knobs(self) -> str:
        """See that there is a runner for workloads with faults; return why there is none."""
        if self._knobs is None and self._with_knobs:
            self._knobs = self._with_knobs()
        return self._knobs if isinstance(self._knobs, str) else ""

    def play(self, workloads: Sequence[Workload], places: Sequence[int]) -> Iterator[Outcome]:
        """Play the workloads at some places of what was asked for."""
        texts = [to_text(workloads[place]) for place in places]
        attempts = first = 0
        with self.machine.channel(texts) as channel:
            while first < len(texts):
                boot = self.boot(channel, first)
                attempts += 1
                if boot.is_riddle and attempts < ATTEMPTS:
                    continue
                attempts = 0
                if boot.never_came_up:
                    self.consoles[places[first]] = boot.console
                    yield from [boot.unfinished()] * (len(texts) - first)
                    return
                for outcome, last_words, owners in self._seen(boot, texts[first:]):
                    if outcome.ending is not Ending.FINISHED:
                        self.consoles[places[first]] = last_words
                    if told := culprit.of_pages(owners) or culprit.of_console(last_words):
                        self.culprits[places[first]] = told
                    yield outcome
                    first += 1

    def _seen(self, boot: Boot, texts: list[str]) -> Iterator[tuple[Outcome, str, Sequence[str]]]:
        """Yield an outcome for each workload begun in a boot, with a console if it did not finish.

        The third is the stacks that allocated the pages it left, where the kernel knows them.
        `texts` are those that the boot was to play, from its first on.
        """
        complaint, owners = boot.complaint, boot.transcript.owners
        begun = boot.transcript.outcomes + ([] if boot.finished else [boot.unfinished()])
        if complaint is None or complaint.fatal:
            for number, outcome in enumerate(begun):
                ended = outcome.ending is not Ending.FINISHED
                yield outcome, boot.console if ended else "", owners.get(number, ())
        elif len(begun) == 1:
            outcome = Outcome(complaint.ending, begun[0].trace, complaint.title)
            yield outcome, boot.console, owners.get(0, ())
        else:
            # The kernel complained and went on ("Bad page state"): find out over which workload.
            for text in texts[: len(begun)]:
                with self.machine.channel([text]) as channel:
                    alone = self.boot(channel, 0)
                if alone.never_came_up:
                    yield alone.unfinished(), alone.console, ()
                else:
                    yield from self._seen(alone, [text])

    def boot(self, channel: Channel, first: int) -> Boot:
        """Boot, play workloads from `first` on, wait for the end, and read what was written."""
        channel.rewind(first)
        silence = self.machine.silence
        ended = _boot(
            self.machine.command(channel),
            self._folder,
            self._cpu,
            self._renamed,
            lambda guest: _wait(guest, channel, silence),
            [channel.fd],
        )
        return Boot.of(
            Transcript(first, channel.count),
            channel.lines(),
            ended.console,
            ended.complaint,
            ended.status,
            silence if ended.given_up else 0,
        )


def _boot(
    command: Sequence[str | Path],
    folder: Path,
    number: int,
    renamed: Mapping[tuple[str, str], str],
    ends: Callable[[subprocess.Popen[bytes]], bool],
    files: Sequence[int] = (),
) -> Ended:
    """Start a guest on processor `number`, and wait for its end. `ends` is False to give up.

    `files` are descriptors that the guest's process has as well.
    """
    # A panic may abort the process: with core files allowed, each would leave 64 MB.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    # A guest must not outlive us, however we end. The sandbox sees to that by itself.
    tied = () if command[0] == sandbox.PROGRAM else ("setpriv", "--pdeathsig=TERM")
    output = folder / "console"
    with output.open("wb") as file, cpu.pinned(number):
        guest = subprocess.Popen(
            [*tied, *command],
            env=sandbox.environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            pass_fds=files,
            start_new_session=True,
        )
    try:
        ended = ends(guest)
    finally:
        _end(guest)
        for left in folder.iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
    text = output.read_text(encoding="utf-8", errors="replace")
    return Ended(text, console.read(text, renamed), guest.returncode, not ended)


def _wait(guest: subprocess.Popen[bytes], channel: Channel, silence: float) -> bool:
    """Wait for a guest to end; False if no line came for `silence` seconds."""
    pidfd = os.pidfd_open(guest.pid)
    try:
        seen, since = channel.end, time.monotonic()
        while not select.select([pidfd], [], [], silence / 20)[0]:
            if channel.end != seen:
                seen, since = channel.end, time.monotonic()
            elif time.monotonic() - since > silence:
                return False
        return True
    finally:
        os.close(pidfd)


def _ends_within(guest: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        guest.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(guest: subprocess.Popen[bytes]) -> None:
    """End a guest and all of its processes: the main one alone would leave others spinning."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(guest.pid, signal.SIGKILL)
    guest.wait()
