# SPDX-License-Identifier: GPL-2.0-only
"""A violation leaves a workload that shows it anywhere, or a schedule for the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from played import outcomes
from wrong import wrong

import strategies
from difftest import facts
from difftest.backends.model import ModelBackend, Player, load
from difftest.backends.uml import UmlBackend
from difftest.errors import UsageError
from difftest.explore import schedule
from difftest.explore.scenario import bundled, from_text
from difftest.explore.search import Bounds, Search
from difftest.explore.violations import BLOCKS, BUG, STALE
from difftest.explore.witness import witness
from difftest.kernels import SERIES
from difftest.outcome import Ending
from difftest.workload import codec

if TYPE_CHECKING:
    from difftest.explore.scenario import Scenario
    from difftest.explore.witness import Witness
    from difftest.model.code import Code

KNOWN = {one.name: one for one in (*strategies.STRATEGIES, wrong("no_second_check"))}
SCENARIOS = bundled()

TRUNCATED = from_text(
    """\
mount blocks=1
file pages=1
map file=0 offset=0 pages=1
thread
  copy map=0 page=0 source=R
thread
  truncate file=0 pages=0
""",
    "truncated",
)


def code_of(name: str) -> Code:
    return load(ModelBackend().patches(facts.chain(KNOWN[name], KNOWN)))


def witnesses(scenario: Scenario, name: str) -> list[Witness]:
    code = code_of(name)
    found = Search(scenario, code, Bounds()).run().found
    return [witness(scenario, code, one) for one in found]


def test_the_race_becomes_the_workload_of_six_lines() -> None:
    (one,) = witnesses(SCENARIOS["race"], "unpatched")
    assert one.text == (
        "mount blocks=1\nfile pages=1\nmap file=0 offset=0 pages=1\n"
        "copy map=0 page=0 source=M\n  window\n    fill leave=0\n"
    )
    outcome = Player(code_of("unpatched"), codec.from_text(one.text)).play()
    assert (outcome.ending, outcome.title) == (Ending.CRASHED, one.violation.detail)


def test_copies_that_overlap_become_begins_and_resumes() -> None:
    found = witnesses(SCENARIOS["two_copiers_filler"], "unpatched")
    assert [one.violation.kind for one in found] == [BUG]
    outcome = Player(code_of("unpatched"), codec.from_text(found[0].text)).play()
    assert outcome.ending is Ending.CRASHED


def test_a_leak_becomes_a_workload_that_leaks() -> None:
    blocks = witnesses(SCENARIOS["unmapper"], "naive_hold")[0]
    assert (blocks.violation.kind, blocks.kind) == (BLOCKS, "workload")
    outcome = Player(code_of("naive_hold"), codec.from_text(blocks.text)).play()
    assert outcome.left == 1


def test_what_takes_a_preemption_becomes_a_schedule_that_shows_it_on_the_model() -> None:
    assert not witnesses(TRUNCATED, "unpatched")
    (one,) = witnesses(TRUNCATED, "no_second_check")
    assert (one.violation.kind, one.kind, one.preemptions) == (STALE, "schedule", 1)
    read = schedule.from_text("# A comment.\n" + one.text, "mine")
    assert read.scenario.threads == TRUNCATED.threads
    told = schedule.replay(read, code_of("no_second_check"))
    assert told.violations == (one.violation,)
    assert not schedule.replay(read, code_of("unpatched")).violations


def test_a_schedule_is_told_step_by_step() -> None:
    read = schedule.Schedule(TRUNCATED, (0, 0, 1, 1, 1))
    told = schedule.replay(read, code_of("unpatched")).lines
    assert [line[8:84].rstrip() for line in told] == [
        "0: copy map=0 page=0 source=R: mmap_read_lock",
        "0: pte_alloc",
        "    1: truncate file=0 pages=0: inode_lock",
        "    1: returns 0",
        "    1: (thread 1 has returned: passed over)",
        "0: shmem_alloc_folio",
        "0: cond_resched",
        "0: returns EFAULT",
        "nothing leaked, stale or lost when all is closed and deleted",
    ]
    assert "0/1 blocks, 0 pages" in told[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mount blocks=1\n", "expected a scenario and below it a line `schedule`"),
        ("mount blocks=1\nthread\n  fill leave=0\nschedule\n  1 x\n", "line 5: .*from 0 to 0"),
        ("mount blocks=1\nthread\n  fill leave=0\nschedule\n  0 x\n  y\n", "line 6: "),
    ],
)
def test_a_wrong_schedule_is_told_where(text: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        schedule.from_text(text, "mine")


@pytest.mark.kernel
@pytest.mark.parametrize("series", SERIES)
def test_the_workload_of_an_exploration_crashes_kernels(series: str) -> None:
    (one,) = witnesses(SCENARIOS["race"], "unpatched")
    backend = UmlBackend(SERIES[series])
    (crashed,) = outcomes(backend, KNOWN["unpatched"], [codec.from_text(one.text)])
    (fixed,) = outcomes(backend, KNOWN["release_page"], [codec.from_text(one.text)])
    assert crashed.ending is Ending.CRASHED
    assert fixed.ending is Ending.FINISHED


@pytest.mark.kernel
def test_the_workload_of_a_leak_leaks_on_a_kernel() -> None:
    one = witnesses(SCENARIOS["unmapper"], "naive_hold")[0]
    backend = UmlBackend(SERIES["6.1"])
    (outcome,) = outcomes(backend, KNOWN["naive_hold"], [codec.from_text(one.text)])
    assert outcome.left == 1
