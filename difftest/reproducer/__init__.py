# SPDX-License-Identifier: GPL-2.0-only
"""Reproducers: a witness as a C program of its own, for a kernel without difftest."""
