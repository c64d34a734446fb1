# SPDX-License-Identifier: GPL-2.0-only
"""The baseline against itself: a run of which the rig is not to be trusted is void."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec
from made import campaign

from difftest import again, plugins, session
from difftest.assemble import result_of
from difftest.backends.model import ModelBackend, ModelRunner
from difftest.tally import Again

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from difftest.outcome import Outcome
    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload


def test_one_that_differs_from_itself_makes_the_run_void() -> None:
    parts = campaign()
    parts.repeated = [
        Again("model", 0, 50, 0),
        Again("uml:6.1", 1, 50, 1, "workload 60: one"),
        Again("uml:6.1", 0, 49, 2, "workload 3: two"),
    ]
    result = result_of(parts)
    found = {one.name: (one.holds, one.detail) for one in result.controls}
    assert found["unpatched is like itself on model"] == (True, "0 of 50 outcomes differ")
    assert found["unpatched is like itself on uml:6.1"] == (
        False,
        "3 of 99 outcomes differ, the first: workload 3: two",
    )
    assert "unpatched is like itself on uml:6.1: 3 of 99" in result.decision.void


def test_where_nothing_could_be_compared_nobody_can_tell() -> None:
    (control,) = again.controls([Again("model", 0, 0, 0)], ["model"])
    assert control.holds is None


class Changing(ModelBackend):
    """A model that leaves a block more with each workload that it plays."""

    def __init__(self) -> None:
        super().__init__()
        self.played = 0

    @contextlib.contextmanager
    def runner(self, chain: Sequence[Strategy]) -> Iterator[ModelRunner]:
        with super().runner(chain) as inner:
            yield Leaving(inner, self)


class Leaving(ModelRunner):
    def __init__(self, inner: ModelRunner, backend: Changing) -> None:
        self.inner = inner
        self.backend = backend

    def run(self, workloads: Sequence[Workload]) -> Iterator[Outcome]:
        for outcome in self.inner.run(workloads):
            self.backend.played += 1
            yield msgspec.structs.replace(outcome, left=self.backend.played)


def test_a_run_compares_all_of_it_and_only_once(tmp_path: Path) -> None:
    loaded = plugins.load()
    asked = session.Request(("unpatched", "release_page"), (), ("model",), (), 30, 1)
    with session.begin(loaded, asked, tmp_path, ()) as running:
        running.run(1)
        result = running.report()
    (control,) = [one for one in result.controls if "like itself" in one.name]
    assert (control.holds, control.detail) == (True, "0 of 30 outcomes differ")


def test_an_outcome_that_changes_is_found_and_described(tmp_path: Path) -> None:
    loaded = plugins.load()
    loaded.backends["model"] = Changing()
    asked = session.Request(("unpatched",), (), ("model",), ("contract",), 5, 1)
    with session.begin(loaded, asked, tmp_path, ()) as running:
        running.run(1)
        result = running.report()
    (control,) = [one for one in result.controls if "like itself" in one.name]
    assert control.holds is False
    assert control.detail.startswith("5 of 5 outcomes differ, the first: workload 0: ")
    assert "left" in control.detail
