# SPDX-License-Identifier: GPL-2.0-only
"""The result as JSON, as `difftest/schema/result-1.json` describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.result import encode

if TYPE_CHECKING:
    from difftest.result import Result


class JsonReport:
    name = "json"
    suffix = ".json"

    def render(self, result: Result, run: str = "RUN") -> str:  # noqa: ARG002 - JSON has no paths
        return encode(result) + "\n"
