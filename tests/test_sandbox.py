# SPDX-License-Identifier: GPL-2.0-only
"""The sandbox: what runs inside sees what it is given; where there is none, that is told."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from difftest import doctor, kernels, plugins, sandbox
from difftest.backends.program import Program
from difftest.errors import BuildError
from difftest.guest.build import agent
from difftest.strategy import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@pytest.fixture
def nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "missing", lambda: "bubblewrap is not installed")


@pytest.fixture
def secret() -> Iterator[Path]:
    """Make a file below the home directory, which is where users have theirs."""
    path = Path.home() / f".difftest-secret-{os.getpid()}"
    path.write_text("int secret;\n")
    yield path
    path.unlink()


def inside(
    script: str, readable: Sequence[Path] = (), writable: Sequence[Path] = (), **more: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        sandbox.wrapped(["sh", "-c", script], readable, writable, **more),
        capture_output=True, text=True, check=False, env=sandbox.environment(),
    )  # fmt: skip


def test_only_what_is_given_is_there(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "file").write_text("mine\n")
    (tmp_path / "other").write_text("not mine\n")
    done = inside(f"cat file; ls {tmp_path}; cat {secret} /etc/passwd /etc/hostname",
                  [tmp_path / "given"], where=tmp_path / "given")  # fmt: skip
    assert done.stdout == "mine\ngiven\n"
    assert done.stderr.count("No such file") == 3


def test_what_is_readable_cannot_be_changed_and_what_is_writable_can(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    script = f"echo x > {tmp_path}/build/a; echo x > {tmp_path}/b; echo x > /usr/c; echo x > /tmp/d"
    done = inside(script, [tmp_path], [tmp_path / "build"])
    assert done.stderr.count("Read-only file system") == 2
    assert [path.name for path in tmp_path.rglob("*")] == ["build", "a"]


def test_there_is_no_network_no_other_process_and_no_environment_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKEN", "a secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
        done = inside(
            f'/usr/bin/python3 -c "{connect}"; cat /proc/[0-9]*/environ; ls -d /proc/{os.getpid()}'
        )
    assert "ConnectionRefusedError" in done.stderr
    assert "a secret" not in done.stdout
    assert "PATH=" in done.stdout
    assert f"/proc/{os.getpid()}\n" not in done.stdout


def test_nothing_inside_outlives_whoever_started_it(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    script = f"sleep 600 & echo > {tmp_path}/out/up; wait"
    command = list(map(str, sandbox.wrapped(["sh", "-c", script], [], [tmp_path / "out"])))
    starts = f"import subprocess; subprocess.run({command!r}, start_new_session=True)"
    with subprocess.Popen([sys.executable, "-c", starts]) as process:
        assert _soon((tmp_path / "out" / "up").exists)
        assert _running(str(tmp_path))
        process.send_signal(signal.SIGKILL)
    assert _soon(lambda: not _running(str(tmp_path)))


def _soon(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    return true()


def _running(words: str) -> bool:
    """Say whether a process has these words in its command, other than that which starts it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if words.encode() in line and b"start_new_session" not in line:
            found.append(path)
    return bool(found)


@pytest.mark.usefixtures("nothing_here")
def test_without_it_things_run_and_that_is_told() -> None:
    assert sandbox.wrapped(["true"], []) == ("true",)
    assert plugins.load().backend("uml:6.1").platform() == (
        "not sandboxed: bubblewrap is not installed"
    )
    (check,) = (one for one in doctor.checks() if one.name == "bwrap")
    assert not check.ok
    assert "see your files and the network" in check.found
    assert "uml: cannot" not in doctor.render([check])


def test_a_report_is_told_what_contained_its_kernels() -> None:
    assert plugins.load().backend("uml:6.1").platform().startswith("in bubblewrap ")


def at_the_end(path: str, *lines: str) -> str:
    """Return a patch that adds lines to the end of a file of 6.1."""
    have = (kernels.fetch("6.1") / path).read_text(encoding="utf-8").splitlines()
    added = "".join(f"+{line}\n" for line in lines)
    return (
        f"--- a/{path}\n+++ b/{path}\n@@ -{len(have)} +{len(have)},{1 + len(lines)} @@\n"
        f" {have[-1]}\n{added}"
    )


@pytest.mark.kernel
@pytest.mark.parametrize(
    "line", ['#include "{path}"', 'asm(".incbin \\"{path}\\"");'], ids=["include", "incbin"]
)
def test_a_patch_that_reads_a_file_of_the_user_does_not_build(line: str, secret: Path) -> None:
    text = at_the_end("mm/shmem.c", line.format(path=secret))
    with pytest.raises(BuildError) as caught:
        kernels.build("6.1", [kernels.Patch("a stranger's", text)], kernels.UML)
    said = str(caught.value)
    assert secret.name in said
    assert "a build sees the kernel's files and the system's, and none of yours" in said


@pytest.mark.kernel
@pytest.mark.parametrize("contained", [True, False], ids=["boxed", "bare"])
def test_a_kernel_that_looks_at_the_host_sees_no_file_of_the_user(
    secret: Path, monkeypatch: pytest.MonkeyPatch, *, contained: bool
) -> None:
    # The same kernel outside sees it: that is what the sandbox is for.
    if not contained:
        monkeypatch.setattr(sandbox, "missing", lambda: "not here")
    text = at_the_end(
        "mm/shmem.c",
        "int os_access(const char *file, int mode);",
        "static int __init looks_around(void)",
        "{",
        f'\tpr_emerg("the host: %d %d\\n", os_access("{Path.home()}/.difftest-secret-0", 0),',
        '\t\t os_access("/usr/bin/env", 0));',
        "\treturn 0;",
        "}",
        "late_initcall(looks_around);",
    )
    fixed = Path.home() / ".difftest-secret-0"
    fixed.symlink_to(secret)
    try:
        strategy = Strategy(name="looks", claim="", kernel_patches={"6.1": text})
        backend = plugins.load().backend("uml:6.1")
        ended = backend.boot([strategy], Program(init=agent()))
    finally:
        fixed.unlink()
    assert f"the host: {-errno.ENOENT if contained else 0} 0" in ended.console
