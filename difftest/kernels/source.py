# SPDX-License-Identifier: GPL-2.0-only
"""Kernel sources: Debian's package or a user's tree, made ready to take the fixes under test."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difftest import patching
from difftest.errors import ToolchainError, UsageError
from difftest.kernels import apt, cache, trees
from difftest.kernels.series import SERIES, TREES, known
from difftest.progress import progress
from difftest.toolchain import DISK_NEEDED, CommandError, disk_full, require, run

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Of the patches of a series, the one that makes the baseline.
_BASELINE = "baseline.patch"

#: tar reports every so many records of 10 KiB.
_RECORDS = 500
_RECORD_BYTES = 10_240


def fetch(series: str) -> Path:
    """Return the tree of a series' source, with the baseline and platform patches applied.

    Downloads and unpacks it if it is not in the cache. Raises UsageError for a series that is not
    in SERIES, and ToolchainError if it cannot be had here.
    """
    if series not in (choice := known()):
        raise UsageError(f"no kernel series {series!r}: the choice is {', '.join(choice)}")
    return _fetched(series) / "tree"


def had(series: str) -> bool:
    """Say whether a series' source is in the cache."""
    return series in known() and cache.finished("sources", directory_name(series)) is not None


def identity(series: str) -> str:
    """Return what names the source exactly: package version, hash, and the patches in it."""
    fetch(series)
    facts = cache.info(_fetched(series))
    return f"{facts['package']} {facts['version']} {facts['sha256']} {_recipe(series)}"


def version(series: str) -> str:
    """Return the version of the package that the source came in."""
    return str(cache.info(_fetched(series))["version"])


def directory_name(series: str) -> str:
    """Return the name of the source's directory in the cache."""
    return f"{series}-{_recipe(series)}"


def taken_out(series: str) -> str:
    """Return the patch that took the upstream fix out of a series; "" for a tree without that."""
    return _patches(series).get(_BASELINE, "")


def _fetched(series: str) -> Path:
    name = directory_name(series)
    if found := cache.finished("sources", name):
        return found
    with cache.lock(f"source-{series}"):
        return cache.finished("sources", name) or _make(series, name)


def _tree(series: str) -> Mapping[str, Any] | None:
    """Return what is noted of a series that is a user's own tree."""
    place = cache.finished(TREES, series)
    return cache.info(place) if place else None


def _patches(series: str) -> dict[str, str]:
    if tree := _tree(series):
        every = trees.patches_of(tree["like"])
        return {name: every[name] for name in tree["patches"]}
    return trees.patches_of(series)


def _recipe(series: str) -> str:
    """Return a hash of what is done to the source, and of the source that a tree has."""
    tree = _tree(series)
    parts = (_patches(series), tree["commit"]) if tree else _patches(series)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _make(series: str, name: str) -> Path:
    tree = _tree(series)
    with cache.workdir(f"source-{series}") as work:
        if shutil.disk_usage(work).free < DISK_NEEDED:
            raise disk_full(work)
        made = work / "made"
        facts = _export(series, tree, made, work) if tree else _download(series, made, work)
        for file_name, text in _patches(series).items():
            patching.apply(
                text, made / "tree", f"{file_name} of series {series} ({facts['version']})"
            )
        cache.note(made, **facts)
        return cache.publish(made, "sources", name)


def _export(series: str, tree: Mapping[str, Any], made: Path, work: Path) -> dict[str, str]:
    """Take the source from a user's tree; return what names it."""
    with progress(f"exporting {series} from {tree['repository']}", 1, "commit") as bar:
        try:
            trees.export(Path(tree["repository"]), tree["commit"], made / "tree", work)
        except CommandError as error:
            raise ToolchainError(
                f"the tree {series} at {tree['repository']} cannot be read, or has no commit "
                f"{tree['commit']} any more: {error.output.strip()}\n"
                f"Remove it (`difftest kernel remove {series}`) and add it again"
            ) from None
        bar.add()
    return {"package": "git", "version": tree["version"], "sha256": tree["commit"]}


def _download(series: str, made: Path, work: Path) -> dict[str, str]:
    """Get the source from the distribution; return what names it."""
    require("apt-get", "dpkg-deb", "tar", "xz", "git")
    package = f"linux-source-{series}"
    deb = apt.download(package, SERIES[series].release, work)
    with deb.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    version = run(["dpkg-deb", "--field", deb.name, "Version"], where=work).strip()
    _unpack(deb, package, made / "tree")
    return {"package": package, "version": version, "sha256": sha256}


def _unpack(deb: Path, package: str, tree: Path) -> None:
    """Unpack the source that a package holds as one archive."""
    work = deb.parent
    run(["dpkg-deb", "--extract", deb.name, "package"], where=work)
    deb.unlink()
    archive = work / "package" / "usr" / "src" / f"{package}.tar.xz"
    if not archive.exists():
        raise ToolchainError(f"the package {package} holds no {archive.name}: not a kernel source")
    total = run(["xz", "--robot", "--list", str(archive)], where=work).splitlines()[-1].split()[4]
    tree.mkdir(parents=True)
    with progress(f"unpacking {package}", int(total), "B", scale=True) as bar:
        run(
            [
                "tar",
                "--extract",
                f"--file={archive}",
                "--use-compress-program=xz -d -T0",
                "--strip-components=1",
                "--no-same-owner",
                f"--checkpoint={_RECORDS}",
                "--checkpoint-action=echo",
            ],
            where=tree,
            each_line=lambda _: bar.add(_RECORDS * _RECORD_BYTES),
        )
