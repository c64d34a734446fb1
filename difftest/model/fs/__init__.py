# SPDX-License-Identifier: GPL-2.0-only
"""fs/: the ioctl layer above the code under test. Strategies may patch a copy of it."""
