# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import os
import struct

from difftest.backends.channel import Channel

TEXTS = ["mount blocks=4\n", "mount blocks=5\n"]
HEADER = struct.Struct("=8sQQQQQ")


def header(channel: Channel) -> tuple[bytes, int, int, int, int, int]:
    fields: tuple[bytes, int, int, int, int, int] = HEADER.unpack(
        os.pread(channel.fd, HEADER.size, channel.start)
    )
    return fields


def write(channel: Channel, text: bytes) -> None:
    """Append to the output as a guest does."""
    *_, end = header(channel)
    os.pwrite(channel.fd, text, channel.start + end)
    os.pwrite(channel.fd, struct.pack("=Q", end + len(text)), channel.start + HEADER.size - 8)


def test_a_guest_finds_the_workloads_behind_the_header() -> None:
    for before in (0, 1 << 20):
        with Channel(TEXTS, before) as channel:
            magic, size, length, first, begin, end = header(channel)
            assert (magic, first, begin) == (b"difftest", 0, end)
            assert channel.bytes == before + size
            text = os.pread(channel.fd, length, before + HEADER.size)
            assert text.decode() == "\n".join(TEXTS)


def test_lines_are_read_wherever_the_channel_begins() -> None:
    for before, behind in ((0, 0), (1 << 20, 1), (1 << 20, 1 << 20)):
        with Channel(TEXTS, before, behind) as channel:
            write(channel, b"one\ntwo\n")
            assert channel.lines() == [b"one", b"two"]


def test_an_end_beyond_the_channel_reads_nothing_of_what_is_behind() -> None:
    with Channel(TEXTS, 1 << 20, 1 << 20) as channel:
        size = header(channel)[1]
        os.pwrite(channel.fd, b"initrd\n", channel.start + size)
        os.pwrite(channel.fd, struct.pack("=Q", size + 7), channel.start + HEADER.size - 8)
        assert b"initrd" not in b"".join(channel.lines())


def test_the_next_guest_sees_nothing_of_the_last_ones_output_or_memory() -> None:
    with Channel(TEXTS, 1 << 20) as channel:
        os.pwrite(channel.fd, b"left behind", 4096)
        write(channel, b"one\n")
        channel.rewind(1)
        assert channel.lines() == []
        assert header(channel)[3] == 1
        assert os.pread(channel.fd, 11, 4096) == bytes(11)
        assert os.pread(channel.fd, 5, channel.start + HEADER.size) == b"mount"
