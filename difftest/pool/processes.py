# SPDX-License-Identifier: GPL-2.0-only
"""A pool of processes on this machine."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import shutil
import signal
import tempfile
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from difftest import plugins
from difftest.context import Context
from difftest.errors import RigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from difftest.settings import Settings

T = TypeVar("T")
R = TypeVar("R")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
PART = ".part"
"""How the files end in which tasks and results are handed over."""
_AHEAD = 2
"""Tasks for each process that are out at a time: one that it does, one that waits."""

# A worker process has one context, made when it starts.
_context: Context | None = None


def _start_worker(
    settings: Settings, directory: Path, work: str, skip: Sequence[str], parent: int
) -> None:
    global _context  # noqa: PLW0603 - see above
    # The main process ends us with SIGTERM; if it is killed, the system does. We die on the spot:
    # guests go with us in the same way, and it removes our files.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was killed before the system knew that we want to know
        os._exit(1)
    tempfile.tempdir = work
    _context = Context(settings, plugins.load(skip), directory)


def _in_worker(file: str) -> str:
    """Carry out what a file asks for; return the file with the result.

    What goes through the pool's pipes must be small. A worker that is killed while it writes or
    reads more than a pipe takes at once leaves the others, or us, waiting for the rest for ever.
    """
    assert _context is not None  # noqa: S101 - _start_worker has run
    path = Path(file)
    function, task = pickle.loads(path.read_bytes())  # noqa: S301 - our own main process's
    path.unlink()
    return _handed_over(function(_context, task), _context.directory)


def _nothing(_: Context, __: None) -> None:
    """Do nothing: any task makes all processes start."""


def _handed_over(thing: object, directory: Path) -> str:
    """Write a thing to a file; return that. Raises StoreError."""
    data = pickle.dumps(thing)
    try:
        with tempfile.NamedTemporaryFile(dir=directory, suffix=PART, delete=False) as file:
            file.write(data)
    except OSError as error:
        raise StoreError(
            f"cannot write below {directory}: {error.strerror}. The shards that were finished are "
            "kept; when that is mended (`df`, permissions) the same command goes on from there"
        ) from error
    return file.name


class Processes:
    """`work` is a directory for what is on the way to workers."""

    def __init__(self, pool: ProcessPoolExecutor, jobs: int, work: Path) -> None:
        self._work = work
        self._pool = pool
        self._jobs = jobs

    def start(self) -> None:
        """Let the processes start now: they read in difftest while ours prepares the run."""
        self._submit(_handed_over((_nothing, None), self._work))

    def each(self, function: Callable[[Context, T], R], tasks: Iterable[T]) -> Iterator[R]:
        left = iter(tasks)
        out: set[Future[str]] = set()
        while True:
            for task in islice(left, _AHEAD * self._jobs - len(out)):
                out.add(self._submit(_handed_over((function, task), self._work)))
            if not out:
                return
            done, out = wait(out, return_when=FIRST_COMPLETED)
            for future in done:
                path = Path(future.result())
                result: R = pickle.loads(path.read_bytes())  # noqa: S301 - our own worker's
                path.unlink()
                yield result

    def _submit(self, file: str) -> Future[str]:
        # Ctrl-C is the main process's affair: workers start with our mask, and keep it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self._pool.submit(_in_worker, file)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def processes(context: Context, jobs: int, skip: Sequence[str]) -> Iterator[Processes]:
    """Yield a pool of `jobs` processes; they end with it, and leave no files."""
    work = tempfile.mkdtemp(prefix="difftest-")
    arguments: tuple[Any, ...] = (context.settings, context.directory, work, skip, os.getpid())
    pool = ProcessPoolExecutor(
        jobs,
        # A fork would take over our threads' locks; a fresh process needs 0.4 s once.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=arguments,
    )
    try:
        made = Processes(pool, jobs, Path(work))
        made.start()
        yield made
    except BrokenProcessPool as error:
        raise RigError(
            "a worker process died (killed, or out of memory). Finished shards are kept: "
            "the same command goes on from there, with fewer --jobs if memory is short."
        ) from error
    except BaseException:
        _stop(pool)
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(work, ignore_errors=True)
        for left in context.directory.glob(f"*{PART}"):
            left.unlink(missing_ok=True)


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the workers now; what they have in flight is lost, and their guests end with them."""
    for process in list((pool._processes or {}).values()):  # noqa: SLF001 - has no public name
        process.terminate()
