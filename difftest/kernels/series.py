# SPDX-License-Identifier: GPL-2.0-only
"""Kernel series: all that is known of each, apart from its patches in `patches/SERIES/`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from difftest.kernels import cache

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A kernel series, and what sets it apart from DEFAULT.

    `release` is the Debian release that has its source as a package. `renamed` leads from file
    and function, as that series names it, to the model's name (without leading underscores):
    crash titles are told with it, so that one crash has one title everywhere. What it does in
    another way is in the model: `difftest/model/series/`. `debug` says that it can be built as
    DEBUG: KASAN came to User-mode Linux with 6.0. `like` is set for a user's own tree
    (difftest.kernels.trees): the series whose patches are for it, too.
    """

    name: str
    release: str
    renamed: Mapping[tuple[str, str], str] = field(default_factory=lambda: MappingProxyType({}))
    debug: bool = True
    like: str = ""


DEFAULT = "6.1"
"""The series that runs when none is named. The model is written after its code."""

TREES = "trees"
"""What the cache calls the notes on a user's own trees."""

SERIES: Mapping[str, Series] = MappingProxyType(
    {
        one.name: one
        for one in (
            Series(
                name="5.10",
                release="bullseye",
                renamed=MappingProxyType({("mm/filemap.c", "unlock_page"): "folio_unlock"}),
                debug=False,
            ),
            Series(name=DEFAULT, release="bookworm"),
            Series(
                name="6.12",
                release="bookworm",
                # 6.4 gave most functions of the file new names. On x86 a BUG is in the one that it
                # was inlined into.
                renamed=MappingProxyType(
                    {
                        ("mm/userfaultfd.c", "mfill_atomic"): "mcopy_atomic",
                        ("mm/userfaultfd.c", "mfill_atomic_copy"): "mcopy_atomic",
                    }
                ),
            ),
        )
    }
)


def name_in(backend: str) -> str:
    """Return the series that a backend's name ends in, without a flavour: "6.1", or ""."""
    return backend.partition(":")[2].partition("+")[0]


#: The trees of whoever gave this process its work, where it is a worker of another machine.
_given: dict[str, str] | None = None


def own() -> dict[str, str]:
    """Return the user's own trees by name, each with the series that it is like."""
    if _given is not None:
        return _given
    notes = sorted(path.parent for path in (cache.root() / TREES).glob("*/info.json"))
    return {path.name: cache.info(path)["like"] for path in notes}


def take_only(trees: dict[str, str]) -> None:
    """From now on know no trees in this process but these; what is built of them is given."""
    global _given  # noqa: PLW0603 - a process is a worker of another machine, or it is not
    _given = trees


def known() -> dict[str, Series]:
    """Return all series by name: SERIES, then the user's own trees."""
    return {
        **SERIES,
        **{name: replace(SERIES[like], name=name, like=like) for name, like in own().items()},
    }


def patches_for(backend: str) -> str:
    """Return the series whose patches a backend takes, "" if that is not known or not one."""
    one = known().get(name_in(backend))
    return (one.like or one.name) if one else ""
