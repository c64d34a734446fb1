# SPDX-License-Identifier: GPL-2.0-only
"""GitHub-flavoured Markdown: text that shows as it is, tables and fences that nothing breaks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from difftest.characters import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: What means something to Markdown in a sentence. A `_` inside a name and the `<` of a bound do
#: not, and a page should read well as text.
_SPECIAL = re.compile(
    r"[\\`*|\[\]#~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|<(?=[A-Za-z/!?])|&(?=[#A-Za-z])"
    # An address becomes a link, and takes the signs after it along, with what escapes them.
    r"|:(?=//)|(?<=www)\."
)
#: What means something where a line begins: a list, a quotation, a line across.
_START = re.compile(r"^(?:(?=[-+>=])|\d{1,9}(?=[.)]))")


def plain(text: str) -> str:
    """Return text as one line of Markdown that shows it as it is."""
    line = _SPECIAL.sub(r"\\\g<0>", " ".join(printable(text).split()))
    return _START.sub(r"\g<0>\\", line)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Return the lines of a table of text, and an empty one."""
    yield f"| {' | '.join(map(plain, headers))} |"
    yield f"|{' --- |' * len(headers)}"
    for row in rows:
        yield f"| {' | '.join(map(plain, row))} |"
    yield ""


def fence(language: str, lines: Iterable[str]) -> Iterator[str]:
    """Return lines as a block that shows them as they are, and an empty one.

    No line within can end it: it is one backtick longer than any run of them.
    """
    text = [printable(line).rstrip() for line in lines]
    marks = "`" * max([3, *(len(run) + 1 for one in text for run in re.findall("`+", one))])
    yield from (f"{marks}{language}", *text, marks, "")
