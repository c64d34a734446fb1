# SPDX-License-Identifier: GPL-2.0-only
"""Witnesses of an exploration: a schedule as a workload, where that can be, else as a file.

Kernels play deterministically what switches threads only where a copy stops, or an operation
returns: a schedule without a preemption. Any other is replayed on the model, step by step.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

from difftest.backends.model import Player
from difftest.explore.execution import Execution
from difftest.explore.schedule import Schedule, preemptions, to_text
from difftest.explore.search import Bounds, Search
from difftest.explore.violations import BUG
from difftest.model.kernel import Fault
from difftest.outcome import Ending, Step
from difftest.workload import codec
from difftest.workload.limits import MAX_BEGINS
from difftest.workload.ops import Begin, Copy, Op, Resume
from difftest.workload.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest.explore.scenario import Scenario
    from difftest.explore.search import Found
    from difftest.explore.violations import Violation
    from difftest.model.code import Code

MOST = 2
"""Up to how many preemptions a witness with fewer is looked for."""
STATES = 20_000
"""How far to look for it: a witness is a convenience, and the search is not reduced."""


class Witness(NamedTuple):
    """A violation and the file that shows it: `kind` is "workload" or "schedule"."""

    violation: Violation
    kind: str
    text: str
    preemptions: int


class _Part(NamedTuple):
    """What ran without a break: an operation, or a copy up to a stop, or from one."""

    thread: int
    position: int
    op: Op
    first: bool
    stopped: bool


def witness(scenario: Scenario, code: Code, found: Found) -> Witness:
    """Return a witness of the violation that was found, with few preemptions."""
    best = found
    for most in range(MOST + 1):
        bounds = Bounds(preemptions=most, states=STATES)
        same = [one for one in Search(scenario, code, bounds).run().found if _same(one, found)]
        if same:
            best = same[0]
            break
    workload = workload_of(scenario, code, best.schedule)
    if workload and shows(workload, scenario, code, best):
        return Witness(best.violation, "workload", codec.to_text(workload), 0)
    count = preemptions(scenario, code, best.schedule)
    text = to_text(Schedule(scenario, best.schedule), code)
    return Witness(best.violation, "schedule", text, count)


def _same(one: Found, other: Found) -> bool:
    both = one.violation, other.violation
    return both[0] == both[1] if one.violation.kind == BUG else both[0].kind == both[1].kind


def workload_of(scenario: Scenario, code: Code, schedule: Sequence[int]) -> Workload | None:
    """Return the workload that plays a schedule; None if none can."""
    parts = _parts(scenario, code, schedule)
    if parts is None:
        return None
    steps: list[Op] = []
    begins: dict[tuple[int, int], int] = {}
    in_window: set[int] = set()
    for number, part in enumerate(parts):
        if number in in_window:
            continue
        if not isinstance(part.op, Copy):
            steps.append(part.op)
        elif not part.first:
            steps.append(Resume(begins[part.thread, part.position]))
        elif not part.stopped:
            steps.append(dataclasses.replace(part.op, actions=()))
        elif windows := _windows(parts, number):
            in_window.update(range(number, windows[-1][-1] + 1))
            steps.append(_with_actions(part.op, parts, windows))
        else:
            begins[part.thread, part.position] = len(begins)
            steps.append(Begin(part.op.map, part.op.page, part.op.source))
    if len(begins) > MAX_BEGINS:
        return None
    return Workload(scenario.blocks, scenario.files, scenario.maps, tuple(steps), scenario.memfds)


def _with_actions(copy: Copy, parts: Sequence[_Part], windows: Sequence[Sequence[int]]) -> Copy:
    actions = [tuple(parts[each].op for each in window[:-1]) for window in windows]
    while actions and not actions[-1]:
        actions.pop()
    return dataclasses.replace(copy, actions=tuple(actions))


def _windows(parts: Sequence[_Part], number: int) -> list[list[int]]:
    """Return the parts in each window of a copy, and the one that ends it; none if it cannot be.

    In a window of a workload no other copy can stand.
    """
    mine = parts[number]
    windows: list[list[int]] = [[]]
    for later in range(number + 1, len(parts)):
        part = parts[later]
        windows[-1].append(later)
        if (part.thread, part.position) == (mine.thread, mine.position):
            if not part.stopped:
                return windows
            windows.append([])
        elif isinstance(part.op, Copy):
            return []
    return []


def _parts(scenario: Scenario, code: Code, schedule: Sequence[int]) -> list[_Part] | None:
    """Cut a schedule where a copy stops or an operation returns; None if it is left elsewhere."""
    execution = Execution(scenario, code)
    parts: list[_Part] = []
    inside = -1
    begins = (0, True)
    for number in schedule:
        thread = execution.threads[number]
        if inside not in (-1, number):
            return None
        if inside < 0:
            begins = (thread.position, thread.running is None)
        execution.step(number)
        inside = number
        stopped = isinstance(thread.stop, Fault)
        if execution.crash or stopped or thread.running is None:
            op = scenario.threads[number][begins[0]]
            parts.append(_Part(number, begins[0], op, begins[1], stopped and not execution.crash))
            inside = -1
    return parts if inside < 0 else None


def shows(workload: Workload, scenario: Scenario, code: Code, found: Found) -> bool:
    """Say whether a workload, played as workloads are, comes to what the schedule came to."""
    execution = Execution(scenario, code)
    execution.run(list(found.schedule))
    outcome = Player(code, workload).play()
    if found.violation.kind == BUG and execution.crash:
        return outcome.ending is Ending.CRASHED and outcome.title == execution.crash
    returned = sorted((one.ret, one.copy or 0) for one in outcome.trace if isinstance(one, Step))
    resumed = sum(isinstance(op, Resume) for op in workload.steps)
    expected = [(ret, copy or 0) for each in execution.threads for ret, copy in each.results]
    return returned == sorted(expected + [(0, 0)] * resumed)
