# SPDX-License-Identifier: GPL-2.0-only
"""Kernel configurations: tinyconfig and a fragment, and a check that the fragment took effect."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from difftest.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def fragment() -> str:
    """Return the options that are set on top of tinyconfig."""
    file = resources.files("difftest.kernels") / "configs" / "uml.config"
    return file.read_text(encoding="utf-8")


def configure(build: Path, make: Callable[[str], object]) -> None:
    """Write a configuration into the build directory; `make` makes one target there.

    Raises BuildError if this source does not take an option of the fragment as it is written.
    """
    make("tinyconfig")
    file = build / ".config"
    with file.open("a", encoding="utf-8") as config:
        config.write(fragment())
    make("olddefconfig")
    refused = missing_options(file.read_text(encoding="utf-8"))
    if refused:
        raise BuildError(
            "this kernel source does not take these options, because they do not exist there or "
            f"something they depend on is off: {', '.join(refused)}"
        )


def missing_options(config: str) -> tuple[str, ...]:
    """Return the lines of the fragment that a finished configuration does not have."""
    have = set(config.splitlines())
    return tuple(
        line for line in fragment().splitlines() if line.startswith("CONFIG_") and line not in have
    )
