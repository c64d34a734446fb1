# SPDX-License-Identifier: GPL-2.0-only
"""Drawing workloads: the same for the same seed, and mostly about a full mount."""

from collections import Counter
from functools import cache

from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import strategies
from difftest.backends.model import ModelBackend
from difftest.outcome import Step
from difftest.strategy import Strategy
from difftest.workload import generate
from difftest.workload.codec import to_text
from difftest.workload.ops import OPS
from difftest.workload.states import STATES, states_of
from difftest.workload.workload import Workload

NAIVE_HOLD = strategies.naive_hold.STRATEGY
BASELINE = Strategy(name="unpatched", claim="", model_patch="")


@cache
def drawn() -> tuple[Workload, ...]:
    return tuple(one for number in range(4) for one in generate.shard(11, number, generate.SHARD))


def test_the_same_seed_draws_the_same_workloads() -> None:
    assert generate.shard(3, 1, 50) == generate.shard(3, 1, 50)


def test_seeds_and_shards_draw_different_workloads() -> None:
    assert generate.shard(3, 1, 50) != generate.shard(3, 2, 50)
    assert generate.shard(3, 1, 50) != generate.shard(4, 1, 50)


def test_a_shard_has_as_many_as_asked_for() -> None:
    assert [len(generate.shard(1, 0, count)) for count in (1, 7, 250)] == [1, 7, 250]


def test_workloads_are_drawn_one_by_one_and_not_from_each_other() -> None:
    """A bound on a failure rate counts independent draws: Hypothesis must not mutate examples."""
    workloads = drawn()
    assert len(set(map(to_text, workloads))) >= 0.995 * len(workloads)
    assert Counter(count_draws(generate.workloads())) == Counter({1: 50})


def count_draws(strategy: SearchStrategy[Workload]) -> list[int]:
    """Return how many choices each of 50 examples takes."""
    counts: list[int] = []

    @settings(max_examples=50, database=None, phases=[Phase.generate])
    @given(st.data())
    def collect(data: st.DataObject) -> None:
        before = len(data.conjecture_data.nodes)
        data.draw(strategy)
        counts.append(len(data.conjecture_data.nodes) - before)

    collect()
    return counts


@given(generate.workloads())
def test_no_workload_is_empty(workload: Workload) -> None:
    assert workload.steps


def test_zeros_are_the_simplest_workload() -> None:
    simplest = generate.decode(bytes(1000))
    assert to_text(simplest) == (
        "mount blocks=1\nfile pages=1\nmap file=0 offset=0 pages=1\n"
        "copy map=0 page=0 source=M\n  window\n"
    )


def test_shrinking_finds_a_short_workload() -> None:
    """The block that naive_hold leaks, in few lines, though Hypothesis sees nothing but bytes."""
    with ModelBackend().runner([NAIVE_HOLD]) as runner:

        def leaks(workload: Workload) -> bool:
            (outcome,) = runner.run([workload])
            return bool(outcome.left)

        found = find(
            generate.workloads(), leaks, settings=settings(database=None, max_examples=3000)
        )
    assert to_text(found).count("\n") <= 9


def test_every_state_is_common_and_the_full_retry_most_of_all() -> None:
    workloads = drawn()
    with ModelBackend().runner([BASELINE]) as runner:
        outcomes = list(runner.run(workloads))
    count: Counter[str] = Counter()
    for workload, outcome in zip(workloads, outcomes, strict=True):
        count.update(states_of(workload, outcome))
    assert count["retry with no block left"] >= len(workloads) / 10
    assert all(count[state] >= len(workloads) / 250 for state in STATES)


def test_every_operation_is_drawn_between_operations_or_in_windows_and_returns() -> None:
    workloads = drawn()
    returned: Counter[tuple[str, bool]] = Counter()
    with ModelBackend().runner([BASELINE]) as runner:
        for workload, outcome in zip(workloads, runner.run(workloads), strict=True):
            ops = dict(workload.places())
            returned.update(
                (ops[one.at].name, "." in one.at) for one in outcome.trace if isinstance(one, Step)
            )
    for op in OPS:
        assert bool(op.weight) == bool(returned[op.name, False]), op.name
        assert bool(op.weight_in_window) == bool(returned[op.name, True]), op.name
