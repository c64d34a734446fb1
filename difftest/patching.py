# SPDX-License-Identifier: GPL-2.0-only
"""Applying patches: strictly, to a copy, by git, for kernels and the model alike."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from difftest.errors import PatchError, RigError, ToolchainError

_WHOLE = 1_000_000
"""More lines of context than any file has."""


def touched_files(patch: str, name: str) -> tuple[str, ...]:
    """Return the files that a patch changes, as paths relative to the tree, in the patch's order.

    `name` is what messages call the patch. Raises PatchError for text that is no unified diff.
    """
    try:
        files = PatchSet(patch)
    except UnidiffParseError as error:
        raise PatchError(f"{name} is not a patch that can be read: {error}") from error
    if patch.strip() and not files:
        raise PatchError(f"{name} holds no hunk: expected a unified diff (`git diff`, `diff -u`)")
    return tuple(dict.fromkeys(file.path for file in files))


def applies(patch: str, tree: Path, *, reverse: bool = False) -> bool:
    """Say whether a patch, or with `reverse` its undoing, could be applied; changes nothing."""
    return not _git_apply(patch, tree, "--check", *(["--reverse"] if reverse else [])).returncode


def apply(patch: str, tree: Path, name: str) -> None:
    """Apply a patch to the files below `tree`; all of it or nothing.

    Context must match exactly; line numbers may be off. Raises PatchError, which names the hunk,
    the file, and what was found there instead.
    """
    if not patch.strip():
        return
    done = _git_apply(patch, tree, "--verbose")
    if done.returncode:
        raise PatchError(f"{name} does not apply:\n{_why(patch, tree, done.stderr)}")


def undo(patch: str, tree: Path, name: str) -> None:
    """Take a patch out of the files below `tree` again; else as `apply`."""
    done = _git_apply(patch, tree, "--reverse")
    if done.returncode:
        raise PatchError(f"{name} cannot be undone: {done.stderr.strip()}")


def difference(before: Path, after: Path) -> str:
    """Return how the files below `after` differ from those below `before`, each as a whole.

    One hunk has all lines of a file, so that it needs no heading to say in which function they are.
    """
    done = _git(
        before.parent,
        "",
        "diff", "--no-index", "--no-color", "--no-ext-diff", f"--unified={_WHOLE}",
        str(before), str(after),
    )  # fmt: skip
    if done.returncode > 1:
        raise RigError(f"git cannot compare {before} and {after}: {done.stderr.strip()}")
    return done.stdout


def counted(patch: str) -> tuple[str, ...]:
    """Return the files that git sees in a patch, each with its added and removed lines.

    Raises PatchError for what git cannot read.
    """
    if not patch.strip():
        return ()
    done = _git_apply(patch, Path("/"), "--numstat", "-z")
    if done.returncode:
        raise PatchError(f"it is not a patch that git can read: {done.stderr.strip()}")
    return tuple(filter(None, done.stdout.split("\0")))


def _git_apply(patch: str, tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return _git(tree, patch, "apply", "--whitespace=nowarn", *options, "-")


def _git(tree: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    # A cache below somebody's own checkout must not make git look at that one.
    environment = os.environ | {
        "GIT_CEILING_DIRECTORIES": str(tree.resolve().parent),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C",
    }
    try:
        return subprocess.run(
            ["git", *words],
            cwd=tree,
            env=environment,
            input=text,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise ToolchainError("git is not installed: apt-get install git") from error


def _why(patch: str, tree: Path, stderr: str) -> str:
    """Say which hunks of which file do not match, and what the file has in their place."""
    lines = []
    #: Patches of a series may touch one file in turn: what it is after those before.
    files: dict[str, list[str]] = {}
    for file in PatchSet(patch):
        path = tree / file.path
        if file.path not in files:
            if not path.exists():
                if not file.is_added_file:
                    lines.append(f"  {file.path}: no such file in the tree")
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            files[file.path] = text.splitlines()
        have = files[file.path]
        for number, hunk in enumerate(file, 1):
            want, then = (
                [line.value.rstrip("\n") for line in side]
                for side in (hunk.source_lines(), hunk.target_lines())
            )
            place = _find(want, have)
            if place is None:
                lines.append(_mismatch(file.path, number, len(file), hunk.source_start, want, have))
            else:
                have[place : place + len(want)] = then
    return "\n".join(lines) or stderr.strip()


def _find(want: list[str], have: list[str]) -> int | None:
    for start in range(len(have) - len(want) + 1):
        if have[start : start + len(want)] == want:
            return start
    return None


def _mismatch(
    path: str, number: int, count: int, start: int, want: list[str], have: list[str]
) -> str:
    """Describe the first line of a hunk that differs where the hunk fits best."""

    def score(at: int) -> tuple[int, int]:
        pairs = zip(want, have[at : at + len(want)], strict=False)
        return sum(a == b for a, b in pairs), -abs(at - start + 1)

    best = max(range(len(have) + 1), key=score)
    for offset, line in enumerate(want):
        found = have[best + offset] if best + offset < len(have) else "(end of file)"
        if found != line:
            return (
                f"  {path}, hunk {number} of {count}, near line {best + offset + 1}:\n"
                f"    expected: {line}\n"
                f"    found:    {found}"
            )
    return f"  {path}, hunk {number} of {count}"
