# SPDX-License-Identifier: GPL-2.0-only
"""mutants.toml: reasons of both kinds are read, all else is refused with the file's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import strategies
from difftest.equivalent import Equivalent, Reasons, reasons
from difftest.errors import PluginError
from difftest.kills import check_reasons
from difftest.strategy import from_folder
from difftest.unreached import Unreached

if TYPE_CHECKING:
    from pathlib import Path

ONE = """\
[[equivalent]]
patch = "model.patch"
mutant = "drop+1"
line = "a"
reason = "b"
"""
LINES = """\
[[unreached]]
patch = "model.patch"
lines = "a"
reason = "b"
"""


def test_a_strategy_without_the_file_has_none(tmp_path: Path) -> None:
    assert reasons(tmp_path) == Reasons()


def test_reasons_come_with_the_strategy(tmp_path: Path) -> None:
    (tmp_path / "model.patch").write_text("", encoding="utf-8")
    (tmp_path / "mutants.toml").write_text(ONE + LINES, encoding="utf-8")
    read = from_folder(str(tmp_path / "__init__.py"), claim="It mends it.")
    assert read.equivalents == (Equivalent("model.patch", "drop+1", "a", "b"),)
    assert read.unreached == (Unreached("model.patch", "a", "b"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ONE + ONE, "two reasons for drop\\+1 of model.patch"),
        (ONE.replace('"b"', '" "'), "the reason for drop\\+1 of model.patch is empty"),
        (ONE.replace('line = "a"\n', ""), "missing required field `line`"),
        (ONE + 'why = "c"\n', "unknown field `why`"),
        (LINES.replace('"a"', '" "'), "lines or reason of an unreached of model.patch are empty"),
        (LINES.replace('"b"', '""'), "lines or reason of an unreached of model.patch are empty"),
        (LINES.replace('lines = "a"\n', ""), "missing required field `lines`"),
        ("[[equivalent", "Expected are tables"),
        ("\udcff", "Expected are tables"),
    ],
)
def test_a_file_of_another_form_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mutants.toml").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(PluginError, match=f"mutants.toml: .*{words}"):
        reasons(tmp_path)


def test_the_bundled_reasons_are_about_mutants_that_exist() -> None:
    assert sum(len(one.equivalents) for one in strategies.STRATEGIES) > 0
    check_reasons(strategies.STRATEGIES)
