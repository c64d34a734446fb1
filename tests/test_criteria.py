# SPDX-License-Identifier: GPL-2.0-only
"""What puts strategies in order that failed nothing, and how a user's file changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from made import BUNDLED, campaign, except_for, run

from difftest.assemble import result_of
from difftest.criteria import criteria, read
from difftest.errors import UsageError
from difftest.verdict import Traits

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = {one.name: one for one in BUNDLED}
CHOSEN = [KNOWN[name] for name in ("unpatched", "release_page", "remove_bug_on")]


def test_without_preferences_what_was_shown_comes_before_what_it_costs() -> None:
    names = [one.name for one in criteria(["unchanged", "guard"])]
    assert names == ["kernels", "unchanged", "guard", "assertions", "series", "lines"]


def test_what_is_preferred_comes_first_and_nothing_is_left_out() -> None:
    names = [one.name for one in criteria(["guard"], ["lines", "guard"])]
    assert names == ["lines", "guard", "kernels", "assertions", "series"]


def test_a_criterion_that_there_is_not_is_named_with_those_there_are() -> None:
    with pytest.raises(
        UsageError, match=r"no criterion 'gard' .*did you mean guard\? There are: k"
    ):
        criteria(["guard"], ["gard"])


def test_a_preference_for_few_lines_turns_the_decision() -> None:
    parts = campaign(strategies=CHOSEN)
    assert result_of(parts).decision.recommended == "release_page"
    result = result_of(parts, ["lines"])
    assert result.decision.recommended == "remove_bug_on"
    assert result.decision.reasons[-1] == (
        "release_page passed as well but changes more lines (4 against 2)."
    )


def test_an_oracle_that_ranks_says_why_with_the_workload_that_shows_it() -> None:
    parts = campaign(except_for("remove_bug_on", [4], run(4, content="x")), CHOSEN)
    traits = {"content": Traits(ranks=True, of_guards=True)}
    parts.settings = msgspec.structs.replace(parts.settings, traits=traits)
    decision = result_of(parts).decision
    assert decision.recommended == "release_page"
    assert decision.reasons[-1].startswith("remove_bug_on passed as well but fails content in 1 of")
    assert decision.reasons[-1].endswith("the smallest is workload 4.")
    # What the assertion guards against was tried; so that is not said to be open.
    turned = result_of(parts, ["assertions"]).decision
    assert turned.reasons[-1] == (
        "remove_bug_on passed as well but deletes the assertion BUG_ON(page)."
    )


def test_the_preferences_of_a_run_are_kept_with_it() -> None:
    parts = campaign(strategies=CHOSEN)
    parts.settings = msgspec.structs.replace(parts.settings, preferences=("lines",))
    assert result_of(parts).decision.recommended == "remove_bug_on"
    assert result_of(parts, []).decision.recommended == "release_page"


def test_a_file_of_preferences_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('criteria = ["guard", "lines"]\n', encoding="utf-8")
    assert read(file) == ("guard", "lines")


@pytest.mark.parametrize("text", ["criteria = 3", 'criterion = ["guard"]', "criteria =", "\xff"])
def test_a_file_that_is_none_is_told_with_what_was_expected(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"--preferences .*mine\.toml: .*expected a TOML file"):
        read(file)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--preferences .*No such file"):
        read(tmp_path / "none.toml")
