# SPDX-License-Identifier: GPL-2.0-only
"""What all tests share."""

from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("difftest", deadline=None)
settings.load_profile("difftest")
