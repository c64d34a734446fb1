# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios: the text form, the bundled ones, and what is told of wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from difftest.errors import UsageError
from difftest.explore.scenario import bundled, find, from_text, to_text

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "mount blocks=1\nfile pages=1\nmap file=0 offset=0 pages=1\n"
TEXT = HEAD + "thread\n  copy map=0 page=0 source=M\nthread\n  fill leave=0\n  free pages=1\n"


def test_the_text_form_reads_back() -> None:
    scenario = from_text("# About it.\n" + TEXT, "some/small.scenario")
    assert to_text(scenario) == TEXT
    assert (scenario.name, scenario.about) == ("small", "About it.")
    assert [len(thread) for thread in scenario.threads] == [1, 2]


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_scenario_says_what_it_asks_and_reads_back(name: str) -> None:
    one = bundled()[name]
    assert one.about
    assert from_text(to_text(one), name).threads == one.threads


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD, "at least one `thread` line"),
        (HEAD + "thread\n", "at least one `thread` line"),
        (HEAD + "fill leave=0\n", r"line 4: .*expected set-up, then `thread`"),
        (HEAD + "thread\n  begin map=0 page=0 source=M\n", "begin cannot stand in a thread"),
        (HEAD + "thread\n  kill_copier\n", "kill_copier cannot stand in a thread"),
        (HEAD + "thread\n  copy map=1 page=0 source=M\n", "there is no map 1"),
        (HEAD + "thread\n  fill leave=0\nfile pages=1\n", r"line 6: .*expected set-up"),
        (HEAD + "thread\n  fill leave=0\n" * 9, "more than 8 threads"),
    ],
)
def test_a_wrong_scenario_is_told_where_and_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        from_text(text, "mine")


def test_a_file_is_a_scenario_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.scenario"
    path.write_text(TEXT, encoding="utf-8")
    assert to_text(find(str(path))) == TEXT


def test_a_near_miss_is_offered() -> None:
    with pytest.raises(UsageError, match="did you mean race"):
        find("racee")
