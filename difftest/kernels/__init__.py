# SPDX-License-Identifier: GPL-2.0-only
"""Kernels under test: got from the distribution, patched, built, and kept in a cache."""

from __future__ import annotations

from difftest.kernels import cache, source
from difftest.kernels.build import base_name, build, digest, misfit
from difftest.kernels.cache import CachedKernel, Kernel, list_kernels
from difftest.kernels.flavour import DEBUG, FLAVOURS, GCOV, UML, X86, Flavour
from difftest.kernels.series import DEFAULT, SERIES, Series, known
from difftest.kernels.source import fetch
from difftest.kernels.tree import Patch

__all__ = (
    "DEBUG",
    "DEFAULT",
    "FLAVOURS",
    "GCOV",
    "SERIES",
    "UML",
    "X86",
    "CachedKernel",
    "Flavour",
    "Kernel",
    "Patch",
    "Series",
    "build",
    "clean",
    "digest",
    "fetch",
    "known",
    "list_kernels",
    "misfit",
)


def clean(everything: bool = False) -> int:  # noqa: FBT001, FBT002 -- reads well by keyword
    """Remove what is in the cache; return the bytes freed.

    Sources and base builds that are still of use stay, unless `everything` is asked for: they take
    minutes to have again. Raises UsageError while another process builds.
    """
    if everything:
        return cache.clean()
    names = {source.directory_name(series) for series in known()}
    had = [one for one in known() if source.had(one)]
    names |= {base_name(one, flavour) for one in had for flavour in FLAVOURS if flavour.fits(one)}
    return cache.clean(keep=frozenset(names))
