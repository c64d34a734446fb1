# SPDX-License-Identifier: GPL-2.0-only
"""A shared failure: one that the baseline and every fix of a run show alike.

It is another bug of the kernel, which no fix here touches, so it tells the fixes apart in nothing
and rules none out. To take a bug for another one than that in question is the way to a false PASS,
so much has to hold, on each backend by itself:

- No strategy passes where the baseline fails, and each fails somewhere there. Failures of one
  oracle count as one, crashes with one title: a fix that mends half of a bug would otherwise have
  the other half forgiven.
- The baseline has another failure that is not shared, and some strategy passes wherever the
  baseline shows that: there is a bug in question, and a fix for it.

Then a failure is forgiven where the baseline has the same, in the same words. On a workload that
crashes the baseline nobody can see whether it has it: there no strategy may pass, and two at the
least have to fail in the same words, which pass on most of the workloads that crash the baseline:
or else it may be the fixes that do wrong what the baseline does not come to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from difftest.outcome import Ending
from difftest.verdict import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from difftest.tally import Run

LEAST_AGREEING = 2
"""Fixes that say the same where the baseline crashes: one alone may well be wrong."""


class Failure(NamedTuple):
    """`title` is that of a crash, or ""."""

    title: str
    evidence: str


@dataclass(slots=True)
class Seen:
    """What is kept of the runs of one strategy on one backend: what did not pass, by number.

    `fails` and `unknown` have it by the place of the oracle.
    """

    numbers: set[int] = field(default_factory=set)
    crashed: set[int] = field(default_factory=set)
    fails: dict[int, dict[int, Failure]] = field(default_factory=dict)
    unknown: dict[int, set[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, runs: Mapping[int, Run]) -> Seen:
        seen = cls(set(runs))
        for number, run in runs.items():
            if run.outcome.ending is Ending.CRASHED:
                seen.crashed.add(number)
            title = run.outcome.title if number in seen.crashed else ""
            for column, verdict in enumerate(run.verdicts):
                if verdict.value is Value.FAIL:
                    found = Failure(title, verdict.evidence)
                    seen.fails.setdefault(column, {})[number] = found
                elif verdict.value is Value.UNKNOWN:
                    seen.unknown.setdefault(column, set()).add(number)
        return seen

    def failure(self, column: int, number: int) -> Failure | None:
        return self.fails.get(column, {}).get(number)

    def passes(self, column: int, number: int) -> bool:
        return (
            number in self.numbers
            and not self.failure(column, number)
            and number not in self.unknown.get(column, ())
        )


class Bug(NamedTuple):
    """A failure of the baseline: the oracle's place, and the crash's title or ""."""

    column: int
    title: str


class Shared(NamedTuple):
    """A bug that all have: the oracle's place, the crash's title or "", the baseline's failures.

    `forgiven` has the numbers of the workloads on which it is a strategy's, by strategy.
    """

    column: int
    title: str
    numbers: tuple[int, ...]
    forgiven: Mapping[str, frozenset[int]]


def shared(seen: Mapping[str, Seen], baseline: str) -> list[Shared]:
    """Return what is shared on one backend; `seen` has all strategies that were run there."""
    below = seen.get(baseline)
    fixes = _fixes(seen, baseline)
    if below is None or not fixes:
        return []
    bugs = _bugs(below)
    common = suspects(seen, baseline)
    if not any(
        _passes_all(fix, bug.column, numbers)
        for bug, numbers in bugs.items()
        if bug not in common
        for fix in fixes.values()
    ):
        return []
    return [Shared(*bug, tuple(bugs[bug]), _forgiven(*bug, below, seen)) for bug in sorted(common)]


def suspects(seen: Mapping[str, Seen], baseline: str) -> set[Bug]:
    """Return the baseline's failures that all fixes have, which were seen so far."""
    fixes = _fixes(seen, baseline)
    bugs = _bugs(seen[baseline])
    return {bug for bug, numbers in bugs.items() if _is_common(bug, numbers, fixes)}


def mended(seen: Mapping[str, Seen], baseline: str) -> dict[Bug, str]:
    """Return the baseline's failures that are no shared ones, with a fix that passes there."""
    return {
        bug: name
        for bug, numbers in _bugs(seen[baseline]).items()
        for name, fix in _fixes(seen, baseline).items()
        if any(fix.passes(bug.column, number) for number in numbers)
    }


def _fixes(seen: Mapping[str, Seen], baseline: str) -> dict[str, Seen]:
    return {name: one for name, one in seen.items() if name != baseline and one.numbers}


def _bugs(below: Seen) -> dict[Bug, list[int]]:
    """Return the baseline's failures by oracle and title."""
    bugs: dict[Bug, list[int]] = {}
    for column, failures in sorted(below.fails.items()):
        for number, failure in sorted(failures.items()):
            bugs.setdefault(Bug(column, failure.title), []).append(number)
    return bugs


def _is_common(bug: Bug, numbers: Sequence[int], fixes: Mapping[str, Seen]) -> bool:
    column, title = bug
    for fix in fixes.values():
        if any(fix.passes(column, number) for number in numbers):
            return False
        failures = (fix.failure(column, number) for number in numbers)
        if not any(one and one.title == title for one in failures):
            return False
    return True


def _passes_all(fix: Seen, column: int, numbers: Sequence[int]) -> bool:
    """Whether a fix passes wherever it was run, and was run somewhere."""
    run = [number for number in numbers if number in fix.numbers]
    return bool(run) and all(fix.passes(column, number) for number in run)


def _forgiven(
    column: int, title: str, below: Seen, seen: Mapping[str, Seen]
) -> dict[str, frozenset[int]]:
    forgiven = {}
    for name, one in seen.items():
        failures = one.fails.get(column, {}).items()
        forgiven[name] = frozenset(
            number
            for number, failure in failures
            if failure.title == title
            and (
                failure == below.failure(column, number)
                or (
                    _hidden(column, number, failure, below, seen)
                    and one in _agreeing(column, number, failure, below, seen)
                )
            )
        )
    return forgiven


def _hidden(
    column: int, number: int, failure: Failure, below: Seen, seen: Mapping[str, Seen]
) -> bool:
    """Whether the baseline crashes before it could show a failure, and no fix passes."""
    own = below.failure(column, number)
    other_crash = number in below.crashed and (own is None or own.title != failure.title)
    return other_crash and not any(one.passes(column, number) for one in seen.values())


def _agreeing(
    column: int, number: int, failure: Failure, below: Seen, seen: Mapping[str, Seen]
) -> list[Seen]:
    """Return the fixes that fail in the same words and mostly pass what crashes the baseline."""
    found = [
        one
        for one in seen.values()
        if one is not below
        and one.failure(column, number) == failure
        and sum(one.passes(column, other) for other in below.crashed)
        > sum(one.failure(column, other) is not None for other in below.crashed)
    ]
    return found if len(found) >= LEAST_AGREEING else []
