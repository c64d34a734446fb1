# SPDX-License-Identifier: GPL-2.0-only
"""A campaign: workloads x strategies x backends, in shards, in as many processes as asked for.

A shard is a pure function of its numbers, so the result does not depend on who runs it, or when.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import pickle
import shutil
import signal
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from difftest import again, facts, findings, judging, pairs, plugins, reached, shards, trial
from difftest.assemble import result_of
from difftest.attack import attacks_on
from difftest.backends import TakesFaults, running
from difftest.backends.program import Boots
from difftest.errors import RigError
from difftest.kernels import source
from difftest.kernels.series import name_in
from difftest.mutants import mutants_of
from difftest.progress import progress
from difftest.result import MutantResult
from difftest.settings import Mutants
from difftest.store import Store
from difftest.strategy import BASELINE
from difftest.tally import Run, Tally
from difftest.workload import codec
from difftest.workload.states import states_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from difftest.findings import Finding, Shrunk
    from difftest.plugins import Plugins
    from difftest.result import Attack
    from difftest.settings import Settings
    from difftest.shards import Shard

T = TypeVar("T")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
PART = ".part"
"""How the files end in which workers hand over results."""


@dataclass(frozen=True, slots=True)
class Context:
    """What every worker knows: the run's settings and directory, the plugins that it names."""

    settings: Settings
    plugins: Plugins
    directory: Path


class Task(NamedTuple):
    """One shard of one strategy on one backend: `length` workloads of the store from `first` on."""

    strategy: str
    backend: str
    shard: int
    first: int
    length: int


class Done(NamedTuple):
    tally: Tally
    consoles: Mapping[int, str]


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


def run(context: Context, store: Store, jobs: int, skip: Sequence[str] = ()) -> dict[str, float]:
    """Run what the store does not have yet; return seconds by phase.

    `skip` are the plugins that workers leave out, too. Each shard is stored as it is done, so
    that a KeyboardInterrupt loses only those in flight.
    """
    timings = {}
    began = time.monotonic()
    digests = _prepare(context, store)
    timings["prepare"] = time.monotonic() - began
    with _workers(context, jobs, skip) as each:
        began = time.monotonic()
        planned = _draw(context.settings, store, each)
        timings["generate"] = time.monotonic() - began
        began = time.monotonic()
        tasks = [
            Task(strategy, backend, number, shard.first, shard.length)
            for strategy, backend in digests
            for number, shard in enumerate(planned)
            if not store.has(strategy, backend, number)
        ]
        with progress("running workloads", sum(task.length for task in tasks), "run") as shown:
            for wave in _waves(context.settings, tasks):
                for done in each(play, wave):
                    for number, text in done.consoles.items():
                        store.add_console(done.tally.strategy, done.tally.backend, number, text)
                    store.add_tally(done.tally)
                    shown.add(len(done.tally.runs))
        timings["run"] = time.monotonic() - began
        began = time.monotonic()
        if context.settings.oracles:
            _again(context, store, planned, each)
        timings["again"] = time.monotonic() - began
        began = time.monotonic()
        if context.settings.mutants is not Mutants.NONE:
            _try_mutants(context, store, digests, each)
            timings["mutants"] = time.monotonic() - began
        if context.settings.mutants is Mutants.ONLY:
            return timings
        began = time.monotonic()
        if context.settings.oracles:
            _attack(context, store, digests, each)
        timings["attack"] = time.monotonic() - began
        began = time.monotonic()
        _shrink(store, each)
        timings["shrink"] = time.monotonic() - began
    return timings


def _again(
    context: Context, store: Store, planned: Sequence[Shard], each: Callable[..., Iterator[Any]]
) -> None:
    """See that the baseline is compared with itself wherever it was run."""
    have = {(one.backend, one.shard) for one in store.again()}
    missing = [
        again.Task(backend, number, shard.first)
        for backend in context.settings.backends
        for number, shard in enumerate(planned)
        if (backend, number) not in have and store.has(BASELINE, backend, number)
    ]
    lengths = sum(planned[task.shard].length for task in missing)
    with progress(f"running {BASELINE} again", lengths, "run") as shown:
        for seen in each(again.run_again, missing):
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


def _waves(settings: Settings, tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Yield what may run together: what is compared with the baseline needs its outcomes stored."""
    pairwise = bool(settings.with_trait("pairwise"))
    for first in (True, False):
        yield [task for task in tasks if (pairwise and task.strategy == BASELINE) is first]


def _try_mutants(
    context: Context,
    store: Store,
    digests: Mapping[tuple[str, str], str],
    each: Callable[..., Iterator[Any]],
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
        for result in each(trial.attempt, tasks):
            store.add_mutant(result)
            shown.add()


def _shrink(store: Store, each: Callable[..., Iterator[Any]]) -> None:
    """See that the store has everything that was found as small as it can be, pairs last."""
    _shrink_all(store, each, findings.found_in(result_of(store)))
    told_apart = pairs.Apart.of(store)
    while missing := told_apart.left(store.shrunk()):
        _shrink_all(store, each, missing)


def _shrink_all(
    store: Store, each: Callable[..., Iterator[Any]], missing: Sequence[Finding]
) -> None:
    with progress("shrinking what was found", len(missing)) as shown:
        for shrunk in each(shrink, missing):
            store.add_shrunk(shrunk)
            shown.add()


def _attack(
    context: Context,
    store: Store,
    kernels: Iterable[tuple[str, str]],
    each: Callable[..., Iterator[Any]],
) -> None:
    """See that the store has the attacks on all kernels."""
    have = {(one.strategy, one.backend) for one in store.attacks()}
    missing = [
        (strategy, backend)
        for strategy, backend in kernels
        if isinstance(context.plugins.backend(backend), Boots) and (strategy, backend) not in have
    ]
    with progress("attacking kernels as a user", len(missing), "kernel") as shown:
        for attacks in each(attack, missing):
            store.add_attacks(attacks[0].strategy, attacks[0].backend, attacks)
            shown.add(1)


def _draw(settings: Settings, store: Store, each: Callable[..., Iterator[Any]]) -> list[Shard]:
    """See that the store has all workloads; return the shards."""
    have = store.workloads()
    planned = shards.plan(settings.workloads, settings.faults)
    missing = [(settings.seed, shard) for shard in planned if shard.first not in have]
    with progress("drawing workloads", sum(shard.length for _, shard in missing)) as shown:
        for first, texts in each(draw, missing):
            store.add_workloads(first, texts)
            shown.add(len(texts))
    return planned


def draw(_: Context, task: tuple[int, Shard]) -> tuple[int, list[str]]:
    """Draw a shard of workloads for a seed; return the number of the first, and the texts."""
    seed, shard = task
    return shard.first, shard.draw(seed)


def play(context: Context, task: Task) -> Done:
    """Run one shard and judge it."""
    known = context.settings.known()
    backend = context.plugins.backend(task.backend)
    judges = judging.judges(context, task.strategy, task.backend)
    with Store.open(context.directory) as store:
        workloads = [codec.from_text(text) for text in store.texts(task.first, task.length)]
        baseline = judging.baseline(store, task.strategy, task.backend, task.shard)
    runs = []
    with running(backend, facts.chain(known[task.strategy], known)) as runner:
        outcomes = list(runner.run(workloads))
        consoles = {task.first + position: text for position, text in runner.consoles.items()}
    if len(outcomes) != len(workloads):
        raise RigError(
            f"backend {task.backend} gave {len(outcomes)} outcomes for {len(workloads)} workloads"
        )
    counts: Counter[reached.Key] = Counter()
    for number, (workload, outcome) in enumerate(zip(workloads, outcomes, strict=True), task.first):
        verdicts = tuple(one(workload, outcome, baseline.get(number)) for one in judges)
        runs.append(Run(number, outcome, verdicts, states_of(workload, outcome)))
        reached.count(workload, outcome, counts)
    tally = Tally(task.strategy, task.backend, task.shard, tuple(runs), dict(counts))
    return Done(tally, consoles)


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


# A worker process has one context, made when it starts.
_context: Context | None = None


def _start_worker(settings: Settings, directory: Path, work: str, skip: Sequence[str]) -> None:
    global _context  # noqa: PLW0603 - see above
    # The main process ends us with SIGTERM; if it is killed, the system does. We die on the spot:
    # guests go with us in the same way, and it removes our files.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    tempfile.tempdir = work
    _context = Context(settings, plugins.load(skip), directory)


def _in_worker(function: Callable[[Context, Any], Any], task: Any) -> str:
    """Run a task; return the file with its result.

    What goes through the pool's pipes must be small. A worker that is killed while it writes more
    than a pipe takes at once leaves the others, or us, waiting for the rest for ever.
    """
    assert _context is not None  # noqa: S101 - _start_worker has run
    result = function(_context, task)
    with tempfile.NamedTemporaryFile(dir=_context.directory, suffix=PART, delete=False) as file:
        pickle.dump(result, file)
    return file.name


@contextmanager
def _workers(
    context: Context, jobs: int, skip: Sequence[str]
) -> Iterator[Callable[..., Iterator[Any]]]:
    """Yield `each(function, tasks)`, which yields the results in any order."""
    if jobs == 1:
        yield lambda function, tasks: (function(context, task) for task in tasks)
        return
    work = tempfile.mkdtemp(prefix="difftest-")
    pool = ProcessPoolExecutor(
        jobs,
        # A fork would take over our threads' locks; a fresh process needs 0.4 s once.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(context.settings, context.directory, work, skip),
    )

    def each(function: Callable[[Context, Any], T], tasks: Sequence[Any]) -> Iterator[T]:
        # Ctrl-C is the main process's affair: workers start with our mask, and keep it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            futures: list[Future[str]] = [pool.submit(_in_worker, function, task) for task in tasks]
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for future in as_completed(futures):
            path = Path(future.result())
            result: T = pickle.loads(path.read_bytes())  # noqa: S301 - our own worker's
            path.unlink()
            yield result

    try:
        yield each
    except BrokenProcessPool as error:
        raise RigError(
            "a worker process died (killed, or out of memory). Finished shards are kept: "
            "the same command goes on from there, with fewer --jobs if memory is short."
        ) from error
    except BaseException:
        _stop(pool)
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(work, ignore_errors=True)
        for left in context.directory.glob(f"*{PART}"):
            left.unlink()


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the workers now; what they have in flight is lost, and their guests end with them."""
    for process in list((pool._processes or {}).values()):  # noqa: SLF001 - has no public name
        process.terminate()
