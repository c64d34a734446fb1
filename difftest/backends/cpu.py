# SPDX-License-Identifier: GPL-2.0-only
"""A processor for each guest: unpinned, a User-mode Linux spends its time in migrations."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def slot() -> Iterator[int]:
    """Take a processor that no other difftest process of this user has; share one if all are taken.

    A system call of a guest cost 16 µs with its processes on one processor, 65 µs on any of two.
    """
    cpus = sorted(os.sched_getaffinity(0))
    folder = Path(f"/tmp/difftest-cpus-{os.getuid()}")  # noqa: S108 - the same for all processes
    folder.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        for cpu in cpus:
            file = stack.enter_context((folder / str(cpu)).open("a"))
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield cpu
                return
        yield cpus[os.getpid() % len(cpus)]


@contextlib.contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Processes started in here run on that processor; this one goes back to where it was."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
