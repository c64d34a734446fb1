# SPDX-License-Identifier: GPL-2.0-only
"""A timeline: a workload and what was seen of it, as rows in time, each in its thread."""

from __future__ import annotations

import errno
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from difftest.errors import UsageError
from difftest.ledger import Ledger, Returned
from difftest.outcome import Ending, Outcome, Step, Window
from difftest.workload import ops
from difftest.workload.codec import from_text, line_of, line_of_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from difftest.workload.workload import Workload

#: The threads of every guest: one plays the workload, one makes the copies that it waits for.
MONITOR, COPIER = "monitor", "copier"
#: A madvise() that waits for somebody to read its event does so in a thread of its own.
REMOVER = "madvise"
#: What stands for the operation when a copy that had stopped is let go on.
GOES_ON = "goes on"


class Event(StrEnum):
    """What a row tells."""

    STEP = "step"
    """An operation returned, at once or after it had stopped."""
    STOP = "stop"
    """A copy stopped on a missing source page, with no lock held: its window opens."""
    CRASH = "crash"
    LOST = "lost"
    """The outcome ends here, and nobody knows whether the kernel did something wrong."""
    END = "end"
    """Everything is closed, unmapped and deleted."""


class Row(NamedTuple):
    """One event. `thread` is whose, "" if not known.

    `at` is its place, that of the window for a stop. `text` is the operation, or "goes on" for a
    copy that had stopped; `result` what came of it. `stopped` are the threads whose copies are
    stopped meanwhile: their windows are open. `before` and `after` count the blocks in use, None
    where nobody could look; `due` counts the pages that the files should hold then, by what the
    operations reported: the blocks that should be in use, None if not known or without a limit.
    `settled` says that no fix has a reason to keep a block aside here. `ret` is what a step
    returned, None for other rows; `held` how many pages were still allocated at the end.
    """

    at: str
    event: Event
    thread: str
    text: str
    result: str
    stopped: tuple[str, ...]
    before: int | None
    after: int | None
    due: int | None = None
    settled: bool = False
    ret: int | None = None
    held: int = 0

    @property
    def leaks(self) -> bool:
        """Whether pages are left at the end, or blocks are in use that no file should have."""
        if not self.settled or self.due is None or self.after is None:
            return self.held > 0
        return self.after > self.due or self.held > 0


def timeline(workload: Workload, outcome: Outcome) -> list[Row]:
    """Tell an outcome in the order in which things happened."""
    return list(_Teller(workload, outcome).rows())


def timelines(
    text: str, outcomes: Mapping[str, Outcome]
) -> list[tuple[tuple[str, ...], list[Row]]]:
    """Return the timelines of one workload's outcomes: those of backends that are equal are one.

    There is none of a text that this vocabulary cannot read, that of a run long ago.
    """
    try:
        workload = from_text(text)
    except UsageError:
        return []
    found: list[tuple[tuple[str, ...], list[Row]]] = []
    for backend, outcome in outcomes.items():
        rows = timeline(workload, outcome)
        for number, (backends, same) in enumerate(found):
            if rows == same:
                found[number] = ((*backends, backend), same)
                break
        else:
            found.append(((backend,), rows))
    return found


def threads(rows: list[Row]) -> list[str]:
    """Return the threads of rows: the copiers first, by their names, the monitor last."""
    named = {row.thread for row in rows if row.thread} - {MONITOR}
    return [*sorted(named), MONITOR]


def result_of(step: Step) -> str:
    """Return what a step returned: an errno by its name, and how much a copy filled, if partly."""
    text = errno.errorcode.get(-step.ret, "") if step.ret < 0 else ""
    text = text or str(step.ret)
    if step.copy is not None and step.copy != step.ret:
        text += f" (filled {step.copy})" if step.copy > 0 else f" (field {step.copy})"
    return text


class _Teller:
    """Goes through a trace once; what is in flight is what later rows may be in the window of."""

    def __init__(self, workload: Workload, outcome: Outcome) -> None:
        self._workload = workload
        self._outcome = outcome
        self._ops = dict(workload.places())
        self._threads = dict(self._name_threads())
        self._due, self._settled, self._interrupted = _follow(workload, outcome)
        self._flying: dict[str, str] = {}
        self._used: int | None = 0

    def _name_threads(self) -> Iterator[tuple[str, str]]:
        begun = 0
        for at, op in self._ops.items():
            if isinstance(op, ops.Begin):
                yield at, f"begin {begun}"
                begun += 1
            elif isinstance(op, ops.Copy):
                yield at, COPIER
            else:
                yield at, REMOVER if isinstance(op, ops.RemoveBegin) else MONITOR

    def rows(self) -> Iterator[Row]:
        for one in self._outcome.trace:
            yield self._stop(one) if isinstance(one, Window) else self._step(one)
        yield self._last()

    def _hits(self, one: Step | Window | Outcome) -> str:
        """Say which faults hit."""
        faults = (line_of_fault(self._workload.faults[number]) for number in one.hits)
        return "".join(f"; {fault} hit" for fault in faults)

    def _stop(self, window: Window) -> Row:
        copy = window.at.rpartition(".")[0]
        said = f"stops, with no lock held{self._hits(window)}"
        row = self._row(window.at, copy, Event.STOP, said, window.used)
        self._flying[copy] = self._threads.get(copy, "")
        return row

    def _step(self, step: Step) -> Row:
        said = f"{result_of(step)}{self._hits(step)}"
        row = self._row(step.at, step.at, Event.STEP, said, step.used, ret=step.ret)
        self._flying.pop(step.at, None)
        return row._replace(due=self._due.get(step.at), settled=step.at in self._settled)

    def _row(
        self,
        at: str,
        place: str,
        event: Event,
        result: str,
        after: int | None,
        *,
        ret: int | None = None,
    ) -> Row:
        op = self._ops.get(place)
        text = GOES_ON if place in self._flying else line_of(op) if op else ""
        stopped = tuple(thread for copy, thread in self._flying.items() if copy != place)
        before, self._used = self._used, after
        thread = self._threads.get(place, "")
        return Row(at, event, thread, text, result, stopped, before, after, ret=ret)

    def _last(self) -> Row:
        seen = self._outcome
        if seen.ending is not Ending.FINISHED:
            event = Event.CRASH if seen.ending is Ending.CRASHED else Event.LOST
            at = self._interrupted if event is Event.CRASH else ""
            said = f"{seen.ending}: {seen.title}{self._hits(seen)}"
            return self._row(at, at, event, said, None)
        row = self._row(
            "", "", Event.END, f"{seen.left} blocks and {seen.held} pages left", seen.left
        )
        text = "everything closed, unmapped, deleted"
        return row._replace(thread=MONITOR, text=text, due=0, settled=True, held=seen.held or 0)


def _follow(workload: Workload, outcome: Outcome) -> tuple[Mapping[str, int], set[str], str]:
    """Return what files should hold after each step, which steps are settled, and the last place.

    An outcome that does not fit its workload gives what there is up to there.
    """
    ledger = Ledger(workload, outcome)
    due: dict[str, int] = {}
    settled = set()
    try:
        for event in ledger.walk():
            if isinstance(event, Returned) and workload.blocks:
                due[event.at] = event.blocks
                if "." not in event.at and not event.stopped:
                    settled.add(event.at)
    except LookupError:
        return due, settled, ""
    at, _ = ledger.interrupted() or ("", None)
    return due, settled, at
