# SPDX-License-Identifier: GPL-2.0-only
"""Shrinking: from a drawn workload on which a bad fix fails to the smallest that fails alike.

With the question which of the other strategies pass it, as a campaign asks it.
"""

from __future__ import annotations

import statistics
import sys
from typing import TYPE_CHECKING

from benchmarks.measure import Row, seconds
from difftest import facts, plugins
from difftest.backends import TakesFaults
from difftest.errors import RigError
from difftest.findings import Finding, shrink
from difftest.settings import settings_of
from difftest.shards import Shard
from difftest.verdict import Value, judge_safely
from difftest.workload import codec, generate
from strategies import STRATEGIES

if TYPE_CHECKING:
    from difftest.settings import Settings
    from difftest.strategy import Strategy

KERNEL = "uml:6.1"

#: Where a failure is to be seen all the time, and how long it may take to shrink it.
WHERE = {("model",): 10, ("model", KERNEL): 60, (KERNEL,): 60}

SHARDS = 40
"""Drawn at most until a fix fails: ten thousand workloads, of which each fix fails several."""

ENOUGH = 8
"""Failures on the model that are tried on the kernel, which cannot play all workloads."""


def rows(*, quick: bool) -> list[Row]:
    loaded = plugins.load()
    known = loaded.strategies
    bad = [(one, oracle) for one in STRATEGIES for oracle in one.must_fail]
    kernel = loaded.backend(KERNEL)
    for one in STRATEGIES:
        chain = facts.chain(one, known)
        kernel.prepare(chain)
        if isinstance(kernel, TakesFaults):
            kernel.prepare_faults(chain)
    settings = settings_of(
        seed=0, workloads=1, strategies=STRATEGIES, known=known, oracles=list(loaded.oracles),
        backends=["model", KERNEL], states=(), unseen={}, version="",
    )  # fmt: skip
    took: dict[tuple[str, ...], list[tuple[float, str]]] = {where: [] for where in WHERE}
    for seed in range(3 if quick else 10):
        for strategy, oracle in bad:
            text = _failing(loaded, strategy, oracle, seed)
            for where, times in took.items():
                finding = Finding(strategy.name, oracle, where, text)
                times.append((_seconds(finding, loaded, settings), strategy.name))
                what = f"{strategy.name}, {oracle}, seed {seed}, {' and '.join(where)}"
                sys.stderr.write(f"shrink: {what}: {times[-1][0]:.2f} s\n")
    return [
        Row(
            "shrink",
            f"on {' and '.join(where)}, the slowest of {len(times)} ({max(times)[1]})",
            max(times)[0],
            "the median",
            statistics.median(time for time, _ in times),
            "s",
            f"below {WHERE[where]} s",
        )
        for where, times in took.items()
    ]


def _seconds(finding: Finding, loaded: plugins.Plugins, settings: Settings) -> float:
    found = []
    took = seconds(lambda: found.append(shrink(finding, loaded, settings)))
    if found[0].caveat:
        raise RigError(f"{finding}: {found[0].caveat}")
    return took


def _failing(loaded: plugins.Plugins, strategy: Strategy, oracle: str, seed: int) -> str:
    """Return the first workload drawn for a seed that the strategy fails on model and kernel."""
    chain = facts.chain(strategy, loaded.strategies)
    judge = loaded.oracle(oracle)
    for number in range(SHARDS):
        drawn = Shard(0, generate.SHARD, number, strategy.needs_faults).draw(seed)
        left = [codec.from_text(text) for text in drawn]
        for name in ("model", KERNEL):
            with loaded.backend(name).runner(chain) as runner:
                seen = zip(left, list(runner.run(left)), strict=True)
                left = [
                    one for one, out in seen if judge_safely(judge, one, out).value is Value.FAIL
                ][:ENOUGH]
        if left:
            return codec.to_text(left[0])
    raise RigError(f"{strategy.name} fails {oracle} on no workload drawn for seed {seed}")
