# SPDX-License-Identifier: GPL-2.0-only
"""Accidents: killed processes and a full disk cost what is in flight, and nothing counts twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from running import children, is_alive, kept, until

DIFFTEST = (sys.executable, "-m", "difftest")
RUN = (
    *DIFFTEST, "run", "--backend", "model", "--strategy", "unpatched", "--strategy",
    "release_page", "--workloads", "1500", "--faults", "0", "--format", "json",
)  # fmt: skip
SHARDS = 12


def ended(*command: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"timings": {}}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return result(ended(*RUN, "--jobs", 1, "--output", tmp_path_factory.mktemp("runs")))


def workers(pid: int) -> list[int]:
    """Return the processes of a pool, without what multiprocessing has beside them."""
    return [
        child
        for child in children(pid)
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


@pytest.mark.long
@pytest.mark.parametrize("victim", ["main", "worker"])
def test_a_process_that_is_killed_costs_what_is_in_flight(
    tmp_path: Path, victim: str, undisturbed: dict[str, Any]
) -> None:
    process = subprocess.Popen(
        [*RUN, "--jobs", "2", "--output", tmp_path],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    run = tmp_path / "0001"
    until(lambda: kept(run))
    pool = workers(process.pid)
    assert len(pool) == 2
    os.kill(process.pid if victim == "main" else pool[0], signal.SIGKILL)
    _, said = process.communicate(timeout=30)
    until(lambda: not any(map(is_alive, pool)))
    had = kept(run)
    assert 0 < had < SHARDS
    if victim == "worker":
        assert process.returncode == 2
        assert "Traceback" not in said
        assert "a worker process died (killed, or out of memory). Finished shards are kept" in said
    again = ended(*DIFFTEST, "run", "--resume", "--output", tmp_path, "--format", "json")
    assert f"going on with {run}" in again.stderr
    assert result(again) == undisturbed
    assert kept(run) == SHARDS
    assert not list(run.glob("*.part"))


@pytest.mark.long
@pytest.mark.parametrize(("jobs", "size"), [(1, 600), (2, 640)])
def test_a_full_disk_is_named_and_what_was_finished_is_kept(
    tmp_path: Path, jobs: int, size: int, undisturbed: dict[str, Any]
) -> None:
    """A real one: a file system of 600 or 640 KB, which the run does not fit in."""
    small, runs = tmp_path / "small", tmp_path / "runs"
    small.mkdir()
    script = (
        f'mount -t tmpfs -o size={size}k none "$0" && {{ "$@"; status=$?; '
        'cp -r "$0/runs" "$0/.."; exit $status; }'
    )
    full = ended(
        "unshare", "--mount", "--map-root-user", "sh", "-c", script, small,
        *RUN, "--jobs", jobs, "--output", small / "runs",
    )  # fmt: skip
    assert full.returncode == 2
    assert f"cannot write {small}" in full.stderr or f"cannot write below {small}" in full.stderr
    assert "The shards that were finished are kept" in full.stderr
    had = kept(runs / "0001")
    assert 0 < had < SHARDS
    again = ended(*DIFFTEST, "run", "--resume", "--output", runs, "--format", "json")
    assert result(again) == undisturbed
    assert kept(runs / "0001") == SHARDS
