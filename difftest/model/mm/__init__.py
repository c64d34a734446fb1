# SPDX-License-Identifier: GPL-2.0-only
"""mm/: the code under test, transcribed from Linux 6.1. Strategies patch a copy of it."""
