# SPDX-License-Identifier: GPL-2.0-only
"""A trial: a mutant meets the workloads of a run, until an oracle tells it from its original."""

from __future__ import annotations

import hashlib
import re
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from difftest import facts, judging, shards
from difftest.backends import console, played, running
from difftest.conformance import disagreements
from difftest.errors import BuildError, PatchError, RigError, StoreError
from difftest.mutants import mutants_of
from difftest.outcome import Ending
from difftest.parting import sentence
from difftest.result import Fate, MutantResult
from difftest.store import Store
from difftest.strategy import BASELINE
from difftest.verdict import Value
from difftest.workload import codec, generate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from difftest.context import Context
    from difftest.judging import Judge
    from difftest.mutants import Mutant
    from difftest.outcome import Outcome
    from difftest.settings import Settings
    from difftest.tally import Run
    from difftest.verdict import Verdict
    from difftest.workload.workload import Workload

FIRST_BATCH = 10
"""Workloads played at once; twice as many each time. Most mutants are killed within the first
ten, and a guest that plays more of them than that is boot time lost."""

MOST_UNKNOWN = 3
"""Outcomes that say nothing, where the original's did, until a mutant is given up: one that hangs
takes ten seconds for each, and more of them teach nothing."""

# Said by the compiler of the code, or by the linker: not by a disk that is full.
_REFUSED = re.compile(r"\.[chS]:\d+:(?:\d+:)? error: |undefined reference")


class Task(NamedTuple):
    """A mutant to try, by the strategy that it was made from and its name.

    `same_as` names a strategy of the run with the same code, or is "".
    """

    strategy: str
    backend: str
    mutant: str
    same_as: str


def ready(
    context: Context, mutants: Iterable[Mutant], backend_name: str, digests: Mapping[str, str]
) -> Iterator[Task | MutantResult]:
    """Make the mutants of one strategy ready on a backend, and yield the tasks to try them.

    Of those that need no trial, the result: it is no code, or the same as that of another one.
    `digests` are those of the run's strategies on this backend. Raises RigError and
    ToolchainError.
    """
    backend = context.plugins.backend(backend_name)
    known = context.settings.known()
    seen: dict[str, str] = {}
    for mutant in mutants:
        try:
            digest = backend.prepare(facts.chain(mutant.strategy, known))
        except (PatchError, BuildError) as error:
            if isinstance(error, BuildError) and not _REFUSED.search(str(error)):
                raise
            why = str(error).partition("\npatches:")[0]
            yield result_of(mutant, backend_name, Fate.STILLBORN, evidence=_flat(why))
            continue
        # The original's is the first, whatever else of the run has the same code.
        same = mutant.original if digest == digests[mutant.original] else seen.get(digest, "")
        if same:
            evidence = f"the same code as {same}"
            yield result_of(mutant, backend_name, Fate.SAME, same_as=same, evidence=evidence)
            continue
        seen[digest] = mutant.strategy.name
        twin = BASELINE if digests.get(BASELINE) == digest else ""
        yield Task(mutant.original, backend_name, mutant.strategy.name, twin)


def result_of(
    mutant: Mutant,
    backend: str,
    fate: Fate,
    *,
    by: Sequence[str] = (),
    number: int | None = None,
    evidence: str = "",
    same_as: str = "",
    runs: int = 0,
    differ: int = 0,
    outcomes: str = "",
) -> MutantResult:
    return MutantResult(
        strategy=mutant.original,
        backend=backend,
        patch=mutant.patch,
        name=mutant.strategy.name,
        edit=mutant.edit.name,
        line=mutant.edit.line,
        claim=mutant.strategy.claim,
        fate=fate,
        by=tuple(by),
        number=number,
        evidence=evidence,
        same_as=same_as,
        runs=runs,
        differ=differ,
        outcomes=outcomes,
    )


def attempt(context: Context, task: Task) -> MutantResult:
    """Play the run's workloads on a mutant until an oracle kills it."""
    settings = context.settings
    known = settings.known()
    mutant = mutants_of(known[task.strategy], task.backend)[task.mutant]
    judges = judging.judges(context, task.strategy, task.backend)
    trial = Trial(
        mutant,
        task,
        dict(zip(settings.oracles, judges, strict=True)),
        settings.unseen.get(task.backend, {}),
    )
    backend = context.plugins.backend(task.backend)
    try:
        with (
            Store.open(context.directory) as store,
            running(backend, facts.chain(mutant.strategy, known)) as runner,
        ):
            stream = _stream(store, task, settings)
            size = FIRST_BATCH
            while batch := list(islice(stream, size)):
                outcomes = played(backend, runner, [met.workload for met in batch])
                why = _stillborn(outcomes, runner.consoles) if size == FIRST_BATCH else ""
                if why:
                    return trial.end(Fate.STILLBORN, evidence=why)
                for met, outcome in zip(batch, outcomes, strict=True):
                    if ended := trial.see(met, outcome):
                        return ended
                size = min(2 * size, generate.SHARD)
    except RigError as error:
        if _names_nothing(error.__cause__):
            return trial.end(Fate.STILLBORN, evidence=_flat(str(error)))
        if error.__cause__ is None:
            raise
        return trial.end(Fate.UNKNOWN, evidence=_flat(str(error)))
    return trial.survived()


def _names_nothing(error: BaseException | None) -> bool:
    """Say whether it is a name that is not there: no C compiler takes one, the model comes by."""
    in_module = isinstance(error, AttributeError) and isinstance(error.obj, ModuleType)
    return isinstance(error, NameError) or in_module


def _stillborn(outcomes: Sequence[Outcome], consoles: Mapping[int, str]) -> str:
    """Say why a kernel cannot be tried: it crashes before a workload begins; "" if it can.

    The kernel must say so itself. One that does not come up and is silent may be the rig's fault.
    """
    first = next((n for n, one in enumerate(outcomes) if one.ending is Ending.NO_BOOT), None)
    complaint = console.read(consoles.get(first, "")) if first is not None else None
    if first is None or complaint is None or complaint.ending is not Ending.CRASHED:
        return ""
    return outcomes[first].title


class Met(NamedTuple):
    """A workload with what the original and, for oracles that compare, the baseline came to."""

    workload: Workload
    run: Run
    baseline: Outcome | None


def _stream(store: Store, task: Task, settings: Settings) -> Iterator[Met]:
    """Yield each workload of a run with what is known of it. Raises StoreError for a gap."""
    for shard, (first, *_) in enumerate(shards.planned(settings)):
        tally = store.tally(task.strategy, task.backend, shard)
        if tally is None:
            raise StoreError(f"the run has no shard {shard} of {task.strategy} on {task.backend}")
        below = judging.baseline(store, task.strategy, task.backend, shard)
        texts = store.texts(first, len(tally.runs))
        for text, run in zip(texts, tally.runs, strict=True):
            yield Met(codec.from_text(text), run, below.get(run.number))


class Trial:
    """What is known of a mutant so far; `see` takes what it came to on one workload more."""

    def __init__(
        self, mutant: Mutant, task: Task, judges: Mapping[str, Judge], unseen: Iterable[str]
    ) -> None:
        self._mutant = mutant
        self._task = task
        self._judges = judges
        self._unseen = tuple(unseen)
        self._runs = self._differ = self._unknown = 0
        self._first = ""
        self._cause = ""
        self._outcomes = hashlib.sha256()

    def see(self, met: Met, outcome: Outcome) -> MutantResult | None:
        """Judge an outcome; return how the trial ended, if it did."""
        run = met.run
        self._runs += 1
        self._outcomes.update(msgspec.json.encode(outcome))
        if run.outcome.known and not outcome.known:
            self._unknown += 1
            self._cause = self._cause or f"workload {run.number}: {outcome.ending}: {outcome.title}"
            if self._unknown == MOST_UNKNOWN:
                return self.end(Fate.UNKNOWN, evidence=self._cause)
            return None
        told = [
            (name, _words(name, before, after))
            for (name, judge), before in zip(self._judges.items(), run.verdicts, strict=True)
            for after in [judge(met.workload, outcome, met.baseline)]
            if {before.value, after.value} == {Value.PASS, Value.FAIL}
        ]
        if told:
            names = [name for name, _ in told]
            return self.end(Fate.KILLED, by=names, number=run.number, evidence=told[0][1])
        if found := disagreements(run.outcome, outcome, self._unseen):
            self._differ += 1
            said = sentence(found[0], self._mutant.original, self._mutant.strategy.name)
            self._first = self._first or f"workload {run.number}: {said}"
        return None

    def survived(self) -> MutantResult:
        if self._unknown:
            return self.end(Fate.UNKNOWN, evidence=self._cause)
        if self._differ:
            return self.end(
                Fate.SURVIVED,
                evidence=f"{self._differ} of {self._runs} outcomes are not those of the original, "
                f"and no oracle tells them apart: {self._first}",
            )
        return self.end(
            Fate.SURVIVED, evidence=f"behaves like the original on {self._runs} workloads"
        )

    def end(
        self, fate: Fate, *, by: Sequence[str] = (), number: int | None = None, evidence: str
    ) -> MutantResult:
        return result_of(
            self._mutant,
            self._task.backend,
            fate,
            by=by,
            number=number,
            evidence=evidence,
            same_as=self._task.same_as,
            runs=self._runs,
            differ=self._differ,
            outcomes=self._outcomes.hexdigest() if fate is Fate.SURVIVED else "",
        )


def _words(oracle: str, before: Verdict, after: Verdict) -> str:
    """Say how an oracle's verdict on the original and on a mutant part."""
    if after.value is Value.FAIL:
        return f"{oracle}: {after.evidence}"
    return f"{oracle} passes, and of the original it says: {before.evidence}"


def _flat(text: str) -> str:
    return " ".join(text.split())
