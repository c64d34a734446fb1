# SPDX-License-Identifier: GPL-2.0-only
"""The directory of a run: its number below `runs/`, and the lock of the process that writes it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from difftest.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

_LOCK = "run.lock"
#: `is_written` holds the lock for some microseconds; a process that writes holds it to its end.
_TRIES = 5


def numbered(runs: Path) -> list[Path]:
    """Return the directories below `runs` that are named by a number, in that order."""
    found = [path for path in runs.glob("*") if path.name.isdecimal() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name))


def following(runs: Path) -> Path:
    """Make the next free directory below `runs`: 0001, then 0002, and so on."""
    runs.mkdir(parents=True, exist_ok=True)
    number = max((int(path.name) for path in runs.iterdir() if path.name.isdecimal()), default=0)
    while True:
        number += 1
        directory = runs / f"{number:04}"
        try:
            directory.mkdir()
        except FileExistsError:  # another process was faster
            continue
        return directory


def locked(directory: Path) -> IO[str]:
    """Take the right to write a run, which ends when the file that is returned is closed.

    The system closes it for a process that dies, however it does. Raises StoreError if another
    process has it.
    """
    # A file of its own: closing any descriptor of the database would drop SQLite's own locks.
    lock = (directory / _LOCK).open("a+")
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(0.01)
                continue
            lock.seek(0)
            owner = lock.read().strip()
            lock.close()
            raise StoreError(
                f"{directory} is being written by another difftest"
                + (f" (process {owner})" if owner else "")
                + ": wait for it, or start another run (--seed)"
            ) from None
        break
    # For the message above; that it cannot be written on a full disk is said where it matters.
    with contextlib.suppress(OSError):
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
    return lock


def is_written(directory: Path) -> bool:
    """Say whether a process is writing a run just now."""
    try:
        with (directory / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
