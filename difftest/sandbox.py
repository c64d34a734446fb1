# SPDX-License-Identifier: GPL-2.0-only
"""The sandbox: builds and guests see system directories, what they are given, and no network.

A kernel under User-mode Linux is a process of this user: whatever a patch says, it can do. One in
QEMU has to find a way out of that first. Where bubblewrap is missing they run outside, and all that
tells of a run says so.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "bwrap"

#: Its own processes, network, users and so on; none of them outlives us.
_APART = ("--unshare-all", "--die-with-parent")

#: What programs are made of. Links among them ("/bin") stay links.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")

#: Of /etc, what programs cannot do without: where libraries are, and which awk is awk.
_SETTINGS = ("/etc/ld.so.cache", "/etc/alternatives")

#: Of the environment: where programs are, and what says where UML keeps a guest's memory.
_INHERITED = ("PATH", "TMPDIR", "TMP", "TEMP")

TMP = Path("/tmp")  # noqa: S108 -- inside, where it is the sandbox's own
"""Where whatever runs inside may write; in memory, and gone with it."""


def wrapped(
    command: Sequence[str | Path],
    readable: Sequence[Path],
    writable: Sequence[Path] = (),
    where: Path = Path("/"),
    devices: Sequence[Path] = (),
) -> tuple[str | Path, ...]:
    """Return the command that runs `command` inside, or as it is where there is no sandbox.

    `readable` are the files and directories that it sees besides the system's, at their places;
    `writable`, which may lie in them, those that it may change; `devices` are those that it has
    besides /dev/null and the like. `where` is the directory that it starts in. Open files are
    handed on. It is killed when we end, however we do.
    """
    if missing():
        return tuple(command)
    return (
        *_base(),
        *(word for path in readable for word in ("--ro-bind", path, path)),
        *(word for path in writable for word in ("--bind", path, path)),
        *(word for path in devices for word in ("--dev-bind", path, path)),
        *("--chdir", where),
        *command,
    )


def environment() -> dict[str, str]:
    """Return the environment of what needs none: ours may hold what is nobody's business."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C"} | inherited


@functools.cache
def missing() -> str:
    """Say why nothing can be sandboxed here; "" if it can."""
    if shutil.which(PROGRAM) is None:
        return "bubblewrap is not installed"
    done = subprocess.run(
        [*_base(), "true"], capture_output=True, text=True, errors="replace", check=False
    )
    words = " ".join(done.stderr.split())
    return f"bubblewrap does not work: {words}" if done.returncode else ""


def title() -> str:
    """Say in a few words how what is built and booted is contained, or why it is not."""
    if why := missing():
        return f"not sandboxed: {why}"
    done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False)
    return f"in {done.stdout.strip()}"


@functools.cache
def _base() -> tuple[str, ...]:
    system = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            system += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            system += ["--ro-bind", name, name]
    for name in _SETTINGS:
        system += ["--ro-bind-try", name, name]
    return (
        PROGRAM,
        *_APART,
        *system,
        *("--proc", "/proc"),
        *("--dev", "/dev"),
        *("--tmpfs", str(TMP)),
        *("--setenv", "TMPDIR", str(TMP)),
        # Of ours, it may be that nothing is seen inside.
        *(
            "--setenv",
            "PATH",
            os.pathsep.join([*os.get_exec_path(), *os.defpath.split(os.pathsep)]),
        ),
    )
