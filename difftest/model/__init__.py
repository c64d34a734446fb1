# SPDX-License-Identifier: GPL-2.0-only
"""A model of the kernel code that the fixes change: one Python function for each C function.

`mm/` and `fs/` are what strategies patch. The rest holds the objects those functions work on,
loads a patched copy, and plays workloads on it. Nothing here knows a clock or a random number.
"""
