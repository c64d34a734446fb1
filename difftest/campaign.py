# SPDX-License-Identifier: GPL-2.0-only
"""A campaign: workloads x strategies x backends, in shards, in as many processes as asked for.

A shard is a pure function of its numbers, so the result does not depend on who runs it, or when.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from difftest import again, facts, findings, guided, judging, pairs, reached, shards, trial
from difftest.assemble import result_of
from difftest.attack import attacks_on
from difftest.attack import prepare as prepare_attacks
from difftest.backends import TakesFaults, played, running
from difftest.backends.program import Boots
from difftest.kernels import source
from difftest.kernels.series import name_in
from difftest.mutants import mutants_of
from difftest.progress import progress
from difftest.result import MutantResult
from difftest.settings import Mutants
from difftest.strategy import BASELINE
from difftest.tally import Done, Run, Tally
from difftest.workload import codec
from difftest.workload.states import states_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from difftest.context import Context
    from difftest.findings import Finding, Shrunk
    from difftest.pool import Pool
    from difftest.result import Attack
    from difftest.settings import Settings
    from difftest.shards import Shard
    from difftest.store import Store


class Task(NamedTuple):
    """One shard of one strategy on one backend: workloads from number `first` on.

    `baseline` is the baseline's tally of this shard, packed; "" where nothing is compared with it.
    """

    strategy: str
    backend: str
    shard: int
    first: int
    texts: tuple[str, ...]
    baseline: bytes


def prepare(context: Context) -> dict[tuple[str, str], str]:
    """Make every strategy ready on every backend that supports it (kernels are built here).

    Returns the digests of what they came to, by strategy and backend. Raises the errors of the
    backends: PatchError, BuildError, ToolchainError.
    """
    known = context.settings.known()
    refused = refusals(context)
    digests = {}
    for name in context.settings.backends:
        backend = context.plugins.backend(name)
        for strategy in context.settings.compared():
            if (strategy.name, name) not in refused:
                chain = facts.chain(strategy, known)
                digests[strategy.name, name] = backend.prepare(chain)
                if context.settings.faults and isinstance(backend, TakesFaults):
                    backend.prepare_faults(chain)
    return digests


def refusals(context: Context) -> dict[tuple[str, str], str]:
    """Return why strategies cannot run on backends, by strategy and backend."""
    known = context.settings.known()
    refused = {}
    for name in context.settings.backends:
        backend = context.plugins.backend(name)
        for strategy in context.settings.compared():
            reasons = [backend.supports(link) for link in facts.chain(strategy, known)]
            if reason := next(filter(None, reasons), ""):
                refused[strategy.name, name] = reason
    return refused


def run(context: Context, store: Store, workers: AbstractContextManager[Pool]) -> dict[str, float]:
    """Run what the store does not have yet; return seconds by phase.

    Each shard is stored as it is done, so that a KeyboardInterrupt loses only those in flight.
    """
    timings = {}
    with workers as pool:
        began = time.monotonic()
        digests = _prepare(context, store)
        timings["prepare"] = time.monotonic() - began
        began = time.monotonic()
        planned = _draw(context.settings, store, pool)
        timings["generate"] = time.monotonic() - began
        began = time.monotonic()
        _play(context, store, planned, digests, pool)
        timings["run"] = time.monotonic() - began
        began = time.monotonic()
        if context.settings.oracles:
            _again(context, store, planned, pool)
        timings["again"] = time.monotonic() - began
        began = time.monotonic()
        if context.settings.mutants is not Mutants.NONE:
            _try_mutants(context, store, digests, pool)
            timings["mutants"] = time.monotonic() - began
        if context.settings.mutants is Mutants.ONLY:
            return timings
        began = time.monotonic()
        if context.settings.oracles:
            _attack(context, store, digests, pool)
        timings["attack"] = time.monotonic() - began
        began = time.monotonic()
        _shrink(store, pool)
        timings["shrink"] = time.monotonic() - began
    return timings


def _play(
    context: Context,
    store: Store,
    planned: Sequence[Shard],
    digests: Iterable[tuple[str, str]],
    pool: Pool,
) -> None:
    """See that the store has every shard of every strategy on every backend."""
    missing = [
        (strategy, backend, number)
        for strategy, backend in digests
        for number in range(len(planned))
        if not store.has(strategy, backend, number)
    ]
    total = sum(planned[number].length for *_, number in missing)
    with progress("running workloads", total, "run") as shown:
        for wave in _waves(context.settings, missing):
            # Made one by one, as they are asked for: all of them may be more than memory holds.
            for done in pool.each(play, (_task(store, *key, planned) for key in wave)):
                store.add_done(done)
                shown.add(done.runs)


def _task(store: Store, strategy: str, backend: str, number: int, planned: Sequence[Shard]) -> Task:
    first, length, *_ = planned[number]
    compares = judging.compares(store.settings, strategy)
    baseline = store.packed(BASELINE, backend, number) if compares else None
    texts = tuple(store.texts(first, length))
    return Task(strategy, backend, number, first, texts, baseline or b"")


def _again(context: Context, store: Store, planned: Sequence[Shard], pool: Pool) -> None:
    """See that the baseline is compared with itself wherever it was run."""
    have = {(one.backend, one.shard) for one in store.again()}
    missing = [
        (backend, number)
        for backend in context.settings.backends
        for number in range(len(planned))
        if (backend, number) not in have and store.has(BASELINE, backend, number)
    ]

    def tasks() -> Iterator[again.Task]:
        for backend, number in missing:
            task = _task(store, BASELINE, backend, number, planned)
            before = store.packed(BASELINE, backend, number) or b""
            yield again.Task(backend, number, task.texts, before)

    lengths = sum(planned[number].length for _, number in missing)
    with progress(f"running {BASELINE} again", lengths, "run") as shown:
        for seen in pool.each(again.run_again, tasks()):
            store.add_again(seen)
            shown.add(planned[seen.shard].length)


def _prepare(context: Context, store: Store) -> dict[tuple[str, str], str]:
    """Prepare; the store gets what that came to, and on what things will run."""
    store.add_refusals(refusals(context))
    digests = prepare(context)
    for (strategy, backend), digest in digests.items():
        store.add_kernel(strategy, backend, digest)
    for backend in dict.fromkeys(backend for _, backend in digests):
        if platform := context.plugins.backend(backend).platform():
            store.add_platform(backend, platform)
        if isinstance(context.plugins.backend(backend), Boots):
            store.add_release(backend, source.version(name_in(backend)))
    return digests


def _waves(
    settings: Settings, shards: Sequence[tuple[str, str, int]]
) -> Iterator[list[tuple[str, str, int]]]:
    """Yield what may run together: what is compared with the baseline needs its outcomes stored."""
    pairwise = bool(settings.with_trait("pairwise"))
    for first in (True, False):
        yield [key for key in shards if (pairwise and key[0] == BASELINE) is first]


def _try_mutants(
    context: Context,
    store: Store,
    digests: Mapping[tuple[str, str], str],
    pool: Pool,
) -> None:
    """See that the store has what became of every mutant of the strategies."""
    known = context.settings.known()
    have = {(one.backend, one.name) for one in store.mutants()}
    made = {key: mutants_of(known[key[0]], key[1]).values() for key in digests}
    tasks = []
    with progress("making mutants", sum(map(len, made.values())), "mutant") as shown:
        for (_, backend), mutants in made.items():
            here = {name: digest for (name, place), digest in digests.items() if place == backend}
            # All of them, also those that the store has: which is the same as which is seen here.
            for one in trial.ready(context, mutants, backend, here):
                shown.add()
                if isinstance(one, MutantResult):
                    store.add_mutant(one)
                elif (one.backend, one.mutant) not in have:
                    tasks.append(one)
    with progress("trying mutants", len(tasks), "mutant") as shown:
        for result in pool.each(trial.attempt, tasks):
            store.add_mutant(result)
            shown.add()


def _shrink(store: Store, pool: Pool) -> None:
    """See that the store has everything that was found as small as it can be, pairs last."""
    _shrink_all(store, pool, findings.found_in(result_of(store)))
    told_apart = pairs.Apart.of(store)
    while missing := told_apart.left(store.shrunk()):
        _shrink_all(store, pool, missing)
    if unlike := told_apart.unlike(store.shrunk()):
        _shrink_all(store, pool, unlike)


def _shrink_all(store: Store, pool: Pool, missing: Sequence[Finding]) -> None:
    with progress("shrinking what was found", len(missing)) as shown:
        for shrunk in pool.each(shrink, missing):
            store.add_shrunk(shrunk)
            shown.add()


def _attack(
    context: Context,
    store: Store,
    kernels: Iterable[tuple[str, str]],
    pool: Pool,
) -> None:
    """See that the store has the attacks on all kernels."""
    have = {(one.strategy, one.backend) for one in store.attacks()}
    missing = [
        (strategy, backend)
        for strategy, backend in kernels
        if isinstance(context.plugins.backend(backend), Boots) and (strategy, backend) not in have
    ]
    if missing:
        prepare_attacks()
    with progress("attacking kernels as a user", len(missing), "kernel") as shown:
        for attacks in pool.each(attack, missing):
            store.add_attacks(attacks[0].strategy, attacks[0].backend, attacks)
            shown.add(1)


def _draw(settings: Settings, store: Store, pool: Pool) -> list[Shard]:
    """See that the store has all workloads; return the shards."""
    have = store.workloads()
    planned = shards.planned(settings)
    missing = [(settings.seed, shard) for shard in planned if shard.first not in have]
    with progress("drawing workloads", sum(shard.length for _, shard in missing)) as shown:
        for first, texts in pool.each(draw, missing):
            store.add_workloads(first, texts)
            shown.add(len(texts))
    return planned


def draw(context: Context, task: tuple[int, Shard]) -> tuple[int, list[str]]:
    """Draw a shard of workloads for a seed; return the number of the first, and the texts."""
    seed, shard = task
    return shard.first, shard.draw(seed, lambda: guided.models_of(context.settings))


def play(context: Context, task: Task) -> Done:
    """Run one shard and judge it."""
    known = context.settings.known()
    backend = context.plugins.backend(task.backend)
    judges = judging.judges(context, task.strategy, task.backend)
    workloads = [codec.from_text(text) for text in task.texts]
    baseline = judging.outcomes(Tally.unpacked(task.baseline) if task.baseline else None)
    runs = []
    with running(backend, facts.chain(known[task.strategy], known)) as runner:
        seen = played(backend, runner, workloads)
        consoles = {task.first + position: text for position, text in runner.consoles.items()}
    counts: Counter[reached.Key] = Counter()
    for number, (workload, outcome) in enumerate(zip(workloads, seen, strict=True), task.first):
        verdicts = tuple(one(workload, outcome, baseline.get(number)) for one in judges)
        runs.append(Run(number, outcome, verdicts, states_of(workload, outcome)))
        reached.count(workload, outcome, counts)
    key = (task.strategy, task.backend, task.shard)
    packed = Tally(*key, tuple(runs), dict(counts)).packed()
    return Done(*key, len(runs), packed, consoles)


def attack(context: Context, task: tuple[str, str]) -> list[Attack]:
    """Attack the kernel of one strategy on one backend."""
    strategy, name = task
    known = context.settings.known()
    backend = context.plugins.backend(name)
    assert isinstance(backend, Boots)  # noqa: S101 - others are no task
    return list(attacks_on(backend, facts.chain(known[strategy], known)))


def shrink(context: Context, finding: Finding) -> Shrunk:
    """Shrink a workload with what the run found by it."""
    return findings.shrink(finding, context.plugins, context.settings)
