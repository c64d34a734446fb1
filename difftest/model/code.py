# SPDX-License-Identifier: GPL-2.0-only
"""The code that a system runs: the modules of mm/ and fs/, with or without a fix."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import linecache
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: The directories that a model patch may touch, as it names them.
PATCHABLE = ("mm", "fs")
ROOT = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Code:
    """The entry points, as modules: patched ones have no static type."""

    shmem: Any
    hugetlb: Any
    mmap: Any
    fs: Any


def load(root: Path) -> Code:
    """Import the mm/ and fs/ below `root` as a package of their own.

    The name comes from the content, so that equal code is loaded once and two fixes never share
    a module. Raises what the code raises when it is imported.
    """
    files = sorted(path for part in PATCHABLE for path in (root / part).rglob("*.py"))
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]
    for path in files:
        # The files may go; tracebacks and debuggers find the source all the same.
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        linecache.cache[str(path)] = (0, None, lines, str(path))
    name = f"difftest_model_{digest}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_loader(name, loader=None, is_package=True)
        assert spec is not None  # noqa: S101 - for the type checker
        spec.submodule_search_locations = [str(root)]
        sys.modules[name] = importlib.util.module_from_spec(spec)
    return Code(
        shmem=importlib.import_module(f"{name}.mm.shmem"),
        hugetlb=importlib.import_module(f"{name}.mm.hugetlb"),
        mmap=importlib.import_module(f"{name}.mm.mmap"),
        fs=importlib.import_module(f"{name}.fs.userfaultfd"),
    )
