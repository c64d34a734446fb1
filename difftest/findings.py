# SPDX-License-Identifier: GPL-2.0-only
"""A finding: what a run has to show and wants as small as can be, a failure or a disagreement."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from difftest import facts
from difftest.backends import Runner, running
from difftest.conformance import disagreements
from difftest.facts import model_for
from difftest.outcome import Outcome, Record
from difftest.rendering import disagreement_file, origin, witness_file
from difftest.shrinking import smallest
from difftest.strategy import BASELINE
from difftest.verdict import Value, compares, judge_safely
from difftest.witness import Head, to_text
from difftest.workload import codec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from difftest.plugins import Plugins
    from difftest.result import Conformance, Result, Witness
    from difftest.settings import Settings
    from difftest.verdict import AnyOracle
    from difftest.workload.workload import Workload


class Finding(Record, frozen=True):
    """On a workload a strategy fails `oracle` on all of `backends`, or, without one, these differ.

    `text` is the text form of the smallest such workload of the run.
    """

    strategy: str
    oracle: str
    backends: tuple[str, ...]
    text: str


class Shrunk(Record, frozen=True):
    """What a finding was shrunk to: the workload, the outcomes on its backends in their order.

    `evidence` is the oracle's word on the first of them, "" for a disagreement.
    """

    finding: Finding
    text: str
    outcomes: tuple[Outcome, ...]
    evidence: str


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
    for witness in result.witnesses:
        kept[witness_file(witness)] = to_text(_head(result, witness), witness.text)
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


def _head(result: Result, witness: Witness) -> Head:
    return Head(
        strategy=witness.strategy,
        oracle=witness.oracle,
        verdict=Value.FAIL,
        evidence=witness.evidence,
        backends=witness.backends,
        seed=result.seed,
        workload=witness.number,
        shrunk=witness.shrunk,
    )


def shrink(finding: Finding, plugins: Plugins, settings: Settings) -> Shrunk:
    """Find the smallest workload that shows the same, on all of the finding's backends.

    Raises RigError and the like from the backends.
    """
    known = settings.known()
    chain = facts.chain(known[finding.strategy], known)
    oracle = plugins.oracle(finding.oracle) if finding.oracle else None
    with contextlib.ExitStack() as stack:
        runners = [
            stack.enter_context(running(plugins.backend(name), chain)) for name in finding.backends
        ]

        below: list[Runner] = []
        if compares(oracle):
            chain = facts.chain(known[BASELINE], known)
            below = [
                stack.enter_context(running(plugins.backend(name), chain))
                for name in finding.backends
            ]

        def fails(workloads: Sequence[Workload]) -> list[bool]:
            if oracle:
                return _fail(oracle, runners, below, workloads)
            return _disagree(finding, runners, settings.unseen, workloads)

        least = smallest(codec.from_text(finding.text), fails)
        outcomes = tuple(outcome for runner in runners for outcome in runner.run([least]))
        base = next(below[0].run([least])) if below else None
    evidence = judge_safely(oracle, least, outcomes[0], base).evidence if oracle else ""
    return Shrunk(finding, codec.to_text(least), outcomes, evidence)


def _fail(
    oracle: AnyOracle,
    runners: Sequence[Runner],
    below: Sequence[Runner],
    workloads: Sequence[Workload],
) -> list[bool]:
    """Say which workloads fail everywhere; those that passed somewhere need not run elsewhere.

    `below` runs the baseline on the same backends, for an oracle that compares.
    """
    left = dict(enumerate(workloads))
    for place, runner in enumerate(runners):
        some = list(left.values())
        bases = list(below[place].run(some)) if below else [None] * len(some)
        seen = zip(left.items(), runner.run(some), bases, strict=True)
        left = {
            number: workload
            for (number, workload), outcome, base in seen
            if judge_safely(oracle, workload, outcome, base).value is Value.FAIL
        }
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
