# SPDX-License-Identifier: GPL-2.0-only
"""The bundled oracles, in the order of their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from oracles.block_accounting import BlockAccounting
from oracles.content import Content
from oracles.contract import Contract
from oracles.guard import Guard
from oracles.no_kernel_bug import NoKernelBug
from oracles.page_leak import PageLeak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest.verdict import Oracle

hookimpl = pluggy.HookimplMarker("difftest")

ORACLES: tuple[Oracle, ...] = (
    NoKernelBug(),
    BlockAccounting(),
    PageLeak(),
    Content(),
    Contract(),
    Guard(),
)


@hookimpl
def difftest_oracles() -> Sequence[Oracle]:
    return ORACLES
