# SPDX-License-Identifier: GPL-2.0-only
"""A throw-away copy of a kernel tree that takes patches, made of hard links."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from difftest import patching
from difftest.errors import PatchError
from difftest.toolchain import disk_full, nothing_left

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Directories that a UML guest of ours compiles nothing of, and two thirds of all files: one
#: symbolic link each, unless a patch touches them. The rest must not be links to directories: in
#: lib/vsprintf.c, `#include "../mm/internal.h"` would find the file that the link's target has for
#: a neighbour, not the patched one, and compile without a word.
UNCOMPILED = (
    "Documentation",
    "drivers/gpu",
    "drivers/media",
    "drivers/net",
    "drivers/staging",
    "samples",
    "sound",
    "tools",
)

#: Where the build is, inside the tree: kbuild then names the source "..", and both can move.
BUILD = "build"

_EXTENDED = re.compile(r"^(?:rename|copy) (?:from|to) (.+)$", re.MULTILINE)
_NEW_SYMLINK = re.compile(r"^new (?:file )?mode 120000$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Patch:
    """A change to a kernel; `name` is what messages call it: "strategy release_page"."""

    name: str
    text: str


def touched(patches: Iterable[Patch]) -> tuple[str, ...]:
    """Return the files that patches change, add or take away, relative to the tree.

    Raises PatchError for a patch that reaches out of the tree or into its build directory.
    """
    paths: dict[str, None] = {}
    for patch in patches:
        if _NEW_SYMLINK.search(patch.text):
            raise PatchError(
                f"{patch.name} makes a symbolic link, which could lead out of the tree"
            )
        for path in (
            *patching.touched_files(patch.text, patch.name),
            *_EXTENDED.findall(patch.text),
        ):
            parts = PurePosixPath(path).parts
            if not parts or path.startswith("/") or ".." in parts or parts[0] == BUILD:
                raise PatchError(
                    f"{patch.name} touches {path}: expected paths below a kernel tree, like "
                    "a/mm/shmem.c"
                )
            paths[path] = None
    return tuple(paths)


def apply(patches: Sequence[Patch], tree: Path, series: str) -> None:
    """Apply patches to a tree one after the other."""
    for patch in patches:
        try:
            patching.apply(patch.text, tree, f"{patch.name} on kernel {series}")
        except PatchError as error:
            if nothing_left(tree):
                raise disk_full(tree) from error
            raise


def copy(source: Path, patches: Sequence[Patch], work: Path) -> tuple[str, ...]:
    """Copy the files that patches touch to the directory `work`; return their paths."""
    work.mkdir(exist_ok=True)
    paths = touched(patches)
    for path in paths:
        if (source / path).is_file():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / path, work / path)
    return paths


def changed_files(
    source: Path, patches: Sequence[Patch], work: Path, series: str
) -> dict[str, bytes]:
    """Return the files that differ from `source` after the patches; one that is gone is empty.

    Only the touched files are copied (to the empty directory `work`), so this takes milliseconds.
    """
    paths = copy(source, patches, work)
    apply(patches, work, series)
    before, after = ({path: _state(tree / path) for path in paths} for tree in (source, work))
    return {path: after[path] for path in sorted(paths) if after[path] != before[path]}


def make(source: Path, patches: Sequence[Patch], tree: Path, series: str) -> None:
    """Make `tree` a copy of `source` with the patches applied."""
    paths = touched(patches)
    keep = {
        place
        for place in UNCOMPILED
        if not any(PurePosixPath(path).is_relative_to(place) for path in paths)
    }
    _link(str(source), str(tree), "", keep)
    for path in paths:
        file = tree / path
        if file.is_file():
            file.unlink()  # not the source's any more, whatever the patching does to it
            shutil.copy2(source / path, file)
    apply(patches, tree, series)


def _state(path: Path) -> bytes:
    """Return a file's content and whether it may be executed, or nothing if there is none."""
    if not path.is_file():
        return b""
    return (b"x" if os.access(path, os.X_OK) else b"-") + path.read_bytes()


def _link(source: str, tree: str, below: str, keep: set[str]) -> None:
    """Fill a new directory with links to the files of another, and those below it."""
    os.mkdir(tree)  # noqa: PTH102 -- 25,000 Path objects would double the time
    with os.scandir(source) as entries:
        for entry in entries:
            name = f"{below}{entry.name}"
            target = f"{tree}/{entry.name}"
            if name in keep:
                Path(target).symlink_to(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                _link(entry.path, target, f"{name}/", keep)
            else:
                os.link(entry.path, target, follow_symlinks=False)
