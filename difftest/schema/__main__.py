# SPDX-License-Identifier: GPL-2.0-only
"""Writes the JSON Schema of results next to this file."""

from difftest.schema import PATH, schema

PATH.write_text(schema(), encoding="utf-8")
