# SPDX-License-Identifier: GPL-2.0-only
"""Settings: all that decides what a run will do, kept with the run."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from difftest.equivalent import Equivalent  # noqa: TC001 - msgspec reads the annotations
from difftest.facts import chain
from difftest.outcome import Record
from difftest.strategy import BASELINE, Strategy
from difftest.verdict import Traits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Mutants(StrEnum):
    """Whether a run tries mutants of its strategies."""

    NONE = "none"
    TOO = "too"
    ONLY = "only"
    """Nothing is attacked and nothing shrunk: only they are asked for."""


class StoredStrategy(Record, frozen=True):
    """A strategy as plain data, so that a run can be rendered where its plugin is gone."""

    name: str
    claim: str
    function: str
    reference: str
    weakness: str
    history: str
    base: str | None
    must_fail: tuple[str, ...]
    gives_up: tuple[str, ...]
    needs_faults: bool
    does_not_apply: dict[str, str]
    model_patch: str | None
    series_model_patches: dict[str, str]
    kernel_patches: dict[str, str]
    equivalents: tuple[Equivalent, ...] = ()

    @classmethod
    def of(cls, strategy: Strategy) -> StoredStrategy:
        return cls(
            name=strategy.name,
            claim=strategy.claim,
            function=strategy.function,
            reference=strategy.reference,
            weakness=strategy.weakness,
            history=strategy.history,
            base=strategy.base,
            must_fail=strategy.must_fail,
            gives_up=strategy.gives_up,
            needs_faults=strategy.needs_faults,
            does_not_apply=dict(sorted(strategy.does_not_apply.items())),
            model_patch=strategy.model_patch,
            series_model_patches=dict(sorted(strategy.series_model_patches.items())),
            kernel_patches=dict(sorted(strategy.kernel_patches.items())),
            equivalents=strategy.equivalents,
        )

    def strategy(self) -> Strategy:
        fields = msgspec.structs.asdict(self)
        by_series = {
            "does_not_apply": MappingProxyType(self.does_not_apply),
            "series_model_patches": MappingProxyType(self.series_model_patches),
            "kernel_patches": MappingProxyType(self.kernel_patches),
        }
        return Strategy(**fields | by_series)


class Settings(Record, frozen=True):
    """What a run compares, on what, where. Equal settings give equal results.

    `faults` counts the workloads with faults that there are besides `workloads` without, `guided`
    those that are steered and come after both.
    `preferences` are the criteria that come first where more than one strategy failed nothing.
    `strategies` are compared, in the order of their rows; `bases` are others that those stand on.
    `states` are the names of the interesting states, so that one never reached shows as such.
    `unseen` has by backend the fields of an outcome that it cannot see, with the reason.
    `mutants` says whether those of the strategies are tried, too. `traits` has those of the
    oracles, by name. `version` is that of everything that decides an outcome: difftest and the
    kernels it builds.
    """

    seed: int
    workloads: int
    strategies: tuple[StoredStrategy, ...]
    bases: tuple[StoredStrategy, ...]
    oracles: tuple[str, ...]
    backends: tuple[str, ...]
    states: tuple[str, ...]
    unseen: dict[str, dict[str, str]]
    version: str
    mutants: Mutants = Mutants.NONE
    traits: dict[str, Traits] = msgspec.field(default_factory=dict)
    faults: int = 0
    preferences: tuple[str, ...] = ()
    guided: int = 0

    def fingerprint(self) -> str:
        """Return a hash of all of it, patches included: the same for the same command."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    @property
    def independent(self) -> int:
        """How many workloads are drawn independently: the first of all, which bounds rest on."""
        return self.workloads + self.faults

    def compared(self) -> tuple[Strategy, ...]:
        return tuple(stored.strategy() for stored in self.strategies)

    def known(self) -> dict[str, Strategy]:
        """Return the strategies that are compared and those they stand on, by name."""
        return {stored.name: stored.strategy() for stored in (*self.strategies, *self.bases)}

    @property
    def has_baseline(self) -> bool:
        return any(stored.name == BASELINE for stored in self.strategies)

    def with_trait(self, name: str) -> tuple[str, ...]:
        """Return the oracles of which a trait is true, in their order."""
        return tuple(one for one in self.oracles if getattr(self.traits.get(one), name, False))

    def blind(self, oracle: str, strategy: str, backend: str) -> str:
        """Say why there is nothing for an oracle to judge in a whole cell; "" if there is."""
        traits = self.traits.get(oracle, Traits())
        if traits.pairwise and not self.has_baseline:
            return f"{BASELINE} is not part of this run"
        if traits.pairwise and strategy == BASELINE:
            return "the others are compared with it"
        unseen = self.unseen.get(backend, {})
        return next((f"{name}: {unseen[name]}" for name in traits.sees if name in unseen), "")


def settings_of(
    *,
    seed: int,
    workloads: int,
    strategies: Sequence[Strategy],
    known: Mapping[str, Strategy],
    oracles: Sequence[str],
    backends: Sequence[str],
    states: Sequence[str],
    unseen: Mapping[str, Mapping[str, str]],
    version: str,
    mutants: Mutants = Mutants.NONE,
    traits: Mapping[str, Traits] = MappingProxyType({}),
    faults: int = 0,
    preferences: Sequence[str] = (),
    guided: int = 0,
) -> Settings:
    """Make the settings of a run of `strategies`; `known` has all that plugins offer, by name.

    Raises PluginError for a strategy whose base is not known.
    """
    known = {**known, **{strategy.name: strategy for strategy in strategies}}
    below = {link.name: link for strategy in strategies for link in chain(strategy, known)}
    compared = {strategy.name for strategy in strategies}
    return Settings(
        seed=seed,
        workloads=workloads,
        strategies=tuple(StoredStrategy.of(strategy) for strategy in strategies),
        bases=tuple(
            StoredStrategy.of(below[name]) for name in sorted(below) if name not in compared
        ),
        oracles=tuple(oracles),
        backends=tuple(backends),
        states=tuple(states),
        unseen={backend: dict(fields) for backend, fields in unseen.items() if fields},
        version=version,
        mutants=mutants,
        traits=dict(traits),
        faults=faults,
        preferences=tuple(preferences),
        guided=guided,
    )
