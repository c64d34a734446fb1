# SPDX-License-Identifier: GPL-2.0-only
"""Faults in the models: the call that is named fails, once, and nothing else changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faulty_workloads import FAULTY, FORGOTTEN, Faulty

import strategies
from difftest import kernels
from difftest.backends.model import ModelBackend
from difftest.model.faults import Faults, install
from difftest.outcome import Ending, Step
from difftest.workload import faulty

if TYPE_CHECKING:
    from difftest.workload.workload import Workload

KNOWN = {one.name: one for one in strategies.STRATEGIES}


@pytest.mark.parametrize("series", kernels.SERIES)
@pytest.mark.parametrize("case", FAULTY, ids=lambda one: one.name)
def test_the_call_that_is_named_fails(case: Faulty, series: str) -> None:
    with ModelBackend(series).runner([KNOWN["release_page"]]) as runner:
        (outcome,) = runner.run([case.workload])
    steps = [one for one in outcome.trace if isinstance(one, Step)]
    assert tuple(one.ret for one in steps) == case.results
    assert tuple(one.hits for one in steps) == case.hits
    assert (outcome.ending, outcome.left, outcome.held) == (Ending.FINISHED, 0, 0)


@pytest.mark.parametrize("series", kernels.SERIES)
def test_a_forgotten_page_ends_in_the_place_of_the_next_one_or_the_kernel_does(series: str) -> None:
    backend = ModelBackend(series)
    with backend.runner([KNOWN["remove_bug_on"]]) as runner:
        (outcome,) = runner.run([FORGOTTEN])
    assert outcome.state
    assert outcome.state.files[0].content == (0, 257, 259, 0)
    with backend.runner([KNOWN["release_page"]]) as runner:
        (outcome,) = runner.run([FORGOTTEN])
    assert (outcome.ending, outcome.title) == (
        Ending.CRASHED,
        "BUG at mm/userfaultfd.c mcopy_atomic",
    )
    assert outcome.hits == (0,)


@pytest.mark.parametrize("series", kernels.SERIES)
def test_faults_that_never_come_change_nothing(series: str) -> None:
    """The knobs alone do not show: a call that is never made is the only one to fail."""
    drawn = faulty.shard(5, 0, 100)
    late = [_with(one, call=99) for one in drawn]
    plain = [_with(one, call=0) for one in drawn]
    with ModelBackend(series).runner([KNOWN["unpatched"]]) as runner:
        assert list(runner.run(late)) == list(runner.run(plain))


def _with(workload: Workload, *, call: int) -> Workload:
    some = tuple(
        {one.site: type(one)(one.site, call, one.error) for one in workload.faults}.values()
    )
    return type(workload)(
        workload.blocks, workload.files, workload.maps, workload.steps, workload.memfds,
        some if call else (),
    )  # fmt: skip


def test_only_calls_while_a_page_is_filled_count() -> None:
    faults = Faults()
    faults.arm([("page_alloc", 1, 12)])
    assert faults.at("page_alloc") is None
    running = faults.inside(_stops_once(faults))
    assert next(running) == "stop"
    assert faults.at("page_alloc") is None
    assert list(running) == []
    assert faults.take_hits() == (0,)
    assert faults.take_hits() == ()


def _stops_once(faults: Faults):  # type: ignore[no-untyped-def]  # noqa: ANN202
    yield "stop"
    assert faults.at("page_alloc") == 12


def test_a_model_without_the_function_that_installs_entries_has_them_checked() -> None:
    assert install([])[1]
