# SPDX-License-Identifier: GPL-2.0-only
"""Shards of a campaign on one core, boots and judging included: of every operation, and of few."""

from __future__ import annotations

import contextlib
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import guests, kernel
from benchmarks.measure import Row, medians, seconds
from difftest import campaign, plugins, session
from difftest.context import Context
from difftest.shards import plan
from difftest.store import Store
from difftest.workload import codec, generate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.workload.workload import Workload


def rows(*, quick: bool) -> list[Row]:
    count = 4 * generate.SHARD
    shards = plan(count, 0)
    every = [codec.from_text(text) for one in shards for text in one.draw(kernel.SEED)]
    with _one_core():
        few, whole = medians(
            "core",
            3 if quick else 9,
            partial(_play, kernel.known_workloads(count)),
            partial(_play, every),
        )
    what = f"{kernel.STRATEGY}, what the bare loop can do"
    rates = count / few, count / whole
    return [Row("core", what, rates[0], "all operations", rates[1], "workloads/s", "1500/s")]


@contextlib.contextmanager
def _one_core() -> Iterator[None]:
    """Stay on one processor; guests that are started stay there, too."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _play(workloads: list[Workload], _: int) -> float:
    """Run and judge the workloads as `difftest run` does, shard by shard; return the seconds."""
    loaded, backend = plugins.load(), guests.UML.name
    asked = session.Request((kernel.STRATEGY,), (), (backend,), (), len(workloads), kernel.SEED)
    with tempfile.TemporaryDirectory(prefix="difftest-bench-") as folder:
        with (
            session.begin(loaded, asked, Path(folder), ()) as opened,
            Store.open(opened.directory) as made,
        ):
            settings = made.settings
        with Store.create(Path(folder), settings) as store:
            texts = tuple(codec.to_text(one) for one in workloads)
            store.add_workloads(0, texts)
            context = Context(settings, loaded, store.directory)
            campaign.prepare(context)
            tasks = [
                campaign.Task(kernel.STRATEGY, backend, number, first, texts[first:][:length], b"")
                for first, length, number, *_ in plan(len(workloads), 0)
            ]
            return seconds(lambda: [store.add_done(campaign.play(context, task)) for task in tasks])
