# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from made import RACE
from played import KNOWN, MODEL, outcomes

from difftest.outcome import Ending, Outcome, Step, Window
from difftest.timeline import COPIER, GOES_ON, MONITOR, REMOVER, Event, threads, timeline, timelines
from difftest.workload.codec import from_text
from difftest.workload.generate import shard

if TYPE_CHECKING:
    from difftest.workload.workload import Workload

RETRY = from_text(
    "mount blocks=4\nfile pages=4\nmap file=0 offset=0 pages=4\n"
    "copy map=0 page=0 source=MM\n  window\n    fill leave=2\n  window\n    free pages=2\n"
)
IN_FLIGHT = from_text(
    "mount blocks=4\nfile pages=4\nmap file=0 offset=0 pages=4\n"
    "begin map=0 page=0 source=M\nfill leave=0\nresume begin=0\n"
)


def play(strategy: str, workload: Workload) -> Outcome:
    return outcomes(MODEL, KNOWN[strategy], [workload])[0]


def test_a_copy_that_stops_has_a_row_for_each_time_it_goes_on() -> None:
    rows = timeline(RETRY, play("release_page", RETRY))
    assert [(row.at, row.event, row.thread) for row in rows] == [
        ("0.0", Event.STOP, COPIER),
        ("0.0.0", Event.STEP, MONITOR),
        ("0.1", Event.STOP, COPIER),
        ("0.1.0", Event.STEP, MONITOR),
        ("0", Event.STEP, COPIER),
        ("", Event.END, MONITOR),
    ]
    assert [row.text for row in rows if row.thread == COPIER] == [
        "copy map=0 page=0 source=MM",
        GOES_ON,
        GOES_ON,
    ]
    assert [row.stopped for row in rows] == [(), (COPIER,), (), (COPIER,), (), ()]


def test_blocks_are_counted_before_and_after_each_row() -> None:
    rows = timeline(RETRY, play("release_page", RETRY))
    assert [row.after for row in rows] == [0, 2, 3, 1, 2, 0]
    assert [row.before for row in rows] == [0, 0, 2, 3, 1, 2]
    assert [row.due for row in rows] == [None, 2, None, 1, 2, 0]
    assert not any(row.leaks for row in rows)


def test_a_block_that_no_file_has_leaks_from_that_row_on() -> None:
    workload = from_text(
        "mount blocks=4\nfile pages=4\nmap file=0 offset=0 pages=4\n"
        "copy map=0 page=0 source=M\n  window\n    munmap map=0\n"
    )
    rows = timeline(workload, play("naive_hold", workload))
    assert [(row.at, row.leaks) for row in rows] == [
        ("0.0", False),
        ("0.0.0", False),  # in a window a fix may hold a block
        ("0", True),
        ("", True),
    ]


def test_pages_that_are_left_leak_and_lost_ones_do_not() -> None:
    copied = Step("0", 0, 0, 4096)
    text = "mount blocks=4\nfile pages=1\nmap file=0 offset=0 pages=1\ncopy map=0 page=0 source=R\n"
    left = Outcome(Ending.FINISHED, (copied,), left=0, held=1)
    step, end = timeline(from_text(text), left)
    assert (step.due, step.after, step.leaks) == (1, 0, False)
    assert (end.after, end.held, end.leaks) == (0, 1, True)


def test_the_copy_that_went_on_is_the_one_that_crashed() -> None:
    workload = from_text(RACE)
    last = timeline(workload, play("unpatched", workload))[-1]
    assert (last.at, last.event, last.thread, last.text) == ("0", Event.CRASH, COPIER, GOES_ON)
    assert last.result.startswith("crashed: BUG at mm/userfaultfd.c")
    assert (last.before, last.after) == (4, None)


def test_a_copy_that_was_begun_is_in_a_thread_of_its_own() -> None:
    rows = timeline(IN_FLIGHT, play("unpatched", IN_FLIGHT))
    assert [(row.at, row.thread, row.text) for row in rows] == [
        ("0.0", "begin 0", "begin map=0 page=0 source=M"),
        ("1", MONITOR, "fill leave=0"),
        ("0", "begin 0", GOES_ON),
    ]
    assert rows[1].stopped == ("begin 0",)
    assert rows[-1].event is Event.CRASH


def test_a_madvise_that_waits_is_in_a_thread_of_its_own() -> None:
    workload = from_text(
        "mount blocks=4\nfile pages=4\nmap file=0 offset=0 pages=4\n"
        "remove_begin map=0 page=0 pages=1\nremove_end\n"
    )
    rows = timeline(workload, play("unpatched", workload))
    assert [row.thread for row in rows] == [REMOVER, MONITOR, MONITOR]
    assert threads(rows) == [REMOVER, MONITOR]


def test_a_crash_in_an_action_is_laid_to_the_monitor() -> None:
    crashed = Outcome(Ending.CRASHED, (Window("0.0", 0),), title="oops")
    last = timeline(from_text(RACE), crashed)[-1]
    assert (last.at, last.thread, last.text) == ("0.0.0", MONITOR, "fill leave=0")
    assert last.stopped == (COPIER,)


def test_a_crash_after_the_last_step_is_laid_to_nobody() -> None:
    trace = (Step("0", -12, 0, -12), Step("1", 0, 1, 4096))
    last = timeline(from_text(RACE), Outcome(Ending.CRASHED, trace, title="oops"))[-1]
    assert (last.at, last.thread, last.text) == ("", "", "")


def test_a_copy_goes_on_before_anything_else_can() -> None:
    workload = from_text(
        "mount blocks=4\nfile pages=4\nmap file=0 offset=0 pages=4\n"
        "begin map=0 page=0 source=M\ncopy map=0 page=1 source=M\nresume begin=0\n"
    )
    crashed = Outcome(Ending.CRASHED, (Window("0.0", 0), Window("1.0", 0)), title="oops")
    last = timeline(workload, crashed)[-1]
    assert (last.at, last.thread, last.stopped) == ("1", COPIER, ("begin 0",))


def test_what_is_in_flight_at_the_end_goes_on_by_itself() -> None:
    workload = from_text(
        "mount blocks=4\nfile pages=4\nmap file=0 offset=0 pages=4\nbegin map=0 page=0 source=M\n"
    )
    crashed = Outcome(Ending.CRASHED, (Window("0.0", 0),), title="oops")
    assert timeline(workload, crashed)[-1].thread == "begin 0"


def test_equal_timelines_of_backends_are_one() -> None:
    outcome = play("unpatched", from_text(RACE))
    other = Outcome(Ending.CRASHED, outcome.trace, title="oops")
    seen = {"model": outcome, "uml:6.1": outcome, "uml:6.12": other}
    found = timelines(RACE, seen)
    assert [backends for backends, _ in found] == [("model", "uml:6.1"), ("uml:6.12",)]
    assert found[0][1] == timeline(from_text(RACE), outcome)


def test_a_text_of_another_vocabulary_has_no_timeline() -> None:
    assert timelines("mount blocks=4\nfrobnicate\n", {"model": Outcome(Ending.FINISHED, ())}) == []


def test_a_guest_that_hangs_is_no_crash() -> None:
    last = timeline(from_text(RACE), Outcome(Ending.HUNG, (Window("0.0", 0),), title="silence"))[-1]
    assert (last.event, last.thread) == (Event.LOST, "")
    assert last.result == "hung: silence"


def test_without_a_limit_nothing_is_due() -> None:
    workload = from_text(RACE.replace("blocks=4", "blocks=0"))
    rows = timeline(workload, play("release_page", workload))
    assert {row.due for row in rows[:-1]} == {None}
    assert not any(row.leaks for row in rows)


def test_an_outcome_that_does_not_fit_its_workload_is_told_all_the_same() -> None:
    trace = (Step("7", 0, 1), Step("0", -12, 1, -12))
    rows = timeline(from_text(RACE), Outcome(Ending.FINISHED, trace, left=0, held=0))
    assert [(row.at, row.text) for row in rows[:2]] == [
        ("7", ""),
        ("0", "copy map=0 page=1 source=MR"),
    ]


@pytest.mark.parametrize("strategy", ["unpatched", "naive_hold"])
def test_every_event_has_a_row_and_rows_chain(strategy: str) -> None:
    drawn = shard(5, 0, 150)
    for workload, outcome in zip(drawn, outcomes(MODEL, KNOWN[strategy], drawn), strict=True):
        rows = timeline(workload, outcome)
        assert [row.at for row in rows[:-1]] == [one.at for one in outcome.trace]
        assert all(row.thread and row.text for row in rows)
        assert [row.before for row in rows] == [0, *(row.after for row in rows[:-1])]
