# SPDX-License-Identifier: GPL-2.0-only
"""The bundled strategies, in the order of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from strategies import (
    acct_last,
    hold_reservation,
    install_pte_v4,
    install_pte_v5,
    install_pte_v6,
    naive_hold,
    never_dirty,
    release_page,
    release_page_v1,
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
    release_page_v1.STRATEGY,
    naive_hold.STRATEGY,
    unacct_before_return.STRATEGY,
    hold_reservation.STRATEGY,
    acct_last.STRATEGY,
    install_pte_v4.STRATEGY,
    install_pte_v5.STRATEGY,
    install_pte_v6.STRATEGY,
    never_dirty.STRATEGY,
)


@hookimpl
def difftest_strategies() -> Sequence[Strategy]:
    return STRATEGIES
