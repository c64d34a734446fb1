# SPDX-License-Identifier: GPL-2.0-only
"""The corpus of witnesses: each shows what its head says, on every model and every kernel."""

from __future__ import annotations

import pytest
from corpus import CORPUS, FOLDER
from played import KNOWN, outcomes

import strategies
from difftest import plugins, witness
from difftest.replay import Replay
from difftest.verdict import judge_safely
from difftest.workload import codec

PLUGINS = plugins.load()
BACKENDS = ("model:5.10", "model", "model:6.12", "uml:5.10", "uml:6.1", "uml:6.12")
MODELS, KERNELS = BACKENDS[:3], BACKENDS[3:]


def as_said(backend: str, strategy: str) -> tuple[list[str], list[str]]:
    """Play all witnesses that tell of a strategy, in one go; return what is as said, and what not.

    Those with faults go to another kernel, and thus to another boot.
    """
    told = [one for one in CORPUS.values() if one.head.tells_of(strategy)]
    seen = outcomes(PLUGINS.backend(backend), KNOWN[strategy], [one.workload for one in told])
    shown: tuple[list[str], list[str]] = [], []
    for (_, head, workload), outcome in zip(told, seen, strict=True):
        verdict = judge_safely(PLUGINS.oracle(head.oracle), workload, outcome)
        again = Replay(strategy, backend, outcome, {}, ((head.oracle, verdict),))
        for same, sentence in witness.compared(head, [again]):
            shown[0 if same else 1].append(sentence)
    return shown


TOLD = sorted({name for one in CORPUS.values() for name in one.head.strategies})


@pytest.mark.parametrize("backend", MODELS)
@pytest.mark.parametrize("strategy", TOLD)
def test_a_witness_shows_on_the_models_what_its_head_says(strategy: str, backend: str) -> None:
    shown, others = as_said(backend, strategy)
    assert (bool(shown), others) == (True, [])


@pytest.mark.kernel
@pytest.mark.parametrize("backend", KERNELS)
@pytest.mark.parametrize("strategy", TOLD)
def test_a_witness_shows_on_the_kernels_what_its_head_says(strategy: str, backend: str) -> None:
    shown, others = as_said(backend, strategy)
    assert (bool(shown), others) == (True, [])


def test_release_page_passes_every_witness() -> None:
    assert all("release_page" in one.head.passes for one in CORPUS.values())


def test_every_fix_that_is_known_to_be_bad_has_a_witness_for_each_oracle_that_says_so() -> None:
    bad = {(one.name, oracle) for one in strategies.STRATEGIES for oracle in one.must_fail}
    assert bad - {(one.head.strategy, one.head.oracle) for one in CORPUS.values()} == set()


def test_what_remove_bug_on_gives_up_is_told_from_release_page_by_a_fault() -> None:
    (guard,) = (one for one in CORPUS.values() if one.head.oracle == "guard")
    assert (guard.head.strategy, "release_page" in guard.head.passes) == ("remove_bug_on", True)
    assert guard.workload.faults


@pytest.mark.parametrize("name", CORPUS)
def test_a_witness_has_six_steps_at_most_and_is_named_after_what_it_shows(name: str) -> None:
    _, head, workload = CORPUS[name]
    assert len(codec.to_text(workload).splitlines()) <= 6
    assert name == f"{head.strategy}-{head.oracle}"
    assert head.backends == BACKENDS
    assert head.shrunk


@pytest.mark.parametrize("name", CORPUS)
def test_a_witness_is_written_as_a_run_writes_it(name: str) -> None:
    _, head, workload = CORPUS[name]
    text = (FOLDER / f"{name}.workload").read_text(encoding="utf-8")
    assert witness.to_text(head, codec.to_text(workload)) == text
