# SPDX-License-Identifier: GPL-2.0-only
"""Identity: what stands for all code that decides, so that outcomes of two are never mixed."""

from __future__ import annotations

import hashlib
import inspect
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import difftest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest.verdict import AnyOracle


def version_of(oracles: Sequence[AnyOracle]) -> str:
    """Return what stands for all code here that decides an outcome or a verdict."""
    root = Path(difftest.__file__).parent
    suffixes = (".py", ".c", ".h", ".patch", ".config")
    files = [path for path in sorted(root.rglob("*")) if path.suffix in suffixes]
    files += [Path(inspect.getfile(type(oracle))) for oracle in oracles]
    whole = hashlib.sha256()
    for path in files:
        whole.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"{version('difftest')} {version('hypothesis')} {whole.hexdigest()[:16]}"
