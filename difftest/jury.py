# SPDX-License-Identifier: GPL-2.0-only
"""A jury: an oracle that says of many workloads whether they fail, and for the same reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from difftest.outcome import Ending, Outcome
from difftest.verdict import Value, judge_safely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from difftest.backends import Runner
    from difftest.verdict import AnyOracle, Verdict
    from difftest.workload.workload import Workload


class Reason(NamedTuple):
    """Why a workload fails, as far as a smaller one has to do so for the same: not for another bug.

    `title` is that of a crash, or ""; `kinds` are those of the verdict.
    """

    title: str
    kinds: frozenset[str]

    @classmethod
    def of(cls, outcome: Outcome, verdict: Verdict) -> Reason:
        title = outcome.title if outcome.ending is Ending.CRASHED else ""
        return cls(title, frozenset(verdict.kinds))

    def same(self, other: Reason) -> bool:
        told = not self.kinds or bool(self.kinds & other.kinds)
        return self.title == other.title and told


class Jury(NamedTuple):
    """An oracle, and the baseline on the same backends if it compares with that."""

    oracle: AnyOracle
    below: Sequence[Runner]

    def _judged(
        self, runners: Sequence[Runner], place: int, workloads: Sequence[Workload]
    ) -> Iterator[tuple[Outcome, Verdict]]:
        """Judge workloads on the backend in a place."""
        bases = self.below[place].run(workloads) if self.below else [None] * len(workloads)
        seen = zip(workloads, runners[place].run(workloads), bases, strict=True)
        for workload, outcome, base in seen:
            yield outcome, judge_safely(self.oracle, workload, outcome, base)

    def reasons(self, runners: Sequence[Runner], workload: Workload) -> list[Reason]:
        """Return by backend why a workload fails that is known to."""
        judged = (self._judged(runners, place, [workload]) for place in range(len(runners)))
        return [Reason.of(*next(one)) for one in judged]

    def fail(
        self, runners: Sequence[Runner], reasons: Sequence[Reason], workloads: Sequence[Workload]
    ) -> list[bool]:
        """Say of each workload whether it fails on all backends, for the reasons that it has to.

        The last ones get only what the first ones let through: the model comes first, where there
        is one, and takes no boot.
        """
        return self._hold(
            runners,
            workloads,
            lambda place, outcome, verdict: (
                verdict.value is Value.FAIL and reasons[place].same(Reason.of(outcome, verdict))
            ),
        )

    def passed(self, runners: Sequence[Runner], workloads: Sequence[Workload]) -> list[bool]:
        """Say of each workload whether it passes on all backends, and could have failed there."""
        return self._hold(
            runners,
            workloads,
            lambda place, outcome, verdict: (  # noqa: ARG005 - as above
                verdict.value is Value.PASS and verdict.reached
            ),
        )

    def _hold(
        self,
        runners: Sequence[Runner],
        workloads: Sequence[Workload],
        holds: Callable[[int, Outcome, Verdict], bool],
    ) -> list[bool]:
        """Say what holds on all backends."""
        return everywhere(
            workloads,
            len(runners),
            lambda place, some: [holds(place, *one) for one in self._judged(runners, place, some)],
        )


def everywhere(
    workloads: Sequence[Workload],
    backends: int,
    hold: Callable[[int, Sequence[Workload]], Sequence[bool]],
) -> list[bool]:
    """Say of each workload whether it holds on all of so many backends.

    `hold` says so of some workloads on the backend in a place; what does not hold on one is not
    tried on the next.
    """
    left = dict(enumerate(workloads))
    for place in range(backends):
        held = zip(left, hold(place, list(left.values())), strict=True)
        left = {number: workloads[number] for number, holds in held if holds}
        if not left:
            break
    return [number in left for number in range(len(workloads))]
