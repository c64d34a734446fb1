# SPDX-License-Identifier: GPL-2.0-only
"""Drawing workloads: the same for the same seed, and mostly about a full mount."""

from collections import Counter

from difftest.backends.model import ModelBackend
from difftest.outcome import Step
from difftest.strategy import Strategy
from difftest.workload import generate
from difftest.workload.ops import OPS
from difftest.workload.states import STATES, states_of
from difftest.workload.workload import Workload

BASELINE = Strategy(name="unpatched", claim="", model_patch="")


def drawn(seed: int) -> list[Workload]:
    return [one for number in range(4) for one in generate.shard(seed, number, generate.SHARD)]


def test_the_same_seed_draws_the_same_workloads() -> None:
    assert generate.shard(3, 1, 50) == generate.shard(3, 1, 50)


def test_seeds_and_shards_draw_different_workloads() -> None:
    assert generate.shard(3, 1, 50) != generate.shard(3, 2, 50)
    assert generate.shard(3, 1, 50) != generate.shard(4, 1, 50)


def test_a_shard_has_as_many_as_asked_for() -> None:
    assert [len(generate.shard(1, 0, count)) for count in (1, 7, 250)] == [1, 7, 250]


def test_every_state_is_common_and_the_full_retry_most_of_all() -> None:
    workloads = drawn(11)
    with ModelBackend().runner([BASELINE]) as runner:
        outcomes = list(runner.run(workloads))
    count: Counter[str] = Counter()
    for workload, outcome in zip(workloads, outcomes, strict=True):
        count.update(states_of(workload, outcome))
    assert count["retry with no block left"] >= len(workloads) / 10
    assert all(count[state] >= len(workloads) / 100 for state in STATES)


def test_every_operation_is_drawn_between_operations_or_in_windows_and_returns() -> None:
    workloads = drawn(12)
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
