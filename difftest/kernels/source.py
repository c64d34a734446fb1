# SPDX-License-Identifier: GPL-2.0-only
"""Kernel sources: Debian's package of a series, made ready to take the fixes under test."""

from __future__ import annotations

import hashlib
import shutil
from importlib import resources
from typing import TYPE_CHECKING

from difftest import patching
from difftest.errors import ToolchainError, UsageError
from difftest.kernels import apt, cache
from difftest.kernels.series import SERIES
from difftest.progress import progress
from difftest.toolchain import DISK_NEEDED, disk_full, require, run

if TYPE_CHECKING:
    from pathlib import Path

#: tar reports every so many records of 10 KiB.
_RECORDS = 500
_RECORD_BYTES = 10_240


def fetch(series: str) -> Path:
    """Return the tree of a series' source, with the baseline and platform patches applied.

    Downloads and unpacks it if it is not in the cache. Raises UsageError for a series that is not
    in SERIES, and ToolchainError if it cannot be had here.
    """
    if series not in SERIES:
        raise UsageError(f"no kernel series {series!r}: the choice is {', '.join(SERIES)}")
    return _fetched(series) / "tree"


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


def _fetched(series: str) -> Path:
    name = directory_name(series)
    if found := cache.finished("sources", name):
        return found
    with cache.lock(f"source-{series}"):
        return cache.finished("sources", name) or _make(series, name)


def _patches(series: str) -> dict[str, str]:
    folder = resources.files("difftest.kernels") / "patches" / series
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return {file.name: file.read_text(encoding="utf-8") for file in files}


def _recipe(series: str) -> str:
    """Return a hash of what is done to the package's source."""
    return hashlib.sha256(repr(_patches(series)).encode()).hexdigest()[:12]


def _make(series: str, name: str) -> Path:
    require("apt-get", "dpkg-deb", "tar", "xz", "git")
    package = f"linux-source-{series}"
    with cache.workdir(f"source-{series}") as work:
        if shutil.disk_usage(work).free < DISK_NEEDED:
            raise disk_full(work)
        deb = apt.download(package, SERIES[series].release, work)
        with deb.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        package_version = run(["dpkg-deb", "--field", deb.name, "Version"], where=work).strip()
        made = work / "made"
        _unpack(deb, package, made / "tree")
        for file_name, text in _patches(series).items():
            patching.apply(
                text, made / "tree", f"{file_name} of series {series} ({package_version})"
            )
        cache.note(made, package=package, version=package_version, sha256=sha256)
        return cache.publish(made, "sources", name)


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
