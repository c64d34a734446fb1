# SPDX-License-Identifier: GPL-2.0-only
"""The programs that difftest starts: the packages they come in, and running them cleanly."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from difftest.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

#: Program -> Debian package.
PACKAGES = MappingProxyType(
    {
        "git": "git",
        "gcc": "gcc",
        "gcov": "gcc",
        "make": "make",
        "flex": "flex",
        "bison": "bison",
        "bc": "bc",
        "xz": "xz-utils",
        "tar": "tar",
        "dpkg-deb": "dpkg",
        "apt-get": "apt",
        "bwrap": "bubblewrap",
        "qemu-system-x86_64": "qemu-system-x86",
    }
)

#: What kernels are made with.
BUILDERS = ("git", "gcc", "make", "flex", "bison", "bc", "xz", "tar", "dpkg-deb", "apt-get")

#: C header -> Debian package.
HEADERS = MappingProxyType({"gelf.h": "libelf-dev"})

#: A source tree (1.4 GB), its archive while it is unpacked, a base build and one strategy's build.
DISK_NEEDED = 2_000_000_000

#: A linker that maps its output dies of SIGBUS on a full disk and says nothing of it: with less
#: than this left (the size of one kernel) a failure is put down to the disk.
DISK_EXHAUSTED = 8_000_000

#: What a build inherits of our environment. Not MAKEFLAGS, KCFLAGS, ARCH and their like: they would
#: change what is built, and the digest would not know.
_INHERITED = ("PATH", "HOME")

#: What the C library calls ENOSPC and EDQUOT, and what apt says before it comes to that.
_FULL_MESSAGES = ("No space left on device", "Disk quota exceeded", "enough free space in")
_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)

#: How long a group of processes gets between being asked to end and being made to, in seconds.
#: make removes half-written targets on SIGTERM, which takes it some milliseconds.
_GRACE = 5.0


class CommandError(Exception):
    """A program ended with an error: `output` is what it said. For callers to translate."""

    def __init__(self, command: Sequence[str], status: int, output: str) -> None:
        super().__init__(f"`{shlex.join(command)}` ended with status {status}:\n{output.strip()}")
        self.status = status
        self.output = output


def install_command(packages: Iterable[str]) -> str:
    """Return the command that installs Debian packages, as this user would type it."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install --no-install-recommends {' '.join(packages)}"


def require(*programs: str) -> None:
    """Raise ToolchainError if one of the programs is missing; it names all that are."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = dict.fromkeys(PACKAGES[program] for program in missing)
        raise ToolchainError(
            f"not installed here: {', '.join(missing)} "
            f"(Debian: {', '.join(packages)}): {install_command(packages)}"
        )


def has_header(header: str) -> bool:
    """Say whether the C compiler finds a header; False if there is no compiler, too."""
    command = ["gcc", "-fsyntax-only", "-include", header, "-x", "c", "/dev/null"]
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def require_headers(*headers: str) -> None:
    """Raise ToolchainError if one of the headers is missing; it names all that are."""
    require("gcc")
    missing = [header for header in headers if not has_header(header)]
    if missing:
        packages = dict.fromkeys(HEADERS[header] for header in missing)
        raise ToolchainError(
            f"not installed here: the C headers {', '.join(missing)} "
            f"(Debian: {', '.join(packages)}): {install_command(packages)}"
        )


def build_environment(work: Path) -> dict[str, str]:
    """Return the environment to compile in: it writes nowhere but below `work`."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    # The cache may lie in somebody's checkout, which git must not take for the kernel's.
    return inherited | {
        "LC_ALL": "C",
        "TZ": "UTC",
        "TMPDIR": str(work),
        "GIT_CEILING_DIRECTORIES": str(work),
    }


def compiler() -> str:
    """Return the version of the compiler, as it says it."""
    return _version(shutil.which("gcc") or "gcc")


@functools.cache
def _version(program: str) -> str:
    # Asked for with every shard, and a quarter of what opening a guest costs.
    return run([program, "--version"], where=Path("/")).splitlines()[0]


def run(
    command: Sequence[str],
    *,
    where: Path,
    environment: Mapping[str, str] | None = None,
    each_line: Callable[[str], None] | None = None,
) -> str:
    """Run a program in the directory `where`; return what it printed, errors among it.

    `each_line` sees every line as it comes. Raises CommandError if the program fails, and
    ToolchainError if it is missing or the disk that holds `where` is full. Whatever ends this call,
    the program and all it started (its process group) are gone afterwards.
    """
    if shutil.which(command[0]) is None:
        require(command[0])
    lines: list[str] = []
    with subprocess.Popen(
        command,
        cwd=where,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # Ctrl-C comes to us alone; we end the group
    ) as process:
        try:
            for line in process.stdout or ():
                lines.append(line)
                if each_line is not None:
                    each_line(line)
            status = process.wait()
        except BaseException:
            _end_group(process)
            raise
    output = "".join(lines)
    if status:
        if any(text in output for text in _FULL_MESSAGES) or nothing_left(where):
            raise disk_full(where)
        raise CommandError(command, status, output)
    return output


def is_disk_full(error: OSError) -> bool:
    """Say whether an error means that the disk, or this user's share of it, is full."""
    return error.errno in _FULL_ERRNOS


def disk_full(where: Path) -> ToolchainError:
    """Return the error for a full disk at `where`."""
    return ToolchainError(
        f"disk full: {where} is on a file system with {_free(where) / 1e9:.1f} GB left, and a "
        f"kernel's source and builds take about {DISK_NEEDED / 1e9:.0f} GB. Nothing half-made was "
        "kept. Make room, or name a directory on another disk in the environment variable "
        "DIFFTEST_CACHE"
    )


def nothing_left(where: Path) -> bool:
    """Say whether the disk is so full that this may be why something failed there."""
    return _free(where) < DISK_EXHAUSTED


def _free(where: Path) -> int:
    while not where.exists():  # the message comes after the cleaning up
        where = where.parent
    return shutil.disk_usage(where).free


def _end_group(process: subprocess.Popen[str]) -> None:
    """End a process and all that it started; wait until the first of them is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        os.killpg(process.pid, signal.SIGKILL)
