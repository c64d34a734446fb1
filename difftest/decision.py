# SPDX-License-Identifier: GPL-2.0-only
"""A decision: which strategy to take, by which evidence, or why nobody can say."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from difftest.comparison import AGREEMENT
from difftest.criteria import criteria, deletion
from difftest.facts import is_model, misfit
from difftest.rendering import listing, percent
from difftest.result import Decision
from difftest.ruling import crashes, fails
from difftest.severity import sentences
from difftest.strategy import BASELINE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from difftest.criteria import Criterion, Grounds
    from difftest.result import Attack, Cell, Control, StrategyResult


#: What a strategy costs by each criterion: the smaller, the better.
Rank: TypeAlias = tuple[int, ...]


def decide(
    strategies: Sequence[StrategyResult],
    cells: Sequence[Cell],
    controls: Sequence[Control],
    attacks: Sequence[Attack],
    grounds: Grounds,
    preferred: Sequence[str] = (),
    *,
    workloads: int,
    done: int,
) -> Decision:
    """Choose among the strategies that are not ruled out, by difftest.criteria.

    Nothing is recommended if they leave a tie, if no workload was shown to reach the bug, or if a
    known-bad strategy could not be judged; if a control fails, the run is void. `preferred` are
    criteria that come before the others; raises UsageError if there is no such.
    """
    backends = grounds.backends
    ordered = criteria(tuple(grounds.failures), preferred)
    severity = sentences(attacks)
    failed = [f"{one.name}: {one.detail}" for one in controls if one.holds is False]
    if failed:
        advice = "Correct the model, the oracles or the workloads first: nothing else here counts."
        return Decision(None, "; ".join(failed), (advice,), (), severity)
    passed = (one for one in strategies if not one.ruled_out)
    ranks = {one.name: tuple(by.cost(one, grounds) for by in ordered) for one in strategies}
    fit = sorted(passed, key=lambda one: ranks[one.name])
    order = tuple(one.name for one in fit)
    unjudged = _unjudged(strategies, cells, attacks)
    if doubts := _doubts(strategies, cells, controls, fit, unjudged, ranks):
        return Decision(None, "", tuple(doubts), order, severity)
    best = fit[0]
    reasons = [_passed(best, cells, backends)]
    reasons += [
        f"It {grounds.words[oracle, best.name]}."
        for oracle, failures in grounds.failures.items()
        if failures.get(best.name)
    ]
    if best.patch.assertions_removed:
        reasons.append(f"It {deletion(best, grounds)}.")
    reasons += _limits(best, controls, backends)
    reasons += _blind(best, cells)
    if done < workloads:
        reasons.append(
            f"The run is not complete: {done} of {workloads} workloads were run everywhere."
        )
    if BASELINE not in {one.name for one in strategies}:
        reasons.append(
            f"{BASELINE} is not part of this run: that its workloads reach the bug is not shown."
        )
    reasons += [_behind(one, best, ordered, ranks, grounds) for one in fit[1:]]
    reasons += [
        f"{name} was left out: it failed nothing, but evidence is missing." for name in unjudged
    ]
    return Decision(best.name, "", tuple(reasons), order, severity)


def _unjudged(
    strategies: Sequence[StrategyResult], cells: Sequence[Cell], attacks: Sequence[Attack]
) -> list[str]:
    """Return the fixes that are out only because evidence is missing."""
    return [
        one.name
        for one in strategies
        if one.ruled_out
        and one.name != BASELINE
        and not fails(one.name, cells)
        and not crashes(one.name, attacks)
    ]


def _doubts(
    strategies: Sequence[StrategyResult],
    cells: Sequence[Cell],
    controls: Sequence[Control],
    fit: Sequence[StrategyResult],
    unjudged: Sequence[str],
    ranks: Mapping[str, Rank],
) -> list[str]:
    """Say why nobody can decide, and what would help; [] if the first of `fit` can be taken."""
    doubts = [
        f'Cannot decide: the control "{one.name}" could not be made ({one.detail}); '
        "finish the run, or mend the backend (`difftest doctor`)."
        for one in controls
        if one.holds is None and one.name != AGREEMENT
    ]
    names = [one.name for one in strategies]
    known_bad = [BASELINE] if BASELINE in names else names
    if not any(fails(name, cells) for name in known_bad):
        doubts.append(
            f"Cannot decide: {listing(known_bad)} failed nothing, so passing proves nothing; "
            f"more workloads, another seed or an oracle that catches the bug in {BASELINE} would."
        )
    if not fit:
        doubts.append(_nothing_left(strategies, unjudged))
        return doubts
    tied = [one for one in fit if ranks[one.name] == ranks[fit[0].name]]
    if len(tied) > 1:
        doubts.append(_tie(tied))
    return doubts


def _nothing_left(strategies: Sequence[StrategyResult], unjudged: Sequence[str]) -> str:
    if unjudged:
        return (
            f"Cannot decide: of the fixes that failed nothing, {listing(unjudged)}, evidence is "
            "missing; a run in which every oracle can judge them would decide."
        )
    if all(one.name == BASELINE for one in strategies):
        return "Cannot decide: there is no fix in this run; add one (`--strategy`, `--patch`)."
    return "No fix can be taken: every one of them fails. Another fix is needed."


def _tie(tied: Sequence[StrategyResult]) -> str:
    first = tied[0]
    names = [one.name for one in tied]
    if all(one.name in first.same_kernel_as for one in tied[1:]):
        help_ = "their kernels are built from equal source, so any of them will do"
    else:
        help_ = "a workload or an oracle on which they differ would decide, or a reviewer's taste"
    patch = first.patch
    return (
        f"Cannot decide between {listing(names)}: all passed, each deletes "
        f"{len(patch.assertions_removed)} assertions, has patches for {len(patch.series)} kernel "
        f"series and changes {patch.added + patch.removed} lines; {help_}."
    )


def _passed(best: StrategyResult, cells: Sequence[Cell], backends: Sequence[str]) -> str:
    own = [cell for cell in cells if cell.strategy == best.name]
    runs = {cell.backend: cell.runs for cell in own}
    where = [backend for backend in backends if backend in runs]
    if len(set(runs.values())) == 1:
        count = f"{own[0].runs} workloads on {listing(where)}"
    else:
        count = listing(f"{runs[backend]} workloads on {backend}" for backend in where)
    bound = max(cell.upper_bound for cell in own if cell.upper_bound is not None)
    guided = any(cell.runs - cell.shared > cell.drawn for cell in own)
    without = ", without the guided ones" if guided else ""
    return f"{best.name}: no failure in {count} (each oracle <{percent(bound)} at 95 %{without})."


def _limits(
    best: StrategyResult, controls: Sequence[Control], backends: Sequence[str]
) -> list[str]:
    """Say what the evidence for the best one does not cover."""
    gaps = {backend: misfit(best.name, best.patch, backend) for backend in backends}
    limits = [f"It was not run on {backend}: {gap}." for backend, gap in gaps.items() if gap]
    only_models = all(map(is_model, backends))
    if all(gap or is_model(backend) for backend, gap in gaps.items()):
        who = "" if only_models else " with it"
        limits.append(f"No real kernel was run{who}: this rests on the model alone.")
    agreement = next((one.holds for one in controls if one.name == AGREEMENT), None)
    if agreement is None and any(map(is_model, backends)) and not only_models:
        limits.append("Whether the model behaves as the kernel does could not be checked.")
    return limits


def _blind(best: StrategyResult, cells: Sequence[Cell]) -> list[str]:
    """Say what could not be seen at all on a backend that the best one ran on."""
    return [
        f"Not judged on {cell.backend}: {cell.oracle} ({cell.unseen})."
        for cell in cells
        if cell.strategy == best.name and cell.unseen and cell.runs
    ]


def _behind(
    one: StrategyResult,
    best: StrategyResult,
    ordered: Sequence[Criterion],
    ranks: Mapping[str, Rank],
    grounds: Grounds,
) -> str:
    """Say why one that passed as well is not the best: the first thing in which it is behind."""
    pairs = zip(ordered, ranks[one.name], ranks[best.name], strict=True)
    first = next(by for by, mine, its in pairs if mine != its)
    return f"{one.name} passed as well but {first.but(one, best, grounds)}."
