# SPDX-License-Identifier: GPL-2.0-only
"""A finding: what a run has to show and wants as small as can be, a failure or a disagreement."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from difftest import facts
from difftest.backends import Runner, running
from difftest.conformance import disagreements
from difftest.facts import model_for
from difftest.outcome import Ending, Outcome, Record
from difftest.rendering import disagreement_file, origin, witness_file
from difftest.result import Witness
from difftest.shrinking import smallest
from difftest.strategy import BASELINE
from difftest.verdict import Value, compares, judge_safely
from difftest.witness import Head, to_text
from difftest.workload import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from difftest.plugins import Plugins
    from difftest.result import Conformance, Result
    from difftest.settings import Settings
    from difftest.strategy import Strategy
    from difftest.verdict import AnyOracle, Verdict
    from difftest.workload.workload import Workload


class Finding(Record, frozen=True):
    """On a workload a strategy fails `oracle` on all of `backends`, or, without one, these differ.

    `text` is the text form of the smallest such workload of the run. With `against` it is the
    smallest that this other strategy passes there, and `number` is its number.
    """

    strategy: str
    oracle: str
    backends: tuple[str, ...]
    text: str
    against: str = ""
    number: int = 0


class Shrunk(Record, frozen=True):
    """What a finding was shrunk to: the workload, the outcomes on its backends in their order.

    `evidence` is the oracle's word on the first of them, "" for a disagreement. `passes` are the
    other strategies of the run that the oracle passes on it, on all of these backends.
    """

    finding: Finding
    text: str
    outcomes: tuple[Outcome, ...]
    evidence: str
    passes: tuple[str, ...] = ()


def found_in(result: Result) -> list[Finding]:
    """Return what a result has to show and is not shrunk yet."""
    failures = [_failure(one) for one in result.witnesses if not one.shrunk]
    differ = [one for one in result.conformance if one.smallest and not one.smallest.shrunk]
    return failures + [_disagreement(one) for one in differ]


def _failure(witness: Witness) -> Finding:
    return Finding(witness.strategy, witness.oracle, witness.backends, witness.text)


def _disagreement(one: Conformance) -> Finding:
    text = one.smallest.text if one.smallest else ""
    return Finding(one.strategy, "", (model_for(one.backend), one.backend), text)


def shrunk_witness(witness: Witness, shrunk: Mapping[Finding, Shrunk]) -> Witness:
    """Return a witness with the workload that it was shrunk to, if it was."""
    less = shrunk.get(_failure(witness))
    if less is None:
        return witness
    return msgspec.structs.replace(
        witness,
        text=less.text,
        shrunk=True,
        evidence=less.evidence,
        outcomes=dict(zip(less.finding.backends, less.outcomes, strict=True)),
    )


def shrunk_conformance(one: Conformance, shrunk: Mapping[Finding, Shrunk]) -> Conformance:
    """Return a conformance whose smallest disagreement is what that was shrunk to, if it was."""
    less = shrunk.get(_disagreement(one))
    if less is None or one.smallest is None:
        return one
    here, there = less.outcomes
    found = msgspec.structs.replace(
        one.smallest,
        text=less.text,
        shrunk=True,
        differences=tuple(disagreements(here, there, one.unseen)),
    )
    return msgspec.structs.replace(one, smallest=found)


def files(result: Result, shrunk: Iterable[Shrunk]) -> dict[str, str]:
    """Return the files that a run leaves, by their names below its directory.

    The workloads of what it found; beside a disagreement the outcomes, as JSON by backend.
    """
    kept = {}
    shrunk = list(shrunk)
    told_apart = {
        (one.finding.strategy, one.finding.oracle, one.text): one.passes for one in shrunk
    }
    for less in shrunk:
        if less.finding.against:
            kept[_pair_file(less.finding)] = to_text(
                _head(result, _pair(less), less.passes), less.text
            )
    for witness in result.witnesses:
        passes = told_apart.get((witness.strategy, witness.oracle, witness.text), ())
        kept[witness_file(witness)] = to_text(_head(result, witness, passes), witness.text)
    for one in result.conformance:
        if one.smallest:
            what = f"{model_for(one.backend)} and {one.backend} disagree on {one.strategy}"
            of = f"{origin(one.smallest)} of seed {result.seed}"
            kept[disagreement_file(one)] = f"# {of}: {what}\n{one.smallest.text}"
            if seen := outcomes_of(one, shrunk):
                kept[disagreement_file(one, ".json")] = _json(seen)
    return kept


def outcomes_of(one: Conformance, shrunk: Iterable[Shrunk]) -> dict[str, Outcome]:
    """Return the outcomes of the smallest disagreement by backend; {} if it was not shrunk."""
    key = (one.strategy, "", (model_for(one.backend), one.backend))
    for less in shrunk:
        finding = less.finding
        if (finding.strategy, finding.oracle, finding.backends) == key:
            return dict(zip(finding.backends, less.outcomes, strict=True))
    return {}


def _json(outcomes: Mapping[str, Outcome]) -> str:
    return msgspec.json.format(msgspec.json.encode(outcomes), indent=2).decode() + "\n"


def _pair_file(finding: Finding) -> str:
    return f"witnesses/{finding.strategy}-{finding.oracle}-not-{finding.against}.workload"


def _pair(one: Shrunk) -> Witness:
    finding = one.finding
    return Witness(
        strategy=finding.strategy,
        oracle=finding.oracle,
        backends=finding.backends,
        number=finding.number,
        text=one.text,
        shrunk=True,
        evidence=one.evidence,
    )


def _head(result: Result, witness: Witness, passes: tuple[str, ...]) -> Head:
    return Head(
        strategy=witness.strategy,
        oracle=witness.oracle,
        verdict=Value.FAIL,
        evidence=witness.evidence,
        backends=witness.backends,
        seed=result.seed,
        workload=witness.number,
        shrunk=witness.shrunk,
        passes=passes,
    )


def shrink(finding: Finding, plugins: Plugins, settings: Settings) -> Shrunk:
    """Find the smallest workload that shows the same, on all of the finding's backends.

    Raises RigError and the like from the backends.
    """
    known = settings.known()
    oracle = plugins.oracle(finding.oracle) if finding.oracle else None
    workload = codec.from_text(finding.text)
    with contextlib.ExitStack() as stack:

        def opened(strategy: str) -> list[Runner]:
            chain = facts.chain(known[strategy], known)
            return [
                stack.enter_context(running(plugins.backend(name), chain))
                for name in finding.backends
            ]

        runners = opened(finding.strategy)
        if oracle is None:
            least = smallest(
                workload, lambda some: _disagree(finding, runners, settings.unseen, some)
            )
            return Shrunk(finding, codec.to_text(least), _outcomes(runners, least), "")
        jury = Jury(oracle, opened(BASELINE) if compares(oracle) else [])
        reasons = jury.reasons(runners, workload)
        others = opened(finding.against) if finding.against else []

        def shows(some: Sequence[Workload]) -> list[bool]:
            failed = jury.fail(runners, reasons, some)
            left = [one for one, fails in zip(some, failed, strict=True) if fails]
            passed = iter(jury.passed(others, left))
            return [fails and next(passed) for fails in failed]

        least = smallest(workload, shows)
        passes = tuple(
            one.name
            for one in settings.compared()
            if one.name != finding.strategy
            and _fits(facts.chain(one, known), finding, plugins)
            and jury.passed(opened(one.name), [least]) == [True]
        )
        outcomes = _outcomes(runners, least)
        base = next(jury.below[0].run([least])) if jury.below else None
    evidence = judge_safely(oracle, least, outcomes[0], base).evidence
    return Shrunk(finding, codec.to_text(least), outcomes, evidence, passes)


def _fits(chain: Sequence[Strategy], finding: Finding, plugins: Plugins) -> bool:
    backends = [plugins.backend(name) for name in finding.backends]
    return not any(backend.supports(link) for backend in backends for link in chain)


def _outcomes(runners: Sequence[Runner], workload: Workload) -> tuple[Outcome, ...]:
    return tuple(outcome for runner in runners for outcome in runner.run([workload]))


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
        """Say what holds on all backends; what does not on one is not tried on the next."""
        left = dict(enumerate(workloads))
        for place in range(len(runners)):
            judged = zip(left, self._judged(runners, place, list(left.values())), strict=True)
            left = {number: workloads[number] for number, one in judged if holds(place, *one)}
            if not left:
                break
        return [number in left for number in range(len(workloads))]


def _disagree(
    finding: Finding,
    runners: Sequence[Runner],
    unseen: Mapping[str, Mapping[str, str]],
    workloads: Sequence[Workload],
) -> list[bool]:
    hidden = [field for name in finding.backends for field in unseen.get(name, {})]
    pairs = zip(*(runner.run(workloads) for runner in runners), strict=True)
    return [
        one.known and other.known and bool(disagreements(one, other, hidden))
        for one, other in pairs
    ]
