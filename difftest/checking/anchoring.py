# SPDX-License-Identifier: GPL-2.0-only
"""Anchoring: where a patch's hunks belong in files that have changed since it was made.

A hunk whose lines are still there gets their numbers. Another one is merged with what has become
of its context: the hunk's two sides and the place that is most like it are a three-way merge, which
git does. It works on words, not lines, because patches with one line of context would else always
conflict. What it gives is taken only if the patch still adds and removes what it did, in the same
functions.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from unidiff.patch import PatchSet

from difftest.errors import PatchError, RigError, ToolchainError
from difftest.functions import enclosing, name_of, touched

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unidiff.patch import Hunk, PatchedFile

_ALIKE = 0.7
"""How much of a hunk's words a place must have, in their order, to be taken for its own."""
_APART = 0.05
"""By how much it must be more like it than any other place."""
_SLACK = 3
"""How many lines its context may have won or lost."""

_WORD = re.compile(r"\n|[ \t]+|\w+|.")


class Place(NamedTuple):
    """Lines of a file, from `first` on, and what the patch makes of them."""

    first: int
    before: list[str]
    after: list[str]


@dataclass(frozen=True, slots=True)
class Anchored:
    """A patch for the files as they are. `merged` counts the hunks of which context has changed."""

    text: str
    merged: int


class _LostError(Exception):
    """A hunk has no place; the text says why."""


def anchored(text: str, tree: Path) -> Anchored:
    """Return a patch for the files below `tree`.

    Raises PatchError that names the hunks without a place, and for a patch that adds, removes or
    renames files.
    """
    lines = text.split("\n")
    #: Of hunks in `lines`, with what comes in their place; the last first, so that numbers hold.
    news: list[tuple[slice, list[str]]] = []
    lost: list[str] = []
    merged = 0
    for file in PatchSet(text):
        have = _read(file, tree)
        functions = list(enclosing(have))
        drift = grown = end = 0
        for number, hunk in enumerate(file, 1):
            try:
                place = _exact(hunk, have, functions, end, drift) or _like(
                    hunk, have, functions, end, drift
                )
            except _LostError as error:
                lost.append(f"  {file.path}, hunk {number} of {len(file)}: {error}")
                continue
            merged += place.before != _side(hunk, "-")
            end = place.first + len(place.before)
            drift = place.first - (hunk.source_start - 1)
            body = _body(hunk, place)
            head = (
                f"@@ -{place.first + 1},{len(place.before)} "
                f"+{place.first + 1 + grown},{len(place.after)} @@ {hunk.section_header}"
            )
            grown += len(place.after) - len(place.before)
            first = (hunk[0].diff_line_no or 0) - 2
            news.append((slice(first, first + 1 + len(hunk)), [head.rstrip(), *body]))
    if lost:
        raise PatchError("\n".join(lost))
    for span, new in reversed(news):
        lines[span] = new
    return Anchored("\n".join(lines), merged)


def _read(file: PatchedFile, tree: Path) -> list[str]:
    path = tree / file.path
    if file.is_added_file or file.is_removed_file or file.is_rename or not path.is_file():
        raise PatchError(
            f"  {file.path}: only changes to files that are there can be refreshed; "
            "make this one by hand"
        )
    # Not splitlines(), which also takes a form feed for an end.
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def _side(hunk: Hunk, without: str) -> list[str]:
    """Return the lines of a hunk before ("-") or after ("+") the patch."""
    lines = hunk.source_lines() if without == "-" else hunk.target_lines()
    return [line.value.rstrip("\n") for line in lines]


def _exact(
    hunk: Hunk, have: list[str], functions: list[str | None], end: int, drift: int
) -> Place | None:
    """Find the lines of a hunk as they are: in its function, nearest to where they would be."""
    want, then, ours = _side(hunk, "-"), _side(hunk, "+"), _names(hunk, functions)
    equal = [
        Place(first, want, then)
        for first in range(end, len(have) - len(want) + 1)
        if have[first : first + len(want)] == want
    ]
    places = [one for one in equal if not ours or ours == _functions(one, have, functions)]
    expected = hunk.source_start - 1 + drift
    return min(places, key=lambda place: abs(place.first - expected), default=None)


def _within(hunk: Hunk, functions: list[str | None], first: int, length: int) -> bool:
    """Say whether lines are in the function that the hunk's heading names, if that is one here."""
    name = name_of(hunk.section_header) if hunk.section_header else None
    if not name or name not in functions:
        return True
    # The heading may be that of the function before the one that begins in the hunk.
    return name in functions[max(first - 1, 0) : first + length]


def _like(hunk: Hunk, have: list[str], functions: list[str | None], end: int, drift: int) -> Place:
    """Find the place that is most like a hunk, and merge the two."""
    want, then = _side(hunk, "-"), _side(hunk, "+")
    expected = hunk.source_start - 1 + drift
    found = sorted(
        _candidates(hunk, have, functions, end), key=lambda one: (-one[0], abs(one[1] - expected))
    )
    if not found or found[0][0] < _ALIKE:
        raise _LostError(_with(want, "no place is like it any more:"))
    best, first, length = found[0]
    for other, where, size in found[1:]:
        apart = where >= first + length or where + size <= first
        if apart and other > best - _APART:
            raise _LostError(f"lines {first + 1} and {where + 1} are both like it")
    before = have[first : first + length]
    after = _merged(want, then, before)
    if after is None or _changes(before, after) != _changes(want, then):
        raise _LostError(_with(before, f"what it changes has changed, near line {first + 1}:"))
    place = Place(first, before, after)
    ours, theirs = _names(hunk, functions), _functions(place, have, functions)
    if ours and ours != theirs:
        raise _LostError(
            f"it changed {', '.join(sorted(ours))}, and what is like it, near line {first + 1}, is "
            f"in {', '.join(sorted(theirs)) or 'none'}"
        )
    return place


def _names(hunk: Hunk, functions: list[str | None]) -> set[str]:
    """Return the functions that a hunk changes, as far as those are in the file and known."""
    patch = PatchSet("--- a/it\n+++ b/it\n" + str(hunk))
    return {one for one in touched([patch]).functions if one in functions}


def _functions(place: Place, have: list[str], functions: list[str | None]) -> set[str]:
    """Return the functions of the lines that are removed and added in a place."""
    last = place.first + len(place.before)
    new = list(enclosing([*have[: place.first], *place.after, *have[last:]]))
    found: set[str | None] = set()
    for tag, first, end, start, stop in _opcodes(place.before, place.after):
        if tag != "equal":
            found |= {*functions[place.first + first : place.first + end]}
            found |= {*new[place.first + start : place.first + stop]}
    return {one for one in found if one and one in functions}


def _with(lines: Sequence[str], text: str) -> str:
    return "\n".join([text, *(f"      {line}" for line in lines)])


def _candidates(
    hunk: Hunk, have: list[str], functions: list[str | None], end: int
) -> Iterator[tuple[float, int, int]]:
    """Yield (how alike, first line, number of lines) of places that are like a hunk's lines."""
    want = _side(hunk, "-")
    matcher = SequenceMatcher(None, autojunk=False)
    matcher.set_seq2(_words(want))
    for length in range(max(len(want) - _SLACK, 1), len(want) + _SLACK + 1):
        for first in range(end, len(have) - length + 1):
            if not _within(hunk, functions, first, length):
                continue
            matcher.set_seq1(_words(have[first : first + length]))
            if matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE:
                yield matcher.ratio(), first, length


def _words(lines: Sequence[str]) -> list[str]:
    return _WORD.findall("\n".join([*lines, ""]))


def _changes(before: Sequence[str], after: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the lines that are removed and those that are added."""
    removed: list[str] = []
    added: list[str] = []
    for tag, first, last, start, stop in _opcodes(before, after):
        if tag != "equal":
            removed += before[first:last]
            added += after[start:stop]
    return removed, added


def _opcodes(
    before: Sequence[str], after: Sequence[str]
) -> Sequence[tuple[str, int, int, int, int]]:
    return SequenceMatcher(None, before, after, autojunk=False).get_opcodes()


def _merged(base: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> list[str] | None:
    """Merge two descendants of some lines, word by word; None if they conflict."""
    with tempfile.TemporaryDirectory(prefix="difftest-merge-") as folder:
        files = [Path(folder) / name for name in ("ours", "base", "theirs")]
        for path, side in zip(files, (ours, base, theirs), strict=True):
            path.write_text("".join(f"{_escaped(word)}\n" for word in _words(side)), "utf-8")
        try:
            done = subprocess.run(
                ["git", "merge-file", "--stdout", *files],
                capture_output=True, encoding="utf-8", check=False,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise ToolchainError("git is not installed: apt-get install git") from error
    if done.returncode >= _FAILED:
        raise RigError(f"git cannot merge: {done.stderr.strip()}")
    if done.returncode:
        return None
    words = done.stdout.split("\n")[:-1]
    return "".join("\n" if word == _NEWLINE else word for word in words).split("\n")[:-1]


#: From here on a status of `git merge-file` is no number of conflicts.
_FAILED = 128
#: A word that is no other: what stands for the end of a line, when each word has a line.
_NEWLINE = "\\n"


def _escaped(word: str) -> str:
    return _NEWLINE if word == "\n" else word


def _body(hunk: Hunk, place: Place) -> list[str]:
    """Return the lines of a hunk in its place, with their signs."""
    if place.before == _side(hunk, "-"):
        return [str(line).rstrip("\n") for line in hunk]
    body = []
    for tag, first, last, start, stop in _opcodes(place.before, place.after):
        if tag == "equal":
            body += [f" {line}" for line in place.before[first:last]]
        else:
            body += [f"-{line}" for line in place.before[first:last]]
            body += [f"+{line}" for line in place.after[start:stop]]
    return body
