# SPDX-License-Identifier: GPL-2.0-only
"""A hand: the process that carries out tasks for a thread of a Dask worker.

A process of its own, because the model's watchdog is a signal, which only the main thread of a
process gets, and so that what a task does to its process does not reach Dask's.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from difftest import plugins, sandbox
from difftest.context import Context
from difftest.errors import DifftestError, RigError
from difftest.identity import version_of
from difftest.kernels import artefacts, series
from difftest.settings import Settings

if TYPE_CHECKING:
    from difftest.kernels.artefacts import Artefact, Place

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
#: Not `-m`: what is unpickled there is of this module, and not of one that is called `__main__`.
_MAIN = "from difftest.pool.hand import main; main()"
#: Setups that a worker keeps, of 0.3 MB each: more runs at a time than that ask for theirs again.
_MOST_RUNS = 16


class Identity(NamedTuple):
    """What has to be the same on every machine of a run: versions of Python and of difftest."""

    python: str
    difftest: str

    @classmethod
    def here(cls) -> Identity:
        major, minor, *_ = sys.version_info
        return cls(f"{major}.{minor}", version_of(()))

    def __str__(self) -> str:
        return f"difftest {self.difftest} on Python {self.python}"


class Setup(NamedTuple):
    """What a worker has to know before the first task of a run.

    `run` is a name that no other run has, of the same settings either: its kernels may be others.
    `sandboxed` says that guests boot in a sandbox, as the run's result will say of all of them.
    `settings` are JSON; `known` is where the artefacts are that the run was made ready with, and
    `trees` are the user's own, each with the series that it is like.
    """

    run: str
    identity: Identity
    sandboxed: bool
    settings: bytes
    skip: tuple[str, ...]
    known: dict[str, Place]
    trees: dict[str, str]


class Reply(NamedTuple):
    """What became of a task: one of the fields after the worker's address.

    `lacks` is a request for an artefact, or "" for the setup of the run. `lost` says how the hand
    died.
    """

    worker: str
    result: bytes | None = None
    lacks: str | None = None
    error: DifftestError | None = None
    lost: str = ""


# What a worker's process knows of runs, by their names; hands are told.
_setups: dict[str, Setup] = {}
_arrived: dict[str, dict[str, Place]] = {}
_threads = threading.local()


def set_up(setup: Setup) -> str:
    """Take the setup of a run; return "", or why this worker is none for it."""
    if setup.identity != (here := Identity.here()):
        return f"it has {here}, and the run needs {setup.identity}"
    if setup.sandboxed and (why := sandbox.missing()):
        return f"guests would not be sandboxed there, as they are here: {why}"
    if len(_setups) == _MOST_RUNS:
        oldest = next(iter(_setups))
        del _setups[oldest], _arrived[oldest]
    _setups[setup.run] = setup
    _arrived[setup.run] = {}
    return ""


def take(parcel: tuple[str, Artefact]) -> str:
    """Put an artefact into this machine's cache for a run; return "", or what is wrong with it."""
    run, artefact = parcel
    try:
        artefacts.keep(artefact)
    except DifftestError as error:
        return str(error)
    if run in _arrived:
        _arrived[run][artefact.request] = (artefact.kind, artefact.name)
    return ""


def serve(worker: str, folder: str, run: str, payload: bytes) -> Reply:
    """Carry out a task of a run, which is pickled with its function, by this thread's hand."""
    setup = _setups.get(run)
    if setup is None:
        return Reply(worker, lacks="")
    hand: Hand | None = getattr(_threads, "hand", None)
    if hand is None or hand.run != run:
        if hand:
            hand.close()
        hand = _threads.hand = Hand(setup, folder)
    try:
        kind, content = hand.do(payload, _arrived.get(run, {}))
    except (EOFError, OSError):
        _threads.hand = None
        return Reply(worker, lost=f"its process ended with status {hand.close()}")
    return Reply(worker, **{kind: content})


class Hand:
    """The other end of a hand, which ends with it, and with the thread that made it."""

    def __init__(self, setup: Setup, folder: str) -> None:
        self.run = setup.run
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _MAIN, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        with contextlib.suppress(OSError):  # it died already: the first task will tell
            self._connection.send((os.getpid(), folder, setup))

    def do(self, payload: bytes, arrived: dict[str, Place]) -> tuple[str, Any]:
        """Return the name and the content of a field of a Reply. Raises EOFError and OSError."""
        self._connection.send((payload, arrived))
        kind, content = self._connection.recv()
        return kind, content

    def close(self) -> int:
        self._connection.close()
        return self._process.wait()


def main() -> None:
    """Be a hand."""
    connection = Connection(int(sys.argv[1]))
    parent, folder, setup = connection.recv()
    # If the worker is killed we go, too, and our guests with us.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the affair of who began the run
    if os.getppid() != parent:
        return
    tempfile.tempdir = folder
    series.take_only(setup.trees)
    context: Context | None = None
    with contextlib.suppress(EOFError):
        while True:
            payload, arrived = connection.recv()
            try:
                context = context or _context(setup, folder)
                artefacts.take_only(setup.known | arrived)
                function, task = pickle.loads(payload)  # noqa: S301 - who runs a cluster trusts it
                connection.send(("result", pickle.dumps(function(context, task))))
            except artefacts.LackingError as error:
                connection.send(("lacks", error.request))
            except DifftestError as error:
                connection.send(("error", error))
            except Exception as error:  # noqa: BLE001 - told where somebody sees it
                text = f"a task raised {type(error).__name__}: {error}"
                connection.send(("error", RigError(text)))


def _context(setup: Setup, folder: str) -> Context:
    settings = msgspec.json.decode(setup.settings, type=Settings)
    loaded = plugins.load(setup.skip)
    here = version_of([loaded.oracle(name) for name in settings.oracles])
    if here != settings.version:
        raise RigError(
            f"its plugins are others: with them it is difftest {here}, and the run needs "
            f"{settings.version}: install the same there"
        )
    return Context(settings, loaded, Path(folder))
