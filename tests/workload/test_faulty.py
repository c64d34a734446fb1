# SPDX-License-Identifier: GPL-2.0-only
"""Workloads with faults are drawn such that the faults matter."""

from collections import Counter

import strategies
from difftest import facts
from difftest.backends.model import ModelBackend
from difftest.workload import faulty
from difftest.workload.faults import KEEPS_PAGE, SITES

KNOWN = {one.name: one for one in strategies.STRATEGIES}


def test_the_same_seed_draws_the_same_workloads_and_each_has_faults() -> None:
    drawn = faulty.shard(3, 1, 50)
    assert drawn == faulty.shard(3, 1, 50)
    assert drawn != faulty.shard(4, 1, 50)
    assert all(1 <= len(one.faults) <= 2 for one in drawn)


def test_faults_of_every_site_hit_with_every_error() -> None:
    workloads = [one for number in range(4) for one in faulty.shard(11, number, 250)]
    hit: Counter[tuple[str, str]] = Counter()
    with ModelBackend().runner(facts.chain(KNOWN["remove_bug_on"], KNOWN)) as runner:
        for workload, outcome in zip(workloads, runner.run(workloads), strict=True):
            for number in (number for one in outcome.trace for number in one.hits):
                fault = workload.faults[number]
                hit[fault.site, fault.error] += 1
    assert set(hit) == {(site.name, error) for site in SITES.values() for error in site.errors}
    assert min(hit.values()) >= 5
    assert sum(hit.values()) >= len(workloads) / 3
    assert hit[KEEPS_PAGE, "0"] >= 40
