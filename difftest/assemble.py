# SPDX-License-Identifier: GPL-2.0-only
"""Assembling: from what a run has stored to its result. No clock, no paths, no order of arrival."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from difftest import again, likeness
from difftest.backends import console
from difftest.comparison import (
    cells,
    controls,
    kinds,
    reached,
    runs_of,
    seen_of,
    sharing,
    witnesses,
)
from difftest.conformance import conformance
from difftest.criteria import Grounds
from difftest.decision import decide
from difftest.errors import StoreError
from difftest.facts import applied, facts_of, is_model, misfit, patches_of
from difftest.findings import Shrunk, shrunk_conformance, shrunk_witness
from difftest.kills import in_order, kill_rates
from difftest.pairs import pairs_of
from difftest.reached import Key, exercises
from difftest.result import (
    Attack,
    Cell,
    Conformance,
    Deciding,
    Kind,
    MutantResult,
    OtherBug,
    Reached,
    Result,
    StrategyResult,
    Witness,
)
from difftest.ruling import against_base, failure, own, ruled_out
from difftest.shards import planned
from difftest.shared import Seen, Shared, shared
from difftest.strategy import BASELINE
from difftest.workload.codec import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from difftest.settings import Settings
    from difftest.tally import Again, Tally


class Parts(Protocol):
    """What a result is made of. A `difftest.store.Store` is one."""

    @property
    def settings(self) -> Settings: ...

    @property
    def platforms(self) -> Mapping[str, tuple[str, ...]]: ...

    @property
    def releases(self) -> Mapping[str, str]: ...

    @property
    def timings(self) -> Mapping[str, float]: ...

    def workloads(self) -> Mapping[int, str]: ...

    def kernels(self) -> Mapping[tuple[str, str], str]: ...

    def refusals(self) -> Mapping[tuple[str, str], str]: ...

    def culprits(self) -> Mapping[tuple[str, int], str]: ...

    def console(self, strategy: str, backend: str, number: int) -> str | None: ...

    def deciding(self) -> Mapping[tuple[str, str], tuple[Deciding, ...]]: ...

    def tallies(self, strategy: str) -> Iterable[Tally]: ...

    def attacks(self) -> Iterable[Attack]: ...

    def again(self) -> Iterable[Again]: ...

    def mutants(self) -> Iterable[MutantResult]: ...

    def shrunk(self) -> Iterable[Shrunk]: ...


def result_of(parts: Parts, preferences: Sequence[str] | None = None) -> Result:
    """Compare and decide, on whatever there is so far. Equal parts give equal results.

    `preferences` are criteria that come first, if not those that the run was asked for with.
    """
    settings = parts.settings
    strategies, known = settings.compared(), settings.known()
    refused: dict[str, dict[str, str]] = {}
    for (name, backend), reason in parts.refusals().items():
        refused.setdefault(name, {})[backend] = reason
    made: dict[str, list[str]] = {}
    for name, backend in parts.kernels():
        made.setdefault(name, []).append(backend)
    facts = {
        one.name: replace(
            facts_of(one, known, settings.backends),
            refused=refused.get(one.name, {}),
            applied=applied(made.get(one.name, ())),
        )
        for one in strategies
    }
    names = list(facts)
    baseline = BASELINE if BASELINE in names else names[0]
    texts = parts.workloads()
    done = set(texts)
    count = max(texts, default=-1) + 1
    shrunk = {one.finding: one for one in parts.shrunk()}
    all_marks: dict[str, likeness.Marks] = {}
    all_cells: list[Cell] = []
    all_kinds: list[Kind] = []
    all_seen: dict[str, dict[str, Seen]] = {}
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
        all_marks[name] = likeness.marks(tallies, count)
        all_cells += cells(
            name, runs, fitting, settings.oracles, settings.blind, settings.independent
        )
        all_kinds += kinds(name, runs, fitting, settings.oracles, settings.independent)
        all_seen[name] = seen_of({backend: runs.get(backend, {}) for backend in fitting})
        if any(map(is_model, fitting)):
            all_conformance += [
                shrunk_conformance(one, shrunk)
                for one in conformance(name, runs, fitting, settings.unseen, texts)
            ]
        if name == baseline:
            all_reached = reached(runs, fitting, settings.states)
    bugs = {
        backend: shared(
            {name: seen[backend] for name, seen in all_seen.items() if backend in seen}, baseline
        )
        for backend in settings.backends
    }
    all_cells = [
        _sharing(cell, bugs[cell.backend], all_seen[cell.strategy][cell.backend], settings)
        for cell in all_cells
    ]
    all_witnesses = [
        replace(shrunk_witness(one, shrunk), said=_said(one, parts))
        for name, seen in all_seen.items()
        for one in witnesses(name, seen, list(seen), settings.oracles, texts, _forgiven(bugs, name))
    ]
    apart = {*settings.with_trait("informational"), *settings.with_trait("ranks")}
    telling = [cell for cell in all_cells if cell.oracle not in apart]
    against = [one for one in all_witnesses if one.oracle not in apart]
    checks = [
        *controls(strategies, all_cells, all_conformance, faults=settings.faults > 0),
        *again.controls(parts.again(), settings.backends),
    ]
    same = same_kernels(parts.kernels())
    mutants = in_order(parts.mutants(), strategies, settings.backends)
    attacks = _in_order(parts.attacks(), names, settings.backends)
    results = tuple(
        StrategyResult(
            name=one.name,
            claim=one.claim,
            function=one.function,
            reference=one.reference,
            weakness=one.weakness,
            history=one.history,
            base=one.base,
            patch=facts[one.name],
            ruled_out=ruled_out(one.name, facts[one.name], telling, against, attacks),
            against_base=against_base(one, telling),
            same_kernel_as=tuple(other for other in names if other in same.get(one.name, ())),
            patches=patches_of(one, known),
        )
        for one in strategies
    )
    return Result(
        seed=settings.seed,
        workloads=settings.independent + settings.guided,
        faults=sum(one.length for one in planned(settings) if one.faults),
        guided=settings.guided,
        done=len(done),
        backends=settings.backends,
        platforms=dict(parts.platforms),
        releases=dict(parts.releases),
        version=settings.version,
        oracles=settings.oracles,
        strategies=results,
        informational=settings.with_trait("informational"),
        ranking=settings.with_trait("ranks"),
        cells=tuple(all_cells),
        kinds=tuple(all_kinds),
        other_bugs=tuple(
            _other_bug(one, backend, all_seen[baseline][backend], settings.oracles, texts)
            for backend, some in bugs.items()
            for one in some
        ),
        witnesses=explained(all_witnesses, parts.culprits(), parts.deciding()),
        pairs=pairs_of(
            names if settings.oracles else (),
            all_witnesses,
            shrunk.values(),
            all_marks,
            settings.independent,
        ),
        controls=tuple(checks),
        conformance=tuple(all_conformance),
        reached=tuple(all_reached),
        operations=tuple(exercises(counts)),
        attacks=attacks,
        mutants=mutants,
        kill_rates=kill_rates(mutants),
        decision=decide(
            results,
            telling,
            checks,
            attacks,
            _grounds(settings, all_cells, all_witnesses),
            settings.preferences if preferences is None else preferences,
            workloads=settings.independent + settings.guided,
            done=len(done),
        ),
        timings=dict(parts.timings),
    )


def _grounds(settings: Settings, cells: Sequence[Cell], witnesses: Sequence[Witness]) -> Grounds:
    """Return what strategies that failed nothing are put in order by."""
    ranking, guarding = settings.with_trait("ranks"), settings.with_trait("of_guards")
    failures: dict[str, Counter[str]] = {oracle: Counter() for oracle in ranking}
    for cell in cells:
        if cell.oracle in failures:
            failures[cell.oracle][cell.strategy] += own(cell)
    return Grounds(
        settings.backends,
        failures,
        {
            (one.oracle, one.strategy): failure(cells, one)
            for one in witnesses
            if one.oracle in failures
        },
        frozenset(cell.strategy for cell in cells if cell.oracle in guarding and cell.reached),
    )


def _said(witness: Witness, parts: Parts) -> dict[str, str]:
    """Return by backend how the kernel complained of a witness, where it did."""
    consoles = {
        backend: parts.console(witness.strategy, backend, witness.number)
        for backend in witness.backends
    }
    said = {backend: console.words(text) for backend, text in consoles.items() if text}
    return {backend: line for backend, line in said.items() if line}


def _sharing(cell: Cell, bugs: Iterable[Shared], seen: Seen, settings: Settings) -> Cell:
    """Return a cell with what of it is a bug that all have.

    A workload that such a one crashes is none that the other oracles were to judge.
    """
    forgiven = [(bug, bug.forgiven.get(cell.strategy, frozenset())) for bug in bugs]
    column = settings.oracles.index(cell.oracle)
    own = [number for bug, numbers in forgiven if bug.column == column for number in numbers]
    unknown = seen.unknown.get(column, set())
    hidden = [number for bug, numbers in forgiven if bug.title for number in numbers & unknown]
    if hidden:
        cell = replace(
            cell,
            runs=cell.runs - len(hidden),
            drawn=cell.drawn - _drawn(hidden, settings),
            unknown=cell.unknown - len(hidden),
        )
    return sharing(cell, len(own), _drawn(own, settings)) if own else cell


def _drawn(numbers: Iterable[int], settings: Settings) -> int:
    """Return how many of these workloads were drawn independently."""
    return sum(number < settings.independent for number in numbers)


def _forgiven(bugs: Mapping[str, Iterable[Shared]], strategy: str) -> set[tuple[str, int, int]]:
    return {
        (backend, bug.column, number)
        for backend, some in bugs.items()
        for bug in some
        for number in bug.forgiven.get(strategy, ())
    }


def _other_bug(
    bug: Shared, backend: str, below: Seen, oracles: Sequence[str], texts: Mapping[int, str]
) -> OtherBug:
    least = min(bug.numbers, key=lambda number: (*size(texts[number]), number))
    hidden = set().union(*bug.forgiven.values()).difference(bug.numbers)
    return OtherBug(
        oracle=oracles[bug.column],
        backend=backend,
        strategies=tuple(bug.forgiven),
        count=len(bug.numbers),
        hidden=len(hidden),
        number=least,
        text=texts[least],
        evidence=below.fails[bug.column][least].evidence,
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


def explained(
    witnesses: Iterable[Witness],
    culprits: Mapping[tuple[str, int], str],
    deciding: Mapping[tuple[str, str], tuple[Deciding, ...]],
) -> tuple[Witness, ...]:
    """Return the witnesses with who did it, by strategy and number, and which lines decide."""
    return tuple(
        replace(
            one,
            culprit=culprits.get((one.strategy, one.number), ""),
            deciding=deciding.get((one.strategy, one.oracle), ()),
        )
        for one in witnesses
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
