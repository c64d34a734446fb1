# SPDX-License-Identifier: GPL-2.0-only
"""What a run reached of the vocabulary: each operation's results, and what a window's led to."""

from __future__ import annotations

import errno
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from difftest.outcome import Ending, Outcome, Step, Window
from difftest.result import Exercise
from difftest.workload.ops import OPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from difftest.result import Result
    from difftest.workload.workload import Workload

#: An operation's name, False, and what it came to; or True for one in a window of a copy, and what
#: that copy came to.
Key: TypeAlias = tuple[str, bool, str]

#: The first two headers of each table of `rows`, and whether it is that of windows.
TABLES = (("operation", "came to", False), ("in a window", "then the copy", True))

DONE, PARTIAL, CRASHED = "done", "partial", "crashed"


def count(workload: Workload, outcome: Outcome, counts: Counter[Key]) -> None:
    """Add what one outcome reached. What returned nothing counts only if the kernel crashed."""
    names = {at: op.name for at, op in workload.places()}
    results = {one.at: came_to(one) for one in outcome.trace if isinstance(one, Step)}
    if outcome.ending is Ending.CRASHED:
        for one in outcome.trace:
            if isinstance(one, Window):
                results.setdefault(one.at.partition(".")[0], CRASHED)
    for at, result in results.items():
        counts[names[at], False, result] += 1
        copy, dot, _ = at.partition(".")
        if dot and copy in results:
            counts[names[at], True, results[copy]] += 1


def came_to(step: Step) -> str:
    """Return how an operation ended; one that filled some of its pages did so in part."""
    if step.ret >= 0:
        return DONE
    if step.copy is not None and step.copy > 0:
        return PARTIAL
    return errno.errorcode.get(-step.ret, str(step.ret))


def exercises(counts: Mapping[str, Mapping[Key, int]]) -> list[Exercise]:
    """Return counts by backend as records, with zeros for all of the vocabulary that was not seen.

    An operation has one for each result that it came to on any backend, or a single one for DONE;
    in a window, for each result of any copy there, for DONE, PARTIAL and CRASHED.
    """
    seen = {key for some in counts.values() for key in some}
    ends = {result for _, window, result in seen if window} | {DONE, PARTIAL, CRASHED}
    keys: list[Key] = []
    for op in OPS:
        if op.weight:
            found = {result for name, window, result in seen if name == op.name and not window}
            keys += [(op.name, False, result) for result in _ordered(found or {DONE})]
    for op in OPS:
        if op.weight_in_window:
            keys += [(op.name, True, result) for result in _ordered(ends)]
    return [
        Exercise(backend, name, window, result, some.get((name, window, result), 0))
        for backend, some in counts.items()
        for name, window, result in keys
    ]


def _ordered(results: Iterable[str]) -> list[str]:
    """Sort results: what was done first, errors by name, crashes last."""
    return sorted(results, key=lambda one: (one == CRASHED, one != DONE, one != PARTIAL, one))


def summary(result: Result, backend: str) -> str:
    """Return how much of the vocabulary was seen on a backend at all, and what was not."""
    total: Counter[str] = Counter()
    for one in result.operations:
        if one.backend == backend:
            total[f"{one.name} in a window" if one.window else one.name] += one.count
    missing = [name for name, number in total.items() if not number]
    text = f"{backend}: {len(total) - len(missing)} of {len(total)} operations reached"
    return f"{text}; not reached: {', '.join(missing)}" if missing else text


def rows(result: Result, *, window: bool) -> list[list[str]]:
    """Return a row for each operation and result, with its count on each backend.

    With `window`, for those in windows: the result is that of the copy, afterwards.
    """
    counts: dict[tuple[str, str], list[str]] = {}
    for one in result.operations:
        if one.window is window:
            counts.setdefault((one.name, one.result), []).append(str(one.count or "NONE"))
    return [[*key, *row] for key, row in counts.items()]
