# SPDX-License-Identifier: GPL-2.0-only
"""Functions that a patch changes, and how, as its hunks tell.

Where a hunk begins, its heading says (`@@ … @@ function(`): `git diff` writes it, and bundled
patches have it. From there on the first column says where functions begin and end, in kernel style
as in Python. No source is asked, so that a patch has the same facts on every machine, and in every
run that is kept; tests compare them with the source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unidiff.constants import LINE_TYPE_CONTEXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from unidiff.patch import Hunk, Line, PatchSet

#: What a line that begins a function has first, for C and Python.
_HEAD = re.compile(
    r"(?!extern\b|typedef\b)(?:[A-Za-z_][\w *]*?)?\b(?P<name>\w+)\s*\(\s*(?P<first>\w*)"
)
_SYSCALL = re.compile(r"(?:COMPAT_)?SYSCALL_DEFINE\d")
_LABEL = re.compile(r"\w+:")
_COMMENT = re.compile(r"\s*(?:/?\*(?!\w)|//|#)")

#: `lock`, `unlock` or `trylock` as a word of a function's name, semaphores, and what gives a page
#: its lock without taking it. `folio_test_locked()` only looks.
_LOCKING = re.compile(
    r"\b(?:\w+_)?(?:un|try)?lock(?:_\w+)?\(|\b(?:down|up)(?:_(?:read|write)\w*)?\("
    r"|\b_*(?:set|clear)_?page_?locked\(|\b_*folio_(?:set|clear)_locked\(",
    re.IGNORECASE,
)
#: What decides a return value; a model's `label = …` is C's goto.
_RETURN = re.compile(r"\breturn\b|\bgoto\b|\b(?:ret|retval|err|error|rc|label)\s*=(?!=)")


@dataclass(frozen=True, slots=True)
class Touched:
    """Names of functions in the order of the patch.

    `locking` are those with a changed line that takes or gives back a lock, `returns` those with
    one that returns, jumps, or sets what is returned. `nameless` counts the changed lines that lie
    in a function of which the patch does not give the name.
    """

    functions: tuple[str, ...]
    locking: tuple[str, ...]
    returns: tuple[str, ...]
    nameless: int


def touched(patches: Iterable[PatchSet]) -> Touched:
    """Return what all patches change together."""
    functions: dict[str, None] = {}
    locking: dict[str, None] = {}
    returns: dict[str, None] = {}
    nameless = 0
    for file in (file for patch in patches for file in patch):
        for name, line in (change for hunk in file for change in _changes(hunk)):
            text = line.value.rstrip("\n")
            if not name:
                nameless += file.path.endswith((".c", ".h")) and not text.startswith("#")
                continue
            functions[name] = None
            code = "" if _COMMENT.match(text) else text
            if _LOCKING.search(code):
                locking[name] = None
            if _RETURN.search(code):
                returns[name] = None
    return Touched(tuple(functions), tuple(locking), tuple(returns), nameless)


def functions_by_line(patch: PatchSet) -> dict[int, str]:
    """Return the functions that changed lines are in, as far as known, by number of the line."""
    return {
        line.diff_line_no or 0: name
        for file in patch
        for hunk in file
        for name, line in _changes(hunk)
        if name
    }


def _changes(hunk: Hunk) -> Iterator[tuple[str, Line]]:
    """Yield each changed line inside a function, with its name, or "" if that is not known."""
    lines: list[Line] = list(hunk)
    texts = [line.value.rstrip("\n") for line in lines]
    for line, text, function in zip(
        lines, texts, enclosing(texts, hunk.section_header), strict=True
    ):
        if function is not None and line.line_type != LINE_TYPE_CONTEXT and text.strip():
            yield function, line


def enclosing(lines: Sequence[str], heading: str = "") -> Iterator[str | None]:
    """Yield for each of consecutive lines the function that it is in.

    That is None between functions, and "" where it began before the first line and `heading` does
    not name it.
    """
    function = name_of(heading) if heading else ""
    for number, text in enumerate(lines):
        begins = text[:1] not in {"", " ", "\t", "{", "}", ")", "#"} and not _LABEL.match(text)
        if begins:
            function = None if _is_declaration(lines[number:]) else name_of(text)
        yield function
        if text.startswith("}"):
            function = None


def name_of(text: str) -> str | None:
    """Return the name of the function that begins in a line, None if none does."""
    match = _HEAD.match(text.removeprefix("async ").removeprefix("def "))
    if not match:
        return None
    return match["first"] if _SYSCALL.fullmatch(match["name"]) else match["name"]


def _is_declaration(lines: Iterable[str]) -> bool:
    """Say whether what begins with the first line ends without a body."""
    ends = (line.rstrip()[-1:] for line in lines)
    return next((end for end in ends if end in {";", "{", ":"}), "") == ";"
