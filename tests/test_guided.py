# SPDX-License-Identifier: GPL-2.0-only
"""Guided workloads: the same for a seed, and sooner at what is rare than drawn ones."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

import pytest
from played import KNOWN

from difftest import facts, guided
from difftest.backends.model import ModelBackend
from difftest.outcome import Ending, Outcome
from difftest.workload import codec, generate
from difftest.workload.states import states_of
from difftest.workload.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from difftest.strategy import Strategy

BACKEND = ModelBackend()
NAMES = ("unpatched", "release_page")
MODELS = """
from itertools import islice
from difftest import facts, guided
from difftest.backends.model import ModelBackend
from difftest.workload import codec
from strategies import STRATEGIES
known = {one.name: one for one in STRATEGIES}
chains = [facts.chain(known[name], known) for name in ("unpatched", "release_page")]
found = guided.search(guided.Models(ModelBackend(), chains), 3, 0, faults=True)
print([codec.to_text(one) for one in islice(found, 12)])
"""


def models(names: Iterable[str] = NAMES, backend: ModelBackend = BACKEND) -> guided.Models:
    return guided.Models(backend, [facts.chain(KNOWN[name], KNOWN) for name in names])


def texts(seed: int, number: int, count: int, *, faults: bool = False) -> list[str]:
    found = guided.search(models(), seed, number, faults=faults)
    return [codec.to_text(one) for one in islice(found, count)]


@pytest.mark.parametrize("faults", [False, True])
def test_the_same_seed_gives_the_same_workloads_and_another_others(*, faults: bool) -> None:
    first = texts(1, 0, 3, faults=faults)
    assert texts(1, 0, 3, faults=faults) == first
    assert not set(first) & {*texts(2, 0, 2, faults=faults), *texts(1, 1, 2, faults=faults)}
    assert {bool(codec.from_text(text).faults) for text in first} == {faults}


@pytest.mark.long
def test_workloads_do_not_depend_on_how_a_process_orders_its_sets() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", MODELS],
            check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": hashing},
        ).stdout
        for hashing in ("1", "2", "3")
    }  # fmt: skip
    assert len(said) == 1
    assert said == {f"{texts(3, 0, 12, faults=True)}\n"}


def test_a_rare_state_is_reached_within_fewer_workloads_than_without_guidance() -> None:
    strategy = facts.chain(KNOWN["release_page"], KNOWN)

    def states(workloads: Sequence[Workload]) -> set[str]:
        with BACKEND.runner(strategy) as runner:
            played = zip(workloads, runner.run(workloads), strict=True)
            return {state for workload, outcome in played for state in states_of(workload, outcome)}

    steered = states(list(islice(guided.search(models(), 1, 0, faults=False), 30)))
    drawn = states(generate.shard(1, 0, 30))
    assert "retry while pages are being removed" in steered - drawn
    assert drawn < steered


def chosen(look: Callable[[int], set[str]], layout: Sequence[int] = (1,)) -> list[bytes]:
    """Return the pieces of 60 workloads that are kept, of which one comes to what `look` says."""
    kept = []

    def decode(piece: bytes) -> Workload:
        return Workload(0, tuple(piece), (), ())

    search = guided.Search(layout, decode, lambda one: look(one.files[0]), Random(1))  # noqa: S311
    for _ in range(60):
        workload, found = search.next()
        assert found == look(workload.files[0])
        kept.append(bytes(workload.files))
    return kept


def test_of_the_candidates_the_one_with_the_rarest_features_is_kept() -> None:
    def rare(first: int) -> set[str]:
        return {"common", "rare"} if first < 32 else {"common"}

    often = sum(piece[0] < 32 for piece in chosen(rare))
    assert often > 3 * 60 * 32 / 256  # drawn: one in eight


def test_what_is_common_by_now_weighs_less_than_what_is_not() -> None:
    seen = [piece[0] < 128 for piece in chosen(lambda first: {"low" if first < 128 else "high"})]
    assert 25 <= sum(seen) <= 35


def test_a_rare_workload_hands_down_its_parts() -> None:
    layout = (1, 4, 4)
    kept = chosen(lambda first: {"rare"} if first < 8 else set(), layout)
    tails = [part for piece in kept for part in (piece[1:5], piece[5:])]
    assert len(set(tails)) < 100 < len(tails)  # drawn: each is another


class Hung(ModelBackend):
    """A model of which one strategy hangs on everything."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.hangs = name
        self.opened: list[str] = []

    def runner(self, chain: Sequence[Strategy]) -> object:  # type: ignore[override]
        name = chain[-1].name
        self.opened.append(name)
        opened = super().runner(chain)
        if name != self.hangs:
            return opened
        with opened as runner:
            runner.run = lambda workloads: iter([Outcome(Ending.HUNG, ())] * len(workloads))  # type: ignore[method-assign,misc]
        return _Given(runner)


class _Given:
    def __init__(self, runner: object) -> None:
        self.runner = runner

    def __enter__(self) -> object:
        return self.runner

    def __exit__(self, *_: object) -> None: ...


def test_a_model_that_hangs_is_asked_once() -> None:
    backend = Hung("release_page")
    found = guided.search(models(backend=backend), 1, 0, faults=False)
    assert len(list(islice(found, 4))) == 4
    assert backend.opened.count("release_page") == 1
    assert list(
        islice(guided.search(models(["naive_hold"], Hung("naive_hold")), 1, 0, faults=False), 2)
    )


def test_models_take_turns_and_equal_ones_have_one_turn() -> None:
    backend = Hung("")
    found = guided.search(models((*NAMES, "unpatched"), backend), 1, 0, faults=False)
    list(islice(found, 4))
    first, second = (["unpatched"] * guided.CANDIDATES, ["release_page"] * guided.CANDIDATES)
    assert backend.opened == [*first, *second, *first, *second]
