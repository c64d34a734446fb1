# SPDX-License-Identifier: GPL-2.0-only
"""Alongside: one shard on several strategies, so that a test can tell whose a failure is.

A test sees one strategy on one shard, which cannot say whether a failure is that of another bug
(difftest/shared.py). So where it fails as the baseline does, all strategies that are installed are
played on the shard, until one refutes it. What is played is kept: tests of one shard stand side by
side.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from difftest import session, shards, shared
from difftest.backends import TakesFaults, played, running
from difftest.strategy import BASELINE
from difftest.tally import Run
from difftest.verdict import PASS, Traits, judge_safely

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from difftest.backends import Backend
    from difftest.outcome import Outcome
    from difftest.plugins import Plugins
    from difftest.shards import Shard
    from difftest.strategy import Strategy
    from difftest.verdict import AnyOracle, Verdict

#: The verdicts on one workload, by oracle.
Row = dict[str, "Verdict"]


class Whose(NamedTuple):
    """`forgiven` has by oracle the workloads on which all have another bug, by place in the shard.

    `mended` are failures of the baseline ("page_leak", or "no_kernel_bug: BUG at …") with a fix
    that passes there; `bugs` those that were taken for another bug.
    """

    forgiven: Mapping[str, frozenset[int]]
    mended: Mapping[str, str]
    bugs: tuple[str, ...]


NOBODY = Whose({}, {}, ())


class Alongside:
    def __init__(self, plugins: Plugins, seed: int) -> None:
        self._plugins, self._seed = plugins, seed
        self.outcomes = lru_cache(maxsize=16)(self._outcomes)
        self.rows = lru_cache(maxsize=32)(self._rows)

    def judges(self, strategy: str, backend: Backend) -> list[AnyOracle]:
        """Return the oracles that can rule a strategy out, and have something to see here."""
        return [
            one
            for one in self._plugins.oracles.values()
            if not (traits := Traits.of(one)).informational
            and not traits.ranks
            and not set(traits.sees) & set(backend.unseen)
            and not (traits.pairwise and strategy == BASELINE)
        ]

    def _outcomes(self, strategy: str, backend: str, shard: Shard) -> list[Outcome]:
        """Run a shard. Raises what the backend raises, and RigError for missing outcomes."""
        place = self._plugins.backend(backend)
        chain = self._plugins.chain(self._plugins.strategy(strategy))
        place.prepare(chain)
        if shard.faults and isinstance(place, TakesFaults):
            place.prepare_faults(chain)
        with running(place, chain) as runner:
            return played(place, runner, shards.drawn(shard, self._seed))

    def _rows(self, strategy: str, backend: str, shard: Shard) -> list[Row]:
        """Return the verdicts on a strategy, workload by workload. Raises as running does."""
        judges = self.judges(strategy, self._plugins.backend(backend))
        outcomes = self.outcomes(strategy, backend, shard)
        below: list[Outcome] | list[None] = [None] * len(outcomes)
        if any(Traits.of(one).pairwise for one in judges) and BASELINE in self._plugins.strategies:
            below = self.outcomes(BASELINE, backend, shard)
        return [
            {one.name: judge_safely(one, workload, outcome, base) for one in judges}
            for workload, outcome, base in zip(
                shards.drawn(shard, self._seed), outcomes, below, strict=True
            )
        ]

    def whose(self, strategy: Strategy, backend: Backend, shard: Shard) -> Whose:
        """Say which failures of a strategy are those of another bug. Raises as running does.

        All that are installed have their say, not those that were selected: a test does not pass
        because others were left out.
        """
        if BASELINE not in self._plugins.strategies:
            return NOBODY
        names = [one.name for one in self.judges("", backend)]
        seen = {BASELINE: self._seen(BASELINE, names, backend, shard)}
        suspects = set()
        for name in self._order(strategy, backend):
            seen[name] = self._seen(name, names, backend, shard)
            suspects = shared.suspects(seen, BASELINE)
            if not suspects:
                break
        told = [f"{names[bug.column]}{bug.title and ': '}{bug.title}" for bug in suspects]
        mended = {
            f"{names[bug.column]}{bug.title and ': '}{bug.title}": name
            for bug, name in shared.mended(seen, BASELINE).items()
        }
        if not suspects:
            return Whose({}, mended, ())
        forgiven = {
            names[one.column]: one.forgiven[strategy.name]
            for one in shared.shared(seen, BASELINE)
            if one.forgiven[strategy.name]
        }
        return Whose(forgiven, mended, tuple(sorted(told)) if forgiven else ())

    def _order(self, strategy: Strategy, backend: Backend) -> Iterator[str]:
        """Yield all that can run: what refutes soonest first, itself, then fixes, then controls."""
        others = sorted(
            self._plugins.strategies.values(),
            key=lambda one: (one.name != strategy.name, bool(one.must_fail)),
        )
        for one in others:
            if one.name != BASELINE and not session.unsupported(backend, one, self._plugins):
                yield one.name

    def _seen(self, name: str, names: list[str], backend: Backend, shard: Shard) -> shared.Seen:
        outcomes = self.outcomes(name, backend.name, shard)
        rows = self.rows(name, backend.name, shard)
        return shared.Seen.of(
            {
                # The baseline is not compared with itself: what compares passes it.
                place: Run(place, outcome, tuple(row.get(one, PASS) for one in names), ())
                for place, (outcome, row) in enumerate(zip(outcomes, rows, strict=True))
            }
        )
