# SPDX-License-Identifier: GPL-2.0-only
"""The bundled oracles, in the order of their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from oracles.block_accounting import BlockAccounting
from oracles.committed import Committed
from oracles.content import Content
from oracles.contract import Contract
from oracles.dirty import Dirty
from oracles.guard import Guard
from oracles.lru import Lru
from oracles.no_kernel_bug import NoKernelBug
from oracles.other_callers import OtherCallers
from oracles.page_leak import PageLeak
from oracles.progress import Progress
from oracles.stale_cache import StaleCache
from oracles.unchanged import Unchanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest.verdict import AnyOracle

hookimpl = pluggy.HookimplMarker("difftest")

ORACLES: tuple[AnyOracle, ...] = (
    NoKernelBug(),
    BlockAccounting(),
    Committed(),
    PageLeak(),
    StaleCache(),
    Content(),
    Dirty(),
    Contract(),
    Progress(),
    OtherCallers(),
    Unchanged(),
    Lru(),
    Guard(),
)


@hookimpl
def difftest_oracles() -> Sequence[AnyOracle]:
    return ORACLES
