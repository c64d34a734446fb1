# SPDX-License-Identifier: GPL-2.0-only
"""A backend."""

from __future__ import annotations

import contextlib
from types import MappingProxyType
from typing import TYPE_CHECKING

from difftest.backends.model import ModelBackend
from difftest.errors import RigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from difftest import Outcome, Strategy, Workload
    from difftest.backends import Runner


class TwiceRunner:
    """Asks two runners, and takes no answer that they do not share."""

    consoles: Mapping[int, str] = MappingProxyType({})
    culprits: Mapping[int, str] = MappingProxyType({})

    def __init__(self, first: Runner, second: Runner) -> None:
        self._runners = first, second

    def run(self, workloads: Sequence[Workload]) -> Iterator[Outcome]:
        for one, other in zip(*(runner.run(workloads) for runner in self._runners), strict=True):
            if one != other:
                raise RigError("the model gives two outcomes for one workload")
            yield one


class Twice:
    """The model, which plays every workload twice and must see the same."""

    name = "twice"
    default = False
    unseen: Mapping[str, str] = MappingProxyType({})

    def __init__(self) -> None:
        self._model = ModelBackend()

    def missing(self) -> str:
        return ""

    def supports(self, strategy: Strategy) -> str:
        return self._model.supports(strategy)

    def prepare(self, chain: Sequence[Strategy]) -> str:
        return self._model.prepare(chain)

    def platform(self) -> str:
        return ""

    @contextlib.contextmanager
    def runner(self, chain: Sequence[Strategy]) -> Iterator[Runner]:
        with self._model.runner(chain) as first, self._model.runner(chain) as second:
            yield TwiceRunner(first, second)
