# SPDX-License-Identifier: GPL-2.0-only
"""Fixes that are wrong in one way each: what oracles and backends must tell apart."""

from pathlib import Path

from difftest.strategy import Strategy, from_folder

DATA = Path(__file__).parent / "data"


def wrong(name: str) -> Strategy:
    """Return the strategy in data/wrong/NAME."""
    return from_folder(str(DATA / "wrong" / name / "__init__.py"), claim="is wrong on purpose")
