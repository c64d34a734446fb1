# SPDX-License-Identifier: GPL-2.0-only
"""A campaign: workloads x strategies x backends, in shards, in as many processes as asked for.

A shard is a pure function of its numbers, so the result does not depend on who runs it, or when.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from difftest import facts, plugins
from difftest.errors import RigError
from difftest.progress import progress
from difftest.tally import Run, Tally
from difftest.verdict import judge_safely
from difftest.workload import codec, generate
from difftest.workload.states import states_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from difftest.plugins import Plugins
    from difftest.settings import Settings
    from difftest.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """What every worker knows: the settings of the run and the plugins that it names."""

    settings: Settings
    plugins: Plugins


class Task(NamedTuple):
    """One shard of one strategy on one backend."""

    strategy: str
    backend: str
    shard: int
    texts: tuple[str, ...]


class Done(NamedTuple):
    tally: Tally
    consoles: Mapping[int, str]


def prepare(context: Context) -> dict[tuple[str, str], str]:
    """Make every strategy ready on every backend that supports it (kernels are built here).

    Returns the digests of what they came to, by strategy and backend. Raises the errors of the
    backends: PatchError, BuildError, ToolchainError.
    """
    known = context.settings.known()
    digests = {}
    for name in context.settings.backends:
        backend = context.plugins.backend(name)
        for strategy in context.settings.compared():
            chain = facts.chain(strategy, known)
            if not any(backend.supports(link) for link in chain):
                digests[strategy.name, name] = backend.prepare(chain)
    return digests


def run(context: Context, store: Store, jobs: int, skip: Sequence[str] = ()) -> dict[str, float]:
    """Run what the store does not have yet; return seconds by phase.

    `skip` are the plugins that workers leave out, too. Each shard is stored as it is done, so
    that a KeyboardInterrupt loses only those in flight.
    """
    timings = {}
    began = time.monotonic()
    digests = prepare(context)
    for (strategy, backend), digest in digests.items():
        store.add_kernel(strategy, backend, digest)
    timings["prepare"] = time.monotonic() - began
    with _workers(context, jobs, skip) as each:
        began = time.monotonic()
        texts = _draw(context.settings, store, each)
        timings["generate"] = time.monotonic() - began
        began = time.monotonic()
        tasks = [
            Task(strategy, backend, shard, texts[shard])
            for strategy, backend in digests
            for shard in range(len(texts))
            if not store.has(strategy, backend, shard)
        ]
        with progress("running workloads", sum(len(task.texts) for task in tasks), "run") as shown:
            for done in each(play, tasks):
                for number, text in done.consoles.items():
                    store.add_console(done.tally.strategy, done.tally.backend, number, text)
                store.add_tally(done.tally)
                shown.add(len(done.tally.runs))
        timings["run"] = time.monotonic() - began
    return timings


def _draw(
    settings: Settings, store: Store, each: Callable[..., Iterator[Any]]
) -> list[tuple[str, ...]]:
    """Return the texts of all workloads, by shard; those not in the store yet are drawn."""
    have = store.workloads()
    firsts = range(0, settings.workloads, generate.SHARD)
    counts = [min(generate.SHARD, settings.workloads - first) for first in firsts]
    missing = [
        (settings.seed, shard, counts[shard])
        for shard, first in enumerate(firsts)
        if first not in have
    ]
    with progress("drawing workloads", sum(count for *_, count in missing)) as shown:
        for shard, texts in each(draw, missing):
            store.add_workloads(firsts[shard], texts)
            shown.add(len(texts))
    have = store.workloads()
    return [
        tuple(have[number] for number in range(first, first + count))
        for first, count in zip(firsts, counts, strict=True)
    ]


def draw(_: Context, task: tuple[int, int, int]) -> tuple[int, list[str]]:
    """Draw a shard of workloads: (seed, shard, count) to (shard, texts)."""
    seed, shard, count = task
    return shard, [codec.to_text(workload) for workload in generate.shard(seed, shard, count)]


def play(context: Context, task: Task) -> Done:
    """Run one shard and judge it."""
    known = context.settings.known()
    backend = context.plugins.backend(task.backend)
    oracles = [context.plugins.oracle(name) for name in context.settings.oracles]
    workloads = [codec.from_text(text) for text in task.texts]
    first = task.shard * generate.SHARD
    runs = []
    with backend.runner(facts.chain(known[task.strategy], known)) as runner:
        for position, outcome in enumerate(runner.run(workloads)):
            workload = workloads[position]
            verdicts = tuple(judge_safely(oracle, workload, outcome) for oracle in oracles)
            states = states_of(workload, outcome)
            runs.append(Run(first + position, outcome, verdicts, states))
        consoles = {first + position: text for position, text in runner.consoles.items()}
    if len(runs) != len(workloads):
        raise RigError(
            f"backend {task.backend} gave {len(runs)} outcomes for {len(workloads)} workloads"
        )
    return Done(Tally(task.strategy, task.backend, task.shard, tuple(runs)), consoles)


# A worker process has one context, made when it starts.
_context: Context | None = None


def _start_worker(settings: Settings, skip: Sequence[str]) -> None:
    global _context  # noqa: PLW0603 - see above
    # Ctrl-C is the main process's affair; it ends us with SIGTERM, which must run `finally`.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    _context = Context(settings, plugins.load(skip))


def _in_worker(function: Callable[[Context, Any], T], task: Any) -> T:
    assert _context is not None  # noqa: S101 - _start_worker has run
    return function(_context, task)


@contextmanager
def _workers(
    context: Context, jobs: int, skip: Sequence[str]
) -> Iterator[Callable[..., Iterator[Any]]]:
    """Yield `each(function, tasks)`, which yields the results in any order."""
    if jobs == 1:
        yield lambda function, tasks: (function(context, task) for task in tasks)
        return
    pool = ProcessPoolExecutor(
        jobs,
        # A fork would take over our threads' locks; a fresh process needs 0.4 s once.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(context.settings, skip),
    )

    def each(function: Callable[[Context, Any], T], tasks: Sequence[Any]) -> Iterator[T]:
        futures: list[Future[T]] = [pool.submit(_in_worker, function, task) for task in tasks]
        for future in as_completed(futures):
            yield future.result()

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


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the workers now; what they have in flight is lost, their guests end with them."""
    for process in list((pool._processes or {}).values()):  # noqa: SLF001 - has no public name
        process.terminate()
