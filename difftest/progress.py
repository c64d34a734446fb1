# SPDX-License-Identifier: GPL-2.0-only
"""The progress bar of a long step: on standard error, one plain line where that is no terminal."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, NoReturn

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterator


class Progress:
    """Counts towards an expected total; the end is reached only when the step is done."""

    def __init__(self, bar: tqdm[NoReturn], total: int) -> None:
        self._bar = bar
        self._total = total
        self._done = 0

    def reach(self, count: int) -> None:
        """Show that `count` is done; the last unit of the total, an estimate, waits for the end."""
        shown = max(self._done, min(count, self._total - 1))
        self._bar.update(shown - self._done)
        self._done = shown

    def add(self, count: int = 1) -> None:
        """Show that `count` more are done."""
        self.reach(self._done + count)

    def finish(self) -> None:
        """Show that all is done."""
        self._bar.update(self._total - self._done)
        self._done = self._total


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
        shown = Progress(bar, total)
        yield shown
        shown.finish()


class Counting:
    """Counts without knowing how far; `tasks` of them in all are to end some time."""

    def __init__(self, bar: tqdm[NoReturn], tasks: int) -> None:
        self._bar = bar
        self._tasks = tasks
        self._ended = 0
        self._of_ended = 0
        bar.set_postfix_str(f"0 of {tasks} done")

    def show(self, count: int) -> None:
        """Show that those that go on have come to `count` together."""
        self._bar.update(self._of_ended + count - self._bar.n)

    def finished(self, count: int) -> None:
        """Show that one more has ended, with `count`."""
        self._ended += 1
        self._of_ended += count
        self._bar.set_postfix_str(f"{self._ended} of {self._tasks} done")
        self.show(0)


@contextlib.contextmanager
def counting(title: str, tasks: int, unit: str) -> Iterator[Counting]:
    """Show a step whose units nobody can count before."""
    if not sys.stderr.isatty():
        sys.stderr.write(f"{title}\n")
    with tqdm(desc=title, unit=unit, file=sys.stderr, disable=None, leave=False) as bar:
        yield Counting(bar, tasks)
