# SPDX-License-Identifier: GPL-2.0-only
"""A campaign of all strategies on one backend: by two workers, processes or Dask's, beside one."""

from __future__ import annotations

import statistics
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measure import Row, interleaved
from difftest import plugins, session
from difftest.store import Store

#: Workloads by backend: enough that starting the workers is the smaller part.
WORKLOADS = {"model": 6000, "uml:6.1": 2000}


#: How the two workers are asked for, and the ratio that two processors should come to.
WORKERS = {"--jobs 2": (2, "", "1.8"), "--cluster local:2": (2, "local:2", "1.6")}


def rows(*, quick: bool) -> list[Row]:
    found = []
    for backend, full in WORKLOADS.items():
        workloads = full // 2 if quick else full
        sides = [(1, ""), *((jobs, cluster) for jobs, cluster, _ in WORKERS.values())]
        one, *others = interleaved(
            f"campaign on {backend}",
            1 if quick else 3,
            *(partial(_run, backend, workloads, *side) for side in sides),
        )
        executions = workloads * len(plugins.load().strategies)
        for title, phases in (
            ("draw, run and judge", ("generate", "run")),
            ("run and judge", ("run",)),
        ):
            single, *double = (
                executions / statistics.median(sum(timing[p] for p in phases) for timing in side)
                for side in (one, *others)
            )
            for (words, (*_, target)), value in zip(WORKERS.items(), double, strict=True):
                what = f"{backend}, {title}: {words}"
                row = Row("campaign", what, value, "--jobs 1", single, "executions/s", target)
                found.append(row)
    return found


def _run(backend: str, workloads: int, jobs: int, cluster: str, _: int) -> dict[str, float]:
    """Run a campaign from the start; return its seconds by phase."""
    asked = session.Request((), (), (backend,), (), workloads, seed=1)
    with tempfile.TemporaryDirectory(prefix="difftest-bench-") as folder:
        with session.begin(plugins.load(), asked, Path(folder), ()) as opened:
            opened.run(jobs, cluster)
        with Store.open(opened.directory) as store:
            return store.timings
