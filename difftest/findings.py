# SPDX-License-Identifier: GPL-2.0-only
"""A finding: what a run has to show and wants as small as can be, a failure or a disagreement."""

from __future__ import annotations

import contextlib
import re
import sys
from typing import TYPE_CHECKING

import msgspec

from difftest import facts
from difftest.backends import Runner, running
from difftest.conformance import disagreements
from difftest.facts import model_for
from difftest.jury import Jury, everywhere
from difftest.outcome import Ending, Outcome, Record
from difftest.parting import differences, sentence
from difftest.rendering import disagreement_file, origin, witness_file
from difftest.result import Witness
from difftest.shrinking import Budget, smallest
from difftest.strategy import BASELINE
from difftest.verdict import Value, compares, judge_safely
from difftest.witness import Head, to_text
from difftest.workload import codec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from difftest.plugins import Plugins
    from difftest.result import Conformance, Result
    from difftest.settings import Settings
    from difftest.shrinking import Fails
    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload


class Finding(Record, frozen=True):
    """On a workload a strategy fails `oracle` on all of `backends`, or, without one, these differ.

    `text` is the text form of the smallest such workload of the run. With `against` it is the
    smallest that this other strategy passes there, and `number` is its number; without an oracle
    the smallest on which the outcomes of the two differ, on each of the backends.
    """

    strategy: str
    oracle: str
    backends: tuple[str, ...]
    text: str
    against: str = ""
    number: int = 0


class Shrunk(Record, frozen=True):
    """What a finding was shrunk to: the workload, the outcomes on its backends in their order.

    `evidence` is the oracle's word on the first of them, "" for a disagreement of backends, the
    first value that differs for one of strategies. `passes` are the other strategies of the run
    that the oracle passes on it, on all of these backends. `caveat` says that there may be a
    smaller one, or that it did not show this again; it is "" for most.
    """

    finding: Finding
    text: str
    outcomes: tuple[Outcome, ...]
    evidence: str
    passes: tuple[str, ...] = ()
    caveat: str = ""


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
        caveat=less.caveat,
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
        caveat=less.caveat,
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
        found = less.finding
        if found.against and found.oracle:
            kept[telling_file(found)] = _file(result, _pair(less), less.passes)
        elif found.against:
            of = f"{origin(_pair(less))} of seed {result.seed}"
            what = f"{found.strategy} and {found.against} part: {less.evidence}"
            kept[parting_file(found)] = f"# {of}: {what}\n{less.text}"
    for witness in result.witnesses:
        passes = told_apart.get((witness.strategy, witness.oracle, witness.text), ())
        kept[witness_file(witness)] = _file(result, witness, passes)
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
        if (finding.strategy, finding.oracle, finding.backends) == key and not finding.against:
            return dict(zip(finding.backends, less.outcomes, strict=True))
    return {}


def _json(outcomes: Mapping[str, Outcome]) -> str:
    return msgspec.json.format(msgspec.json.encode(outcomes), indent=2).decode() + "\n"


def telling_file(finding: Finding) -> str:
    """Return where a run keeps what one strategy fails and another passes, below its directory."""
    return f"witnesses/{finding.strategy}-{finding.oracle}-not-{finding.against}.workload"


def parting_file(finding: Finding) -> str:
    """Return where a run keeps what two strategies come to other outcomes on."""
    return f"partings/{finding.strategy}-{finding.against}.workload"


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
        caveat=one.caveat,
    )


def _file(result: Result, witness: Witness, passes: tuple[str, ...]) -> str:
    head = Head(
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
    return to_text(head, witness.text, witness.caveat)


class Watched:
    """A runner that counts the guests that are lost while a budget lasts."""

    def __init__(self, runner: Runner, budget: Budget) -> None:
        self._runner = runner
        self._budget = budget

    @property
    def consoles(self) -> Mapping[int, str]:
        return self._runner.consoles

    @property
    def culprits(self) -> Mapping[int, str]:
        return self._runner.culprits

    def run(self, workloads: Sequence[Workload]) -> Iterator[Outcome]:
        for outcome in self._runner.run(workloads):
            if not outcome.known and outcome.ending is not Ending.UNPLAYED:
                self._budget.lose()
            yield outcome


def shrink(finding: Finding, plugins: Plugins, settings: Settings) -> Shrunk:
    """Find the smallest workload that shows the same, on all of the finding's backends.

    Raises RigError and the like from the backends.
    """
    known = settings.known()
    oracle = plugins.oracle(finding.oracle) if finding.oracle else None
    workload = codec.from_text(finding.text)
    budget = Budget()
    with contextlib.ExitStack() as stack:

        def opened(strategy: str) -> list[Runner]:
            chain = facts.chain(known[strategy], known)
            return [
                Watched(stack.enter_context(running(plugins.backend(name), chain)), budget)
                for name in finding.backends
            ]

        runners = opened(finding.strategy)
        others = opened(finding.against) if finding.against else []
        if oracle is None:
            shows = (
                _parting(runners, others, workload)
                if others
                else _disagreeing(finding, runners, settings.unseen)
            )
            least, caveat = _least(workload, shows, budget)
            outcomes = _outcomes(runners, least)
            evidence = _parted(finding, outcomes[0], others[0], least) if others else ""
            return Shrunk(finding, codec.to_text(least), outcomes, evidence, caveat=caveat)
        jury = Jury(oracle, opened(BASELINE) if compares(oracle) else [])
        reasons = jury.reasons(runners, workload)

        def fails(some: Sequence[Workload]) -> list[bool]:
            failed = jury.fail(runners, reasons, some)
            left = [one for one, fails in zip(some, failed, strict=True) if fails]
            passed = iter(jury.passed(others, left))
            return [fails and next(passed) for fails in failed]

        least, caveat = _least(workload, fails, budget)
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
    return Shrunk(finding, codec.to_text(least), outcomes, evidence, passes, caveat)


def _least(workload: Workload, shows: Fails, budget: Budget) -> tuple[Workload, str]:
    """Shrink; then play what is left once more, alone in a guest that has played nothing else.

    The second is what a reader has to know of it, or "".
    """
    least = smallest(workload, shows, budget)
    said = [f"not shrunk to the end: {budget.cut}"] if budget.cut else []
    budget.lost = sys.maxsize
    if list(shows([least])) != [True]:
        said.append("played once more, it did not show this again")
    return least, "; ".join(said)


def _fits(chain: Sequence[Strategy], finding: Finding, plugins: Plugins) -> bool:
    backends = [plugins.backend(name) for name in finding.backends]
    return not any(backend.supports(link) for backend in backends for link in chain)


def _outcomes(runners: Sequence[Runner], workload: Workload) -> tuple[Outcome, ...]:
    return tuple(outcome for runner in runners for outcome in runner.run([workload]))


def _parting(runners: Sequence[Runner], others: Sequence[Runner], workload: Workload) -> Fails:
    """Return what says whether two strategies part in the same field as on a workload.

    On each backend. Any field will do where the workload's outcomes are equal now.
    """

    def fields(place: int, some: Sequence[Workload]) -> list[str]:
        both = zip(runners[place].run(some), others[place].run(some), strict=True)
        return [_field(one, other) for one, other in both]

    reasons = [fields(place, [workload])[0] for place in range(len(runners))]
    return lambda some: everywhere(
        some,
        len(runners),
        lambda place, left: [
            bool(field) and field == (reasons[place] or field) for field in fields(place, left)
        ],
    )


def _field(one: Outcome, other: Outcome) -> str:
    """Return the first field in which two outcomes differ, without places in it; "" if in none."""
    if not (one.known and other.known):
        return ""
    first = next(differences(one, other), None)
    return re.sub(r"\[\d+\]", "", first.field) if first else ""


def _parted(finding: Finding, outcome: Outcome, others: Runner, workload: Workload) -> str:
    """Say where a strategy's outcome first differs from that of another one."""
    (other,) = others.run([workload])
    first = next(differences(outcome, other), None)
    return sentence(first, finding.strategy, finding.against) if first else ""


def _disagreeing(
    finding: Finding, runners: Sequence[Runner], unseen: Mapping[str, Mapping[str, str]]
) -> Fails:
    """Return what says whether the two backends of a finding disagree on workloads."""
    hidden = [field for name in finding.backends for field in unseen.get(name, {})]
    return lambda some: [
        one.known and other.known and bool(disagreements(one, other, hidden))
        for one, other in zip(*(runner.run(some) for runner in runners), strict=True)
    ]
