# SPDX-License-Identifier: GPL-2.0-only
"""Workloads on a kernel: as a campaign runs them, beside a C loop that does only the same calls."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks import bare, guests
from benchmarks.measure import Row, medians, seconds
from difftest.workload import generate

STRATEGY = "release_page"
SEED = 1


def rows(*, quick: bool) -> list[Row]:
    workloads = generate.shard(SEED, 0, generate.SHARD)
    with tempfile.TemporaryDirectory(prefix="difftest-bench-") as folder:
        with guests.runner(STRATEGY) as runner:
            outcomes = list(runner.run(workloads))
        init = bare.build(workloads, outcomes, Path(folder))
        inside: list[float] = []

        # A runner for each measurement, so that all of them are on the same processor.
        def ours(_: int) -> float:
            with guests.runner(STRATEGY) as runner:
                return seconds(lambda: list(runner.run(workloads)))

        def boot(_: int) -> float:
            with guests.runner(STRATEGY) as runner:
                return seconds(lambda: guests.boot(runner))

        def loop(_: int) -> float:
            lines: list[bytes] = []
            with guests.runner(STRATEGY, init) as runner:
                took = seconds(lambda: lines.extend(guests.boot(runner)))
            result = json.loads(lines[-1])
            if result["wrong"]:
                raise RuntimeError(f"{result['wrong']} calls of the bare loop went otherwise")
            inside.append(result["ns"] / 1e9)
            return took

        whole, booting, bare_whole, bare_inside = medians(
            "kernel", 5 if quick else 25, ours, boot, loop, lambda repeat: inside[repeat]
        )
    count = len(workloads)
    return [
        Row(
            "kernel",
            "difftest, boot taken off",
            count / (whole - booting),
            "bare C loop, timed inside",
            count / bare_inside,
            "workloads/s",
            "at least 0.5, 1000/s",
        ),
        Row(
            "kernel",
            f"difftest, a boot for {count} workloads",
            count / whole,
            "bare C loop with its boot",
            count / bare_whole,
            "workloads/s",
        ),
    ]
