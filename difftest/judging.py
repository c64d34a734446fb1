# SPDX-License-Identifier: GPL-2.0-only
"""Judging: how the oracles of a run are asked about an outcome, of a strategy or of a mutant."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from difftest.strategy import BASELINE
from difftest.verdict import Verdict, judge_safely, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from difftest.context import Context
    from difftest.outcome import Outcome
    from difftest.settings import Settings
    from difftest.store import Store
    from difftest.tally import Tally
    from difftest.workload.workload import Workload

#: Judges a workload's outcome, beside that of the baseline if that is known.
Judge: TypeAlias = "Callable[[Workload, Outcome, Outcome | None], Verdict]"


def judges(context: Context, strategy: str, backend: str) -> list[Judge]:
    """Return what gives the verdicts on a strategy, in the order of the run's oracles."""
    found: list[Judge] = []
    for name in context.settings.oracles:
        if reason := context.settings.blind(name, strategy, backend):
            verdict = unknown(reason)
            found.append(lambda *_, verdict=verdict: verdict)
        else:
            found.append(partial(judge_safely, context.plugins.oracle(name)))
    return found


def compares(settings: Settings, strategy: str) -> bool:
    """Say whether a strategy is judged beside the outcomes of the baseline."""
    return bool(settings.with_trait("pairwise") and strategy != BASELINE and settings.has_baseline)


def baseline(store: Store, strategy: str, backend: str, shard: int) -> dict[int, Outcome]:
    """Return the baseline's outcomes of a shard by number, if the run compares with them."""
    if not compares(store.settings, strategy):
        return {}
    return outcomes(store.tally(BASELINE, backend, shard))


def outcomes(tally: Tally | None) -> dict[int, Outcome]:
    """Return the outcomes of a shard by number; none if there is no such shard."""
    return {run.number: run.outcome for run in tally.runs} if tally else {}
