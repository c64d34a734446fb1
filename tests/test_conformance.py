# SPDX-License-Identifier: GPL-2.0-only
"""Whether two backends saw the same: what counts, what does not, and what nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from made import BUG, CRASHED, HUNG, RACE, SMALL, finished, run

from difftest.conformance import conformance, disagreements, seen_fields
from difftest.outcome import Ending, Filler, Outcome, State, Step

if TYPE_CHECKING:
    from difftest.result import Conformance
    from difftest.tally import Run

TEXTS = dict.fromkeys(range(9), SMALL)
STATE = State((), Filler(1, 1), ((1, 2),))
WHOLE = Outcome(Ending.FINISHED, (Step("0", 0, 1, 4096),), "", STATE, left=0, held=0)


def numbered(*runs: Run) -> dict[int, Run]:
    return {one.number: one for one in runs}


def compared(
    here: list[Run], there: list[Run], unseen: dict[str, dict[str, str]] | None = None
) -> Conformance:
    runs = {"model": numbered(*here), "uml:6.1": numbered(*there)}
    (found,) = conformance("x", runs, ["model", "uml:6.1"], unseen or {}, TEXTS)
    return found


def test_only_what_is_known_on_both_is_compared_and_the_rest_is_named() -> None:
    found = compared(
        [run(0), run(1), run(2, HUNG), run(3, CRASHED), run(4)],
        [run(0), run(1, HUNG), run(2), run(3, finished()), run(5)],
    )
    assert (found.compared, found.differ, found.unknown) == (2, 1, 2)
    assert found.causes == ("hung: no sign of life for 10 s",)
    assert found.first == (
        f"workload 3: step 0 not seen (crashed: {BUG}) on model, seen on uml:6.1",
    )


def test_what_a_backend_cannot_play_is_not_unknown() -> None:
    unplayed = Outcome(Ending.UNPLAYED, (), "it has no swap")
    found = compared([run(0), run(1)], [run(0), run(1, unplayed)])
    assert (found.compared, found.differ, found.unknown) == (1, 0, 0)
    assert found.unplayed == {"it has no swap": 1}


def test_at_most_three_are_described() -> None:
    found = compared([run(n) for n in range(9)], [run(n, finished(used=n)) for n in range(9)])
    assert (found.compared, found.differ) == (9, 8)
    assert found.first[0] == "workload 0: step 0: used 1 on model, 0 on uml:6.1"
    assert len(found.first) == 3


def test_the_smallest_that_differs_is_kept_with_all_that_differs() -> None:
    runs = {
        "model": numbered(run(0), run(1), run(2)),
        "uml:6.1": numbered(run(0), run(1, finished(used=2)), run(2, finished(used=3))),
    }
    texts = {0: "a\n", 1: RACE, 2: SMALL}
    (found,) = conformance("x", runs, ["uml:6.1"], {}, texts)
    assert found.smallest
    assert (found.smallest.number, found.smallest.text, found.smallest.shrunk) == (2, SMALL, False)
    assert [(one.where, one.one, one.other) for one in found.smallest.differences] == [
        ("step 0: used", "1", "3")
    ]


@pytest.mark.parametrize(
    ("changes", "unseen", "differs"),
    [
        ({}, [], []),
        ({"held": 1}, [], ["held"]),
        ({"held": 1}, ["held"], []),
        ({"held": 1, "left": 1}, ["held"], ["left"]),
        ({"held": 1}, ["hel", "state", "trace"], ["held"]),
        ({"held": None}, ["held"], []),
        ({"state": None}, ["state"], []),
        ({"state": None}, ["state.maps"], ["state"]),
        ({"state": State((), Filler(1, 1), ((1, 3),))}, ["state.maps"], []),
        ({"state": State((), Filler(1, 2), ((1, 3),))}, ["state.maps"], ["state.filler.blocks"]),
        ({"state": State((), Filler(1, 2), ((1, 2),))}, ["state"], []),
        ({"trace": (Step("0", 0, 2, 4096),)}, ["trace.used"], []),
        ({"trace": (Step("0", 0, 2, 8192),)}, ["trace.used"], ["trace.copy"]),
        ({"trace": ()}, ["trace.used"], ["trace"]),
    ],
)
def test_what_a_backend_cannot_see_does_not_count_and_all_else_does(
    changes: dict[str, object], unseen: list[str], differs: list[str]
) -> None:
    other = msgspec.structs.replace(WHOLE, **changes)
    found = disagreements(WHOLE, other, unseen)
    assert [one.field for one in found] == differs


def test_a_field_that_is_not_seen_is_named_with_the_reason() -> None:
    there = [run(0, msgspec.structs.replace(finished(), held=None))]
    assert compared([run(0)], there).differ == 1
    found = compared([run(0)], there, {"uml:6.1": {"held": "it does not count pages"}})
    assert (found.compared, found.differ) == (1, 0)
    assert found.unseen == {"held": "it does not count pages"}
    assert compared([run(0)], there, {"uml:5.10": {"held": "of another"}}).differ == 1


def test_fields_that_can_be_compared_at_least_in_part() -> None:
    fields = [
        *("trace", "ending", "title", "state", "left", "held", "committed", "hits"),
        *("huge", "reserved"),
    ]
    assert seen_fields([]) == fields
    assert seen_fields(["held", "committed", "state.maps", "hits", "huge", "reserved"]) == [
        *("trace", "ending", "title", "state", "left")
    ]


def test_a_kernel_is_compared_with_the_model_of_its_series_and_no_other() -> None:
    same, other = numbered(run(0)), numbered(run(0, CRASHED))
    runs = {"model": other, "model:5.10": same, "uml:5.10": same, "uml:6.12": same}
    found = conformance("x", runs, runs, {}, TEXTS)
    assert [(one.backend, one.compared, one.differ) for one in found] == [
        ("uml:5.10", 1, 0),
        ("uml:6.12", 0, 0),
    ]
