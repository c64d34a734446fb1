# SPDX-License-Identifier: GPL-2.0-only
"""Backends: where workloads run. The protocol, and the bundled ones."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import pluggy

from difftest.errors import DifftestError, RigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from difftest.outcome import Outcome
    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload

hookimpl = pluggy.HookimplMarker("difftest")


class Runner(Protocol):
    """A strategy, ready to run on a backend."""

    @property
    def consoles(self) -> Mapping[int, str]:
        """After `run`: what guests printed that did not finish, by the position of the workload."""
        ...

    @property
    def culprits(self) -> Mapping[int, str]:
        """After `run`: whom a kernel names for what went wrong, by the position of the workload."""
        ...

    def run(self, workloads: Sequence[Workload]) -> Iterator[Outcome]:
        """Run workloads, each in fresh state, and yield an outcome for each, in their order."""
        ...


class Backend(Protocol):
    """A place where workloads run. `name` is what `--backend` calls it.

    A run that names no backends takes those that are `default`: the others take long to make
    ready, or tell nothing new as a rule. `unseen` are the fields of an outcome that it cannot see
    ("held", or one inside: "state.maps", "trace.used"), each with the reason in a few words: they
    are left out where outcomes are compared, and named.
    """

    name: str
    default: bool
    unseen: Mapping[str, str]

    def missing(self) -> str:
        """Return "" if this machine can run it, else what it lacks and how to install that."""
        ...

    def supports(self, strategy: Strategy) -> str:
        """Return "" if the strategy can run here, else the reason why not, in a few words."""
        ...

    def prepare(self, chain: Sequence[Strategy]) -> str:
        """Make ready what is slow to make (a kernel); called once, before any runner.

        `chain` is the strategy with those it stands on, the lowest first. Returns a digest:
        strategies with equal digests are the same code here.
        """
        ...

    def platform(self) -> str:
        """Return what it runs on, "" if that is the same everywhere; called after `prepare`."""
        ...

    def runner(self, chain: Sequence[Strategy]) -> AbstractContextManager[Runner]:
        """Open a runner; called in every worker process, after `prepare`."""
        ...


@runtime_checkable
class TakesFaults(Protocol):
    """A backend that makes something more ready for workloads with faults.

    One that does not can play them as they are, or says that it does not play them.
    """

    def prepare_faults(self, chain: Sequence[Strategy]) -> None:
        """Make ready what is slow to make; called after `prepare` if a run has such workloads."""
        ...


@contextlib.contextmanager
def running(backend: Backend, chain: Sequence[Strategy]) -> Iterator[Runner]:
    """Open a runner of a backend, which is anybody's code: what it raises names it."""
    try:
        with backend.runner(chain) as runner:
            yield runner
    except DifftestError:
        raise
    except Exception as error:
        raise RigError(
            f"backend {backend.name} raised {type(error).__name__} for {chain[-1].name}: {error}"
        ) from error


def played(backend: Backend, runner: Runner, workloads: Sequence[Workload]) -> list[Outcome]:
    """Run workloads; return an outcome for each. Raises RigError where the backend gives others."""
    found = list(runner.run(workloads))
    if len(found) != len(workloads):
        raise RigError(
            f"backend {backend.name} gave {len(found)} outcomes for {len(workloads)} workloads"
        )
    return found


@hookimpl
def difftest_backends() -> Sequence[Backend]:
    from difftest.backends.model import ModelBackend  # noqa: PLC0415 - they import the protocol
    from difftest.backends.qemu import QemuBackend  # noqa: PLC0415
    from difftest.backends.uml import UmlBackend  # noqa: PLC0415
    from difftest.kernels import DEBUG, SERIES, known  # noqa: PLC0415

    series = known().values()
    models = map(ModelBackend, SERIES)
    plain = map(UmlBackend, series)
    debug = (UmlBackend(one, DEBUG) for one in series if one.debug)
    return (*models, *plain, *debug, *map(QemuBackend, series))
