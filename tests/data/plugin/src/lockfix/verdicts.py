# SPDX-License-Identifier: GPL-2.0-only
"""A report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from difftest import Result


class Verdicts:
    """Tab-separated: strategy, oracle, backend, how many failed and how many were run."""

    name = "verdicts"
    suffix = ".tsv"

    def render(self, result: Result, run: str = "RUN") -> str:
        rows = [
            (one.strategy, one.oracle, one.backend, str(one.fail), str(one.runs))
            for one in result.cells
        ]
        return "".join("\t".join(row) + "\n" for row in [(run, "", "", "", ""), *rows])
