# SPDX-License-Identifier: GPL-2.0-only
"""The code that a system runs: the modules of mm/ and fs/, with or without a fix."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import linecache
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from difftest.model.faults import Faults, install

#: The directories that a model patch may touch, as it names them.
PATCHABLE = ("mm", "fs")
ROOT = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Code:
    """The entry points, as modules: patched ones have no static type."""

    shmem: Any
    mmap: Any
    fs: Any
    faults: Faults | None = None
    """The knobs, if there are any."""
    by_entry: bool = False
    """Whether page tables need `difftest.model.faults.Entries` for them."""


def load(root: Path, *, knobs: bool = False) -> Code:
    """Import the mm/ and fs/ below `root` as a package of their own.

    The name comes from the content, so that equal code is loaded once and two fixes never share
    a module. `knobs`: with fault knobs. Raises what the code raises when it is imported.
    """
    files = sorted(path for part in PATCHABLE for path in (root / part).rglob("*.py"))
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]
    for path in files:
        # The files may go; tracebacks and debuggers find the source all the same.
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        linecache.cache[str(path)] = (0, None, lines, str(path))
    name = f"difftest_model_{digest}{'_knobs' if knobs else ''}"
    fresh = name not in sys.modules
    if fresh:
        spec = importlib.util.spec_from_loader(name, loader=None, is_package=True)
        assert spec is not None  # noqa: S101 - for the type checker
        spec.submodule_search_locations = [str(root)]
        sys.modules[name] = importlib.util.module_from_spec(spec)
    shmem = importlib.import_module(f"{name}.mm.shmem")
    userfaultfd = importlib.import_module(f"{name}.mm.userfaultfd")
    code = Code(
        shmem=shmem,
        mmap=importlib.import_module(f"{name}.mm.mmap"),
        fs=importlib.import_module(f"{name}.fs.userfaultfd"),
    )
    if not knobs:
        return code
    if fresh:
        sys.modules[name].knobs = install((shmem, userfaultfd))  # type: ignore[attr-defined]
    faults, by_entry = sys.modules[name].knobs
    return replace(code, faults=faults, by_entry=by_entry)
