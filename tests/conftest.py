# SPDX-License-Identifier: GPL-2.0-only
"""What all tests share."""

import pytest
from drawn import seed_of
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("difftest", deadline=None)
settings.load_profile("difftest")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what was drawn, also where all goes well: `difftest conform --seed N` draws it again."""
    if not config.pluginmanager.hasplugin("randomly"):
        return []
    return [f"workloads drawn anew with seed {seed_of(config)}"]
