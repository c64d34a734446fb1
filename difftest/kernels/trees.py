# SPDX-License-Identifier: GPL-2.0-only
"""Trees: kernels from a user's own git repository, each a series beside the distribution's.

A repository is only read from. What is known of a tree is noted in the cache, below `trees/NAME`.
"""

from __future__ import annotations

import os
import re
import shutil
from importlib import resources
from pathlib import Path

from difftest import patching
from difftest.errors import PatchError, UsageError
from difftest.kernels import cache
from difftest.kernels.series import SERIES, TREES, known
from difftest.toolchain import CommandError, require, run

_NAME = re.compile(r"[A-Za-z][\w.-]*")
_VERSION = re.compile(
    r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE
)

#: 6.0 followed 5.19, and so on: what to add to a minor version to count releases on one scale.
_EARLIER = {5: 0, 6: 20}


def add(path: Path, rev: str = "HEAD", name: str = "") -> str:
    """Make a commit of a git tree a series; return what there is to say of it.

    Raises UsageError if there is no such tree, commit or kernel, if its version is outside of
    what SERIES spans, if neither a baseline nor its effect is there, and for a name that is taken.
    """
    require("git")
    path = path.expanduser().absolute()
    name = name or path.name
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a tree: expected a letter, then letters, digits, "
            "dots and dashes: give one with --name"
        )
    if name in known():
        raise UsageError(
            f"there is a tree {name!r}: give another name with --name, or remove that one: "
            f"`difftest kernel remove {name}`"
        )
    try:
        git(path, "rev-parse", "--git-dir")
    except CommandError as error:
        raise UsageError(f"--tree {path}: no git tree that can be read: {error.output}") from None
    try:
        commit = git(path, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}").strip()
    except CommandError:
        raise UsageError(
            f"--rev {rev}: {path} has no such commit: expected a branch, tag or commit of it"
        ) from None
    version = _version(path, commit)
    like, applied, said = _fitting(path, commit, version)
    with cache.workdir("tree") as work:
        made = work / "made"
        made.mkdir()
        cache.note(
            made, repository=str(path), commit=commit, version=version, like=like, patches=applied
        )
        cache.publish(made, TREES, name)
    head = f"{name}: Linux {version}, commit {commit[:12]} of {path}, like {like}"
    return "\n".join([head, *said])


def remove(name: str) -> None:
    """Forget a tree; what was built of it goes with the next `kernel clean`."""
    place = cache.finished(TREES, name)
    if place is None:
        trees = [one.name for one in known().values() if one.like]
        raise UsageError(f"no tree {name!r}: there are {', '.join(trees) or 'none'}")
    shutil.rmtree(place)


def listing() -> list[tuple[str, str, str, str]]:
    """Return name, version, commit and repository of every tree."""
    places = sorted((cache.root() / TREES).glob("*"))
    found = {path.name: cache.info(path) for path in places if cache.finished(TREES, path.name)}
    return [
        (name, one["version"], one["commit"][:12], one["repository"]) for name, one in found.items()
    ]


def git(path: Path, *words: str, **environment: str) -> str:
    """Run git on somebody's repository, such that it writes nothing there."""
    # A refreshed index would be a change.
    variables = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", **environment}
    return run(["git", "-C", str(path), *words], where=Path("/"), environment=variables)


def export(path: Path, commit: str, tree: Path, work: Path) -> None:
    """Write the files of a commit to the new directory `tree`; `work` is for what that takes."""
    tree.mkdir(parents=True)
    index = str(work / "index")
    git(path, "read-tree", commit, GIT_INDEX_FILE=index)
    words = ("--work-tree", str(tree), "checkout-index", "--all", "--quiet", f"--prefix={tree}/")
    git(path, *words, GIT_INDEX_FILE=index)


def _version(path: Path, commit: str) -> str:
    try:
        makefile = git(path, "show", f"{commit}:Makefile")
        git(path, "cat-file", "-e", f"{commit}:mm/userfaultfd.c")
    except CommandError:
        raise UsageError(
            f"--tree {path}: commit {commit[:12]} holds no kernel: expected its Makefile and "
            "mm/userfaultfd.c"
        ) from None
    parts = dict(_VERSION.findall(makefile))
    try:
        major, minor = int(parts["VERSION"]), int(parts["PATCHLEVEL"])
    except (KeyError, ValueError):
        raise UsageError(
            f"--tree {path}: its Makefile has no version: expected VERSION and PATCHLEVEL"
        ) from None
    return f"{major}.{minor}.{parts.get('SUBLEVEL', '0')}{parts.get('EXTRAVERSION', '')}"


def _release(version: str) -> int:
    """Return the place of a version among all releases; -1 for what is too old or too new."""
    major, minor = version.split(".")[:2]
    return _EARLIER[int(major)] + int(minor) if int(major) in _EARLIER else -1


def _fitting(path: Path, commit: str, version: str) -> tuple[str, list[str], list[str]]:
    """Return the nearest series whose patches fit, those to apply, and what to say of the rest."""
    here = _release(version)
    places = {name: _release(name) for name in SERIES}
    if not min(places.values()) <= here <= max(places.values()):
        raise UsageError(
            f"--tree {path}: it is Linux {version}, and what is known of kernels spans "
            f"{min(places, key=places.__getitem__)} to {max(places, key=places.__getitem__)}"
        )
    errors = []
    for like in sorted(places, key=lambda name: abs(places[name] - here)):
        try:
            return (like, *_plan(path, commit, like))
        except PatchError as error:
            errors.append(str(error))
    raise UsageError(
        f"--tree {path}: it is neither with the fix that a baseline takes out, nor without it "
        f"already, as far as is known:\n{errors[0]}"
    )


def _plan(path: Path, commit: str, like: str) -> tuple[list[str], list[str]]:
    """Try a series' patches on the files that they touch.

    Raises PatchError if one neither applies nor is in the tree already.
    """
    applied, said = [], []
    for name, text in patches_of(like).items():
        with cache.workdir("tree") as work:
            for file in patching.touched_files(text, name):
                (work / file).parent.mkdir(parents=True, exist_ok=True)
                try:
                    content = git(path, "show", f"{commit}:{file}")
                except CommandError:
                    continue  # the patch says that it is not there
                (work / file).write_text(content, encoding="utf-8")
            try:
                patching.apply(text, work, f"{name} of series {like}")
                applied.append(name)
            except PatchError:
                if not patching.applies(text, work, reverse=True):
                    raise
                said.append(f"the tree is already as {name} of {like} would make it")
    return applied, said


def patches_of(series: str) -> dict[str, str]:
    """Return what is done to the source of a series in SERIES before any strategy, in order."""
    folder = resources.files("difftest.kernels") / "patches" / series
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return {file.name: file.read_text(encoding="utf-8") for file in files}
