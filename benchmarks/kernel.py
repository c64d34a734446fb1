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
    from collections.abc import Callable

    from difftest.backends.guest import GuestBackend
    from difftest.workload.workload import Workload

STRATEGY = "release_page"
SEED = 1


def rows(*, quick: bool) -> list[Row]:
    return _rows("kernel", guests.UML, 1, 5 if quick else 25, "at least 0.7, 1500/s")


def emulated(*, quick: bool) -> list[Row]:
    # Enough that it is seen beside a boot of half a second.
    return _rows("qemu", guests.QEMU, 4, 5 if quick else 15, "at least 0.7")


def _rows(name: str, backend: GuestBackend, shards: int, repeats: int, target: str) -> list[Row]:
    """Measure from outside: a guest's own clock may lose ticks. A boot does one workload."""
    workloads = known_workloads(shards * generate.SHARD)
    with tempfile.TemporaryDirectory(prefix="difftest-bench-") as folder:
        with guests.runner(STRATEGY, backend=backend) as runner:
            outcomes = list(runner.run(workloads))

        def ours(count: int) -> Callable[[int], float]:
            # A runner for each measurement, so that all of them are on the same processor.
            def measure(_: int) -> float:
                with guests.runner(STRATEGY, backend=backend) as runner:
                    return seconds(lambda: list(runner.run(workloads[:count])))

            return measure

        def loop(count: int, *, observe: bool) -> Callable[[int], float]:
            place = Path(folder) / f"{count}-{observe}"
            place.mkdir()
            init = bare.build(workloads[:count], outcomes[:count], place, observe=observe)
            return lambda _: _loop(init, backend)

        count = len(workloads)
        whole, boot, observing, observing_boot, calling, calling_boot = medians(
            name,
            repeats,
            ours(count),
            ours(1),
            loop(count, observe=True),
            loop(1, observe=True),
            loop(count, observe=False),
            loop(1, observe=False),
        )
    rate = (count - 1) / (whole - boot)
    same = "bare C loop, the same system calls"
    fewer = "bare C loop that observes nothing"
    return [
        Row(name, "difftest, boot taken off", rate, same,
            (count - 1) / (observing - observing_boot), "workloads/s", target),
        Row(name, "difftest, boot taken off", rate, fewer,
            (count - 1) / (calling - calling_boot), "workloads/s"),
        Row(name, f"difftest, a boot for {count} workloads", count / whole, f"{same}, its boot",
            count / observing, "workloads/s"),
    ]  # fmt: skip


def known_workloads(count: int) -> list[Workload]:
    """Draw workloads until there are enough that the bare loop can do."""
    drawn: list[Workload] = []
    shards = itertools.count()
    while len(drawn) < count:
        drawn += filter(bare.knows, generate.shard(SEED, next(shards), generate.SHARD))
    return drawn[:count]


def _loop(init: Path, backend: GuestBackend) -> float:
    """Boot a bare loop and return how long that took: a guest's own clock may lose ticks."""
    lines: list[bytes] = []
    with guests.runner(STRATEGY, init, backend) as runner:
        took = seconds(lambda: lines.extend(guests.boot(runner)))
    if wrong := json.loads(lines[-1])["wrong"]:
        raise RuntimeError(f"{wrong} calls of the bare loop went otherwise")
    return took
