# SPDX-License-Identifier: GPL-2.0-only
"""Guided workloads beside drawn ones: how many it takes to catch what is bad, and what is rare.

Both sides are played on the model, with the same seeds. Guided ones are steered by the models of
all bundled strategies, as in a run of all of them. How many steps a workload has is measured, too:
one that is kept of many has more.
"""

from __future__ import annotations

import statistics
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from benchmarks.measure import Row, interleaved
from difftest import facts, guided, reached
from difftest.backends.model import ModelBackend
from difftest.verdict import Value, judge_safely
from difftest.workload import faulty, generate
from difftest.workload.states import STATES, states_of
from oracles import ORACLES
from strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from difftest.outcome import Outcome
    from difftest.strategy import Strategy
    from difftest.verdict import AnyOracle
    from difftest.workload.workload import Workload

MOST = 250
"""Workloads until a strategy counts as not caught: a median of more would be no use to anybody."""
RARE = 10
"""Of 1000 drawn workloads: what fewer come to is rare."""

_KNOWN = {one.name: one for one in STRATEGIES}
_BACKEND = ModelBackend()


def play(strategy: Strategy, workload: Workload) -> Outcome:
    with _BACKEND.runner(facts.chain(strategy, _KNOWN)) as runner:
        return next(iter(runner.run([workload])))


def drawn(seed: int, *, faults: bool) -> Iterator[Workload]:
    return iter((faulty if faults else generate).shard(seed, 0, MOST))


def steered(seed: int, *, faults: bool) -> Iterator[Workload]:
    chains = [facts.chain(one, _KNOWN) for one in STRATEGIES]
    return guided.search(guided.Models(_BACKEND, chains), seed, 0, faults=faults)


def rows(*, quick: bool) -> list[Row]:
    return [*_caught(10 if quick else 50), *_rare(1 if quick else 4)]


def _caught(seeds: int) -> list[Row]:
    """Return a row for each strategy that has to fail, with the medians over so many seeds."""
    oracles = {one.name: one for one in ORACLES}
    found: dict[str, list[list[int]]] = {}
    for faults in (False, True):
        bad = {
            f"{one.name} fails {name}": (one, oracles[name])
            for one in STRATEGIES
            for name in one.must_fail
            if one.needs_faults is faults
        }
        sides = interleaved(
            f"catching, {'with' if faults else 'without'} faults",
            seeds,
            lambda seed, faults=faults, bad=bad: _until(steered(seed, faults=faults), bad),
            lambda seed, faults=faults, bad=bad: _until(drawn(seed, faults=faults), bad),
        )
        for name in bad:
            found[name] = [[one[name] for one in side] for side in sides]
    return [
        Row(
            "guided",
            f"{name}, workloads until then",
            statistics.median(mine),
            "not guided",
            statistics.median(other),
            f"median of {seeds} seeds",
        )
        for name, (mine, other) in found.items()
    ]


def _until(
    workloads: Iterator[Workload], bad: dict[str, tuple[Strategy, AnyOracle]]
) -> dict[str, int]:
    """Return by name how many workloads it takes until an oracle fails a strategy."""
    found: dict[str, int] = {}
    for number, workload in enumerate(islice(workloads, MOST), 1):
        baseline = play(_KNOWN["unpatched"], workload)
        for name in bad.keys() - found.keys():
            strategy, oracle = bad[name]
            outcome = play(strategy, workload)
            if judge_safely(oracle, workload, outcome, baseline).value is Value.FAIL:
                found[name] = number
        if len(found) == len(bad):
            break
    return dict.fromkeys(bad, MOST + 1) | found


def _rare(shards: int) -> list[Row]:
    """Return a row for each interesting state, and rows for results that few workloads come to.

    As the first fix of all sees them: on the baseline a retry that fails is the end.
    """
    sides = interleaved(
        "what is rare",
        shards,
        lambda seed: list(islice(steered(seed, faults=False), MOST)),
        lambda seed: list(drawn(seed, faults=False)),
    )
    mine, other = (_counts(workload for shard in side for workload in shard) for side in sides)
    thousand = 1000 / (MOST * shards)
    steps = [
        statistics.mean(len(list(one.places())) for shard in side for one in shard)
        for side in sides
    ]
    rare = [key for key in mine.keys() | other.keys() if other[key] * thousand < RARE]
    told = [
        (f"workloads with a {state}", mine[state] * thousand, other[state] * thousand, "of 1000")
        for state in STATES
    ]
    told += [
        (f"results of operations, seen in {MOST * shards}", len(mine), len(other), "kinds"),
        (
            f"{len(rare)} that fewer than {RARE} of 1000 not guided come to, on average",
            statistics.mean(mine[key] for key in rare) * thousand,
            statistics.mean(other[key] for key in rare) * thousand,
            "of 1000",
        ),
        ("operations of a workload", *steps, "on average"),
    ]
    return [
        Row("guided", what, one, "not guided", beside, unit) for what, one, beside, unit in told
    ]


def _counts(workloads: Iterable[Workload]) -> Counter[str]:
    """Return how many workloads come to each state and to each result of an operation."""
    found: Counter[str] = Counter()
    for workload in workloads:
        outcome = play(_KNOWN["release_page"], workload)
        counts: Counter[reached.Key] = Counter()
        reached.count(workload, outcome, counts)
        found.update({*states_of(workload, outcome), *(" ".join(map(str, key)) for key in counts)})
    return found
