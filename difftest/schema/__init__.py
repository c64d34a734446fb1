# SPDX-License-Identifier: GPL-2.0-only
"""The JSON Schema of `--format json`; `python -m difftest.schema` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from difftest.result import Full, Result

#: The schema that is published with the package.
PATH = Path(__file__).with_name("result-1.json")


def schema() -> str:
    """Return the schema of the records as they are now, as text that ends in a newline."""
    made = msgspec.json.schema(Result)
    whole = {record.__name__ for record in Full.__subclasses__()}
    for name, record in made["$defs"].items():
        # msgspec leaves out what has a default, but every field of these is printed.
        if name in whole:
            record["required"] = list(record["properties"])
    header = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "difftest result"}
    return json.dumps(header | made, indent=2, ensure_ascii=False) + "\n"
