# SPDX-License-Identifier: GPL-2.0-only
"""The backends `model` and `model:SERIES`: play workloads on difftest/model, patched or not."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import threading
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from difftest import patching
from difftest.errors import PatchError
from difftest.facts import model_of
from difftest.kernels.series import DEFAULT
from difftest.model import code
from difftest.model.faults import Entries
from difftest.model.kernel import EINTR, Fault, KernelBug
from difftest.model.objects import Hstate, Page, find_vma
from difftest.model.system import System
from difftest.outcome import Ending, File, Filler, Outcome, State, Step, Window
from difftest.workload.limits import MAX_PAGES, PAGE_SIZE
from difftest.workload.ops import Begin, Copy, RegisterWp, Resume
from difftest.workload.workload import Kind, tag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from difftest.model.kernel import May
    from difftest.model.objects import Inode, Pte
    from difftest.model.system import Area
    from difftest.strategy import Strategy
    from difftest.workload.faults import Fault as Injected
    from difftest.workload.ops import Op
    from difftest.workload.workload import Workload


PATIENCE = 5.0
"""Seconds for one workload, which takes 0.2 ms: a patch can make the code loop for ever."""


class ModelBackend:
    """The model of a kernel series: called "model" for the default one, else "model:SERIES"."""

    unseen: Mapping[str, str] = MappingProxyType({})

    def __init__(self, series: str = DEFAULT) -> None:
        self.name = model_of(series)
        self.default = series == DEFAULT
        self._series = series

    def missing(self) -> str:
        return ""

    def supports(self, strategy: Strategy) -> str:
        if self._series in strategy.does_not_apply:
            return strategy.does_not_apply[self._series]
        return "no model patch" if strategy.model_patch_for(self._series) is None else ""

    def prepare(self, chain: Sequence[Strategy]) -> str:
        return load(self.patches(chain)).digest()

    def platform(self) -> str:
        return ""

    @contextlib.contextmanager
    def runner(self, chain: Sequence[Strategy]) -> Iterator[ModelRunner]:
        patches = self.patches(chain)
        yield ModelRunner(load(patches), lambda: load(patches, knobs=True))

    def patches(self, chain: Sequence[Strategy]) -> tuple[tuple[str, str], ...]:
        """Return the patches, (name, text), that make the model that of a strategy, in order."""
        series = code.ROOT / "series" / f"{self._series}.patch"
        own = series.read_text(encoding="utf-8") if series.exists() else ""
        fixes = [(f"strategy {one.name}", one.model_patch_for(self._series) or "") for one in chain]
        return ((f"the model of {self._series}", own), *fixes)


@cache
def load(patches: tuple[tuple[str, str], ...], *, knobs: bool = False) -> code.Code:
    """Import the model with patches, (name, text), applied in order; with `knobs` for faults."""
    with tempfile.TemporaryDirectory(prefix="difftest-model-") as folder:
        root = Path(folder).resolve()
        copy(patches, root)
        try:
            return code.load(root, knobs=knobs)
        except Exception as error:  # what a patch adds is anybody's code
            names = " + ".join(name for name, _ in patches)
            raise PatchError(
                f"the model patched by {names} cannot be imported: {type(error).__name__}: {error}"
            ) from error


def copy(patches: Iterable[tuple[str, str]], root: Path) -> None:
    """Copy the model's code that patches may touch, and apply them in order.

    Raises PatchError for one that does not apply.
    """
    for part in code.PATCHABLE:
        shutil.copytree(code.ROOT / part, root / part, ignore=shutil.ignore_patterns("*.pyc"))
    for name, text in patches:
        patching.apply(text, root, f"{name}: model.patch")


class ModelRunner:
    consoles: Mapping[int, str] = MappingProxyType({})
    culprits: Mapping[int, str] = MappingProxyType({})

    """Runs the code that it is given; workloads with faults on what `with_knobs` returns."""

    def __init__(
        self, patched: code.Code, with_knobs: Callable[[], code.Code] | None = None
    ) -> None:
        self._code = patched
        self._with_knobs = with_knobs or (lambda: patched)

    def run(self, workloads: Sequence[Workload]) -> Iterator[Outcome]:
        for workload in workloads:
            patched = self._with_knobs() if workload.faults else self._code
            player = Player(patched, workload)
            try:
                with _patience():
                    outcome = player.play()
            except _EndlessError:
                why = f"the model ran for {PATIENCE:.0f} s without coming to an end"
                outcome = Outcome(Ending.HUNG, player.trace, why)
            yield outcome


class _EndlessError(Exception):
    """A workload took longer than PATIENCE."""


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Interrupt what is done inside when PATIENCE is over; only the main thread can be."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise _EndlessError

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Flight:
    """A copy in progress: of the operation at a place."""

    def __init__(self, at: str, op: Op, running: May[int]) -> None:
        self.at = at
        self.op = op
        self._running = running
        self.stops = 0
        self.fault = 0
        """The source page that it is stopped at."""
        self.ret: int | None = None
        """What the system call returned, in the end."""

    def run(self) -> bool:
        """Go on; True if it stopped, False if it returned."""
        try:
            while True:
                stop = next(self._running)
                if isinstance(stop, Fault):
                    self.fault = stop.address
                    self.stops += 1
                    return True
        except StopIteration as done:
            self.ret = done.value
            return False


class Player:
    """Plays one workload: each operation to its end, the windows of a copy where it stops."""

    def __init__(self, patched: code.Code, workload: Workload) -> None:
        self._system = System(patched, workload.blocks)
        self._workload = workload
        self._ordinal = {at: number for number, (at, _) in enumerate(workload.places())}
        self._trace: list[Step | Window] = []
        self._begun: list[Flight] = []
        self._faults = patched.faults
        if self._faults and patched.by_entry:
            self._system.mm.ptes = Entries(self._faults)

    @property
    def trace(self) -> tuple[Step | Window, ...]:
        """What has been seen so far."""
        return tuple(self._trace)

    def play(self) -> Outcome:
        system = self._system
        try:
            self._set_up()
            self._arm(self._workload.faults)
            for number, op in enumerate(self._workload.steps):
                self._step(str(number), op)
            for flight in self._begun:
                while flight.ret is None:
                    self._resume(flight)
            system.remove_end()
            self._arm(())
            state = self._state()
            left, held, committed = system.destroy()
        except KernelBug as bug:
            return Outcome(Ending.CRASHED, self.trace, bug.title, hits=self._hits())
        except (AttributeError, AssertionError, KeyError) as error:
            if not _follows_null(error):
                raise
            return Outcome(Ending.CRASHED, self.trace, NULL_POINTER, hits=self._hits())
        pool = system.mm.memory.hstate
        return Outcome(
            Ending.FINISHED,
            self.trace,
            "",
            state,
            left,
            held,
            committed,
            huge=_lacking(pool),
            reserved=pool.resv_huge_pages,
        )

    def _set_up(self) -> None:
        system = self._system
        for pages in self._workload.files:
            system.create(pages)
        for pages in self._workload.memfds:
            system.create(pages, memfd=True)
        for one in self._workload.maps:
            if one.kind.huge:
                system.mmap_hugetlb(one.pages, reserve=one.kind is Kind.HUGETLB)
                continue
            file = one.file if one.kind.of_file else None
            system.mmap(file, one.offset, one.pages, shared=one.kind.shared)

    def _arm(self, faults: Sequence[Injected]) -> None:
        if self._faults:
            self._faults.arm((one.site, one.call, one.errno) for one in faults)

    def _hits(self) -> tuple[int, ...]:
        """Return the faults that hit since the last line of the trace."""
        return self._faults.take_hits() if self._faults else ()

    def _step(self, at: str, op: Op) -> None:
        system = self._system
        ordinal = self._ordinal[at]
        if isinstance(op, Resume):
            self._resume_begun(op.begin)
        system.copy = None
        flight = Flight(at, op, op.play(system, lambda page: tag_of(ordinal, page)))
        if isinstance(op, Begin):
            self._begun.append(flight)
            self._go_on(flight)
            return
        while flight.run():
            window = flight.stops - 1
            self._window(f"{at}.{window}", op.windows[window : window + 1])
            system.resolve(flight.fault)
        self._returned(flight)

    def _resume_begun(self, number: int) -> None:
        if number < len(self._begun) and self._begun[number].ret is None:
            self._resume(self._begun[number])

    def _resume(self, flight: Flight) -> None:
        self._system.resolve(flight.fault)
        self._go_on(flight)

    def _go_on(self, flight: Flight) -> None:
        """Run a copy that was begun until it stops, or returns."""
        if flight.run():
            at = f"{flight.at}.{flight.stops - 1}"
            self._trace.append(Window(at, self._system.used(), self._hits()))
        else:
            self._returned(flight)

    def _returned(self, flight: Flight) -> None:
        system = self._system
        assert flight.ret is not None  # noqa: S101 - that is why we are here
        ret, copy = flight.ret, system.copy
        if isinstance(flight.op, Copy) and system.mm.fatal_signal_pending:
            system.mm.fatal_signal_pending = False
            ret, copy = -EINTR, None
        self._trace.append(Step(flight.at, ret, system.used(), copy, self._hits()))

    def _window(self, at: str, actions: tuple[tuple[Op, ...], ...]) -> None:
        """Play a window; one that the workload says nothing of is passed through."""
        self._trace.append(Window(at, self._system.used(), self._hits()))
        for number, action in enumerate(actions[0] if actions else ()):
            self._step(f"{at}.{number}", action)

    def _state(self) -> State:
        system = self._system
        filler = system.filler
        pool = system.mm.memory.hstate
        protects = any(isinstance(op, RegisterWp) for _, op in self._workload.places())
        return State(
            files=tuple(_file(inode, system.st_blocks(inode)) for inode in system.files),
            filler=Filler(filler.i_size // PAGE_SIZE, system.st_blocks(filler) * 512 // PAGE_SIZE),
            maps=tuple(self._map(area) for area in system.maps),
            mlocked=sum(page.mlock_count > 0 for page in system.mm.memory.pages),
            swapped=sum(pte.swap is not None for pte in system.mm.ptes.values()),
            unevictable=sum(page.mlock_count > 0 and page.lru for page in system.mm.memory.pages),
            protected=tuple(map(self._protected, system.maps)) if protects else (),
            huge=_lacking(pool),
            reserved=pool.resv_huge_pages,
        )

    def _map(self, area: Area) -> tuple[int | None, ...] | None:
        mm = self._system.mm
        if not self._is_mapped(area):
            return None
        return tuple(_content(mm.ptes.get(address)) for address in area.addresses())

    def _is_mapped(self, area: Area) -> bool:
        vma = find_vma(self._system.mm, area.start)
        return vma is not None and vma.vm_start <= area.start

    def _protected(self, area: Area) -> str:
        mm = self._system.mm
        if not self._is_mapped(area):
            return ""
        ptes = {at: pte for at in area.addresses() if (pte := mm.ptes.get(at))}
        return "".join(
            "m" if at in mm.markers else "01"[at in ptes and ptes[at].uffd_wp]
            for at in area.addresses()
        )


def _lacking(pool: Hstate) -> int:
    """Return how many huge pages are in use."""
    return pool.nr_huge_pages - pool.free_huge_pages


NULL_POINTER = "panic: Kernel mode fault"
"""What a kernel's console comes to, whatever the address (difftest/backends/console.py)."""


_KERNEL = ("difftest_model_", "difftest.model.objects", "difftest.model.memory")
"""Modules that stand for kernel code; what goes wrong in another one is a bug of the rig."""


def _follows_null(error: AttributeError | AssertionError | KeyError) -> bool:
    """Say whether the model's code did what is a null pointer followed in C.

    That is None where an object is due, or no page-table entry or cached page where one is read;
    where C would go on, the model asserts that it is not.
    """
    end: TracebackType | None = error.__traceback__
    while end and end.tb_next:
        end = end.tb_next
    module = end.tb_frame.f_globals.get("__name__", "") if end else ""
    if not module.startswith(_KERNEL):
        return False
    if isinstance(error, KeyError):
        return bool(error.args) and isinstance(error.args[0], int)  # an address, or an index
    return isinstance(error, AssertionError) or str(error).startswith("'NoneType' object")


def _content(pte: Pte | None) -> int | None:
    if pte is None:
        return None
    held = pte.page or pte.swap
    return held.content if held else 0


def _file(inode: Inode, st_blocks: int) -> File:
    pages = inode.i_mapping.i_pages
    size = inode.i_size // PAGE_SIZE
    return File(
        size=size,
        blocks=st_blocks * 512 // PAGE_SIZE,
        cached="".join(
            "1" if isinstance(pages.get(index), Page) else "0" for index in range(MAX_PAGES)
        ),
        content=tuple(pages[i].content if i in pages else 0 for i in range(size)),
    )
