# SPDX-License-Identifier: GPL-2.0-only
"""Pools: who carries out the tasks of a run. The protocol, and which one a run gets.

A task is a pure function of a run's settings and of itself: who carries it out, how often and in
which order makes no difference to its result.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol, TypeVar

from difftest.pool.cluster import check, cluster
from difftest.pool.processes import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from difftest.context import Context

T = TypeVar("T")
R = TypeVar("R")


class Pool(Protocol):
    """Carries out tasks; somebody else's death loses no more than what is in flight."""

    def each(self, function: Callable[[Context, T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Yield what the function makes of each task, in any order.

        `function` is one of a module, tasks and results can be pickled. Tasks are taken as they
        can be carried out. Raises what the function raises, RigError if a worker was lost and
        cannot be replaced, StoreError for a full disk.
        """
        ...


class Alone:
    """No pool: this process does everything itself."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def each(self, function: Callable[[Context, T], R], tasks: Iterable[T]) -> Iterator[R]:
        return (function(self._context, task) for task in tasks)


def opened(
    context: Context, jobs: int, skip: Sequence[str], where: str = ""
) -> AbstractContextManager[Pool]:
    """Return a pool, to be entered: the cluster at `where`, or so many processes on this machine.

    `skip` are plugins that workers leave out, too. Raises UsageError for what is no cluster.
    """
    if where:
        check(where)
        return cluster(context, where, skip)
    if jobs == 1:
        return contextlib.nullcontext(Alone(context))
    return processes(context, jobs, skip)
