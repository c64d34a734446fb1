# SPDX-License-Identifier: GPL-2.0-only
"""Assembling: from what a run has stored to its result. No clock, no paths, no order of arrival."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from difftest.comparison import (
    cells,
    controls,
    reached,
    runs_of,
    witnesses,
)
from difftest.conformance import conformance
from difftest.decision import decide
from difftest.errors import StoreError
from difftest.facts import facts_of, is_model, misfit
from difftest.findings import Shrunk, shrunk_conformance, shrunk_witness
from difftest.reached import Key, exercises
from difftest.result import Attack, Cell, Conformance, Reached, Result, StrategyResult, Witness
from difftest.ruling import against_base, ruled_out
from difftest.strategy import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from difftest.settings import Settings
    from difftest.tally import Tally


class Parts(Protocol):
    """What a result is made of. A `difftest.store.Store` is one."""

    @property
    def settings(self) -> Settings: ...

    @property
    def platforms(self) -> Mapping[str, tuple[str, ...]]: ...

    @property
    def timings(self) -> Mapping[str, float]: ...

    def workloads(self) -> Mapping[int, str]: ...

    def kernels(self) -> Mapping[tuple[str, str], str]: ...

    def refusals(self) -> Mapping[tuple[str, str], str]: ...

    def culprits(self) -> Mapping[tuple[str, int], str]: ...

    def tallies(self, strategy: str) -> Iterable[Tally]: ...

    def attacks(self) -> Iterable[Attack]: ...

    def shrunk(self) -> Iterable[Shrunk]: ...


def result_of(parts: Parts) -> Result:
    """Compare and decide, on whatever there is so far. Equal parts give equal results."""
    settings = parts.settings
    strategies, known = settings.compared(), settings.known()
    refused: dict[str, dict[str, str]] = {}
    for (name, backend), reason in parts.refusals().items():
        refused.setdefault(name, {})[backend] = reason
    facts = {
        one.name: replace(
            facts_of(one, known, settings.backends), refused=refused.get(one.name, {})
        )
        for one in strategies
    }
    names = list(facts)
    baseline = BASELINE if BASELINE in names else names[0]
    texts = parts.workloads()
    done = set(texts)
    shrunk = {one.finding: one for one in parts.shrunk()}
    all_cells: list[Cell] = []
    all_witnesses: list[Witness] = []
    all_conformance: list[Conformance] = []
    all_reached: list[Reached] = []
    counts: dict[str, Counter[Key]] = {backend: Counter() for backend in settings.backends}
    for name in names:
        tallies = list(parts.tallies(name))
        for tally in tallies:
            counts[tally.backend].update(tally.reached)
        runs = runs_of(tallies)
        fitting = [one for one in settings.backends if not misfit(name, facts[name], one)]
        for backend in fitting:
            numbers = runs.get(backend, {}).keys()
            done &= numbers
            if unknown := numbers - texts.keys():
                raise StoreError(f"the run has no text of workload {min(unknown)}: it is damaged")
        all_cells += cells(name, runs, fitting, settings.oracles)
        all_witnesses += [
            shrunk_witness(one, shrunk)
            for one in witnesses(name, runs, fitting, settings.oracles, texts)
        ]
        if any(map(is_model, fitting)):
            all_conformance += [
                shrunk_conformance(one, shrunk)
                for one in conformance(name, runs, fitting, settings.unseen, texts)
            ]
        if name == baseline:
            all_reached = reached(runs, fitting, settings.states)
    checks = controls(strategies, all_cells, all_conformance)
    same = same_kernels(parts.kernels())
    attacks = _in_order(parts.attacks(), names, settings.backends)
    results = tuple(
        StrategyResult(
            name=one.name,
            claim=one.claim,
            function=one.function,
            reference=one.reference,
            weakness=one.weakness,
            base=one.base,
            patch=facts[one.name],
            ruled_out=ruled_out(one.name, facts[one.name], all_cells, all_witnesses, attacks),
            against_base=against_base(one, all_cells),
            same_kernel_as=tuple(other for other in names if other in same.get(one.name, ())),
        )
        for one in strategies
    )
    return Result(
        seed=settings.seed,
        workloads=settings.workloads + settings.faults,
        faults=settings.faults,
        done=len(done),
        backends=settings.backends,
        platforms=dict(parts.platforms),
        oracles=settings.oracles,
        strategies=results,
        cells=tuple(all_cells),
        witnesses=with_culprits(all_witnesses, parts.culprits()),
        controls=tuple(checks),
        conformance=tuple(all_conformance),
        reached=tuple(all_reached),
        operations=tuple(exercises(counts)),
        attacks=attacks,
        decision=decide(
            results,
            all_cells,
            checks,
            attacks,
            backends=settings.backends,
            workloads=settings.workloads + settings.faults,
            done=len(done),
        ),
        timings=dict(parts.timings),
    )


def _in_order(
    attacks: Iterable[Attack], strategies: Sequence[str], backends: Sequence[str]
) -> tuple[Attack, ...]:
    """Return attacks in the order of rows and tables: they come as they are done."""
    return tuple(
        sorted(
            attacks,
            key=lambda one: (strategies.index(one.strategy), backends.index(one.backend)),
        )
    )


def with_culprits(
    witnesses: Iterable[Witness], culprits: Mapping[tuple[str, int], str]
) -> tuple[Witness, ...]:
    """Return the witnesses with who did it; `culprits` has that by strategy and number."""
    return tuple(
        replace(one, culprit=culprits.get((one.strategy, one.number), "")) for one in witnesses
    )


def same_kernels(kernels: Mapping[tuple[str, str], str]) -> dict[str, set[str]]:
    """Return for each strategy the others that have the same kernels.

    `kernels` has hashes by strategy and backend; two strategies have the same kernels if they
    have a kernel backend in common and equal hashes on each of those.
    """
    built: dict[str, dict[str, str]] = {}
    for (strategy, backend), digest in kernels.items():
        if is_model(backend):
            continue
        built.setdefault(strategy, {})[backend] = digest
    return {
        one: {
            other
            for other in built
            if other != one
            and (common := built[one].keys() & built[other].keys())
            and all(built[one][backend] == built[other][backend] for backend in common)
        }
        for one in built
    }
