# SPDX-License-Identifier: GPL-2.0-only
"""The cache directory: finished kernels, locks, and work that is kept whole or not at all.

Layout, below the directory that `root()` names:

    sources/SERIES-HASH/   tree/ and info.json: a source with its baseline and platform patches
    bases/SERIES-FLAVOUR-HASH/
                           build/ and info.json: that source, configured and compiled
    kernels/DIGEST/        linux, gen_init_cpio and info.json: what a strategy's build leaves
    agents/HASH/           the guest agent (difftest.guest.build)
    trees/NAME/            info.json: a user's own tree (difftest.kernels.trees)
    locks/  tmp/           who makes what just now; what a dead process left in tmp/ is swept

A directory under the first five was made in tmp/ and renamed: if it is there, it is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from difftest.errors import UsageError
from difftest.toolchain import disk_full, is_disk_full

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = ("sources", "bases", "kernels", "agents")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that is ready to boot: `linux` is its image, for UML an executable."""

    series: str
    digest: str
    linux: Path
    gen_init_cpio: Path


@dataclass(frozen=True, slots=True)
class CachedKernel:
    """What the cache knows of a kernel. `labels`: the names it was asked for by, oldest first."""

    series: str
    flavour: str
    digest: str
    labels: tuple[str, ...]
    bytes: int
    built: datetime


def root() -> Path:
    """Return the cache directory; the environment variable DIFFTEST_CACHE overrides the usual one.

    Raises UsageError for a path that the kernel's build system cannot work in.
    """
    chosen = os.environ.get("DIFFTEST_CACHE")
    path = Path(chosen) if chosen else platformdirs.user_cache_path("difftest")
    path = path.expanduser().absolute()
    if any(character.isspace() or character == ":" for character in str(path)):
        raise UsageError(
            f"the cache directory {str(path)!r} holds a space or a colon, which the kernel's "
            "Makefile refuses: name another in the environment variable DIFFTEST_CACHE"
        )
    return path


def finished(kind: str, name: str) -> Path | None:
    """Return the directory of something that is in the cache, or None."""
    path = root() / kind / name
    return path if (path / "info.json").exists() else None


def info(path: Path) -> dict[str, Any]:
    """Return what was noted beside a finished thing."""
    noted: dict[str, Any] = json.loads((path / "info.json").read_text(encoding="utf-8"))
    return noted


def note(path: Path, **facts: object) -> None:
    """Write the facts beside a thing, all at once."""
    new = path / "info.json.new"
    new.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    new.replace(path / "info.json")


def publish(made: Path, kind: str, name: str) -> Path:
    """Move a finished directory to its place and return that."""
    place = root() / kind / name
    place.parent.mkdir(parents=True, exist_ok=True)
    made.rename(place)
    return place


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold the right to make the thing called `name`; waits for whoever makes it now.

    A full disk (OSError) leaves this and `workdir` as a ToolchainError that says so.
    """
    with _disk_errors(), _flock("cache", fcntl.LOCK_SH), _flock(name, fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def workdir(name: str) -> Iterator[Path]:
    """Make a directory to work in, and remove it in the end, however the work ends."""
    parent = root() / "tmp"
    with _disk_errors(), _flock("cache", fcntl.LOCK_SH), contextlib.ExitStack() as stack:
        # Held from making the directory to locking it, so that nobody sweeps it in between.
        with _flock("tmp", fcntl.LOCK_EX):
            parent.mkdir(parents=True, exist_ok=True)
            _sweep(parent)
            path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
            stack.callback(_discard, path)
            stack.enter_context(_locked(_lock_beside(path), fcntl.LOCK_EX))
        yield path


def lookup(digest: str) -> Kernel | None:
    """Return a kernel if it has been built."""
    path = finished("kernels", digest)
    if path is None:
        return None
    return Kernel(info(path)["series"], digest, path / "linux", path / "gen_init_cpio")


def add_label(digest: str, label: str) -> None:
    """Note a name that a kernel was asked for by. The caller holds the lock of that kernel."""
    path = root() / "kernels" / digest
    facts = info(path)
    if label and label not in facts["labels"]:
        note(path, **facts | {"labels": [*facts["labels"], label]})


def list_kernels() -> list[CachedKernel]:
    """Return the kernels in the cache, oldest first; not those that another version made."""
    found = []
    for path in (root() / "kernels").glob("*"):
        facts = info(path) if finished("kernels", path.name) else {}
        if "flavour" in facts:
            found.append(
                CachedKernel(
                    series=facts["series"],
                    flavour=facts["flavour"],
                    digest=path.name,
                    labels=tuple(facts["labels"]),
                    bytes=_size(path),
                    built=datetime.fromtimestamp((path / "linux").stat().st_mtime, tz=UTC),
                )
            )
    return sorted(found, key=lambda kernel: (kernel.built, kernel.digest))


def clean(kinds: tuple[str, ...] = _KINDS, keep: frozenset[str] = frozenset()) -> int:
    """Remove all of these kinds but what `keep` names; return the bytes freed.

    Raises UsageError while somebody builds.
    """
    with _flock("cache", fcntl.LOCK_EX | fcntl.LOCK_NB), _flock("tmp", fcntl.LOCK_EX):
        tmp = root() / "tmp"
        before = _size(root())
        if tmp.is_dir():
            _sweep(tmp)
        for kind in kinds:
            for path in (root() / kind).glob("*"):
                if path.name not in keep:
                    shutil.rmtree(path)
        # Nobody has one of these open: that takes the lock "cache" first.
        for path in (root() / "locks").glob("*-*.lock"):
            path.unlink()
        return before - _size(root())


def _sweep(parent: Path) -> None:
    """Remove working directories whose owner is dead: nobody holds their lock."""
    for path in parent.iterdir():
        if path.is_dir():
            dead = _locked(_lock_beside(path), fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(BlockingIOError), dead:
                _discard(path)


def _discard(path: Path) -> None:
    # A process that is just dying may still write there: the next sweep gets what this one left.
    shutil.rmtree(path, ignore_errors=True)
    if not path.exists():
        _lock_beside(path).unlink(missing_ok=True)


def _lock_beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(root()) from error
        raise


@contextlib.contextmanager
def _flock(name: str, operation: int) -> Iterator[None]:
    path = root() / "locks" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            if operation & fcntl.LOCK_NB:
                raise UsageError(
                    f"another difftest is at work in {root()}: wait for it or stop it"
                ) from None
            if name != "tmp":  # that one is held for milliseconds
                sys.stderr.write(f"waiting for another difftest, which makes {name}\n")
            fcntl.flock(file, operation)
        yield


@contextlib.contextmanager
def _locked(path: Path, operation: int) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, operation)
        yield


def _size(path: Path) -> int:
    total = 0
    for directory, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += (Path(directory) / name).lstat().st_blocks * 512
    return total
