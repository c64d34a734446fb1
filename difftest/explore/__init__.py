# SPDX-License-Identifier: GPL-2.0-only
"""Exploring: every interleaving of a small scenario on the model, within stated bounds."""
