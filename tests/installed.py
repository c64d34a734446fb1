# SPDX-License-Identifier: GPL-2.0-only
"""What is installed: plugins as importlib finds them, wheels, and environments of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("difftest", "strategies", "oracles", "reports")


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


def source_of(folder: Path) -> Path:
    """Copy of this project what is installed of it, so that nothing is built into the checkout."""
    source = folder / "source"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=_CACHES)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    return source


def wheels(folder: Path, *sources: Path) -> list[Path]:
    """Build the wheels of packages."""
    made = folder / "wheels"
    _pip("wheel", "--no-build-isolation", "--wheel-dir", made, *sources)
    return sorted(made.glob("*.whl"))


def environment(folder: Path, *sources: Path) -> Path:
    """Make an environment in which these packages are installed, and return its programs.

    What they depend on is that of this one: nothing is downloaded.
    """
    place = folder / "environment"
    venv.create(place, symlinks=True)
    python = place / "bin" / "python"
    _pip("install", "--no-index", *wheels(folder, *sources), python=python)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


_CACHES = shutil.ignore_patterns("__pycache__")


def _pip(command: str, *words: str | Path, python: Path = Path(sys.executable)) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", command,
         "--quiet", "--no-deps", *words],
        check=True,
    )  # fmt: skip
