# SPDX-License-Identifier: GPL-2.0-only
"""The guest agent: one static C program that plays workloads as PID 1 of a guest."""

from __future__ import annotations

from difftest.guest.build import agent

__all__ = ("agent",)
