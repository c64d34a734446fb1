# SPDX-License-Identifier: GPL-2.0-only
"""unchanged: where the code before the fix did right, the fix does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.outcome import Ending, Step, Window
from difftest.reached import came_to
from difftest.verdict import PASS, UNREACHED, fail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.outcome import Outcome
    from difftest.verdict import Verdict
    from difftest.workload.ops import Op
    from difftest.workload.workload import Workload


class Unchanged:
    """Compares an outcome with that of the baseline, where that neither crashed nor leaked.

    Results of system calls come first, then the blocks in use on the way, then what there is in
    the end. Each workload counts for the first difference, by kind: what follows from it would
    count it again. It cannot tell a change for the better from one for the worse: who changes
    something comes after those that change nothing, and is not out for it.

    Reached if the baseline's outcome is one to compare with. With faults none is: a fix that makes
    other calls has another one fail.
    """

    name = "unchanged"
    question = "is everything else as before the fix?"
    ranks = True

    def compare(self, workload: Workload, baseline: Outcome, outcome: Outcome) -> Verdict:
        right = baseline.ending is Ending.FINISHED
        if workload.faults or not right or baseline.left or baseline.held or baseline.committed:
            return UNREACHED
        if outcome == baseline:
            return PASS
        where, kind = next(_differences(workload, baseline, outcome))
        return fail(f"{where}: {kind}", (kind,))


def _differences(
    workload: Workload, baseline: Outcome, outcome: Outcome
) -> Iterator[tuple[str, str]]:
    """Yield what differs, the telling first: where, and the kind of difference."""
    ops = dict(workload.places())
    stopped = {one.at.partition(".")[0] for one in baseline.trace if isinstance(one, Window)}
    pairs = list(zip(baseline.trace, outcome.trace, strict=False))
    for one, other in pairs:
        if type(one) is not type(other) or one.at != other.at:
            yield f"step {one.at}", f"{_event(ops, one)} became {_event(ops, other)}"
        elif isinstance(one, Step) and isinstance(other, Step):
            yield from _results(one, other, f"{ops[one.at].name}{_retry(one, stopped)}")
    if outcome.ending is not baseline.ending:
        yield "the end", f"{baseline.ending} became {outcome.ending}: {outcome.title}"
    for one, other in pairs:
        if one.used != other.used:
            yield f"step {one.at}", f"blocks in use after {_name(ops, one)}"
    for name in ("left", "held", "committed"):
        if getattr(baseline, name) != getattr(outcome, name):
            yield "the end", f"{name}, when everything is gone"
    yield from _state(baseline, outcome)
    yield "the end", "something else"


def _name(ops: dict[str, Op], one: Step | Window) -> str:
    return ops[one.at].name if isinstance(one, Step) else "a stop"


def _event(ops: dict[str, Op], one: Step | Window) -> str:
    """Say what came next: a copy that stopped, or an operation that returned."""
    return f"{came_to(one)} ({_name(ops, one)})" if isinstance(one, Step) else "a stop"


def _retry(step: Step, stopped: set[str]) -> str:
    return ", retry" if step.at in stopped else ""


def _results(one: Step, other: Step, name: str) -> Iterator[tuple[str, str]]:
    before, after = came_to(one), came_to(other)
    if before != after:
        yield f"step {one.at}", f"{before} became {after} ({name})"
    elif (one.ret, one.copy) != (other.ret, other.copy):
        yield f"step {one.at}", f"another count ({name})"


def _state(baseline: Outcome, outcome: Outcome) -> Iterator[tuple[str, str]]:
    one, other = baseline.state, outcome.state
    if one is None or other is None:
        return
    for name in one.__struct_fields__:
        if getattr(one, name) != getattr(other, name):
            yield "the end", f"{name} in the end"
