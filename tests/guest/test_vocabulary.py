# SPDX-License-Identifier: GPL-2.0-only
"""The guest agent and the Python side speak of the same operations, limits and layout."""

import re
import struct

from difftest.backends import channel
from difftest.guest.build import SOURCES
from difftest.workload import limits
from difftest.workload.codec import SETUP, fields_of
from difftest.workload.ops import OPS


def test_every_operation_has_a_function_in_the_agent() -> None:
    play = (SOURCES / "play.c").read_text(encoding="utf-8")
    known = set(re.findall(r'\{ "(\w+)", op_\1, ', play))
    assert known == {op.name for op in OPS} | set(SETUP)


def test_the_agent_has_room_for_every_field() -> None:
    header = (SOURCES / "agent.h").read_text(encoding="utf-8")
    room = re.search(r"#define FIELDS (\d+)", header)
    assert room
    assert max(len(fields_of(op)) for op in OPS) <= int(room[1])


def test_limits_are_the_same_on_both_sides() -> None:
    header = (SOURCES / "agent.h").read_text(encoding="utf-8")
    theirs = dict(re.findall(r"#define (MAX_\w+|H?PAGE) (\d+)", header))
    assert int(theirs["PAGE"]) == limits.PAGE_SIZE
    assert int(theirs["HPAGE"]) == limits.HPAGE_SIZE
    for name in (
        "MAX_FILES",
        "MAX_MAPS",
        "MAX_PAGES",
        "MAX_HUGE",
        "MAX_COPY",
        "MAX_BLOCKS",
        "MAX_STEPS",
        "MAX_COPIES",
        "MAX_BEGINS",
        "MAX_FAULTS",
    ):
        assert int(theirs[name]) == getattr(limits, name), name


def test_the_channel_has_one_layout() -> None:
    source = (SOURCES / "channel.c").read_text(encoding="utf-8")
    body = re.search(r"struct channel \{(.*?)\n\};", source, re.DOTALL)
    assert body
    fields = re.findall(r"^\t(?:_Atomic )?(\w+) (\w+)(\[\d*\])?;", body[1], re.MULTILINE)
    assert [name for _, name, _ in fields] == [
        "magic", "size", "input", "first", "output", "end", "text",
    ]  # fmt: skip
    assert channel._HEADER.size == 8 + 5 * struct.calcsize("=Q")
    assert channel._FIRST[1] == 8 + 2 * 8
    assert channel._END[1] == 8 + 4 * 8
