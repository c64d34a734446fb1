# SPDX-License-Identifier: GPL-2.0-only
"""Exploring scenarios with strategies, in as many processes as asked for."""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, NamedTuple

from difftest.backends.model import load
from difftest.errors import RigError
from difftest.explore.search import Bounds, Exploration, Search
from difftest.explore.witness import Witness, witness
from difftest.progress import counting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from difftest.explore.scenario import Scenario
    from difftest.progress import Counting

_POLL = 0.3
"""Seconds between two looks at how far the workers are."""


class Task(NamedTuple):
    """One scenario with one strategy; `patches` make the model that of the strategy."""

    scenario: Scenario
    strategy: str
    patches: tuple[tuple[str, str], ...]
    bounds: Bounds


class Explored(NamedTuple):
    """What a task came to."""

    scenario: Scenario
    strategy: str
    bounds: Bounds
    result: Exploration
    witnesses: tuple[Witness, ...]


def explore(task: Task, progress: Callable[[int], None] = lambda _: None) -> Explored:
    """Search one scenario with one strategy, and make a witness of each violation."""
    code = load(task.patches)
    try:
        result = Search(task.scenario, code, task.bounds, progress).run()
        witnesses = tuple(witness(task.scenario, code, found) for found in result.found)
    except RigError as error:
        raise RigError(f"{task.scenario.name} with {task.strategy}: {error}") from error
    except Exception as error:
        # A strategy's code is anybody's.
        raise RigError(
            f"{task.scenario.name} with {task.strategy}: the model raised "
            f"{type(error).__name__}: {error}"
        ) from error
    ends: frozenset[bytes] = frozenset()
    return Explored(
        task.scenario, task.strategy, task.bounds, result._replace(ends=ends), witnesses
    )


def explore_all(tasks: Sequence[Task], jobs: int) -> tuple[list[Explored], bool]:
    """Explore all; return what is done, in order, and whether Ctrl-C came before the end."""
    done: dict[int, Explored] = {}
    interrupted = False
    with counting("exploring", len(tasks), "state") as shown:
        try:
            each = _in_turn(tasks, shown) if jobs == 1 else _in_processes(tasks, jobs, shown)
            for number, explored in each:
                done[number] = explored
                shown.finished(explored.result.states)
        except KeyboardInterrupt:
            interrupted = True
    return [done[number] for number in sorted(done)], interrupted


def _in_turn(tasks: Sequence[Task], shown: Counting) -> Iterator[tuple[int, Explored]]:
    for number, task in enumerate(tasks):
        yield number, explore(task, shown.show)


_counts = None


def _begin(counts: object) -> None:
    """Begin a worker: Ctrl-C is the business of who started it."""
    global _counts  # noqa: PLW0603 - a worker has one
    _counts = counts
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _explore(number: int, task: Task) -> Explored:
    counts = _counts

    def show(states: int) -> None:
        counts[number] = states  # type: ignore[index]

    try:
        return explore(task, show)
    finally:
        show(0)


def _in_processes(
    tasks: Sequence[Task], jobs: int, shown: Counting
) -> Iterator[tuple[int, Explored]]:
    context = multiprocessing.get_context("spawn")
    counts = context.Array("q", len(tasks), lock=False)
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), context, _begin, (counts,))
    try:
        pending = {pool.submit(_explore, number, task): number for number, task in enumerate(tasks)}
        while pending:
            done, _ = wait(pending, _POLL, FIRST_COMPLETED)
            shown.show(sum(counts))
            for future in done:
                yield pending.pop(future), future.result()
    except BrokenProcessPool as error:
        raise RigError(
            "a worker died, killed from outside or out of memory: try --jobs 1"
        ) from error
    finally:
        for process in list((pool._processes or {}).values()):  # noqa: SLF001 - no other way
            if pending:
                process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)
