# SPDX-License-Identifier: GPL-2.0-only
"""A comparison: strategies, oracles and backends against each other, counted from tallies.

Each function but `controls` takes the runs of one strategy, so that only one strategy's outcomes
need be in memory. None depends on the order in which tallies come.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from msgspec.structs import replace

from difftest.outcome import Ending
from difftest.result import ENOUGH, Cell, Control, Kind, Reached, Witness, upper_bound
from difftest.shared import Seen
from difftest.verdict import Value
from difftest.workload.codec import size

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from difftest.result import Conformance
    from difftest.strategy import Strategy
    from difftest.tally import Run, Tally
    from difftest.verdict import Verdict

#: The runs of one strategy: backend, then number of the workload.
Runs: TypeAlias = "Mapping[str, Mapping[int, Run]]"

#: The control that the model stands on.
AGREEMENT = "model and kernel agree"
#: How many examples a record carries: enough to see a pattern, few enough to read.
EXAMPLES = 3


def runs_of(tallies: Iterable[Tally]) -> dict[str, dict[int, Run]]:
    """Put the tallies of one strategy together; its backends and numbers come sorted."""
    runs: dict[str, dict[int, Run]] = {}
    for tally in tallies:
        runs.setdefault(tally.backend, {}).update({run.number: run for run in tally.runs})
    return {backend: dict(sorted(runs[backend].items())) for backend in sorted(runs)}


def cells(
    strategy: str,
    runs: Runs,
    backends: Iterable[str],
    oracles: Sequence[str],
    blind: Callable[[str, str, str], str] = lambda *_: "",
    independent: float = math.inf,
) -> list[Cell]:
    """Count verdicts, a cell for each of `backends` and each oracle.

    `blind(oracle, strategy, backend)` says why there is nothing to judge in a cell, or "". Bounds
    count workloads of numbers below `independent`: the others are guided.
    """
    return [
        _cell(
            strategy,
            backend,
            oracle,
            column,
            runs.get(backend, {}),
            blind(oracle, strategy, backend),
            independent,
        )
        for backend in backends
        for column, oracle in enumerate(oracles)
    ]


def _cell(
    strategy: str,
    backend: str,
    oracle: str,
    column: int,
    runs: Mapping[int, Run],
    unseen: str,
    independent: float,
) -> Cell:
    played = [run for run in runs.values() if run.outcome.ending is not Ending.UNPLAYED]
    verdicts = [run.verdicts[column] for run in played]
    count = Counter(verdict.value for verdict in verdicts)
    unknown = (verdict.evidence for verdict in verdicts if verdict.value is Value.UNKNOWN)
    reached = [run for run in played if _reached(run.verdicts[column])]
    return sharing(
        Cell(
            strategy=strategy,
            backend=backend,
            oracle=oracle,
            verdict=Value.UNKNOWN,
            runs=len(verdicts),
            reached=len(reached),
            drawn=sum(run.number < independent for run in played),
            bounding=sum(run.number < independent for run in reached),
            passed=count[Value.PASS],
            fail=count[Value.FAIL],
            shared=0,
            unknown=count[Value.UNKNOWN],
            upper_bound=None,
            causes=() if unseen else tuple(dict.fromkeys(unknown))[:EXAMPLES],
            unseen=unseen,
        ),
        0,
    )


def _reached(verdict: Verdict) -> bool:
    return verdict.reached and verdict.value is not Value.UNKNOWN


def sharing(cell: Cell, count: int, drawn: int | None = None) -> Cell:
    """Return a cell of which so many failures are those that all have, with verdict and bound.

    `drawn` of those were drawn independently: all of them, if that is not said.
    """
    drawn = count if drawn is None else drawn
    fail, bounding = cell.fail - count, cell.bounding - drawn
    verdict = Value.PASS if bounding >= ENOUGH else Value.UNKNOWN
    return replace(
        cell,
        shared=count,
        drawn=cell.drawn - drawn,
        bounding=bounding,
        verdict=Value.FAIL if fail else verdict,
        upper_bound=upper_bound(bounding) if bounding and not fail else None,
    )


def kinds(
    strategy: str,
    runs: Runs,
    backends: Iterable[str],
    oracles: Sequence[str],
    independent: float = math.inf,
) -> list[Kind]:
    """Count what oracles tell apart, by backend and oracle, kinds by name; see `cells`."""
    found = []
    for backend in backends:
        for column, oracle in enumerate(oracles):
            its = runs.get(backend, {}).values()
            verdicts = [run.verdicts[column] for run in its]
            reached = Counter(kind for one in verdicts for kind in one.kinds)
            bounding = Counter(
                kind
                for run in its
                if run.number < independent
                for kind in run.verdicts[column].kinds
            )
            failed = Counter(
                kind for one in verdicts if one.value is Value.FAIL for kind in one.kinds
            )
            found += [
                Kind(strategy, backend, oracle, kind, reached[kind], failed[kind], bounding[kind])
                for kind in sorted(reached)
            ]
    return found


def seen_of(runs: Runs) -> dict[str, Seen]:
    """Return what of the runs of a strategy did not pass, by backend."""
    return {backend: Seen.of(some) for backend, some in runs.items()}


def witnesses(
    strategy: str,
    seen: Mapping[str, Seen],
    backends: Sequence[str],
    oracles: Sequence[str],
    texts: Mapping[int, str],
    forgiven: Container[tuple[str, int, int]] = (),
) -> list[Witness]:
    """Return the smallest failing workload for each oracle that the strategy fails.

    What is `forgiven`, by backend, place of the oracle and number, does not count. One that fails
    wherever this oracle fails at all is better than one that does so only on some backends: it
    shows the same thing in the model and in kernels.
    """
    found = []
    for column, oracle in enumerate(oracles):
        failing: dict[int, list[str]] = {}
        for backend in backends:
            for number in seen.get(backend, Seen()).fails.get(column, {}):
                if (backend, column, number) not in forgiven:
                    failing.setdefault(number, []).append(backend)
        if not failing:
            continue
        everywhere = len({backend for where in failing.values() for backend in where})
        least = min(
            failing,
            key=lambda number: (
                len(failing[number]) < everywhere,
                *size(texts[number]),
                number,
            ),
        )
        found.append(
            Witness(
                strategy=strategy,
                oracle=oracle,
                backends=tuple(failing[least]),
                number=least,
                text=texts[least],
                shrunk=False,
                evidence=seen[failing[least][0]].fails[column][least].evidence,
            )
        )
    return found


def reached(runs: Runs, backends: Iterable[str], states: Iterable[str]) -> list[Reached]:
    """Count the runs that came through each state: those of `states`, then any others seen."""
    backends = tuple(backends)
    count = {
        backend: Counter(state for run in runs.get(backend, {}).values() for state in run.states)
        for backend in backends
    }
    names = dict.fromkeys([*states, *sorted(set().union(*count.values()))])
    return [
        Reached(backend, state, count[backend][state], len(runs.get(backend, {})))
        for backend in backends
        for state in names
    ]


def controls(
    strategies: Iterable[Strategy],
    cells: Sequence[Cell],
    conformance: Sequence[Conformance],
    *,
    faults: bool,
) -> list[Control]:
    """Check the run itself: the model conforms, and what is known to be bad was caught.

    `faults`: there are workloads with faults.
    """
    found = [_agreement(conformance)]
    for strategy in strategies:
        found += [
            _caught(cell, blind=strategy.needs_faults and not faults)
            for oracle in (*strategy.must_fail, *strategy.gives_up)
            for cell in cells
            if (cell.strategy, cell.oracle) == (strategy.name, oracle)
            # What only ranks need not be seen everywhere; what is wrong has to be.
            and (oracle in strategy.must_fail or not cell.unseen)
        ]
    return found


def _agreement(conformance: Sequence[Conformance]) -> Control:
    compared = sum(one.compared for one in conformance)
    differ = [one for one in conformance if one.differ]
    detail = f"{sum(one.differ for one in differ)} of {compared} pairs of outcomes differ"
    if differ:
        detail += f", the first: {differ[0].strategy}, {differ[0].first[0]}"
    if unknown := sum(one.unknown for one in conformance):
        detail += f"; of {unknown} more one is unknown"
    return Control(
        name=AGREEMENT,
        holds=not differ if compared else None,
        detail=detail if compared else "no workload has a known outcome on both",
    )


def _caught(cell: Cell, *, blind: bool) -> Control:
    if blind and not cell.fail:
        holds, detail = None, "no workload has faults, as it takes (--faults)"
    elif not cell.reached:
        holds, detail = None, f"none of {cell.runs} workloads could be judged"
    elif cell.fail > cell.shared:
        holds, detail = True, f"caught in {cell.fail - cell.shared} of {cell.reached} workloads"
    else:
        holds, detail = False, f"not caught in any of {cell.reached} workloads"
        if cell.shared:
            detail += f" (in {cell.shared} by a bug that all have)"
    return Control(f"{cell.strategy} fails {cell.oracle} on {cell.backend}", holds, detail)
