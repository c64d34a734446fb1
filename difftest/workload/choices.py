# SPDX-License-Identifier: GPL-2.0-only
"""Choices: what a workload is decoded from, a piece of bytes of fixed size and layout.

Hypothesis draws the piece as one value. Many small draws would be mutated: it copies parts of one
example into the next, up to six for each fresh one, and a bound on a failure rate that counts
those as independent is not true. One draw is also five times as fast. Each thing that can be left
out has a place of its own, and zeros mean the simplest choice, so shrinking works all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_VALUES = 256


class Choices:
    """Reads choices from the front of a piece; behind its end there are zeros."""

    def __init__(self, piece: bytes) -> None:
        self._piece = piece
        self._at = 0

    def part(self, size: int) -> Choices:
        """Take the next `size` bytes as a piece of their own, however many of them get used."""
        self._at += size
        return Choices(self._piece[self._at - size : self._at])

    def below(self, limit: int) -> int:
        """Choose a number from 0 to `limit` - 1, of at most 256."""
        self._at += 1
        return self._piece[self._at - 1] * limit // _VALUES if self._at <= len(self._piece) else 0

    def between(self, first: int, last: int) -> int:
        """Choose a number from `first` to `last`; the first is the simplest."""
        return first + self.below(last - first + 1)

    def pick(self, options: Sequence[T]) -> T:
        """Choose one of the options; the first is the simplest."""
        return options[self.below(len(options))]

    def chance(self, part: int, whole: int) -> bool:
        """Choose whether something happens, `part` times out of `whole`; not is the simplest."""
        return self.below(whole) >= whole - part
