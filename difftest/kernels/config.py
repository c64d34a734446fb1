# SPDX-License-Identifier: GPL-2.0-only
"""Kernel configurations: tinyconfig and fragments, and a check that these took effect."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from difftest.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from difftest.kernels.flavour import Flavour


def fragment(flavour: Flavour) -> str:
    """Return the options that a flavour sets on top of tinyconfig."""
    folder = resources.files("difftest.kernels") / "configs"
    return "".join((folder / name).read_text(encoding="utf-8") for name in flavour.fragments)


def configure(build: Path, flavour: Flavour, make: Callable[[str], object]) -> None:
    """Write a configuration into the build directory; `make` makes one target there.

    Raises BuildError if this source does not take an option of the flavour as it is written.
    """
    make("tinyconfig")
    file = build / ".config"
    wanted = fragment(flavour)
    with file.open("a", encoding="utf-8") as config:
        config.write(wanted)
    make("olddefconfig")
    refused = missing_options(wanted, file.read_text(encoding="utf-8"))
    if refused:
        raise BuildError(
            "this kernel source does not take these options, because they do not exist there or "
            f"something they depend on is off: {', '.join(refused)}"
        )


def missing_options(wanted: str, config: str) -> tuple[str, ...]:
    """Return the options that are `wanted` and that a finished configuration does not have.

    Of two lines that set the same option, the last one counts.
    """
    have = set(config.splitlines())
    lines = [line for line in wanted.splitlines() if line.startswith("CONFIG_")]
    last = {line.partition("=")[0]: line for line in lines}
    return tuple(line for line in last.values() if line not in have)
