# SPDX-License-Identifier: GPL-2.0-only
"""The seed of what tests draw anew each time: the one of pytest-randomly, which all workers share.

`conftest.py` prints it at the head of every run, whether that passes or not.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from difftest.workload import faulty, generate

if TYPE_CHECKING:
    import pytest

    from difftest.workload.workload import Workload


def seed_of(config: pytest.Config) -> int:
    return int(config.getoption("randomly_seed")) % 1_000_000


@cache
def some(seed: int) -> tuple[Workload, ...]:
    """Draw a thousand workloads, once for all strategies."""
    return tuple(one for shard in range(4) for one in generate.shard(seed, shard, 250))


@cache
def with_faults(seed: int) -> tuple[Workload, ...]:
    return tuple(faulty.shard(seed, 0, 250))
