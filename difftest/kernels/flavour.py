# SPDX-License-Identifier: GPL-2.0-only
"""Flavours: how a kernel of any series is configured and built, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING

from difftest.kernels.tree import Patch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """A way to configure, build and boot kernels.

    `variables` are given to make. `fragments` are files of `configs/`, set on top of tinyconfig in
    this order: where two set the same option, the later one holds. `target` is what make makes.
    `image` is the file that boots, and `others` what else is kept, below the build directory; a
    flavour's names must end differently. The cache calls the image `linux`. `headers` are what
    the kernel's own tools include and a C compiler does not bring. `arguments` are what the
    kernel is told when it boots, besides what its backend tells it, and `memory` is how many
    times the memory of a plain one it needs. `patch` is the beginning of names in `configs/`: the
    series have it that have a `PATCH-SERIES.patch` there, which is applied before any other.
    `upon` is a flavour of the same configuration: its own source, compiled, is what each kernel of
    this one is a change of, so that this one needs nothing compiled from nothing.

    `base_steps` and `patch_steps` are the lines that kbuild prints for one step
    ("  CC      mm/shmem.o"): for all of DEFAULT, and after a change to one file of mm/. Measured;
    they only make the bars end on time.
    """

    name: str
    variables: Mapping[str, str]
    fragments: tuple[str, ...]
    target: str
    image: str
    others: tuple[str, ...] = ("usr/gen_init_cpio",)
    headers: tuple[str, ...] = ()
    base_steps: int
    patch_steps: int
    arguments: tuple[str, ...] = ()
    memory: int = 1
    patch: str = ""
    upon: Flavour | None = None

    @property
    def suffix(self) -> str:
        """Return how it differs from the plain one: "" or "+debug", as backends are called."""
        return "".join(self.name.partition("+")[1:])

    @property
    def command(self) -> tuple[str, ...]:
        """Return what make is told: variables, then the target."""
        return (*(f"{name}={value}" for name, value in self.variables.items()), self.target)

    def fits(self, series: str) -> bool:
        """Say whether it is known how to build a series so."""
        return not self.patch or self._file(series).is_file()

    def patches(self, series: str) -> tuple[Patch, ...]:
        """Return what it changes in the source of a series that it fits."""
        if not self.patch:
            return ()
        file = self._file(series)
        return (Patch(file.name, file.read_text(encoding="utf-8")),)

    def _file(self, series: str) -> Traversable:
        return resources.files("difftest.kernels") / "configs" / f"{self.patch}-{series}.patch"

    @property
    def kept(self) -> Mapping[str, str]:
        """Return what is kept of a build: names in the cache, and files of the build directory."""
        return {"linux": self.image} | {PurePosixPath(path).name: path for path in self.others}


UML = Flavour(
    name="uml",
    variables=MappingProxyType({"ARCH": "um", "SUBARCH": "x86_64"}),
    fragments=("guest.config", "uml.config"),
    target="linux",
    image="linux",
    base_steps=871,
    patch_steps=22,
)

DEBUG = replace(
    UML,
    name="uml+debug",
    fragments=(*UML.fragments, "debug.config"),
    base_steps=935,
    arguments=("page_owner=on", "page_poison=1"),
    memory=4,
)
"""Tells who did it: KASAN, page_owner, page poisoning, lockdep. Boots in 0.5 s, not 0.03."""

X86 = Flavour(
    name="x86",
    variables=MappingProxyType({"ARCH": "x86_64"}),
    fragments=("guest.config", "x86.config"),
    target="vmlinux",
    image="vmlinux",
    headers=("gelf.h",),  # objtool
    base_steps=1000,
    patch_steps=30,
)

#: As gcov wants it, and for lines to be counted where they are written.
_COUNTED = "-fprofile-arcs -ftest-coverage -fno-tree-loop-im"

GCOV = replace(
    UML,
    name="uml+gcov",
    variables=MappingProxyType(
        {
            **UML.variables,
            "CFLAGS_shmem.o": _COUNTED,
            "CFLAGS_userfaultfd.o": _COUNTED,
        }
    ),
    others=(*UML.others, "mm/shmem.gcno", "mm/userfaultfd.gcno"),
    patch="gcov",
    patch_steps=30,
    upon=UML,
)
"""Counts how often the lines of two files run; what it counted survives a panic."""

FLAVOURS: tuple[Flavour, ...] = (UML, DEBUG, GCOV, X86)
