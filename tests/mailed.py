# SPDX-License-Identifier: GPL-2.0-only
"""Patches as lists and tools hand them out, made by git itself from a repository of our own."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SHMEM = "first\nsecond\nthird\n"
FILLER = "".join(f"line {number}\n" for number in range(20))


def git(repository: Path, *words: str, content: str = "") -> str:
    """Run git there, as somebody with a name that is not ASCII."""
    who = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (
            ("NAME", "Zoë Näme"), ("EMAIL", "zoe@example.org"), ("DATE", "2021-04-20T12:00:00+0000")
        )
    }  # fmt: skip
    environment = os.environ | who | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", "-C", repository, *words],
        env=environment, input=content, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    return done.stdout


def repository(place: Path) -> Path:
    """Make a repository with a tree that looks like a kernel's from afar."""
    (place / "mm").mkdir(parents=True)
    git(place, "init", "--quiet", "--initial-branch=main")
    (place / "mm" / "shmem.c").write_text(SHMEM + FILLER)
    (place / "mm" / "userfaultfd.c").write_text(FILLER)
    commit(place, "first")
    return place


def commit(place: Path, message: str) -> None:
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--file=-", content=message)


def edit(place: Path, file: str, before: str, after: str, message: str) -> None:
    """Commit a change of one line."""
    path = place / file
    path.write_text(path.read_text().replace(before, after))
    commit(place, message)


def mailed(place: Path, count: int, *options: str) -> str:
    """Return the last commits as `git format-patch` writes them to standard output."""
    return git(place, "format-patch", f"-{count}", "--stdout", *options)
