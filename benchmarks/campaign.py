# SPDX-License-Identifier: GPL-2.0-only
"""A campaign of all strategies on one backend: by two worker processes, beside one process."""

from __future__ import annotations

import statistics
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measure import Row, interleaved
from difftest import plugins, session
from difftest.store import Store

#: Workloads by backend: enough that starting the workers is the smaller part.
WORKLOADS = {"model": 1500, "uml:6.1": 1000}


def rows(*, quick: bool) -> list[Row]:
    found = []
    for backend, full in WORKLOADS.items():
        workloads = full // 2 if quick else full
        one, two = interleaved(
            f"campaign on {backend}",
            1 if quick else 3,
            partial(_run, backend, workloads, 1),
            partial(_run, backend, workloads, 2),
        )
        executions = workloads * len(plugins.load().strategies)
        for title, phases in (
            ("draw, run and judge", ("generate", "run")),
            ("run and judge", ("run",)),
        ):
            single, double = (
                executions / statistics.median(sum(timing[p] for p in phases) for timing in side)
                for side in (one, two)
            )
            what = f"{backend}, {title}: --jobs 2"
            found.append(Row("campaign", what, double, "--jobs 1", single, "executions/s"))
    return found


def _run(backend: str, workloads: int, jobs: int, _: int) -> dict[str, float]:
    """Run a campaign from the start; return its seconds by phase."""
    asked = session.Request((), (), (backend,), (), workloads, seed=1)
    with tempfile.TemporaryDirectory(prefix="difftest-bench-") as folder:
        with session.begin(plugins.load(), asked, Path(folder), ()) as opened:
            opened.run(jobs)
        with Store.open(opened.directory) as store:
            return store.timings
