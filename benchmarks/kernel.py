# SPDX-License-Identifier: GPL-2.0-only
"""Workloads on a kernel: as a campaign runs them, beside a C loop that does only the same calls."""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import bare, guests
from benchmarks.measure import Row, medians, seconds
from difftest.workload import generate

if TYPE_CHECKING:
    from difftest.workload.workload import Workload

STRATEGY = "release_page"
SEED = 1


def rows(*, quick: bool) -> list[Row]:
    workloads = _workloads(generate.SHARD)
    with tempfile.TemporaryDirectory(prefix="difftest-bench-") as folder:
        with guests.runner(STRATEGY) as runner:
            outcomes = list(runner.run(workloads))
        loops = [
            bare.build(workloads, outcomes, Path(folder), observe=observe)
            for observe in (True, False)
        ]

        # A runner for each measurement, so that all of them are on the same processor.
        def ours(_: int) -> float:
            with guests.runner(STRATEGY) as runner:
                return seconds(lambda: list(runner.run(workloads)))

        def boot(_: int) -> float:
            with guests.runner(STRATEGY) as runner:
                return seconds(lambda: guests.boot(runner))

        whole, booting, observing, calling = medians(
            "kernel",
            5 if quick else 25,
            ours,
            boot,
            lambda _: _inside(loops[0]),
            lambda _: _inside(loops[1]),
        )
    count = len(workloads)
    rate = count / (whole - booting)
    same = "bare C loop, the same system calls"
    fewer = "bare C loop that observes nothing"
    return [
        Row("kernel", "difftest, boot taken off", rate, same, count / observing, "workloads/s",
            "at least 0.7, 1500/s"),
        Row("kernel", "difftest, boot taken off", rate, fewer, count / calling, "workloads/s"),
        Row("kernel", f"difftest, a boot for {count} workloads", count / whole, same,
            count / observing, "workloads/s"),
    ]  # fmt: skip


def _workloads(count: int) -> list[Workload]:
    """Draw workloads until there are enough that the bare loop can do."""
    drawn: list[Workload] = []
    shards = itertools.count()
    while len(drawn) < count:
        drawn += filter(bare.knows, generate.shard(SEED, next(shards), generate.SHARD))
    return drawn[:count]


def _inside(init: Path) -> float:
    """Boot a bare loop and return the seconds that it measured itself."""
    lines: list[bytes] = []
    with guests.runner(STRATEGY, init) as runner:
        lines.extend(guests.boot(runner))
    result = json.loads(lines[-1])
    if result["wrong"]:
        raise RuntimeError(f"{result['wrong']} calls of the bare loop went otherwise")
    return float(result["ns"] / 1e9)
