# SPDX-License-Identifier: GPL-2.0-only
"""Mutants: a strategy's patch, weakened by one edit. An oracle that sees no difference is blind."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from unidiff.constants import LINE_TYPE_ADDED, LINE_TYPE_CONTEXT
from unidiff.patch import Line, PatchSet

from difftest.errors import UsageError
from difftest.facts import is_model
from difftest.kernels.series import DEFAULT, name_in, patches_for
from difftest.patching import touched_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unidiff.patch import Hunk

    from difftest.strategy import Strategy

MARK = "~"
"""Between a strategy's name and the edit, in a mutant's name."""

# In kernel style a comment's inner line has a blank after the star; `*pagep = NULL;` has none.
_NO_CODE = {
    True: re.compile(r'\s*((#|""").*)?$'),
    False: re.compile(r"\s*(//.*|/\*.*|\*(/|\s.*)?)?$"),
}
"""Lines without code, docstrings among them, by whether the file is Python."""

_CONDITION = {
    True: re.compile(r"\s*(?:if|elif|while)\s+"),
    False: re.compile(r"\s*(?:\}\s*)?(?:else\s+)?(?:if|while)\s*\("),
}
"""What stands before the condition of a statement."""


_DOES = {
    "drop": "does not add `{}`",
    "keep": "does not remove `{}`",
    "swap": "adds `{}` after the line below it",
    "negate": "negates the condition of `{}`",
}
"""What each kind of edit does to a line; the order is that of the mutants."""


class Edit(NamedTuple):
    """One edit of a patch: `kind` ("drop"), the n-th added ("+3") or removed line, its text.

    `text` is the patch with the edit; "" if that leaves nothing of it.
    """

    kind: str
    place: str
    line: str
    text: str

    @property
    def name(self) -> str:
        return self.kind + self.place

    @property
    def sentence(self) -> str:
        return _DOES[self.kind].format(self.line)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutant, ready to run: `strategy` is it, `original` the name of what it was made from.

    `patch` is the file of the original that was edited, and `edit` what was done to it.
    """

    strategy: Strategy
    original: str
    patch: str
    edit: Edit


def patch_of(strategy: Strategy, backend: str) -> tuple[str, str]:
    """Return the patch that a strategy runs with on a backend: its file's name, its text.

    The text is "" if there is none. Raises UsageError for a backend of which nobody knows which
    patches it takes.
    """
    if is_model(backend):
        series = name_in(backend) or DEFAULT
        return strategy.model_file_for(series), strategy.model_patch_for(series) or ""
    if series := patches_for(backend):
        return f"kernel-{series}.patch", strategy.kernel_patches.get(series, "")
    raise UsageError(
        f"mutants cannot be made for backend {backend}: it does not say which patches it takes "
        "(model, model:SERIES, and those that end in a series do)"
    )


def mutants_of(strategy: Strategy, backend: str) -> dict[str, Mutant]:
    """Return the mutants of a strategy for a backend by name, always in the same order.

    They have the patch for this backend only, and stand on what the original stands on.
    """
    file, text = patch_of(strategy, backend)
    mutants = {}
    for edit in edits(text, f"strategy {strategy.name}: {file}"):
        series = {} if is_model(backend) else {patches_for(backend): edit.text}
        mutant = replace(
            strategy,
            name=f"{strategy.name}{MARK}{edit.name}",
            claim=f"{strategy.name}, but it {edit.sentence}.",
            weakness="",
            must_fail=(),
            gives_up=(),
            model_patch=edit.text if is_model(backend) else None,
            series_model_patches=MappingProxyType({}),
            kernel_patches=MappingProxyType(series),
        )
        mutants[mutant.name] = Mutant(mutant, strategy.name, file, edit)
    return mutants


def edits(text: str, name: str) -> list[Edit]:
    """Return all single edits that weaken a patch: those of _DOES, each at every place.

    Lines without code are left alone, and so are removals of whole files. Raises PatchError for
    text that is no patch; `name` is what that calls it.
    """
    touched_files(text, name)
    found = [edit for places in _places(text) for edit in places]
    return sorted(found, key=lambda edit: list(_DOES).index(edit.kind))


class _Place(NamedTuple):
    """A line of a hunk with code that a patch adds or removes: the `number`-th of its kind."""

    file: int
    hunk: int
    line: int
    number: int


def _places(text: str) -> Iterator[Iterator[Edit]]:
    counts: Counter[str] = Counter()
    for file_number, file in enumerate(PatchSet(text)):
        python = file.path.endswith(".py")
        for hunk_number, hunk in enumerate(file):
            for line_number, line in enumerate(hunk):
                counts[line.line_type] += 1
                place = _Place(file_number, hunk_number, line_number, counts[line.line_type])
                if _NO_CODE[python].match(line.value):
                    continue
                if line.is_added:
                    yield _edits_of_added(text, place, hunk, python=python)
                if line.is_removed and not file.is_removed_file:
                    kept = Line(line.value, LINE_TYPE_CONTEXT)
                    yield iter([_edit(text, "keep", place, [kept])])


def _edits_of_added(text: str, place: _Place, hunk: Hunk, *, python: bool) -> Iterator[Edit]:
    line = hunk[place.line]
    yield _edit(text, "drop", place, [])
    after = hunk[place.line + 1 : place.line + 2]
    if (
        after
        and after[0].is_added
        and not _NO_CODE[python].match(after[0].value)
        and after[0].value != line.value
    ):
        yield _edit(text, "swap", place, [after[0], line])
    added = []
    for one in hunk[place.line :]:
        if not one.is_added:
            break
        added.append(one.value)
    if negated := _negated("".join(added), python=python):
        lines = [Line(value, LINE_TYPE_ADDED) for value in negated.splitlines(keepends=True)]
        yield _edit(text, "negate", place, lines)


def _edit(text: str, kind: str, place: _Place, lines: Sequence[Line]) -> Edit:
    """Put `lines` in the place of a line, and of as many after it as they are more than one."""
    patch = PatchSet(text)
    hunk = patch[place.file][place.hunk]
    old = hunk[place.line]
    hunk[place.line : place.line + max(1, len(lines))] = lines
    sign = "-" if old.is_removed else "+"
    return Edit(kind, f"{sign}{place.number}", old.value.strip(), _text(patch))


def _text(patch: PatchSet) -> str:
    """Return the text of a patch after its lines were changed: lengths are counted anew."""
    for file in patch:
        shift = 0
        for hunk in file:
            hunk.source_length = sum(1 for _ in hunk.source_lines())
            hunk.target_length = sum(1 for _ in hunk.target_lines())
            hunk.target_start = hunk.source_start + shift
            shift += hunk.target_length - hunk.source_length
        file[:] = [hunk for hunk in file if hunk.added or hunk.removed]
    return "".join(str(file) for file in patch if len(file))


def _negated(text: str, *, python: bool) -> str:
    """Negate the condition of the statement that the text begins with; "" if there is none.

    It may go on for several lines.
    """
    head = _CONDITION[python].match(text)
    if not head:
        return ""
    depth = 0
    closing, inverse = (":", "not (") if python else (")", "!(")
    for end in range(head.end(), len(text)):
        if depth == 0 and text[end] == closing:
            return f"{text[: head.end()]}{inverse}{text[head.end() : end]}){text[end:]}"
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text[end], 0)
    return ""
