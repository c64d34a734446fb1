# SPDX-License-Identifier: GPL-2.0-only
"""Guided workloads beside drawn ones: how many it takes to catch what is bad, and what is rare.

Both sides are played on the model, with the same seeds. Guided ones are steered by the models of
all bundled strategies, as in a run of all of them. How many steps a workload has is measured, too:
one that is kept of many has more.
"""

from __future__ import annotations

import contextlib
import statistics
from collections import Counter
from functools import lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.measure import Row, interleaved, medians, seconds
from difftest import facts, guided, reached
from difftest.backends.model import ModelBackend
from difftest.errors import PatchError
from difftest.facts import MODEL
from difftest.mutants import mutants_of
from difftest.strategy import BASELINE
from difftest.verdict import Value, judge_safely
from difftest.workload import faulty, generate
from difftest.workload.states import STATES, states_of
from oracles import ORACLES
from strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from difftest.outcome import Outcome
    from difftest.strategy import Strategy
    from difftest.verdict import AnyOracle
    from difftest.workload.workload import Workload

MOST = 250
"""Workloads until a strategy counts as not caught: a median of more would be no use to anybody."""
RARE = 10
"""Of 1000 drawn workloads: what fewer come to is rare."""

SURVIVOR = "release_page"
"""What rare states are looked for on: on the baseline a retry that fails is the end."""

Target: TypeAlias = "Callable[[Workload], bool]"

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
    return [
        *_caught(10 if quick else 50),
        *_killed(2 if quick else 10),
        *_rare(1 if quick else 4),
        _cost(1 if quick else 5),
    ]


def _cost(repeats: int) -> Row:
    mine, other = medians(
        "drawing",
        repeats,
        lambda seed: seconds(lambda: list(islice(steered(seed, faults=False), MOST))),
        lambda seed: seconds(lambda: list(drawn(seed, faults=False))),
    )
    milli = 1000 / MOST
    return Row("guided", "drawing a workload", mine * milli, "not guided", other * milli, "ms")


def _caught(seeds: int) -> list[Row]:
    """Return a row for each strategy that has to fail, with the medians over so many seeds."""
    oracles = {one.name: one for one in ORACLES}
    found: list[Row] = []
    for faults in (False, True):
        bad = {
            f"{one.name} fails {name}": partial(_fails, one.name, oracles[name])
            for one in STRATEGIES
            for name in one.must_fail
            if one.needs_faults is faults
        }
        mine, other = _sides(f"catching, faults: {faults}", seeds, bad, faults=faults)
        found += [
            Row(
                "guided",
                f"{name}, workloads until then",
                statistics.median(mine[name]),
                "not guided",
                statistics.median(other[name]),
                f"median of {seeds} seeds",
            )
            for name in bad
        ]
    return found


def _killed(seeds: int) -> list[Row]:
    """Return rows for the mutants of fixes that pass: those that anything kills."""
    mutants = {}
    for original in STRATEGIES:
        if original.must_fail or not original.model_patch:
            continue
        explained = {(one.patch, one.mutant) for one in original.equivalents}
        seen = {_BACKEND.prepare([original])}
        for one in mutants_of(original, MODEL).values():
            with contextlib.suppress(PatchError):  # stillborn
                digest = _BACKEND.prepare([one.strategy])
                if digest not in seen and (one.patch, one.edit.name) not in explained:
                    seen.add(digest)
                    mutants[one.strategy.name] = partial(_told, original.name, one.strategy)
    mine, other = _sides("killing mutants", seeds, mutants, faults=False)
    alive = {name for name in mutants if min(*mine[name], *other[name]) > MOST}
    sides = [[n for name in mutants.keys() - alive for n in side[name]] for side in (mine, other)]
    what = f"{len(mutants) - len(alive)} mutants of fixes that nothing rules out"
    told = [
        ("workloads until killed", *map(statistics.mean, sides), f"mean of {seeds} seeds"),
        ("the same", *(statistics.quantiles(side, n=10)[-1] for side in sides), "nine of ten"),
        (
            f"not killed within {MOST}",
            *(100 * statistics.mean(n > MOST for n in side) for side in sides),
            "%",
        ),
    ]
    return [
        Row("guided", f"{what}: {name}", one, "not guided", beside, unit)
        for name, one, beside, unit in told
    ]


def _sides(
    title: str, seeds: int, targets: Mapping[str, Target], *, faults: bool
) -> list[dict[str, list[int]]]:
    """Return for guided and for drawn workloads, by target, how many it takes with each seed."""
    sides = interleaved(
        title,
        seeds,
        lambda seed: _until(steered(seed, faults=faults), targets),
        lambda seed: _until(drawn(seed, faults=faults), targets),
    )
    return [{name: [one[name] for one in side] for name in targets} for side in sides]


def _until(workloads: Iterator[Workload], targets: Mapping[str, Target]) -> dict[str, int]:
    """Return by target how many workloads it takes until it is met; MOST + 1 if none does."""
    found: dict[str, int] = {}
    for number, workload in enumerate(islice(workloads, MOST), 1):
        for name in targets.keys() - found.keys():
            if targets[name](workload):
                found[name] = number
        if len(found) == len(targets):
            break
    return dict.fromkeys(targets, MOST + 1) | found


def _fails(name: str, oracle: AnyOracle, workload: Workload) -> bool:
    outcome, baseline = _played(name, workload), _played(BASELINE, workload)
    return judge_safely(oracle, workload, outcome, baseline).value is Value.FAIL


def _told(original: str, mutant: Strategy, workload: Workload) -> bool:
    """Say whether an oracle passes either of them and fails the other."""
    try:
        outcome = play(mutant, workload)
    except (AttributeError, NameError):  # it names what is not there: no C compiler takes it
        return False
    both = zip(
        _values(workload, _played(original, workload)), _values(workload, outcome), strict=True
    )
    return any({*values} == {Value.PASS, Value.FAIL} for values in both)


def _values(workload: Workload, outcome: Outcome) -> list[Value]:
    baseline = _played(BASELINE, workload)
    return [judge_safely(one, workload, outcome, baseline).value for one in ORACLES]


@lru_cache(maxsize=32)
def _played(name: str, workload: Workload) -> Outcome:
    """Play a workload on a bundled strategy: once, for all that ask for it in turn."""
    return play(_KNOWN[name], workload)


def _rare(shards: int) -> list[Row]:
    """Return a row for each interesting state, and rows for results that few workloads come to.

    Those of SURVIVOR, and on workloads without faults.
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
    # Chosen by other seeds: what is rare by chance among those compared would not be so again.
    chosen = _counts(one for seed in range(shards) for one in drawn(1000 + seed, faults=False))
    rare = [key for key in chosen if chosen[key] * thousand < RARE]
    told = [
        (f"workloads with a {state}", mine[state] * thousand, other[state] * thousand, "of 1000")
        for state in STATES
    ]
    told += [
        (f"states and results, in {MOST * shards} workloads", len(mine), len(other), "kinds"),
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
        outcome = _played(SURVIVOR, workload)
        counts: Counter[reached.Key] = Counter()
        reached.count(workload, outcome, counts)
        found.update({*states_of(workload, outcome), *(" ".join(map(str, key)) for key in counts)})
    return found
