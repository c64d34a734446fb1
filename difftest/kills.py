# SPDX-License-Identifier: GPL-2.0-only
"""Kills: how many mutants the oracles saw, which they did not, and what `difftest mutants` says."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace
from tabulate import tabulate

from difftest.errors import PluginError
from difftest.mutants import edits, mutants_of
from difftest.rendering import Line, listing
from difftest.result import Fate, Full, KillRate, MutantResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from difftest.result import Result
    from difftest.strategy import Strategy

ALL_KILLED, SURVIVORS, UNKNOWN = 0, 1, 2

_TRIED = (Fate.KILLED, Fate.SURVIVED, Fate.UNKNOWN)


class Kills(Full, frozen=True):
    """What `difftest mutants --format json` prints: the records of a result that are about them."""

    seed: int
    workloads: int
    oracles: tuple[str, ...]
    kill_rates: tuple[KillRate, ...]
    mutants: tuple[MutantResult, ...]


def in_order(
    found: Iterable[MutantResult], strategies: Sequence[Strategy], backends: Sequence[str]
) -> tuple[MutantResult, ...]:
    """Return mutants in the order of backends, strategies and edits, with the reasons they have.

    They come as they are done.
    """
    found = list(found)
    known = {one.name: one for one in strategies}
    names = list(known)
    reasons = {
        (one.name, equivalent.patch, equivalent.mutant): equivalent.reason
        for one in strategies
        for equivalent in one.equivalents
    }
    place = {
        (backend, name): number
        for strategy, backend in {(one.strategy, one.backend) for one in found}
        for number, name in enumerate(mutants_of(known[strategy], backend))
    }
    ordered = sorted(
        found,
        key=lambda one: (
            backends.index(one.backend),
            names.index(one.strategy),
            place[one.backend, one.name],
        ),
    )
    return tuple(
        replace(one, reason=reasons.get((one.strategy, one.patch, one.edit), "")) for one in ordered
    )


def kill_rates(mutants: Sequence[MutantResult]) -> tuple[KillRate, ...]:
    """Count the mutants of each strategy and backend, then those of each backend."""
    each = dict.fromkeys((one.strategy, one.backend) for one in mutants)
    whole = dict.fromkeys(("", one.backend) for one in mutants)
    return tuple(
        _rate(
            strategy,
            backend,
            [one for one in mutants if one.backend == backend and strategy in (one.strategy, "")],
        )
        for strategy, backend in (*each, *whole)
    )


def _rate(strategy: str, backend: str, mutants: Sequence[MutantResult]) -> KillRate:
    fates = Counter(one.fate for one in mutants)
    explained = sum(map(is_explained, mutants))
    tried = sum(fates[fate] for fate in _TRIED)
    return KillRate(
        strategy=strategy,
        backend=backend,
        made=len(mutants),
        stillborn=fates[Fate.STILLBORN],
        same=fates[Fate.SAME],
        tried=tried,
        killed=fates[Fate.KILLED],
        explained=explained,
        survived=fates[Fate.SURVIVED] - explained,
        unknown=fates[Fate.UNKNOWN],
        rate=fates[Fate.KILLED] / tried if tried else None,
    )


def is_explained(mutant: MutantResult) -> bool:
    """Say whether it survived, and the strategy's folder says why."""
    return mutant.fate is Fate.SURVIVED and bool(mutant.reason)


def check_reasons(strategies: Iterable[Strategy]) -> None:
    """Raise PluginError for a reason that is about no mutant of its strategy."""
    for strategy in strategies:
        for one in strategy.equivalents:
            text = strategy.files().get(one.patch)
            where = f"strategy {strategy.name}: mutants.toml: the reason for {one.mutant}"
            if text is None:
                files = ", ".join(strategy.files())
                raise PluginError(f"{where} is about {one.patch}; the patches are {files}")
            made = {edit.name: edit.line for edit in edits(text, one.patch)}
            if one.mutant not in made:
                raise PluginError(
                    f"{where}: {one.patch} has no such mutant; it has {', '.join(made) or 'none'}"
                )
            if made[one.mutant] != one.line:
                raise PluginError(
                    f"{where} of {one.patch} is about the line `{one.line}`; "
                    f"that edit is made to `{made[one.mutant]}`"
                )


def stale(mutants: Iterable[MutantResult]) -> list[str]:
    """Return a sentence for each reason that does not hold: its mutant did not survive."""
    return [
        f"{one.name} on {one.backend}: mutants.toml says that it is equivalent, "
        f"and it is {one.fate}: {one.evidence}"
        for one in mutants
        if one.reason and one.fate is not Fate.SURVIVED and one.fate is not Fate.UNKNOWN
    ]


def status(mutants: Sequence[MutantResult]) -> int:
    """Return whether all were killed or are explained, some survived, or some are unknown."""
    if any(one.fate is Fate.SURVIVED and not one.reason for one in mutants):
        return SURVIVORS
    return UNKNOWN if any(one.fate is Fate.UNKNOWN for one in mutants) else ALL_KILLED


def encode(result: Result) -> str:
    """Return what a result says of mutants as JSON."""
    kills = Kills(
        seed=result.seed,
        workloads=result.workloads,
        oracles=result.oracles,
        kill_rates=result.kill_rates,
        mutants=result.mutants,
    )
    return msgspec.json.format(msgspec.json.encode(kills), indent=2).decode() + "\n"


def render(result: Result) -> str:
    """Return what became of the mutants as text: a line each, the counts, the survivors."""
    rows = [
        (one.backend, one.name, _fate(one), listing(one.by) if one.by else "", _number(one))
        for one in result.mutants
    ]
    blocks = [tabulate(rows, ("backend", "mutant", "became", "by", "workload"))]
    blocks.append(
        tabulate(
            [
                (
                    one.backend,
                    one.strategy or "all",
                    one.made,
                    one.stillborn,
                    one.same,
                    one.tried,
                    one.killed,
                    one.explained,
                    one.survived,
                    one.unknown,
                    _percent(one),
                )
                for one in result.kill_rates
            ],
            (
                "backend", "mutants of", "made", "stillborn", "same code", "tried", "killed",
                "explained", "survived", "unknown", "kill rate",
            ),
        )
    )  # fmt: skip
    blocks += ["\n  ".join(_told(one)) for one in result.mutants if one.fate in _ALIVE]
    where = f"{result.workloads} workloads, seed {result.seed}, oracles: {listing(result.oracles)}"
    return "\n\n".join([where, *blocks]) + "\n"


_ALIVE = (Fate.SURVIVED, Fate.UNKNOWN)


def lines(result: Result) -> list[Line]:
    """Return what reports say of the mutants: the kill rate of each backend, with those alive."""
    found = []
    for rate in result.kill_rates:
        if rate.strategy:
            continue
        rest = {
            "equivalent, with a reason": rate.explained,
            "survived": rate.survived,
            "unknown": rate.unknown,
            "stillborn": rate.stillborn,
            "the same code as another": rate.same,
        }
        others = "".join(f", {count} {what}" for what, count in rest.items() if count)
        text = f"{rate.backend}: {rate.killed} of {rate.tried} killed ({_percent(rate)}){others}"
        here = [one for one in result.mutants if one.backend == rate.backend]
        examples = [" ".join(_told(one)) for one in here if one.fate in _ALIVE]
        found.append(Line(_mark(rate), text, (*examples, *stale(here))))
    return found


def _mark(rate: KillRate) -> str:
    if rate.survived:
        return "SURVIVED"
    return "NOT MADE" if rate.unknown or not rate.tried else "ok"


def _told(one: MutantResult) -> Iterator[str]:
    """Tell in sentences of a mutant that is alive: what it is, what was seen, why that may be."""
    yield f"{one.name} on {one.backend} {_fate(one)}: {one.claim}"
    yield f"{one.evidence[:1].upper()}{one.evidence[1:]}."
    if one.reason:
        yield f"It is equivalent: {' '.join(one.reason.split())}"
    elif one.fate is Fate.SURVIVED and one.differ:
        yield "An oracle is missing that looks at this difference."
    elif one.fate is Fate.SURVIVED:
        yield (
            "That is no proof: no workload may reach what it changed; if it is equivalent, "
            "mutants.toml in the strategy's folder can say why."
        )


def _fate(one: MutantResult) -> str:
    twin = f" ({one.same_as})" if one.same_as else ""
    return f"{'explained' if is_explained(one) else one.fate}{twin}"


def _number(one: MutantResult) -> str:
    return "" if one.number is None else str(one.number)


def _percent(rate: KillRate) -> str:
    """Write the kill rate in whole per cent, rounded down: only all of them are 100 %."""
    return f"{100 * rate.killed // rate.tried} %" if rate.tried else "-"
