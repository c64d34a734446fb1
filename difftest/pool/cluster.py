# SPDX-License-Identifier: GPL-2.0-only
"""A pool of workers on other machines: a Dask cluster, or one that is made here for a run."""

from __future__ import annotations

import contextlib
import logging
import pickle
import re
import signal
import socket
import time
import uuid
from collections import Counter
from importlib import import_module
from itertools import count, islice
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from difftest import errors, sandbox
from difftest.errors import RigError, ToolchainError, UsageError
from difftest.facts import is_model
from difftest.kernels import artefacts, series
from difftest.pool import hand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from difftest.context import Context
    from difftest.errors import DifftestError

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2
"""Tasks for each thread of a worker that are out at a time: one that it does, one that waits."""
_CONNECT_SECONDS = 10
_LOOK_SECONDS = 2.0
"""How often to see whether there is still a cluster, while no result comes."""
_ALONE_SECONDS = 60
"""How long a run waits for a worker when there is none: one that is started again takes seconds."""
_TRIES = 3
"""How often a task may lose the process that carries it out, or ask for the same thing."""
_QUIET = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "1s"}
"""For a cluster of our own, of which nobody sees the dashboard: Dask would ask its workers a
hundred times a second what they do."""
_LOCAL = re.compile(r"local:([1-9][0-9]*)")
_REMOTE = re.compile(r"(tcp|tls)://([^/\s]+):([0-9]+)")

INSTALL = "pip install 'distributed>=2024.1'"


def check(where: str) -> None:
    """Raise UsageError for what is no cluster, ToolchainError where Dask is not installed."""
    if not (_LOCAL.fullmatch(where) or _REMOTE.fullmatch(where)):
        raise UsageError(
            f"--cluster {where}: expected the address of a Dask scheduler, tcp://HOST:PORT, or "
            "local:N for N workers on this machine"
        )
    _library()


@contextlib.contextmanager
def cluster(context: Context, where: str, skip: Sequence[str]) -> Iterator[Cluster]:
    """Yield a pool of the workers of a cluster: of the scheduler at `where`, or made for this.

    Raises RigError if nobody answers there, or if workers cannot do what is asked.
    """
    check(where)
    library = _library()
    # What Dask logs of workers that come and go is said by us where it matters.
    for name in [one for one in logging.root.manager.loggerDict if one.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        # Ctrl-C is this thread's affair: Dask's threads and workers start with our mask, and keep
        # it. Starting this process would take the mask off the thread that does it.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            client = stack.enter_context(_client(library, where))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield Cluster(library, client, context, where, skip)


def _library() -> Any:
    try:
        import distributed  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise ToolchainError(
            f"--cluster needs Dask's `distributed`, which is not installed here: {INSTALL}, here "
            "and on every worker"
        ) from None
    return distributed


@contextlib.contextmanager
def _client(library: Any, where: str) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:
        address: Any = where
        if local := _LOCAL.fullmatch(where):
            stack.enter_context(import_module("dask.config").set(_QUIET))
            address = stack.enter_context(
                library.LocalCluster(
                    n_workers=int(local[1]),
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address=None,
                    memory_limit=0,
                    silence_logs=logging.CRITICAL,
                )
            )
        try:
            if remote := _REMOTE.fullmatch(where):  # Dask would try a port where nobody is for long
                host, port = remote[2].strip("[]"), int(remote[3])
                socket.create_connection((host, port), _CONNECT_SECONDS).close()
            client = library.Client(address, timeout=_CONNECT_SECONDS)
        except (OSError, ValueError, OverflowError) as error:
            raise RigError(
                f"no Dask scheduler answers at {where}: {_line(error)}. Start one with "
                "`dask scheduler`, and workers with `dask worker ADDRESS`, or use --cluster local:N"
            ) from error
        yield stack.enter_context(client)


class Cluster:
    def __init__(
        self, library: Any, client: Any, context: Context, where: str, skip: Sequence[str]
    ) -> None:
        self._library = library
        self._client = client
        self._context = context
        self._where = where
        self._skip = tuple(skip)
        self._run = uuid.uuid4().hex
        self._numbers = count()
        self._given: set[tuple[str, str]] = set()  # to whom, what
        self._threads = 0
        self._looked = float("-inf")
        self._alone_since: float | None = None
        self._is_set_up = False

    def each(self, function: Callable[[Context, T], R], tasks: Iterable[T]) -> Iterator[R]:
        left = iter(tasks)
        out: dict[Any, bytes] = {}
        troubles: Counter[tuple[bytes, str, str | None]] = Counter()
        try:
            while True:
                for task in islice(left, max(0, self._room() - len(out))):
                    payload = pickle.dumps((function, task))
                    out[self._send(payload)] = payload
                if not out:
                    return
                for future in self._finished(out):
                    payload = out.pop(future)
                    reply = self._reply(future)
                    if reply.result is not None:
                        yield pickle.loads(reply.result)  # noqa: S301 - who runs a cluster trusts it
                        continue
                    if reply.error:
                        raise _named(reply.worker, reply.error)
                    trouble = (payload, reply.worker, reply.lacks)
                    troubles[trouble] += 1
                    if troubles[trouble] > _TRIES:
                        what = reply.lost or f"it lacks {reply.lacks or 'its setup'} when it has it"
                        raise RigError(
                            f"worker {reply.worker}: {what}, for the same task again and again. "
                            f"{_KEPT}"
                        )
                    if reply.lacks is not None:
                        self._give(reply.worker, reply.lacks, again=troubles[trouble] > 1)
                    out[self._send(payload)] = payload
        finally:
            with contextlib.suppress(Exception):  # the cluster may be gone
                self._client.cancel(list(out))

    def _send(self, payload: bytes) -> Any:
        # A key of its own: Dask takes tasks of the same key for the same task.
        key = f"difftest-{self._run}-{next(self._numbers)}"
        return self._client.submit(_serve, self._run, payload, key=key, pure=False)

    def _room(self) -> int:
        """Return how many tasks may be out; see to the workers first."""
        self._look()
        return max(1, _AHEAD * self._threads)

    def _look(self) -> None:
        """See whether there are workers. Raises RigError if there are none for long."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        try:
            threads = self._client.nthreads()
        except Exception as error:
            raise self._gone(error) from error
        self._looked, self._threads = time.monotonic(), sum(threads.values())
        if threads:
            self._alone_since = None
            if not self._is_set_up:
                self._set_up()
            return
        self._alone_since = self._alone_since or now
        if now - self._alone_since > _ALONE_SECONDS:
            raise RigError(
                f"no worker at {self._where} for {_ALONE_SECONDS} s: start some with "
                f"`dask worker {self._where}`. {_KEPT}"
            )

    def _finished(self, out: Iterable[Any]) -> list[Any]:
        """Wait until some futures are done, and return those."""
        while True:
            try:
                done, _ = self._library.wait(
                    list(out), timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED"
                )
            except TimeoutError:
                self._look()
            except Exception as error:
                raise self._gone(error) from error
            else:
                return list(done)

    def _reply(self, future: Any) -> hand.Reply:
        try:
            reply = future.result()
        except self._library.scheduler.KilledWorker as error:
            raise RigError(
                f"several workers at {self._where} died over the same task, one after another: "
                f"{_line(error)}. {_KEPT}"
            ) from error
        except Exception as error:
            if future.cancelled() or self._client.status != "running":
                raise self._gone(error) from error
            raise RigError(
                f"a worker at {self._where} cannot carry out tasks of this difftest: "
                f"{type(error).__name__}: {_line(error)}. It needs the same difftest, installed in "
                "the same version"
            ) from error
        finally:
            future.release()
        return hand.Reply(*reply)

    def _gone(self, error: Exception) -> RigError:
        return RigError(f"the scheduler at {self._where} is gone: {_line(error)}. {_KEPT}")

    def _set_up(self, workers: list[str] | None = None) -> None:
        """Tell workers what the run is about; all that there are if none are named."""
        identity = hand.Identity.here()
        settings = msgspec.json.encode(self._context.settings)
        boots = not all(map(is_model, self._context.settings.backends))
        sandboxed = boots and not sandbox.missing()
        known, trees = artefacts.made(), series.own()
        setup = hand.Setup(self._run, identity, sandboxed, settings, self._skip, known, trees)
        for worker, refused in self._ask(hand.set_up, setup, workers).items():
            if refused:
                raise RigError(
                    f"worker {worker} cannot take part: {refused}: install the same there, or "
                    "leave it out"
                )
        self._is_set_up = True

    def _give(self, worker: str, request: str, *, again: bool) -> None:
        """Give a worker what it lacks: once, where other tasks of its queue ask for it as well."""
        if (worker, request) in self._given and not again:
            return
        self._given.add((worker, request))
        if not request:
            self._set_up([worker])
            return
        parcel = (self._run, artefacts.packed(request))
        for who, wrong in self._ask(hand.take, parcel, [worker]).items():
            if wrong:
                raise RigError(f"worker {who}: {wrong}")

    def _ask(
        self, function: Callable[[Any], str], what: object, who: list[str] | None
    ) -> dict[str, str]:
        """Call a function on workers, past the queue of tasks; one that is gone says nothing."""
        answers = self._client.run(function, what, workers=who, on_error="return")
        found = {}
        for worker, answer in answers.items():
            if isinstance(answer, OSError):
                continue
            found[worker] = (
                f"{type(answer).__name__}: {_line(answer)}"
                if isinstance(answer, Exception)
                else answer
            )
        return found


_KEPT = "Finished shards are kept: the same command goes on from there"


def _serve(run: str, payload: bytes) -> tuple[Any, ...]:
    """Carry out a task; runs in a thread of a worker."""
    from distributed import get_worker  # noqa: PLC0415 - an optional extra

    worker = get_worker()
    return tuple(hand.serve(worker.address, worker.local_directory, run, payload))


def _named(worker: str, error: DifftestError) -> DifftestError:
    """Return an error of a worker, of the same kind where that is one of ours."""
    kind = type(error) if type(error).__module__ == errors.__name__ else RigError
    return kind(f"worker {worker}: {error}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
