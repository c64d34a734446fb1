# SPDX-License-Identifier: GPL-2.0-only
"""Criteria: what puts strategies that failed nothing in order, the most important first."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from difftest.errors import UsageError
from difftest.facts import is_model, misfit
from difftest.rendering import listing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from difftest.result import StrategyResult


@dataclass(frozen=True, slots=True)
class Grounds:
    """What criteria go by, besides the strategies' own facts.

    `failures` has for each ranking oracle the runs in which strategies fail it, by strategy;
    `words` says it, by oracle and strategy ("fails guard in 3 of 160 workloads on uml:6.1"). A
    strategy's assertions were `tested` if an oracle saw what becomes of a forgotten page with it.
    """

    backends: tuple[str, ...]
    failures: Mapping[str, Mapping[str, int]]
    words: Mapping[tuple[str, str], str]
    tested: frozenset[str] = frozenset()


class Criterion(Protocol):
    """`cost` is the smaller the better; `but` says why one is behind the best."""

    @property
    def name(self) -> str: ...

    def cost(self, one: StrategyResult, grounds: Grounds) -> int: ...

    def but(self, one: StrategyResult, best: StrategyResult, grounds: Grounds) -> str: ...


class Kernels:
    """Kernels of the run that a strategy has no patch for."""

    name = "kernels"

    def cost(self, one: StrategyResult, grounds: Grounds) -> int:
        return len(self._untried(one, grounds))

    def but(self, one: StrategyResult, best: StrategyResult, grounds: Grounds) -> str:  # noqa: ARG002
        return f"was not run on {listing(self._untried(one, grounds))}"

    def _untried(self, one: StrategyResult, grounds: Grounds) -> list[str]:
        return [
            name
            for name in grounds.backends
            if not is_model(name) and misfit(one.name, one.patch, name)
        ]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Failures of an oracle that ranks, and rules nothing out."""

    name: str

    def cost(self, one: StrategyResult, grounds: Grounds) -> int:
        return grounds.failures.get(self.name, {}).get(one.name, 0)

    def but(self, one: StrategyResult, best: StrategyResult, grounds: Grounds) -> str:
        said = grounds.words.get((self.name, one.name), f"fails {self.name}")
        other = grounds.words.get((self.name, best.name))
        return f"{said}; {best.name} {other}" if other else said


class Assertions:
    """Assertions that a patch deletes."""

    name = "assertions"

    def cost(self, one: StrategyResult, grounds: Grounds) -> int:  # noqa: ARG002 - by protocol
        return len(one.patch.assertions_removed)

    def but(self, one: StrategyResult, best: StrategyResult, grounds: Grounds) -> str:  # noqa: ARG002
        return deletion(one, grounds)


class Series:
    """Kernel series that a strategy has patches for."""

    name = "series"

    def cost(self, one: StrategyResult, grounds: Grounds) -> int:  # noqa: ARG002 - by protocol
        return -len(one.patch.series)

    def but(self, one: StrategyResult, best: StrategyResult, grounds: Grounds) -> str:  # noqa: ARG002
        mine, its = len(one.patch.series), len(best.patch.series)
        return f"has patches for fewer kernel series ({mine} against {its})"


class Lines:
    """Lines that a patch adds and removes."""

    name = "lines"

    def cost(self, one: StrategyResult, grounds: Grounds) -> int:  # noqa: ARG002 - by protocol
        return one.patch.added + one.patch.removed

    def but(self, one: StrategyResult, best: StrategyResult, grounds: Grounds) -> str:
        mine, its = self.cost(one, grounds), self.cost(best, grounds)
        return f"changes more lines ({mine} against {its})"


def deletion(one: StrategyResult, grounds: Grounds) -> str:
    """Say which assertions a patch deletes, and whether what they guard against was tried."""
    guards = one.patch.assertions_removed
    many = len(guards) > 1
    said = f"deletes the assertion{'s' if many else ''} {listing(guards)}"
    if one.name in grounds.tested:
        return said
    return f"{said}; what {'those guard' if many else 'that guards'} against was not tested here"


#: Those that come before and after the ranking oracles, which have the order of their columns.
_BEFORE: tuple[Criterion, ...] = (Kernels(),)
_AFTER: tuple[Criterion, ...] = (Assertions(), Series(), Lines())


def criteria(ranking: Sequence[str], preferred: Sequence[str] = ()) -> tuple[Criterion, ...]:
    """Return all criteria: those that are preferred first, the others in their usual order.

    Raises UsageError for a name that is none.
    """
    every: list[Criterion] = [*_BEFORE, *(Ranking(name) for name in ranking), *_AFTER]
    usual = {one.name: one for one in every}
    for name in preferred:
        if name not in usual:
            near = difflib.get_close_matches(name, usual, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise UsageError(
                f"preferences: there is no criterion {name!r} in this run: {hint}"
                f"There are: {', '.join(usual)}."
            )
    return tuple(usual[name] for name in dict.fromkeys([*preferred, *usual]))


class Preferences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user's file, TOML: `criteria = ["guard", "lines"]`, the most important first."""

    criteria: tuple[str, ...]


def read(path: Path) -> tuple[str, ...]:
    """Return the criteria that a file of preferences names. Raises UsageError, which names it."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Preferences).criteria
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise UsageError(
            f"--preferences {path}: {error}: expected a TOML file with a line like "
            'criteria = ["guard", "unchanged", "lines"]'
        ) from error
