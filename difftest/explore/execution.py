# SPDX-License-Identifier: GPL-2.0-only
"""An execution: a scenario in the middle of one schedule. Whoever calls `step` owns the choices."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from difftest.model.kernel import Fault, KernelBug, Wait
from difftest.model.system import System
from difftest.workload.ops import Copy
from difftest.workload.workload import Kind, tag_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from difftest.explore.scenario import Scenario
    from difftest.model.code import Code
    from difftest.model.kernel import May, Stop
    from difftest.workload.ops import Op

    Start = Callable[[], May[int]]

BETWEEN = "return"
"""Where a thread stands between two operations."""


class Thread:
    """A thread of the scenario: how far it is, and what its operations returned."""

    __slots__ = ("number", "position", "results", "running", "starts", "stop")

    def __init__(self, number: int, starts: tuple[Start, ...]) -> None:
        self.number = number
        self.starts = starts
        self.position = 0
        """The operation that it is in, or about to begin."""
        self.running: May[int] | None = None
        self.stop: Stop = BETWEEN
        self.results: tuple[tuple[int, int | None], ...] = ()
        """Of each operation that returned: its value, and the field of the ioctl."""

    @property
    def done(self) -> bool:
        return self.position == len(self.starts)

    @property
    def enabled(self) -> bool:
        if isinstance(self.stop, Wait):
            return self.stop.free()
        return self.position < len(self.starts)

    @property
    def inside(self) -> bool:
        """Whether leaving it here takes a preemption: it is in an operation, and not stopped."""
        return self.running is not None and not isinstance(self.stop, Fault)


class Execution:
    """A scenario on a fresh system. After a crash no thread goes on."""

    def __init__(self, scenario: Scenario, code: Code) -> None:
        self.scenario = scenario
        self.system = system = System(code, scenario.blocks)
        for pages in scenario.files:
            system.create(pages)
        for pages in scenario.memfds:
            system.create(pages, memfd=True)
        for one in scenario.maps:
            if one.kind.huge:
                system.mmap_hugetlb(one.pages, reserve=one.kind is Kind.HUGETLB)
                continue
            file = one.file if one.kind.of_file else None
            system.mmap(file, one.offset, one.pages, shared=one.kind.shared)
        starts: list[list[Start]] = [[] for _ in scenario.threads]
        for ordinal, (number, _, op) in enumerate(scenario.ops()):
            starts[number].append(self._start(op, partial(tag_of, ordinal)))
        self.threads = [Thread(number, tuple(each)) for number, each in enumerate(starts)]
        self.crash = ""
        self.crashed = -1
        """The thread that crashed."""
        self.creators: list[int] = []
        """Who allocated each page of `memory.pages`."""

    def _start(self, op: Op, tag: Callable[[int], int]) -> Start:
        """Return what begins an operation. Sources are there from the beginning.

        Where a source is placed must not depend on who came first.
        """
        if isinstance(op, Copy):
            tags = [tag(page) for page in range(op.pages)]
            size = self.system.page_size(op.map)
            source = self.system.place_source(tags, op.source, size, own=True)
            return partial(self.system.uffdio_copy, op.map, op.page, source, op.pages, size)
        return partial(op.play, self.system, tag)

    def enabled(self) -> list[int]:
        return [each.number for each in self.threads if each.enabled]

    def step(self, number: int) -> None:
        """Let a thread, which must be enabled, run to where it stops next, or crashes."""
        self.advance(number)
        self.note_pages(number)

    def note_pages(self, number: int) -> None:
        """Note whose pages those are that came since the last time."""
        pages = len(self.system.mm.memory.pages)
        if pages != len(self.creators):
            self.creators += [number] * (pages - len(self.creators))

    def advance(self, number: int) -> None:
        """Do what `step` does, and look at nothing that the thread does not look at."""
        system = self.system
        thread = self.threads[number]
        running = thread.running
        system.copy = None
        try:
            if running is None:
                running = thread.running = thread.starts[thread.position]()
            elif isinstance(thread.stop, Fault):
                system.resolve(thread.stop.address)
            elif isinstance(thread.stop, Wait):
                # That it was free is what the step rests on: who records what it reads must see it.
                thread.stop.free()
            thread.stop = next(running)
        except StopIteration as returned:
            thread.results = (*thread.results, (returned.value, system.copy))
            thread.running = None
            thread.stop = BETWEEN
            thread.position += 1
        except KernelBug as bug:
            self.crash = bug.title
            self.crashed = number

    def run(self, schedule: list[int]) -> None:
        for number in schedule:
            self.step(number)
