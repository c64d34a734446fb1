# SPDX-License-Identifier: GPL-2.0-only
"""The host's end of the channel: memory that the guest has mapped too (guest/channel.c)."""

from __future__ import annotations

import mmap
import os
import struct
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

#: magic, size, bytes of input, first workload to play, begin and end of the output.
_HEADER = struct.Struct("=8sQQQQQ")
_FIRST = struct.Struct("=Q"), 24
_END = struct.Struct("=Q"), 40
_MAGIC = b"difftest"

#: QEMU takes memory in these pieces, everybody else in pages.
_GRAIN = 2 * mmap.PAGESIZE

OUTPUT_BYTES = 16 * 1024
"""For each workload: the largest that the vocabulary allows writes about 8,000."""


class Channel:
    """A piece of memory that holds workloads, and then what the guest says of them.

    It is in a file, for guests to map. A guest whose whole memory is that file has `before` bytes
    for itself in front of it, and room for `behind` bytes after it.
    """

    def __init__(self, texts: list[str], before: int = 0, behind: int = 0) -> None:
        text = "\n".join(texts).encode()
        output = _round(_HEADER.size + len(text))
        size = output + _round((len(texts) + 1) * OUTPUT_BYTES)
        self.count = len(texts)
        self.start = before
        self.bytes = before + size + _round(behind)
        self.fd = os.memfd_create("difftest-channel")
        os.truncate(self.fd, self.bytes)
        self._memory = mmap.mmap(self.fd, self.bytes)
        _HEADER.pack_into(self._memory, before, _MAGIC, size, len(text), 0, output, output)
        self._memory[before + _HEADER.size : before + _HEADER.size + len(text)] = text
        self._output = output
        self._size = size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._memory.close()
        os.close(self.fd)

    def rewind(self, first: int) -> None:
        """Forget the output and the last guest's memory; the next begins with workload `first`."""
        if self.start:
            self._memory.madvise(mmap.MADV_REMOVE, 0, self.start)
        _FIRST[0].pack_into(self._memory, self.start + _FIRST[1], first)
        _END[0].pack_into(self._memory, self.start + _END[1], self._output)

    @property
    def end(self) -> int:
        """Where the output ends by now; it grows line by line."""
        end: int = _END[0].unpack_from(self._memory, self.start + _END[1])[0]
        return end

    def lines(self) -> list[bytes]:
        """Return all complete lines so far."""
        end = min(self.end, self._size)
        return self._memory[self.start + self._output : self.start + end].splitlines()


def _round(size: int) -> int:
    return -(-size // _GRAIN) * _GRAIN
