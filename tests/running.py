# SPDX-License-Identifier: GPL-2.0-only
"""Processes that run while a test looks: their children, their end, what they have kept."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from difftest.errors import StoreError
from difftest.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import Callable


def children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in path.read_text().split()]
    return found


def is_alive(pid: int) -> bool:
    """Say whether a process runs: one that only waits to be asked how it ended does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def kept(directory: Path) -> int:
    """Return how many shards a run has; 0 if there is none yet."""
    try:
        with Store(directory / FILE) as store:
            return store.shards()
    except StoreError:
        return 0


def until(done: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)
