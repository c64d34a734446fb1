# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import msgspec
import pytest

from difftest.outcome import Ending, File, Filler, Outcome, State, Step, Window
from difftest.parting import FIELDS, differences, sentence

STATE = State((File(2, 1, "10", (3, 0)),), Filler(0, 0), ((3, None), None))
WINDOW = Window("0.0", 1)
STEP = Step("0", 0, 2, copy=4096)
WHOLE = Outcome(Ending.FINISHED, (WINDOW, STEP), "", STATE, left=0, held=0)


def state(**changes: object) -> State:
    return msgspec.structs.replace(STATE, **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"trace": (Window("0.0", 9), STEP)}, "window 0.0: used 1 on A, 9 on B"),
        ({"trace": (WINDOW, Step("0", -12, 2)), "left": 7}, "step 0: ret 0 on A, -12 on B"),
        ({"trace": (WINDOW, Step("0", 0, 2))}, "step 0: copy 4096 on A, none on B"),
        ({"trace": (STEP,)}, "next is window 0.0 on A, step 0 on B"),
        ({"trace": (WINDOW,)}, "step 0 seen on A, not seen (finished) on B"),
        (
            {"trace": (WINDOW, STEP, Step("1", 0, 1)), "left": 1},
            "step 1 not seen (finished) on A, seen on B",
        ),
        ({"ending": Ending.CRASHED, "title": "BUG"}, "ending finished on A, crashed on B"),
        ({"title": "BUG"}, 'title "" on A, BUG on B'),
        ({"state": None, "left": None}, "state seen on A, none on B"),
        (
            {"state": state(files=(File(2, 1, "11", (3, 0)),)), "held": 4},
            "state.files[0].cached 10 on A, 11 on B",
        ),
        (
            {"state": state(files=(File(2, 1, "10", (3, -1)),))},
            "state.files[0].content[1] 0 on A, -1 on B",
        ),
        ({"state": state(files=())}, "state.files 1 long on A, 0 long on B"),
        ({"state": state(filler=Filler(0, 2))}, "state.filler.blocks 0 on A, 2 on B"),
        ({"state": state(maps=((3, 5), None))}, "state.maps[0][1] none on A, 5 on B"),
        ({"left": 1, "held": 1}, "left 0 on A, 1 on B"),
        ({"held": None}, "held 0 on A, none on B"),
    ],
)
def test_names_the_first_difference(changes: dict[str, object], words: str) -> None:
    other = msgspec.structs.replace(WHOLE, **changes)
    first = [sentence(one, "A", "B") for one in differences(WHOLE, other)][:1]
    assert first == ([words] if words else [])


def test_every_difference_has_its_field_and_both_values_the_trace_first() -> None:
    other = Outcome(Ending.CRASHED, (Window("0.0", 2), Step("0", -12, 2)), "BUG", held=0)
    found = [(one.field, one.where, one.one, one.other) for one in differences(WHOLE, other)]
    assert found == [
        ("trace.used", "window 0.0: used", "1", "2"),
        ("trace.ret", "step 0: ret", "0", "-12"),
        ("trace.copy", "step 0: copy", "4096", "none"),
        ("ending", "ending", "finished", "crashed"),
        ("title", "title", '""', "BUG"),
        ("state", "state", "seen", "none"),
        ("left", "left", "0", "none"),
    ]


def test_traces_part_once() -> None:
    other = msgspec.structs.replace(WHOLE, trace=(STEP, WINDOW), left=2)
    assert [one.field for one in differences(WHOLE, other)] == ["trace", "left"]


def test_no_field_of_an_outcome_is_forgotten() -> None:
    assert sorted(FIELDS) == sorted(Outcome.__struct_fields__)
