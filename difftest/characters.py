# SPDX-License-Identifier: GPL-2.0-only
"""Characters that no report may hold, however they are written: strangers' text has them."""

from __future__ import annotations

import re

#: Control characters, halves of characters, no characters: neither HTML nor XML holds them, escaped
#: or not, and JSON that has them is refused by what reads it. So are those that turn the direction
#: of what comes after them: a sentence must not look like another one.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\u202a-\u202e\u2066-\u2069"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)


def printable(text: str) -> str:
    """Return text with a sign in the place of what no report may hold; lines and tabs stay."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
