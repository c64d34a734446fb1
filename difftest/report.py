# SPDX-License-Identifier: GPL-2.0-only
"""A report: one format in which a result can be rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from difftest.result import Result


class Report(Protocol):
    """`name` is what `--format` calls it, `suffix` how its files end (".md")."""

    name: str
    suffix: str

    def render(self, result: Result, run: str = "RUN") -> str:
        """Return the whole report as text that ends in a newline.

        `run` is the run's directory, as the commands to replay a witness should name it; a result
        holds no paths, so that equal runs give equal results.
        """
        ...
