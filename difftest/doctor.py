# SPDX-License-Identifier: GPL-2.0-only
"""What this machine can run, and what to install so that it can run the rest."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from difftest import sandbox
from difftest.backends import kvm
from difftest.errors import DifftestError
from difftest.kernels import cache
from difftest.toolchain import BUILDERS, DISK_NEEDED, HEADERS, PACKAGES, has_header, install_command

#: The parts of difftest that need different things, in the order in which they are reported.
PARTS = ("model", "uml", "qemu")

#: The oldest Python that the code is written for (`requires-python` in pyproject.toml).
_PYTHON = (3, 11)

#: Room that is asked for before the first build: what it takes, and half of that again for the
#: kernels of many strategies (4 MB each) and other people's use of the same disk.
_ROOM = DISK_NEEDED * 3 // 2

#: What each guest may use: a container's usual 64 MB of /dev/shm for all of them kills the second
#: one with SIGBUS in the middle of a run.
GUEST_MEMORY = 64 << 20

#: From <sys/ptrace.h>: be the tracer of a process without stopping it. Children may be traced
#: under the same rules as those under which a child asks for it, which is what UML's do.
_PTRACE_SEIZE = 0x4206

#: The parts that boot kernels.
_GUESTS = ("uml", "qemu")

_PROGRAMS = dict.fromkeys(BUILDERS, _GUESTS) | {
    "git": PARTS,
    "gcov": ("uml",),
    "qemu-system-x86_64": ("qemu",),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `fix` says in a sentence what to do; `package` is the Debian package."""

    name: str
    ok: bool
    found: str
    needed_for: tuple[str, ...]
    fix: str = ""
    package: str = ""


def checks() -> list[Check]:
    """Look at this machine; nothing is installed, downloaded or booted."""
    return [
        _python(),
        *(_program(name, parts) for name, parts in _PROGRAMS.items()),
        *(_header(name) for name in HEADERS),
        _static_libc(),
        _disk(),
        _executable_memory(),
        _guest_memory(),
        _ptrace(),
        _kvm(),
        _sandbox(),
        _processors(),
        _kernels(),
    ]


def missing_packages(found: list[Check] | None = None) -> tuple[str, ...]:
    """Return the Debian packages that would mend what is wrong."""
    found = checks() if found is None else found
    return tuple(dict.fromkeys(check.package for check in found if not check.ok and check.package))


def render(found: list[Check]) -> str:
    """Return the findings as text; the last line is the command that installs what is missing."""
    width = max(len(check.name) for check in found)
    lines = [
        f"{'ok     ' if check.ok else 'MISSING'}  {check.name:<{width}}  {check.found}"
        for check in found
    ]
    lines.append("")
    for part in PARTS:
        wrong = [check for check in found if not check.ok and part in check.needed_for]
        names = ", ".join(check.name for check in wrong)
        lines.append(f"{part}: {f'cannot run here yet ({names})' if wrong else 'can run now'}")
    fixes = [check for check in found if not check.ok and not check.package]
    lines += [f"{check.name}: {check.fix}" for check in fixes]
    if packages := missing_packages(found):
        lines += ["", "Install what is missing:", f"  {install_command(packages)}"]
    return "\n".join(lines) + "\n"


def _python() -> Check:
    have = ".".join(map(str, sys.version_info[:3]))
    want = ".".join(map(str, _PYTHON))
    return Check(
        "Python",
        sys.version_info >= _PYTHON,
        have,
        PARTS,
        f"make the virtual environment with Python {want} or later",
    )


def _program(name: str, parts: tuple[str, ...]) -> Check:
    path = shutil.which(name)
    package = PACKAGES[name]
    return Check(
        name, path is not None, path or "not on PATH", parts, f"install {package}", package
    )


def _header(name: str) -> Check:
    ok, package = has_header(name), HEADERS[name]
    found = "found" if ok else "not found by gcc"
    return Check(name, ok, found, ("qemu",), f"install {package}", package)


def _static_libc() -> Check:
    """Link a static program, which is what the guest agent is."""
    ok, found = False, "cannot be tried without gcc"
    if shutil.which("gcc"):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                ["gcc", "-static", "-pthread", "-x", "c", "-o", f"{folder}/program", "-"],
                input='#include <stdio.h>\nint main(void) { return puts("") < 0; }\n',
                capture_output=True,
                text=True,
                check=False,
            )
        ok = done.returncode == 0
        found = "links" if ok else "a static program does not link (libc.a)"
    return Check("static C library", ok, found, _GUESTS, "install libc6-dev", "libc6-dev")


def _disk() -> Check:
    try:
        path = cache.root()
    except DifftestError as error:
        return Check("room on disk", ok=False, found="", needed_for=_GUESTS, fix=str(error))
    place = path
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    # What a first build takes is there already.
    ready = any((path / "bases").glob("*"))
    return Check(
        "room on disk",
        (ready or free >= _ROOM) and os.access(place, os.W_OK),
        f"{free / 1e9:.1f} GB in {path}",
        _GUESTS,
        f"have {_ROOM / 1e9:.0f} GB, writable, in {path}, or name another directory in the "
        "environment variable DIFFTEST_CACHE",
    )


def memory_directory() -> Path:
    """Return where UML keeps a guest's memory (choose_tempdir() in arch/um/os-Linux/mem.c)."""
    for name in ("TMPDIR", "TMP", "TEMP"):
        if chosen := os.environ.get(name):
            return Path(chosen)
    shared = Path("/dev/shm")  # noqa: S108 -- UML's choice, not ours
    return shared if shared.is_mount() else Path("/tmp")  # noqa: S108


def _guest_memory() -> Check:
    place, want = memory_directory(), GUEST_MEMORY * len(os.sched_getaffinity(0))
    free = shutil.disk_usage(place).free if place.is_dir() else 0
    return Check(
        "guest memory",
        free >= want,
        f"{free / 1e6:.0f} MB free in {place}",
        ("uml",),
        f"have {want / 1e6:.0f} MB in {place} (a container: --shm-size), or name another "
        "directory in the environment variable TMPDIR",
    )


def _executable_memory() -> Check:
    """Map a file executable where UML does."""
    place, ok = memory_directory(), False
    with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=place) as file:
        file.truncate(mmap.PAGESIZE)
        mmap.mmap(file.fileno(), mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()
        ok = True
    return Check(
        "executable memory",
        ok,
        f"files in {place} can{'' if ok else 'not'} be mapped executable",
        ("uml",),
        f"mount -o remount,exec {place}, or name another directory in the environment variable "
        "TMPDIR",
    )


def _ptrace() -> Check:
    """Trace a child, as UML does with every guest process."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    libc.ptrace.restype = ctypes.c_long
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        ok = libc.ptrace(_PTRACE_SEIZE, child.pid, None, None) == 0
        why = os.strerror(ctypes.get_errno())
        child.kill()
    return Check(
        "ptrace",
        ok,
        "allowed" if ok else why,
        ("uml",),
        "allow it: sysctl kernel.yama.ptrace_scope=1 (a container: --cap-add=SYS_PTRACE)",
    )


def _kvm() -> Check:
    """Look for the device; whether guests run with it shows in a boot, once they are to."""
    found = f"{kvm.DEVICE} is there, and tried before it is used"
    if not kvm.usable():
        found = f"{kvm.DEVICE} cannot be opened: QEMU emulates, ten times slower"
    return Check("KVM", ok=True, found=found, needed_for=())


def _sandbox() -> Check:
    """Without it everything runs; a stranger's patch then runs as this user does."""
    why = sandbox.missing()
    installed = shutil.which(sandbox.PROGRAM) is not None
    return Check(
        sandbox.PROGRAM,
        ok=not why,
        found=f"{why}: builds and guests see your files and the network" if why else "sandboxes",
        needed_for=(),
        fix="allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1; a "
        "container: --security-opt seccomp=unconfined), or try patches of strangers elsewhere",
        package="" if installed else PACKAGES[sandbox.PROGRAM],
    )


def _processors() -> Check:
    count = len(os.sched_getaffinity(0))
    return Check("processors", ok=True, found=f"{count} for guests and builds", needed_for=())


def _kernels() -> Check:
    with contextlib.suppress(DifftestError):
        if built := cache.list_kernels():
            return Check("kernels", ok=True, found=f"{len(built)} in the cache", needed_for=())
    found = "none built yet: the first takes about 2 minutes, each further one some seconds"
    return Check("kernels", ok=True, found=found, needed_for=())
