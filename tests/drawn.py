# SPDX-License-Identifier: GPL-2.0-only
"""The seed of what tests draw anew each time: the one of pytest-randomly, which all workers share.

`conftest.py` prints it at the head of every run, whether that passes or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def seed_of(config: pytest.Config) -> int:
    return int(config.getoption("randomly_seed")) % 1_000_000
