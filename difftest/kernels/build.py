# SPDX-License-Identifier: GPL-2.0-only
"""Building kernels: each series and flavour once from nothing, then each set of patches on it."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from difftest import sandbox
from difftest.errors import BuildError, PatchError
from difftest.kernels import artefacts, cache, config, source, tree
from difftest.progress import progress
from difftest.toolchain import (
    CommandError,
    build_environment,
    compiler,
    require,
    require_headers,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from difftest.kernels.flavour import Flavour
    from difftest.kernels.tree import Patch

#: What kbuild prints for one step.
_STEP = re.compile(r"  [A-Z][A-Z0-9_]+ +\S")
_COMPLAINT = re.compile(
    r"error: |Error: |Error \d|\*\*\*|undefined reference|multiple definition|: No rule"
)
_MOST_COMPLAINTS = 20
_ABSENT = re.compile("No such file|file not found")
_UNSEEN = "\n  (a build sees the kernel's files and the system's, and none of yours)"

#: Equal sources give equal kernels: no date, user, host or count of builds in them.
_FIXED = {
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "difftest",
    "KBUILD_BUILD_HOST": "difftest",
    "KBUILD_BUILD_VERSION": "1",
    "LOCALVERSION": "",
}


#: Stands for the tree in what a base build leaves.
_TREE = "/tree-of-difftest"


def digest(series: str, patches: Sequence[Patch], flavour: Flavour) -> str:
    """Return the content address of a kernel without building it; the source must be had for it.

    Equal sources after patching give equal digests, however the patches came to them. Raises
    PatchError if a patch does not apply.
    """
    with_source = source.fetch(series)
    with cache.workdir("digest") as work:
        every = (*flavour.patches(series), *patches)
        changed = tree.changed_files(with_source, every, work, series)
    parts = (*_base_parts(series, flavour), *(part for item in changed.items() for part in item))
    return _hash(*parts)


def misfit(series: str, patches: Sequence[Patch]) -> str | None:
    """Say why patches do not apply to a series without fuzz, "" if they do; compiles nothing.

    None if the source is not in the cache, so that nobody knows.
    """
    if not source.had(series):
        return None
    try:
        with cache.workdir("misfit") as work:
            tree.changed_files(source.fetch(series), patches, work, series)
    except PatchError as error:
        return str(error)
    return ""


def build(series: str, patches: Sequence[Patch], flavour: Flavour, label: str = "") -> cache.Kernel:
    """Return the kernel of a series with patches applied in order, from the cache or built now.

    `label` is a name to list it by. Raises PatchError if a patch does not apply, BuildError if
    the result does not compile, ToolchainError if a program or the room on the disk is missing.
    """
    asked = artefacts.request("kernel", series, flavour.name, *(one.text for one in patches))
    if (there := artefacts.given(asked)) and (kernel := cache.lookup(there.name)):
        return kernel
    require("git", "gcc")
    try:
        address = digest(series, patches, flavour)
        with cache.lock(f"kernel-{address}"):
            kernel = cache.lookup(address) or _build(series, patches, flavour, label, address)
            cache.add_label(address, label)
    except (PatchError, BuildError) as error:
        artefacts.note(asked, error)
        raise
    artefacts.note(asked, ("kernels", address))
    return kernel


def base(series: str, flavour: Flavour) -> Path:
    """Return the build directory of a series' own source, compiled once for each flavour.

    That of another one where a flavour is built upon it.
    """
    flavour = flavour.upon or flavour
    name = base_name(series, flavour)
    if found := cache.finished("bases", name):
        return found / tree.BUILD
    with cache.lock(f"base-{series}-{flavour.name}"):
        found = cache.finished("bases", name) or _build_base(series, flavour, name)
    return found / tree.BUILD


def base_name(series: str, flavour: Flavour) -> str:
    """Return the name of the base build's directory in the cache."""
    flavour = flavour.upon or flavour
    return f"{series}-{flavour.name}-{_hash(*_base_parts(series, flavour))}"


def _base_parts(series: str, flavour: Flavour) -> tuple[str, ...]:
    # The name, too: what is kept of two flavours may differ where all that is compiled is equal.
    return (
        source.identity(series),
        flavour.name,
        *flavour.command,
        config.fragment(flavour),
        *(patch.text for patch in flavour.patches(series)),
        compiler(),
    )


def _hash(*parts: str | bytes) -> str:
    """Return a short hash of the parts and of where one ends and the next begins."""
    whole = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        whole.update(b"%d:" % len(content))
        whole.update(content)
    return whole.hexdigest()[:16]


def _build_base(series: str, flavour: Flavour, name: str) -> Path:
    require_headers(*flavour.headers)
    original = source.fetch(series)
    with cache.workdir(f"base-{series}") as work:
        tree.make(original, flavour.patches(series), work / "tree", series)
        build_directory = work / "tree" / tree.BUILD
        build_directory.mkdir()
        variables = flavour.command[:-1]
        config.configure(
            build_directory, flavour, lambda target: _make(work, original, (*variables, target))
        )
        title = f"building kernel {series} for {flavour.name}, once for all fixes"
        with progress(title, flavour.base_steps) as bar:
            _make(work, original, flavour.command, bar.add)
        _move_tools(build_directory, str(work / "tree"), _TREE)
        made = work / "made"
        made.mkdir()
        build_directory.rename(made / tree.BUILD)
        cache.note(
            made,
            series=series,
            flavour=flavour.name,
            compiler=compiler(),
            source=source.version(series),
        )
        return cache.publish(made, "bases", name)


def _build(
    series: str, patches: Sequence[Patch], flavour: Flavour, label: str, address: str
) -> cache.Kernel:
    original, ready = source.fetch(series), base(series, flavour)
    title = f"building kernel {series} for {flavour.name}" + (f" ({label})" if label else "")
    with cache.workdir(f"kernel-{series}") as work:
        tree.make(original, (*flavour.patches(series), *patches), work / "tree", series)
        run(["cp", "-a", "--reflink=auto", str(ready), str(work / "tree")], where=work)
        _move_tools(work / "tree" / tree.BUILD, _TREE, str(work / "tree"))
        with progress(title, flavour.patch_steps) as bar:
            try:
                _make(work, original, flavour.command, bar.add)
            except BuildError as error:
                names = ", ".join(patch.name for patch in patches) or "none"
                raise BuildError(f"{title}: {error}\npatches: {names}") from None
        made = work / "made"
        made.mkdir()
        for name, path in flavour.kept.items():
            (work / "tree" / tree.BUILD / path).rename(made / name)
        cache.note(
            made,
            series=series,
            flavour=flavour.name,
            labels=[],
            source=source.version(series),
            config=_hash(config.fragment(flavour)),
            compiler=compiler(),
        )
        cache.publish(made, "kernels", address)
    kernel = cache.lookup(address)
    assert kernel is not None  # noqa: S101 -- it was just published, under its lock
    return kernel


def _move_tools(build: Path, before: str, after: str) -> None:
    """Tell the kernel's own tools (objtool) that their tree is elsewhere now.

    Kbuild writes relative names down, their build system absolute ones. Not found there, they would
    be made again, and after them all that they were applied to, which is the whole kernel.
    """
    for file in (build / "tools").rglob("*.cmd"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(before, after), encoding="utf-8")


def _make(
    work: Path,
    original: Path,
    words: Sequence[str],
    each_step: Callable[[], None] = lambda: None,
) -> None:
    """Run make in the tree in `work`, in its build directory; the last word is the target.

    The tree's files are those of `original`, by links: it writes to the build directory alone.
    """
    require("make", "gcc", "flex", "bison", "bc")
    jobs = len(os.sched_getaffinity(0))
    place = work / "tree"
    command = sandbox.wrapped(
        ["make", f"-j{jobs}", f"O={tree.BUILD}", *words],
        readable=[original, work],
        writable=[place / tree.BUILD],
        where=place,
    )
    try:
        run(
            [str(word) for word in command],
            where=place,
            environment=build_environment(work) | _FIXED,
            each_line=lambda line: each_step() if _STEP.match(line) else None,
        )
    except CommandError as error:
        lines = error.output.splitlines()
        complaints = [line for line in lines if _COMPLAINT.search(line)] or lines[
            -_MOST_COMPLAINTS:
        ]
        shown = "\n  ".join(complaints[:_MOST_COMPLAINTS])
        unseen = _UNSEEN if _ABSENT.search(shown) and not sandbox.missing() else ""
        raise BuildError(f"`make {' '.join(words)}` failed:\n  {shown}{unseen}") from None
