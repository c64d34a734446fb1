# SPDX-License-Identifier: GPL-2.0-only
"""Consoles are reduced to a title. A new crash format is a new file in data/console, and no code.

Each file begins with `TITLE: …` and `ENDING: …`, or with `TITLE:` alone for no complaint; the
console follows after an empty line.
"""

from pathlib import Path

import pytest

from difftest.backends import console

LOGS = sorted((Path(__file__).parents[1] / "data" / "console").glob("*.log"))


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_a_console_has_the_title_in_its_header(path: Path) -> None:
    header, _, text = path.read_text(encoding="utf-8").partition("\n\n")
    expected = dict(line.split(":", 1) for line in header.splitlines())
    found = console.read(text)
    if not expected["TITLE"].strip():
        assert found is None
    else:
        assert found is not None
        assert found.title == expected["TITLE"].strip()
        assert found.ending == expected["ENDING"].strip()


def test_there_are_golden_consoles() -> None:
    assert len(LOGS) >= 8


def test_only_a_complaint_that_a_panic_follows_is_fatal() -> None:
    goes_on = "BUG: Bad page state in process init  pfn:00f2c\n"
    panics = "Kernel panic - not syncing: BUG!\n"
    read = console.read
    assert [read(text).fatal for text in (goes_on, goes_on + panics)] == [False, True]  # type: ignore[union-attr]
