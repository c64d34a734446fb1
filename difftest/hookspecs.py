# SPDX-License-Identifier: GPL-2.0-only
"""The hooks: all that a plugin can add. Each is called once, when difftest starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest.backends import Backend
    from difftest.report import Report
    from difftest.strategy import Strategy
    from difftest.verdict import AnyOracle

PROJECT = "difftest"
hookspec = pluggy.HookspecMarker(PROJECT)


@hookspec
def difftest_strategies() -> Sequence[Strategy]:
    """Return the fixes that a plugin proposes, in the order of their rows."""
    raise NotImplementedError


@hookspec
def difftest_oracles() -> Sequence[AnyOracle]:
    """Return the oracles that a plugin adds, in the order of their columns."""
    raise NotImplementedError


@hookspec
def difftest_reports() -> Sequence[Report]:
    """Return the formats in which a plugin can render a run."""
    raise NotImplementedError


@hookspec
def difftest_backends() -> Sequence[Backend]:
    """Return the places where a plugin can run workloads."""
    raise NotImplementedError


NAMES = tuple(name for name in dict(globals()) if name.startswith(f"{PROJECT}_"))
"""Of all hooks."""
