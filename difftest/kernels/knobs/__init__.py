# SPDX-License-Identifier: GPL-2.0-only
"""Knobs: patches that let the calls of a kernel fail as `difftest.workload.faults` says.

They go on top of a strategy's patches, which therefore never meet them, and they wrap functions
from outside: a fix that changes one of these can be patched all the same.
"""

from __future__ import annotations

from importlib import resources

from difftest.kernels.tree import Patch

_COMMON = "common"


def knobs(series: str) -> tuple[Patch, ...]:
    """Return the patches that put the knobs into a kernel of a series of SERIES."""
    folder = resources.files(__name__)
    return tuple(
        Patch(f"the fault knobs ({name})", (folder / f"{name}.patch").read_text(encoding="utf-8"))
        for name in (_COMMON, series)
    )
