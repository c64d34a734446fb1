# SPDX-License-Identifier: GPL-2.0-only
"""A run on a Dask cluster: a real scheduler and real workers, as processes on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from running import children, is_alive, kept, until

import difftest
from difftest import session
from difftest.errors import ToolchainError, UsageError
from difftest.kernels import DEFAULT
from difftest.pool.cluster import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.result import Result

RUN = (
    sys.executable, "-m", "difftest", "run", "--faults", "0",
    "--strategy", "unpatched", "--strategy", "release_page",
)  # fmt: skip
MODEL = (*RUN, "--backend", "model", "--workloads", "750")
UML = (*RUN, "--backend", f"uml:{DEFAULT}", "--workloads", "750")
DASK = (sys.executable, "-m", "dask")


@dataclass
class Dask:
    """A scheduler, its workers, and the folder that they are in."""

    folder: Path
    address: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *words: object, **environment: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"log-{len(self.processes)}").open("wb") as log:
            process = subprocess.Popen(
                [*DASK, *map(str, words)],
                env=os.environ | environment, stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def worker(self, name: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker without a nanny, so that the process is the worker itself."""
        return self.start(
            "worker", self.address, "--name", name, "--nthreads", 1, "--no-nanny",
            "--no-dashboard", "--local-directory", self.folder / name, **environment,
        )  # fmt: skip


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    made = Dask(tmp_path, f"tcp://127.0.0.1:{port}")
    made.start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
    until(lambda: _listens(port))
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    return False


def run(command: tuple[str, ...], *more: object) -> subprocess.CompletedProcess[str]:
    words = [*command, *map(str, more)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def result(runs: Path) -> Result:
    stored = session.stored(runs / "0001")
    return msgspec.structs.replace(stored, timings={})


def same(one: Result, other: Result) -> bool:
    """Compare two results, but for the attacks: whether a race is won differs each time."""
    return msgspec.structs.replace(one, attacks=(), decision=other.decision) == (
        msgspec.structs.replace(other, attacks=())
    )


def disturbed(
    dask: Dask, command: tuple[str, ...], workers: list[subprocess.Popen[bytes]], shards: int
) -> tuple[Result, int]:
    """Run, and kill the first worker when so many shards are in; return what it came to.

    The second is how many shards were in when it was dead.
    """
    runs = dask.folder / "runs"
    process = subprocess.Popen(
        [*command, "--cluster", dask.address, "--output", str(runs)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: kept(runs / "0001") >= shards or process.poll() is not None)
    until(lambda: children(workers[0].pid) or process.poll() is not None)
    (hand,) = children(workers[0].pid)
    workers[0].send_signal(signal.SIGKILL)
    workers[0].wait()
    had = kept(runs / "0001")
    _, said = process.communicate(timeout=300)
    assert process.returncode in {0, 1}, said
    assert "Traceback" not in said
    until(lambda: not is_alive(hand))
    return result(runs), had


@pytest.mark.long
def test_a_worker_that_is_killed_is_done_without_and_the_result_is_the_same(
    dask: Dask, tmp_path: Path
) -> None:
    workers = [dask.worker("one"), dask.worker("two")]
    run(MODEL, "--jobs", 1, "--output", tmp_path / "alone")
    found, had = disturbed(dask, MODEL, workers, 1)
    assert had < 6
    assert found == result(tmp_path / "alone")


@pytest.mark.kernel
def test_kernels_travel_to_workers_that_lack_them(dask: Dask, tmp_path: Path) -> None:
    """Each worker has an empty cache, and no compiler; one of them is killed in the middle."""
    run(UML, "--jobs", 1, "--output", tmp_path / "alone")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bwrap", "setarch", "setpriv"):
        (tools / name).symlink_to(shutil.which(name) or "")
    workers = [
        dask.worker(name, DIFFTEST_CACHE=str(tmp_path / f"cache-{name}"), PATH=str(tools))
        for name in ("one", "two")
    ]
    found, had = disturbed(dask, UML, workers, 2)
    assert had < 6
    assert same(found, result(tmp_path / "alone"))
    assert {one.backend for one in found.attacks} == {f"uml:{DEFAULT}"}
    cache = tmp_path / "cache-two"
    assert sorted(path.name for path in cache.iterdir()) == ["agents", "kernels", "locks", "tmp"]
    assert len(list((cache / "kernels").iterdir())) == 2


@pytest.mark.long
def test_a_worker_with_another_difftest_is_refused(dask: Dask, tmp_path: Path) -> None:
    other = tmp_path / "site" / "difftest"
    shutil.copytree(
        Path(difftest.__file__).parent, other, ignore=shutil.ignore_patterns("__pycache__")
    )
    with (other / "strategy.py").open("a") as file:
        file.write("# another\n")
    dask.worker("other", PYTHONPATH=str(other.parent))
    done = run(MODEL, "--cluster", dask.address, "--output", tmp_path / "runs")
    assert done.returncode == 2
    assert "cannot take part: it has difftest 0.1.0 " in done.stderr
    assert "install the same there, or leave it out" in done.stderr
    assert kept(tmp_path / "runs" / "0001") == 0


def test_where_nobody_listens_the_address_is_named(tmp_path: Path) -> None:
    done = run(MODEL, "--cluster", "tcp://127.0.0.1:9", "--output", tmp_path / "runs")
    assert done.returncode == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1:9: " in done.stderr
    assert "`dask scheduler`" in done.stderr


@pytest.mark.kernel
def test_a_hand_that_is_killed_is_replaced_and_a_local_cluster_comes_to_the_same(
    tmp_path: Path,
) -> None:
    runs = tmp_path / "runs"
    process = subprocess.Popen(
        [*UML, "--cluster", "local:1", "--output", str(runs)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: kept(runs / "0001"))
    found = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"difftest.pool.hand" in _read(path) and _is_below(int(path.parent.name), process.pid)
    ]
    assert len(found) == 1
    os.kill(found[0], signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode in {0, 1}, said
    assert "Traceback" not in said
    run(UML, "--jobs", 1, "--output", tmp_path / "alone")
    assert same(result(runs), result(tmp_path / "alone"))


@pytest.mark.kernel
@pytest.mark.parametrize("ends", ["ctrl-c", "scheduler"])
def test_ctrl_c_ends_a_local_cluster_and_a_scheduler_that_dies_is_named(
    dask: Dask, tmp_path: Path, ends: str
) -> None:
    dask.worker("one")
    where = "local:1" if ends == "ctrl-c" else dask.address
    process = subprocess.Popen(
        [*UML, "--cluster", where, "--output", str(tmp_path / "runs")],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    until(lambda: kept(tmp_path / "runs" / "0001") or process.poll() is not None)
    if ends == "ctrl-c":
        os.killpg(process.pid, signal.SIGINT)
    else:
        dask.processes[0].kill()
    _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    if ends == "ctrl-c":
        assert process.returncode == 130
        assert f"`difftest run --resume {tmp_path}/runs/0001`" in said
    else:
        assert process.returncode == 2
        assert f"the scheduler at {dask.address} is gone: " in said
        assert "the same command goes on from there" in said
    until(lambda: not _of_session(process.pid))


def _of_session(session: int) -> list[bytes]:
    """Return the command lines of all processes of a session, but for those that just end."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        state, *_ = fields = _read(path).rpartition(b")")[2].split() or [b"Z"]
        if state != b"Z" and int(fields[3]) == session:
            found.append(_read(path.with_name("cmdline")))
    return found


def _read(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


def _is_below(pid: int, ancestor: int) -> bool:
    while pid not in {0, 1, ancestor}:
        fields = _read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()
        pid = int(fields[1]) if fields else 0
    return pid == ancestor


@pytest.mark.parametrize(
    "where", ["tcp://host", "host:8786", "local:0", "local:two", "http://host:1", "tcp://a b:1"]
)
def test_what_is_no_cluster_is_named_with_what_is(where: str) -> None:
    with pytest.raises(UsageError, match=r"expected the address .* tcp://HOST:PORT, or local:N"):
        check(where)


def test_without_dask_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ToolchainError, match="not installed here: pip install 'distributed"):
        check("local:2")


def test_mutants_are_not_for_clusters(tmp_path: Path) -> None:
    done = run(MODEL, "--mutants", "--cluster", "local:1", "--output", tmp_path / "runs")
    assert done.returncode == 2
    assert "mutants are tried on one machine" in done.stderr
