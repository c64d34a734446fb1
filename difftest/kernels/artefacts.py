# SPDX-License-Identifier: GPL-2.0-only
"""Artefacts: finished kernels and agents of the cache, on the way to another machine.

A kernel's address comes from its source and compiler, which a worker on another machine need not
have. There it is asked for by what it was to be built from, the *request*; the machine that built
it knows which one that is.
"""

from __future__ import annotations

import hashlib
import stat
import zlib
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from difftest.errors import DifftestError, RigError
from difftest.kernels import cache

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KINDS = ("kernels", "agents")

#: Kind and name in the cache; or why there is no such thing and cannot be.
Place: TypeAlias = tuple[str, str] | DifftestError

#: Where things are that this process had made, or was told of, by request.
_known: dict[str, Place] = {}
#: Whether this process makes nothing and takes what it is given.
_given_only = False


class LackingError(RigError):
    """Something is not in this machine's cache: give it what `request` stands for; try again."""

    def __init__(self, request: str) -> None:
        super().__init__(f"what {request} stands for is not in the cache of this machine")
        self.request = request


class Artefact(NamedTuple):
    """A finished directory of the cache: `data` is packed, `sha256` its hash."""

    request: str
    kind: str
    name: str
    sha256: str
    data: bytes


class _File(msgspec.Struct, frozen=True):
    name: str
    mode: int
    data: bytes


def request(kind: str, *parts: str) -> str:
    """Return what something is asked for by that is made from these parts."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(b"%d:" % len(part.encode()))
        whole.update(part.encode())
    return f"{kind}/{whole.hexdigest()}"


def made() -> dict[str, Place]:
    """Return what this process knows of, by request."""
    return dict(_known)


def note(asked: str, place: Place) -> None:
    """Note what became of something that was asked for here."""
    _known[asked] = place


def take_only(known: Mapping[str, Place]) -> None:
    """From now on make nothing in this process: others say what to take from the cache."""
    global _given_only  # noqa: PLW0603 - a process is a worker of another machine, or it is not
    _given_only = True
    _known.update(known)


def given(asked: str) -> Path | None:
    """Return the directory of what is asked for, or None if it is to be made here.

    In a process that makes nothing: raises the error that it came to where it was made, and
    LackingError if it is not there.
    """
    if not _given_only:
        return None
    place = _known.get(asked)
    if isinstance(place, DifftestError):
        raise place
    found = cache.finished(*place) if place else None
    if found is None:
        raise LackingError(asked)
    return found


def packed(asked: str) -> Artefact:
    """Return what another machine asked for. Raises RigError if this process has no such thing."""
    known = _known.get(asked)
    place = cache.finished(*known) if isinstance(known, tuple) else None
    if place is None:
        raise RigError(
            f"a worker asks for {asked}, which was not made here: the backend did not make it "
            "ready in `prepare`, or it was removed from the cache meanwhile"
        )
    files = [
        _File(path.name, stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in sorted(place.iterdir())
    ]
    # Half of the time of a higher level, and nine tenths of what it saves.
    data = zlib.compress(msgspec.msgpack.encode(files), 1)
    return Artefact(asked, place.parent.name, place.name, hashlib.sha256(data).hexdigest(), data)


def keep(artefact: Artefact) -> None:
    """Put what came from another machine into the cache, if it is not there.

    Raises RigError if it is not what was sent.
    """
    asked, kind, name, expected, data = artefact
    got = hashlib.sha256(data).hexdigest()
    if got != expected:
        raise RigError(f"{kind}/{name} arrived with SHA-256 {got}, and was sent with {expected}")
    if kind not in KINDS or not name.isalnum():
        raise RigError(f"{kind}/{name} is no place in a cache for what another machine sends")
    with cache.lock(f"{kind.removesuffix('s')}-{name}"):
        if cache.finished(kind, name) is None:
            with cache.workdir("artefact") as work:
                place = work / "made"
                place.mkdir()
                for file in msgspec.msgpack.decode(zlib.decompress(data), type=list[_File]):
                    path = place / file.name
                    if path.parent != place:
                        raise RigError(
                            f"{kind}/{name} holds {file.name!r}, which is no file's name"
                        )
                    path.write_bytes(file.data)
                    path.chmod(file.mode)
                cache.publish(place, kind, name)
    note(asked, (kind, name))
