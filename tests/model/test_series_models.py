# SPDX-License-Identifier: GPL-2.0-only
"""The model of each kernel series differs from the others in what is known, and can be patched."""

from __future__ import annotations

import pytest
from differences import DIFFERENCES, Difference
from played import FITTING, KNOWN

from difftest import facts, kernels
from difftest.backends.model import ModelBackend
from difftest.backends.uml import UmlBackend
from difftest.model import code
from difftest.outcome import Ending
from difftest.strategy import Strategy
from difftest.workload import generate


@pytest.mark.parametrize("series", kernels.SERIES)
@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda one: one.name)
def test_series_differ_in_what_is_known(difference: Difference, series: str) -> None:
    with ModelBackend(series).runner([KNOWN[difference.strategy]]) as runner:
        (outcome,) = runner.run([difference.workload])
    assert difference.look(outcome) == difference.seen[series]


def test_only_series_have_patches_of_their_own() -> None:
    patched = {path.stem for path in (code.ROOT / "series").glob("*")}
    assert patched == set(kernels.SERIES) - {kernels.DEFAULT}


@FITTING
def test_every_strategy_runs_on_the_model_of_every_series(strategy: Strategy, series: str) -> None:
    backend = ModelBackend(series)
    chain = facts.chain(strategy, KNOWN)
    with backend.runner(chain) as runner:
        outcomes = list(runner.run(generate.shard(7, 0, 50)))
    assert {one.ending for one in outcomes} <= {Ending.FINISHED, Ending.CRASHED}
    assert any(one.ending is Ending.FINISHED for one in outcomes)


def test_where_a_strategy_does_not_apply_its_reason_is_that_of_the_backend() -> None:
    one = KNOWN["install_pte_v6"]
    assert ModelBackend("5.10").supports(one) == one.does_not_apply["5.10"]
    assert UmlBackend(kernels.SERIES["5.10"]).supports(one) == one.does_not_apply["5.10"]
    assert ModelBackend("6.12").supports(one) == ""


def test_a_strategy_may_have_a_patch_for_the_model_of_one_series() -> None:
    mended = Strategy(
        name="mended",
        claim="",
        model_patch="",
        series_model_patches={"6.12": KNOWN["release_page"].model_patch or ""},
    )
    crashed = {series: _crashes(ModelBackend(series), mended) for series in kernels.SERIES}
    assert crashed == {"5.10": True, "6.1": True, "6.12": False}


def _crashes(backend: ModelBackend, strategy: Strategy) -> bool:
    with backend.runner([strategy]) as runner:
        return any(one.ending is Ending.CRASHED for one in runner.run(generate.shard(7, 0, 100)))
