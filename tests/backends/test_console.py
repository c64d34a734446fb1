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


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_a_kernel_is_quoted_where_it_complains(path: Path) -> None:
    text = path.read_text(encoding="utf-8").partition("\n\n")[2]
    said = console.words(text)
    assert bool(said) == (console.read(text) is not None)
    assert said in text
    assert "\n" not in said
    assert not said.startswith("[")


def test_the_line_that_the_kernel_says_first_is_quoted_without_its_time() -> None:
    text = "[    1.5] up\n[    2.25] kernel BUG at mm/userfaultfd.c:691!\nRIP: 0010:__f+0x1\n"
    assert console.words(text) == "kernel BUG at mm/userfaultfd.c:691!"
    assert console.words("all is well\n") == ""


def test_there_are_golden_consoles() -> None:
    assert len(LOGS) >= 8


def test_only_a_complaint_that_a_panic_follows_is_fatal() -> None:
    goes_on = "BUG: Bad page state in process init  pfn:00f2c\n"
    panics = "Kernel panic - not syncing: BUG!\n"
    read = console.read
    assert [read(text).fatal for text in (goes_on, goes_on + panics)] == [False, True]  # type: ignore[union-attr]
