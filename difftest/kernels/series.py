# SPDX-License-Identifier: GPL-2.0-only
"""Kernel series: all that is known of each, apart from its patches in `patches/SERIES/`."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A kernel series, and what sets it apart from DEFAULT.

    `release` is the Debian release that has its source as a package. `renamed` leads from file
    and function, as that series names it, to the model's name (without leading underscores):
    crash titles are told with it, so that one crash has one title everywhere. What it does in
    another way is in the model: `difftest/model/series/`.
    """

    name: str
    release: str
    renamed: Mapping[tuple[str, str], str] = field(default_factory=lambda: MappingProxyType({}))


DEFAULT = "6.1"
"""The series that runs when none is named. The model is written after its code."""

SERIES: Mapping[str, Series] = MappingProxyType(
    {
        one.name: one
        for one in (
            Series(name="5.10", release="bullseye"),
            Series(name=DEFAULT, release="bookworm"),
            Series(
                name="6.12",
                release="bookworm",
                # 6.4 gave most functions of the file new names.
                renamed=MappingProxyType({("mm/userfaultfd.c", "mfill_atomic"): "mcopy_atomic"}),
            ),
        )
    }
)


def series_of(backend: str) -> str:
    """Return the series that a backend of that name runs or models: "6.1" for "uml:6.1+debug"."""
    return backend.partition(":")[2].partition("+")[0] or DEFAULT
