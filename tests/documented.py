# SPDX-License-Identifier: GPL-2.0-only
"""The documentation as what it makes its reader do: blocks in order, and what they should print."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path for path in sorted(DOCS.rglob("*.md"))}

#: How a block is run. A block of any other kind is an error: nothing stands there untried.
COMMANDS = {
    "sh": ["sh", "-eu"],
    "python": [sys.executable, "-"],
}
#: What the block before it prints. "..." stands for anything, spaces for any spaces.
OUTPUT = "text"
KERNEL = "kernel"


class DocumentError(Exception):
    """A page has a block that cannot be run."""


@dataclass
class Block:
    """What a reader types, and where; `expected` is "" if the page does not say what comes."""

    page: str
    line: int
    kind: str
    text: str
    kernel: bool
    expected: str = ""


@dataclass
class Desk:
    """Where a reader works: a folder, and a place of its own for what is installed."""

    folder: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        site = self.folder.parent / "site"
        programs = Path(sys.executable).parent
        self.environment = os.environ | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(site),
            # `pip install` as the page has it, but into a folder, from what is on this machine.
            "PIP_TARGET": str(site),
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "COLUMNS": "100",
        }
        self.environment.pop("GITHUB_STEP_SUMMARY", None)

    def run(self, block: Block) -> None:
        """Run a block; raise AssertionError if it fails or prints something else."""
        done = subprocess.run(
            COMMANDS[block.kind],
            input=block.text,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        where = f"{block.page}:{block.line}"
        told = f"\n{block.text}\n--- printed\n{done.stdout}\n--- and\n{done.stderr}"
        assert done.returncode == 0, f"{where}: exit status {done.returncode}{told}"
        assert alike(block.expected, done.stdout), (
            f"{where}: expected\n{block.expected}\n--- of{told}"
        )


def alike(expected: str, printed: str) -> bool:
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return not expected or doctest.OutputChecker().check_output(expected, printed, options)


def blocks(page: str, text: str) -> list[Block]:
    """Return the blocks of a page; raise DocumentError for one that cannot be run or compared."""
    found: list[Block] = []
    for kind, kernel, line, content in _fences(page, text):
        if kind == OUTPUT:
            if not found or found[-1].expected:
                raise DocumentError(f"{page}:{line}: there is nothing before it that prints this")
            found[-1].expected = content
        elif kind in COMMANDS:
            found.append(Block(page, line, kind, content, kernel))
        else:
            raise DocumentError(f"{page}:{line}: a block of kind {kind!r} cannot be run")
    return found


def _fences(page: str, text: str) -> Iterator[tuple[str, bool, int, str]]:
    for token in MarkdownIt().parse(text):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "code_block":
            raise DocumentError(f"{page}:{line}: an indented block says not what it is")
        if token.type == "fence":
            words = re.sub(r"[{}.]", " ", token.info).split()
            kinds = [one for one in words if one != KERNEL]
            yield "".join(kinds), KERNEL in words, line, token.content
