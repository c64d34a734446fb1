# SPDX-License-Identifier: GPL-2.0-only
"""Trust: what a stranger's patch may touch, and what of C could read files where it is compiled.

A patch that passes is written anew from what was understood of it, so that nobody after this reads
anything else in it. What no reading of C can exclude, difftest.sandbox contains.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NoReturn

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from difftest import patching
from difftest.errors import PatchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unidiff.patch import Hunk, PatchedFile

MOST_BYTES = 1_000_000
"""Of a patch file. The largest series that this subsystem has seen are a third of it."""

DIRECTORIES = ("mm", "fs/hugetlbfs")
FILES = (
    "fs/userfaultfd.c",
    "include/uapi/linux/userfaultfd.h",
    *(
        f"include/linux/{name}.h"
        for name in (
            "gfp", "highmem", "huge_mm", "hugetlb", "memcontrol", "mempolicy", "migrate", "mm",
            "mm_inline", "mm_types", "page-flags", "pagemap", "rmap", "shmem_fs", "swap", "swapops",
            "userfaultfd_k",
        )
    ),
)  # fmt: skip
"""The code of userfaultfd and of the memory that it fills, and their headers, one by one: others
are compiled into programs that run on the host while a kernel is built (license.h, crc32poly.h)."""

_HEADERS = {
    "rename": "renames {path}",
    "copy": "copies {path}",
    "similarity": "renames or copies {path}",
    "dissimilarity": "rewrites {path}",
    "old mode": "changes the mode of {path}",
    "new mode": "changes the mode of {path}",
}
_MODES = {
    "120000": "makes {path} a symbolic link, which could lead out of the tree",
    "160000": "makes {path} a submodule",
    "100755": "makes {path} executable",
}
_PLAIN_MODE = "100644"
_MODE = re.compile(r"(?:new file|deleted file|old|new) mode (\d+)$")
_INDEX = re.compile(r"index [0-9a-f]+\.\.[0-9a-f]+(?: (\d+))?$")
_PATH = re.compile(r"[A-Za-z0-9_.+,-]+(?:/[A-Za-z0-9_.+,-]+)*")

_DEV_NULL = "/dev/null"
_RUN = {
    "Makefile": "a Makefile can run programs when a kernel is built",
    "Kbuild": "a Makefile can run programs when a kernel is built",
    "Kconfig": "a Kconfig file can run programs when a kernel is configured",
}
_SCRIPTS = "what is in scripts/ runs when a kernel is built"

#: Literals are looked at as well, for what looks like a comment in them is none.
_COMMENT = re.compile(
    r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|/\*.*?\*/|//[^\n]*""", re.DOTALL
)
_DIRECTIVE = re.compile(
    r"^[ \t\f\v]*(?:#|%:|\?\?=)[ \t\f\v]*(include|include_next|import|embed)\b(.*)$", re.MULTILINE
)
_TARGET = re.compile(r"""[ \t]*(?:<([^>\n]+)>|"([^"\n]+)")[ \t]*$""")
_READERS = re.compile(r"\.(?:incbin|include)\b|\b__has_(?:include|embed)\w*|\b__asm(?:__)?\b")
_ASM = re.compile(r"(?<![\w.>])asm(?:_inline|_volatile)?\b\s*(?:\(|volatile|goto|inline|__)")

#: Besides control characters: what makes text look other than a compiler reads it.
_INVISIBLE = re.compile(
    "[\0-\x08\x0b\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)


def vetted(text: str, name: str) -> str:
    """Return a stranger's patch, written anew, if it touches nothing but what it may.

    `name` is what messages call it. Raises PatchError that says what it may not, and the way on.
    """
    try:
        files = PatchSet(text)
    except UnidiffParseError as error:
        raise PatchError(f"{name} is not a patch that can be read: {error}") from error
    if "\nGIT binary patch" in f"\n{text}":
        _refuse(name, "has a binary patch in it", "a kernel fix is text")
    anew = "".join(_vetted(file, name) for file in files)
    # No change may get lost because two readers see different ones.
    if patching.counted(text) != patching.counted(anew):
        _refuse(name, "is read by git in another way", "expected a plain unified diff")
    return anew


def _refuse(name: str, what: str, why: str) -> NoReturn:
    raise PatchError(
        f"{name} {what}: {why}. If you know where it comes from, and have read it, --trust-patch "
        "takes it"
    )


def _vetted(file: PatchedFile, name: str) -> str:
    header = [line.rstrip("\n") for line in file.patch_info or ()]
    from_git = any(line.startswith("diff --git ") for line in header)
    if file.is_binary_file or any(line.startswith("Binary file") for line in header):
        _refuse(name, f"changes {file.path}, a binary file", "a kernel fix is text")
    before, after = (_path(side, name) for side in (file.source_file or "", file.target_file or ""))
    path = after or before
    if from_git:
        _vet_header(header, path, name)
    if before and after and before != after:
        _refuse(name, f"renames {before} to {after}", "expected changes of files in their places")
    _vet_place(path, name)
    if not file:
        _refuse(name, f"has no hunk for {path}", "expected a unified diff of text")
    for hunk in file:
        _vet_code(hunk, path, name)
    source = f"a/{before}" if before else _DEV_NULL
    target = f"b/{after}" if after else _DEV_NULL
    return f"--- {source}\n+++ {target}\n{''.join(map(str, file))}"


def _path(whole: str, name: str) -> str:
    """Return one side's path below the tree; "" for /dev/null."""
    if whole == _DEV_NULL:
        return ""
    path = whole.partition("/")[2]
    parts = PurePosixPath(path).parts
    if whole.startswith(("/", '"/')) or path.startswith("/") or ".." in PurePosixPath(whole).parts:
        _refuse(name, f"reaches out of the tree: {whole}", "expected paths like a/mm/shmem.c")
    if not parts or not _PATH.fullmatch(path):
        _refuse(name, f"touches {whole!r}", "expected paths below a kernel tree, like a/mm/shmem.c")
    return path


def _vet_header(header: list[str], path: str, name: str) -> None:
    """Look at what git writes between `diff --git` and the first `---`."""
    modes = {line: mode for line in header if (mode := _MODE.match(line) or _INDEX.match(line))}
    for mode in modes.values():
        if mode[1] in _MODES:
            _refuse(name, _MODES[mode[1]].format(path=path), "expected plain source files")
    for line in header:
        if line.startswith("diff --git ") or not line:
            continue
        mode = modes.get(line)
        if mode and mode[1] in {None, _PLAIN_MODE} and not line.startswith(("old", "new mode")):
            continue
        known = (what for begin, what in _HEADERS.items() if line.startswith(begin))
        what = next(known, f"has a line in the header of {{path}} that is not known, {line!r}")
        _refuse(name, what.format(path=path), "expected changes of files in their places")


def _vet_place(path: str, name: str) -> None:
    place = PurePosixPath(path)
    for what, why in _RUN.items():
        if place.name.startswith(what):
            _refuse(name, f"touches {path}", why)
    if place.parts[0] == "scripts":
        _refuse(name, f"touches {path}", _SCRIPTS)
    allowed = path in FILES or any(place.is_relative_to(one) for one in DIRECTORIES)
    if not allowed or place.suffix not in {".c", ".h"}:
        _refuse(
            name,
            f"touches {path}",
            f"a patch may change C sources and headers in {', '.join(DIRECTORIES)}, "
            f"{FILES[0]} and the headers of memory management, and nothing else",
        )


def _vet_code(hunk: Hunk, path: str, name: str) -> None:
    """Refuse what is new in a hunk and could read a file of the host, or hide what it does."""
    before, after = (
        Counter(_dangers("".join(line.value for line in side)))
        for side in (hunk.source_lines(), hunk.target_lines())
    )
    for what, why in after - before:
        _refuse(name, f"has {what!r} in {path}", why)


def _dangers(text: str) -> Iterator[tuple[str, str]]:
    for match in _INVISIBLE.finditer(text):
        yield match[0], "a character that nobody sees; source has none"
    spliced = text.replace("\\\n", "")
    # A hunk may begin in a comment or a literal: with and without what look like comments.
    for code in {spliced, _COMMENT.sub(lambda match: match[1] or " ", spliced)}:
        yield from _readers(code)


def _readers(code: str) -> Iterator[tuple[str, str]]:
    for match in _DIRECTIVE.finditer(code):
        target = _TARGET.match(match[2])
        included = (target[1] or target[2]) if target else ""
        up = PurePosixPath(included).parts.count("..")
        if match[1] == "embed" or not included or included.startswith("/") or up > 1:
            yield (
                " ".join(match[0].split()),
                "it could read a file of this machine; expected headers of the kernel by name",
            )
    for pattern in (_READERS, _ASM):
        for match in pattern.finditer(code):
            yield match[0].strip(), "assembly and its like can read files of this machine"
