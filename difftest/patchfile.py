# SPDX-License-Identifier: GPL-2.0-only
"""Patch files: what somebody brings to be tried, in whatever form lists and tools hand it out."""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

from difftest import mails
from difftest.errors import PatchError, UsageError
from difftest.patching import touched_files
from difftest.trust import MOST_BYTES, vetted

STDIN = Path("-")
"""Stands for standard input."""

_NAME_LENGTH = 40
"""Characters of a name made from a subject: it heads the rows of every table."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"

#: Where a diff begins, for git as for unidiff.
_DIFF = re.compile(r"^(?:diff --git |--- (?=.*\n\+\+\+ ))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PatchFile:
    """A patch as a strategy needs it. `said` is what its reader had to decide, to be told."""

    name: str
    claim: str
    reference: str
    text: str
    said: tuple[str, ...] = ()


def read(path: Path, *, trust: bool = False) -> PatchFile:
    """Read a diff, a mail of `git format-patch`, or an mbox with a series; `-` is standard input.

    The patches of a series come one after the other in one text. It is named from the subject if
    there is one, else after the file. With `trust` it may touch any file of the tree, and be of
    any size. Raises UsageError for what is none of those, PatchError for what may not be.
    """
    name = "--patch -" if path == STDIN else f"--patch {path}"
    content, said = _lines(_content(path, name, None if trust else MOST_BYTES), name)
    found = _read(path, name, content, said)
    return found if trust else replace(found, text=vetted(found.text, name))


def _read(path: Path, name: str, content: bytes, said: tuple[str, ...]) -> PatchFile:
    if series := mails.read(content, name):
        text = "".join(_diff(one) for one in series.texts)
        label = _slug(series.title) + (f"_v{series.version}" if series.version > 1 else "")
        several = f" ({len(series.texts)} patches)" if len(series.texts) > 1 else ""
        return PatchFile(
            name=label or _file_name(path),
            claim=f"{series.title}{several}",
            reference=series.identity,
            text=text,
            said=(*said, *series.said),
        )
    text = _decoded(content, name)
    if not touched_files(text, name):
        raise UsageError(f"{name}: the file is empty: expected a unified diff")
    place = "on standard input" if path == STDIN else f"in {mails.plain(path.name)}"
    return PatchFile(_file_name(path), f"The patch {place}.", "", _diff(text), said)


def _content(path: Path, name: str, most: int | None) -> bytes:
    """Read no more than it takes to know that there is too much."""
    limit = -1 if most is None else most + 1
    try:
        if path == STDIN:
            content = sys.stdin.buffer.read(limit)
        else:
            with path.open("rb") as file:
                content = file.read(limit)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error}") from error
    if most is not None and len(content) > most:
        raise PatchError(
            f"{name}: it is larger than {most // 1000} kB: expected a fix; --trust-patch takes it "
            "all the same"
        )
    return content


def _lines(content: bytes, name: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the content in lines that end as a kernel's do, and what was done about it.

    Where every line ends in CRLF, some program on the way made it so. Where only some do, the
    patch would put carriage returns into the source.
    """
    if content.startswith(_GZIP):
        raise UsageError(f"{name}: it is compressed: unpack it first (gunzip)")
    if content.startswith(_UTF16):
        raise UsageError(
            f"{name}: it is UTF-16 and not UTF-8: convert it (iconv -f UTF-16 -t UTF-8), or write "
            "it with `git format-patch -o`, not through a shell that re-encodes"
        )
    content = content.removeprefix(_BOM)
    if place := content.find(b"\0") + 1:
        line = content.count(b"\n", 0, place) + 1
        raise UsageError(f"{name}: line {line} has a NUL byte: expected a patch, which is text")
    returns = content.count(b"\r")
    if not returns:
        return content, ()
    ends = content.count(b"\r\n")
    if returns != ends or ends != content.count(b"\n"):
        line = content.count(b"\n", 0, content.index(b"\r")) + 1
        raise UsageError(
            f"{name}: some lines have carriage returns (the first is line {line}) and others do "
            "not: a kernel's source has none; get the patch again as it was sent, or convert it "
            "(dos2unix)"
        )
    return content.replace(b"\r\n", b"\n"), (
        f"{name}: its lines end in CRLF, which is taken as LF",
    )


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{name}: line {line} cannot be read as text: byte {content[error.start]:#04x} is not "
            "UTF-8: if it is Latin-1, convert it (iconv -f ISO-8859-1 -t UTF-8)"
        ) from error


def _diff(text: str) -> str:
    """Return a text from where its diff begins; it ends in a line end."""
    match = _DIFF.search(text)
    found = text[match.start() :] if match else text
    return found if found.endswith("\n") else f"{found}\n"


def _slug(subject: str) -> str:
    """Return a name made from a subject: "mm: free it" is "mm_free_it". "" if no letter is left."""
    plain = unicodedata.normalize("NFKD", subject).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if len(words) > _NAME_LENGTH:
        words = words[: _NAME_LENGTH + 1].rpartition("_")[0] or words[:_NAME_LENGTH]
    return words


def _file_name(path: Path) -> str:
    """Return a name after a file: names are parts of files' names, and are typed in shells."""
    if path == STDIN:
        return "stdin"
    return re.sub(r"[^A-Za-z0-9._-]+", "_", path.stem).lstrip("._-") or "patch"
