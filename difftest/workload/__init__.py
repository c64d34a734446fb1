# SPDX-License-Identifier: GPL-2.0-only
"""Workloads: what is done to a kernel, and how it is drawn, written and read."""
