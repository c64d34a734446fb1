# SPDX-License-Identifier: GPL-2.0-only
"""The witnesses in `tests/witnesses`, by their names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from difftest import witness

if TYPE_CHECKING:
    from difftest.witness import Head
    from difftest.workload.workload import Workload

FOLDER = Path(__file__).parent / "witnesses"


class Kept(NamedTuple):
    name: str
    head: Head
    workload: Workload


def kept(name: str) -> Kept:
    text = (FOLDER / f"{name}.workload").read_text(encoding="utf-8")
    head, workload = witness.from_text(text, name)
    assert head, name
    return Kept(name, head, workload)


CORPUS = {path.stem: kept(path.stem) for path in sorted(FOLDER.glob("*.workload"))}
