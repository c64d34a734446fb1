# SPDX-License-Identifier: GPL-2.0-only
"""The progress bar of a long step: on standard error, one plain line where that is no terminal."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterator


class Progress:
    """Counts towards an expected total; the end is reached only when the step is done."""

    def __init__(self, bar: tqdm[None]) -> None:
        self._bar = bar

    def reach(self, count: int) -> None:
        """Show that `count` is done; the last unit of the total, an estimate, waits for the end."""
        total = self._bar.total
        self._bar.update(max(0, min(count, total - 1) - self._bar.n))

    def add(self, count: int = 1) -> None:
        """Show that `count` more are done."""
        self.reach(int(self._bar.n) + count)


@contextlib.contextmanager
def progress(
    title: str, total: int, unit: str = "step", *, scale: bool = False
) -> Iterator[Progress]:
    """Show a step of about `total` units; `scale` writes them as k, M, G."""
    if not sys.stderr.isatty():
        sys.stderr.write(f"{title}\n")
    with tqdm(
        total=total,
        desc=title,
        unit=unit,
        unit_scale=scale,
        file=sys.stderr,
        disable=None,
        leave=False,
    ) as bar:
        yield Progress(bar)
        bar.update(total - bar.n)
