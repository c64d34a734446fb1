# SPDX-License-Identifier: GPL-2.0-only
"""The backends `model` and `model:SERIES`: play workloads on difftest/model, patched or not."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from difftest import patching
from difftest.errors import PatchError
from difftest.facts import model_of
from difftest.kernels.series import DEFAULT
from difftest.model import code
from difftest.model.kernel import EINTR, Fault, KernelBug
from difftest.model.objects import Hstate, Page, find_vma
from difftest.model.system import System
from difftest.outcome import Ending, File, Filler, Outcome, State, Step, Window
from difftest.workload.limits import MAX_PAGES, PAGE_SIZE
from difftest.workload.ops import Begin, Copy, RegisterWp, Resume
from difftest.workload.workload import Kind, tag_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from difftest.model.kernel import May
    from difftest.model.objects import Inode, Pte
    from difftest.model.system import Area
    from difftest.strategy import Strategy
    from difftest.workload.ops import Op
    from difftest.workload.workload import Workload


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
        return "no model patch" if strategy.model_patch is None else ""

    def prepare(self, chain: Sequence[Strategy]) -> str:
        patches = self._patches(chain)
        load(patches)
        return hashlib.sha256("\0".join(text for _, text in patches).encode()).hexdigest()

    def platform(self) -> str:
        return ""

    @contextlib.contextmanager
    def runner(self, chain: Sequence[Strategy]) -> Iterator[ModelRunner]:
        yield ModelRunner(load(self._patches(chain)))

    def _patches(self, chain: Sequence[Strategy]) -> tuple[tuple[str, str], ...]:
        series = code.ROOT / "series" / f"{self._series}.patch"
        own = series.read_text(encoding="utf-8") if series.exists() else ""
        fixes = [(f"strategy {one.name}", one.model_patch_for(self._series) or "") for one in chain]
        return ((f"the model of {self._series}", own), *fixes)


@cache
def load(patches: tuple[tuple[str, str], ...]) -> code.Code:
    """Import the model with patches, (name, text), applied in order."""
    with tempfile.TemporaryDirectory(prefix="difftest-model-") as folder:
        root = Path(folder).resolve()
        for part in code.PATCHABLE:
            shutil.copytree(code.ROOT / part, root / part, ignore=shutil.ignore_patterns("*.pyc"))
        for name, text in patches:
            patching.apply(text, root, f"{name}: model.patch")
        try:
            return code.load(root)
        except (SyntaxError, ImportError, NameError) as error:
            names = " + ".join(name for name, _ in patches)
            raise PatchError(f"the model patched by {names} cannot be imported: {error}") from error


class ModelRunner:
    consoles: Mapping[int, str] = MappingProxyType({})
    culprits: Mapping[int, str] = MappingProxyType({})

    def __init__(self, patched: code.Code) -> None:
        self._code = patched

    def run(self, workloads: Sequence[Workload]) -> Iterator[Outcome]:
        for workload in workloads:
            yield Player(self._code, workload).play()


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

    def play(self) -> Outcome:
        system = self._system
        try:
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
            for number, op in enumerate(self._workload.steps):
                self._step(str(number), op)
            for flight in self._begun:
                while flight.ret is None:
                    self._resume(flight)
            system.remove_end()
            state = self._state()
            left, held = system.destroy()
        except KernelBug as bug:
            return Outcome(Ending.CRASHED, tuple(self._trace), bug.title)
        pool = system.mm.memory.hstate
        return Outcome(
            Ending.FINISHED,
            tuple(self._trace),
            "",
            state,
            left,
            held,
            _lacking(pool),
            pool.resv_huge_pages,
        )

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
            self._trace.append(Window(f"{flight.at}.{flight.stops - 1}", self._system.used()))
        else:
            self._returned(flight)

    def _returned(self, flight: Flight) -> None:
        system = self._system
        assert flight.ret is not None  # noqa: S101 - that is why we are here
        ret, copy = flight.ret, system.copy
        if isinstance(flight.op, Copy) and system.mm.fatal_signal_pending:
            system.mm.fatal_signal_pending = False
            ret, copy = -EINTR, None
        self._trace.append(Step(flight.at, ret, system.used(), copy))

    def _window(self, at: str, actions: tuple[tuple[Op, ...], ...]) -> None:
        """Play a window; one that the workload says nothing of is passed through."""
        self._trace.append(Window(at, self._system.used()))
        for number, action in enumerate(actions[0] if actions else ()):
            self._step(f"{at}.{number}", action)

    def _state(self) -> State:
        system = self._system
        filler = system.filler
        pool = system.mm.memory.hstate
        protects = any(isinstance(op, RegisterWp) for _, op in self._workload.places())
        return State(
            files=tuple(_file(inode) for inode in system.files),
            filler=Filler(filler.i_size // PAGE_SIZE, filler.i_blocks * 512 // PAGE_SIZE),
            maps=tuple(self._map(area) for area in system.maps),
            mlocked=sum(page.mlock_count > 0 for page in system.mm.memory.pages),
            swapped=sum(pte.swap is not None for pte in system.mm.ptes.values()),
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


def _content(pte: Pte | None) -> int | None:
    if pte is None:
        return None
    held = pte.page or pte.swap
    return held.content if held else 0


def _file(inode: Inode) -> File:
    pages = inode.i_mapping.i_pages
    size = inode.i_size // PAGE_SIZE
    return File(
        size=size,
        blocks=inode.i_blocks * 512 // PAGE_SIZE,
        cached="".join(
            "1" if isinstance(pages.get(index), Page) else "0" for index in range(MAX_PAGES)
        ),
        content=tuple(pages[i].content if i in pages else 0 for i in range(size)),
    )
