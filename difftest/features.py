# SPDX-License-Identifier: GPL-2.0-only
"""Features: what a workload comes to, in words, which are counted to tell the rare ones."""

from __future__ import annotations

import contextlib
import errno
import linecache
import sys
from collections import Counter
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from difftest import reached
from difftest.outcome import Step
from difftest.workload.states import states_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType, FrameType

    from difftest.outcome import Outcome
    from difftest.workload.workload import Workload


def features(workload: Workload, outcome: Outcome) -> set[str]:
    """Return what an outcome shows: states, results, results that follow each other, faults hit."""
    counts: Counter[reached.Key] = Counter()
    reached.count(workload, outcome, counts)
    found = {f"{outcome.ending}", *states_of(workload, outcome)}
    found |= {f"{'window of ' if window else ''}{name} {end}" for name, window, end in counts}
    names = {at: op.name for at, op in workload.places()}
    steps = [one for one in outcome.trace if isinstance(one, Step)]
    ends = [f"{names[one.at]} {reached.came_to(one)}" for one in steps]
    found |= {f"{one}, then {after}" for one, after in pairwise(ends)}
    for one in (*outcome.trace, outcome):
        for number in one.hits:
            fault = workload.faults[number]
            name = names.get(one.at, "") if isinstance(one, Step) else ""
            found.add(f"{fault.site} {errno.errorcode.get(fault.errno, '0')} in {name}")
    return found


LINE = "line of "
"""How the features begin that are lines."""


class Lines:
    """The lines of the model's mm/ that no workload has executed which was kept.

    A function all of whose lines were executed is not traced any more: tracing everything takes
    eight times as long as running it. A line counts as the same in every strategy.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._left: dict[CodeType, dict[int, str]] = {}
        self._found: set[str] = set()

    @contextlib.contextmanager
    def traced(self, found: set[str]) -> Iterator[None]:
        """Add the lines that are executed inside, and are new, to `found`."""
        before = sys.gettrace()
        self._found = found
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(before)

    def keep(self, found: Iterable[str]) -> None:
        """Take lines for known from here on; what else is found is passed over."""
        known = {one for one in found if one.startswith(LINE)}
        if known - self._seen:
            self._seen |= known
            for lines in self._left.values():
                for number in [number for number, line in lines.items() if line in known]:
                    del lines[number]

    def _call(self, frame: FrameType, _event: str, _: Any) -> Any:
        code = frame.f_code
        left = self._left.get(code)
        if left is None:
            left = self._left[code] = self._lines(frame)
        return self._line if left else None

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line" and (line := self._left[frame.f_code].get(frame.f_lineno)):
            self._found.add(line)
        return self._line

    def _lines(self, frame: FrameType) -> dict[int, str]:
        code = frame.f_code
        if not str(frame.f_globals.get("__name__", "")).startswith("difftest_model_"):
            return {}
        path = PurePath(code.co_filename)
        where = f"{LINE}{path.name} {code.co_qualname}: "
        lines = {
            number: where + linecache.getline(code.co_filename, number).strip()
            for *_, number in code.co_lines()
            if number and number != code.co_firstlineno
        }
        return {number: line for number, line in lines.items() if line not in self._seen}
