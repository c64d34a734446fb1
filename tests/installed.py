# SPDX-License-Identifier: GPL-2.0-only
"""Plugins as importlib finds them installed: a module, and a dist-info with its entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def install(folder: Path, name: str, source: str) -> None:
    """Put a plugin of one module into a folder, which is to be on PYTHONPATH."""
    (folder / f"{name}.py").write_text(source, encoding="utf-8")
    enter(folder, name)


def enter(folder: Path, name: str) -> None:
    """Make the module or package of this name in a folder a plugin."""
    info = folder / f"{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[difftest]\n{name} = {name}\n")
