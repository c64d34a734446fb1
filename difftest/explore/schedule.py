# SPDX-License-Identifier: GPL-2.0-only
"""A schedule of a scenario: which thread takes each step. Its text form, and its replay.

The text is that of the scenario, then a line `schedule`, and for each step the thread, with where
it stops then, which is for the reader:

    schedule
      0 mmap_read_lock
      1 inode_lock
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from difftest.errors import UsageError
from difftest.explore import scenario as scenarios
from difftest.explore.execution import Execution
from difftest.explore.violations import Violation, violations
from difftest.model.kernel import Fault, Wait
from difftest.workload.codec import line_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.explore.execution import Thread
    from difftest.explore.scenario import Scenario
    from difftest.model.code import Code
    from difftest.model.kernel import Stop

SUFFIX = ".schedule"


class Schedule(NamedTuple):
    scenario: Scenario
    steps: tuple[int, ...]


class Replay(NamedTuple):
    """What a schedule came to with a strategy, told in lines."""

    lines: tuple[str, ...]
    violations: tuple[Violation, ...]


def to_text(schedule: Schedule, code: Code) -> str:
    """Return the text form, with the stops as `code` makes them."""
    execution = Execution(schedule.scenario, code)
    lines = ["schedule"]
    for number in schedule.steps:
        execution.step(number)
        lines.append(f"  {number} {_stop(execution, number)}")
    return scenarios.to_text(schedule.scenario) + "\n".join(lines) + "\n"


def from_text(text: str, source: str) -> Schedule:
    """Read a schedule. Raises UsageError, which names the line."""
    before, found, after = text.partition("\nschedule\n")
    if not found:
        raise UsageError(f"{source}: expected a scenario and below it a line `schedule`")
    scenario = scenarios.from_text(before + "\n", source)
    first = before.count("\n") + 3
    steps = []
    for number, line in enumerate(after.splitlines(), first):
        word = line.split()[0] if line.split() else "#"
        if word.startswith("#"):
            continue
        if not word.isdecimal() or int(word) >= len(scenario.threads):
            raise UsageError(
                f"{source}, line {number}: {line!r}: expected `  THREAD STOP`, a thread from 0 to "
                f"{len(scenario.threads) - 1}"
            )
        steps.append(int(word))
    return Schedule(scenario, tuple(steps))


def preemptions(scenario: Scenario, code: Code, schedule: Sequence[int]) -> int:
    """Count where a thread is left that could go on in its operation."""
    execution = Execution(scenario, code)
    last: Thread | None = None
    count = 0
    for number in schedule:
        left = last is not None and last.number != number and last.inside and last.enabled
        count += left
        execution.step(number)
        last = execution.threads[number]
    return count


def replay(schedule: Schedule, code: Code) -> Replay:
    """Play a schedule, then what is left, the first thread first; tell each step.

    With another strategy a thread may be through earlier, or have to wait: that step is passed
    over, and told.
    """
    execution = Execution(schedule.scenario, code)
    lines = list(_play(execution, schedule.steps))
    found = violations(execution)
    lines += [f"        *** {one.kind}: {one.detail}" for one in found]
    if not found:
        lines.append("        nothing leaked, stale or lost when all is closed and deleted")
    return Replay(tuple(lines), found)


def _play(execution: Execution, steps: Sequence[int]) -> Iterator[str]:
    count = 0
    for number in steps:
        if execution.crash:
            return
        thread = execution.threads[number]
        if not thread.enabled:
            why = "has returned" if thread.done else f"waits for {_name(thread.stop)}"
            yield f"        {_column(number)}(thread {number} {why}: passed over)"
            continue
        yield _step(execution, number, count)
        count += 1
    while not execution.crash and execution.enabled():
        yield _step(execution, execution.enabled()[0], count)
        count += 1


def _step(execution: Execution, number: int, count: int) -> str:
    thread = execution.threads[number]
    op = execution.scenario.threads[number][thread.position]
    begins = thread.running is None
    execution.step(number)
    where = f"{line_of(op)}: " if begins else ""
    system = execution.system
    used = f"{system.used()}/{system.sb.max_blocks} blocks, {system.mm.memory.held()} pages"
    text = f"{_column(number)}{where}{_stop(execution, number)}"
    return f"{count:>6}  {text:<76}  {used}"


def _column(number: int) -> str:
    return "    " * number + f"{number}: "


def _stop(execution: Execution, number: int) -> str:
    thread = execution.threads[number]
    if execution.crash:
        return "crash"
    if thread.running is None:
        value = thread.results[-1][0]
        return f"returns {-value and errno.errorcode.get(-value, value) if value < 0 else value}"
    return _name(thread.stop)


def _name(stop: Stop) -> str:
    match stop:
        case Fault():
            return "fault"
        case Wait(name=name):
            return name
    return stop
