# SPDX-License-Identifier: GPL-2.0-only
"""The bundled strategies, in the order of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from strategies import (
    naive_hold,
    release_page,
    remove_bug_on,
    unacct_before_return,
    unpatched,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest.strategy import Strategy

hookimpl = pluggy.HookimplMarker("difftest")

STRATEGIES = (
    unpatched.STRATEGY,
    remove_bug_on.STRATEGY,
    release_page.STRATEGY,
    naive_hold.STRATEGY,
    unacct_before_return.STRATEGY,
)


@hookimpl
def difftest_strategies() -> Sequence[Strategy]:
    return STRATEGIES
