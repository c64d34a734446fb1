# SPDX-License-Identifier: GPL-2.0-only
"""Faults in real kernels: what is named fails, as in the model, and nowhere else."""

from __future__ import annotations

import pytest
from faulty_workloads import FAULTY, FORGOTTEN, FORGOTTEN_IN_AN_ERROR
from played import CALM, CRASH, KNOWN, outcomes

import oracles
from difftest import kernels
from difftest.backends.model import ModelBackend
from difftest.backends.uml import UmlBackend
from difftest.outcome import Ending
from difftest.verdict import Value, judge_safely

pytestmark = pytest.mark.kernel

every_series = pytest.mark.parametrize("series", kernels.SERIES)
GUARD = next(one for one in oracles.ORACLES if one.name == "guard")


@every_series
def test_kernel_and_model_agree_on_every_site(series: str) -> None:
    """With workloads without faults between them: the order is kept, whatever kernel plays one."""
    workloads = [one.workload for one in FAULTY]
    mixed = [one for faulty in workloads for one in (CALM, faulty, CRASH)]
    backend = UmlBackend(kernels.SERIES[series])
    expected = outcomes(ModelBackend(series), KNOWN["unpatched"], mixed)
    assert outcomes(backend, KNOWN["unpatched"], mixed) == expected
    hits = [[one.hits for one in outcome.trace if one.hits] for outcome in expected[1::3]]
    assert all(hits)


@every_series
def test_without_the_assertion_a_forgotten_page_ends_in_the_place_of_another_one(
    series: str,
) -> None:
    backend = UmlBackend(kernels.SERIES[series])
    kept = [FORGOTTEN, FORGOTTEN_IN_AN_ERROR]
    wrong, contained = outcomes(backend, KNOWN["remove_bug_on"], kept)
    assert judge_safely(GUARD, FORGOTTEN, wrong).value is Value.FAIL
    assert wrong.state
    assert wrong.state.maps[0] == (None, 257, 259, None)
    assert judge_safely(GUARD, FORGOTTEN_IN_AN_ERROR, contained).evidence.startswith("contained")


@every_series
def test_with_it_the_kernel_stops(series: str) -> None:
    backend = UmlBackend(kernels.SERIES[series])
    kept = [FORGOTTEN, FORGOTTEN_IN_AN_ERROR]
    for workload, outcome in zip(kept, outcomes(backend, KNOWN["release_page"], kept), strict=True):
        assert (outcome.ending, outcome.hits) == (Ending.CRASHED, (0,))
        given = judge_safely(GUARD, workload, outcome)
        assert given.evidence == "stopped: BUG at mm/userfaultfd.c mcopy_atomic"
