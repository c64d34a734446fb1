# SPDX-License-Identifier: GPL-2.0-only
"""What an agent writes is read strictly: a line too few or too many is never a PASS."""

import pytest

from difftest.backends.transcript import Garbage, Transcript
from difftest.outcome import Ending, Step, Window

STATE = b'{"files":[],"filler":{"size":0,"blocks":0},"maps":[[null,257],null]}'
WARM_UP = [STATE, b'{"left":0,"held":3,"done":-1}']
LINES = [
    *WARM_UP,
    b'{"window":"0.0","used":1}',
    b'{"at":"0","ret":-11,"copy":4096,"used":2}',
    STATE,
    b'{"left":0,"held":0,"done":4}',
    b'{"at":"0","ret":0,"used":0}',
    STATE,
    b'{"left":1,"held":2,"done":5}',
    b'{"end":6}',
]


def test_a_whole_boot_is_read() -> None:
    transcript = Transcript(4, 6)
    transcript.read(LINES)
    assert transcript.booted
    assert transcript.complete
    first, second = transcript.outcomes
    assert first.ending is Ending.FINISHED
    assert first.trace == (Window("0.0", 1), Step("0", -11, 2, 4096))
    assert first.state
    assert first.state.maps == ((None, 257), None)
    assert (second.left, second.held) == (1, 2)


def test_who_holds_pages_belongs_to_the_workload_before() -> None:
    owners = [b'{"owner":"a b "}', b'{"owner":"c "}']
    transcript = Transcript(4, 6)
    transcript.read([*LINES[:9], *owners, LINES[9]])
    assert transcript.complete
    assert transcript.owners == {1: ["a b ", "c "]}


@pytest.mark.parametrize("count", range(len(LINES)))
def test_a_boot_that_ends_anywhere_is_not_complete(count: int) -> None:
    transcript = Transcript(4, 6)
    transcript.read(LINES[:count])
    assert not transcript.complete
    assert len(transcript.outcomes) == sum(b'"done":' in line for line in LINES[2:count])


@pytest.mark.parametrize(
    "number", [n for n, line in enumerate(LINES) if b'"at"' not in line and b'"window"' not in line]
)
def test_a_line_that_is_missing_is_noticed(number: int) -> None:
    """Steps are missed by whoever judges them: tests/test_ledger.py."""
    lines = LINES[:number] + LINES[number + 1 :]
    transcript = Transcript(4, 6)
    try:
        transcript.read(lines)
    except Garbage:
        return
    assert not transcript.complete


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"what?",
        b"{}",
        b'{"at":"0"}',
        b'{"at":"0","ret":"0","used":0}',
        b'{"at":"0","ret":0,"used":0,"more":1}',
        b'{"left":0,"done":4}',
        b'{"end":7}',
        b'{"owner":1}',
        b"\xff\xfe",
        b'{"at":"0","ret":0,"us',
    ],
)
def test_garbage_is_refused_and_what_came_before_is_kept(line: bytes) -> None:
    transcript = Transcript(4, 6)
    with pytest.raises(Garbage):
        transcript.read([*LINES[:6], line])
    assert len(transcript.outcomes) == 1
