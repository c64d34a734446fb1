# SPDX-License-Identifier: GPL-2.0-only
"""Benchmarks: ratios of things measured in turn in one run. `python -m benchmarks` prints them."""
