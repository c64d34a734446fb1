# SPDX-License-Identifier: GPL-2.0-only
"""Shards: workloads with faults come after the others, and change none of them."""

from difftest import shards
from difftest.workload import codec


def test_shards_follow_each_other_and_those_with_faults_come_last() -> None:
    planned = shards.plan(510, 300)
    assert [(one.first, one.length, one.faults) for one in planned] == [
        (0, 250, False), (250, 250, False), (500, 10, False), (510, 250, True), (760, 50, True),
    ]  # fmt: skip


def test_guided_shards_come_last_and_half_of_them_have_faults_if_any_do() -> None:
    planned = shards.plan(10, 5, 501)
    assert [(one.first, one.length, one.number, one.faults, one.guided) for one in planned] == [
        (0, 10, 0, False, False), (10, 5, 0, True, False),
        (15, 250, 0, False, True), (265, 1, 1, False, True), (266, 250, 0, True, True),
    ]  # fmt: skip
    assert [(one.length, one.faults) for one in shards.plan(1, 0, 9)] == [(1, False), (9, False)]


def test_workloads_without_faults_stay_what_they_are() -> None:
    alone = [one.draw(5) for one in shards.plan(300, 0)]
    beside = [one.draw(5) for one in shards.plan(300, 20)]
    assert beside[: len(alone)] == alone
    assert not any("fault" in text for texts in alone for text in texts)
    assert all(codec.from_text(text).faults for text in beside[-1])
    assert len(beside[-1]) == 20
