# SPDX-License-Identifier: GPL-2.0-only
"""Shards: workloads with faults come after the others, and change none of them."""

from difftest import shards
from difftest.workload import codec


def test_shards_follow_each_other_and_those_with_faults_come_last() -> None:
    planned = shards.plan(510, 300)
    assert [(one.first, one.length, one.faults) for one in planned] == [
        (0, 250, False), (250, 250, False), (500, 10, False), (510, 250, True), (760, 50, True),
    ]  # fmt: skip


def test_workloads_without_faults_stay_what_they_are() -> None:
    alone = [one.draw(5) for one in shards.plan(300, 0)]
    beside = [one.draw(5) for one in shards.plan(300, 20)]
    assert beside[: len(alone)] == alone
    assert not any("fault" in text for texts in alone for text in texts)
    assert all(codec.from_text(text).faults for text in beside[-1])
    assert len(beside[-1]) == 20
