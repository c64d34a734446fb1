# SPDX-License-Identifier: GPL-2.0-only
"""The backend `model`: plays workloads on difftest/model, patched or not."""

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
from difftest.model import code
from difftest.model.kernel import Fault, KernelBug
from difftest.model.system import System
from difftest.outcome import Ending, File, Filler, Outcome, State, Step, Window
from difftest.workload.limits import MAX_PAGES, PAGE_SIZE
from difftest.workload.workload import tag_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from difftest.model.objects import Inode, Vma
    from difftest.strategy import Strategy
    from difftest.workload.ops import Op
    from difftest.workload.workload import Workload


class ModelBackend:
    name = "model"
    default = True
    unseen: Mapping[str, str] = MappingProxyType({})

    def missing(self) -> str:
        return ""

    def supports(self, strategy: Strategy) -> str:
        return "no model patch" if strategy.model_patch is None else ""

    def prepare(self, chain: Sequence[Strategy]) -> str:
        patches = tuple((one.name, one.model_patch or "") for one in chain)
        _load(patches)
        return hashlib.sha256("\0".join(text for _, text in patches).encode()).hexdigest()

    @contextlib.contextmanager
    def runner(self, chain: Sequence[Strategy]) -> Iterator[ModelRunner]:
        yield ModelRunner(_load(tuple((one.name, one.model_patch or "") for one in chain)))


@cache
def _load(patches: tuple[tuple[str, str], ...]) -> code.Code:
    """Import the model with patches, (strategy name, text), applied in order."""
    with tempfile.TemporaryDirectory(prefix="difftest-model-") as folder:
        root = Path(folder).resolve()
        for part in code.PATCHABLE:
            shutil.copytree(code.ROOT / part, root / part, ignore=shutil.ignore_patterns("*.pyc"))
        for name, text in patches:
            patching.apply(text, root, f"strategy {name}: model.patch")
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


class Player:
    """Plays one workload: each operation to its end, the windows of a copy where it stops."""

    def __init__(self, patched: code.Code, workload: Workload) -> None:
        self._system = System(patched, workload.blocks)
        self._workload = workload
        self._ordinal = {at: number for number, (at, _) in enumerate(workload.places())}
        self._trace: list[Step | Window] = []

    def play(self) -> Outcome:
        system = self._system
        try:
            for pages in self._workload.files:
                system.create(pages)
            for one in self._workload.maps:
                system.mmap(one.file, one.offset, one.pages)
            for number, op in enumerate(self._workload.steps):
                self._step(str(number), op)
            state = self._state()
            left, held = system.destroy()
        except KernelBug as bug:
            return Outcome(Ending.CRASHED, tuple(self._trace), bug.title)
        return Outcome(Ending.FINISHED, tuple(self._trace), "", state, left, held)

    def _step(self, at: str, op: Op) -> None:
        system = self._system
        ordinal = self._ordinal[at]
        system.copy = None
        running = op.play(system, lambda page: tag_of(ordinal, page))
        window = 0
        try:
            while True:
                stop = next(running)
                if isinstance(stop, Fault):
                    self._window(f"{at}.{window}", op.windows[window : window + 1])
                    system.resolve(stop.address)
                    window += 1
        except StopIteration as done:
            ret: int = done.value
        self._trace.append(Step(at, ret, system.used(), system.copy))

    def _window(self, at: str, actions: tuple[tuple[Op, ...], ...]) -> None:
        """Play a window; one that the workload says nothing of is passed through."""
        self._trace.append(Window(at, self._system.used()))
        for number, action in enumerate(actions[0] if actions else ()):
            self._step(f"{at}.{number}", action)

    def _state(self) -> State:
        system = self._system
        filler = system.filler
        return State(
            files=tuple(_file(inode) for inode in system.files),
            filler=Filler(filler.i_size // PAGE_SIZE, filler.i_blocks * 512 // PAGE_SIZE),
            maps=tuple(self._map(vma) for vma in system.maps),
        )

    def _map(self, vma: Vma) -> tuple[int | None, ...] | None:
        mm = self._system.mm
        if vma not in mm.vmas:
            return None
        addresses = range(vma.vm_start, vma.vm_end, PAGE_SIZE)
        return tuple(mm.ptes[a].page.content if a in mm.ptes else None for a in addresses)


def _file(inode: Inode) -> File:
    pages = inode.i_mapping.i_pages
    size = inode.i_size // PAGE_SIZE
    return File(
        size=size,
        blocks=inode.i_blocks * 512 // PAGE_SIZE,
        cached="".join("1" if index in pages else "0" for index in range(MAX_PAGES)),
        content=tuple(pages[i].content if i in pages else 0 for i in range(size)),
    )
