# SPDX-License-Identifier: GPL-2.0-only
"""The test kit: what a plugin's author writes, in a file of their own, does what it says."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from played import CALM, CRASH, KNOWN, MODEL

from difftest import PASS, Ending, Strategy, Value, fail
from difftest.errors import ToolchainError, UsageError
from difftest.workload.codec import to_text

if TYPE_CHECKING:
    from difftest import Outcome, Verdict, Workload
    from difftest.testing import Compares, Judges, MakesWorkload, Plays

pytest_plugins = ["pytester"]

TEN_LINES = '''
CRASH = """
mount blocks=2
file pages=4
map file=0 offset=0 pages=4
copy map=0 page=0 source=RM
  window
    fill leave=0
"""

def test_the_fix_survives_a_full_mount(play, judge):
    outcome = play("{strategy}", CRASH)
    verdict = judge("no_kernel_bug", CRASH, outcome)
    assert verdict.value == "pass", verdict.evidence
'''


def test_ten_lines_test_a_strategy(pytester: pytest.Pytester) -> None:
    texts = {f"test_{one}": TEN_LINES.format(strategy=one) for one in ("release_page", "unpatched")}
    pytester.makepyfile(**texts)
    done = pytester.runpytest_subprocess("-p", "no:randomly", "-v")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(
        ["test_release_page.py*PASSED*", "test_unpatched.py*FAILED*", "*BUG*"]
    )


class Stops:
    name = "stops"
    question = "does nothing stop?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        assert workload.steps
        return fail("it stopped") if len(outcome.trace) > 1 else PASS


class Raises(Stops):
    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        raise ZeroDivisionError(f"{workload} {outcome}")


def test_an_oracle_of_ones_own_needs_no_installation(play: Plays, judge: Judges) -> None:
    verdict = judge(Stops(), CALM, play("release_page", CALM))
    assert (verdict.value, verdict.evidence) == (Value.FAIL, "it stopped")


def test_an_oracle_that_raises_is_unknown_as_in_a_run(play: Plays, judge: Judges) -> None:
    verdict = judge(Raises(), CALM, play("release_page", CALM))
    assert verdict.value is Value.UNKNOWN
    assert "ZeroDivisionError" in verdict.evidence


def test_an_oracle_that_compares_gets_the_baseline(play: Plays, judge: Judges) -> None:
    outcome = play("release_page", CALM)
    assert judge("unchanged", CALM, outcome).value is Value.UNKNOWN
    assert judge("unchanged", CALM, outcome, play("unpatched", CALM)).value is Value.PASS


def test_a_strategy_of_ones_own_needs_no_installation(play: Plays) -> None:
    mine = Strategy(name="mine", claim="", model_patch=KNOWN["release_page"].model_patch)
    assert play(mine, CRASH) == play("release_page", CRASH)
    assert play(mine, CRASH, MODEL).ending is Ending.FINISHED
    stacked = Strategy(name="stacked", claim="", base="release_page", model_patch="")
    assert play(stacked, CRASH) == play("release_page", CRASH)


def test_the_text_and_the_record_are_the_same_workload(
    play: Plays, workload: MakesWorkload
) -> None:
    assert workload(to_text(CRASH)) == CRASH
    assert play("unpatched", to_text(CRASH)) == play("unpatched", CRASH)


def test_what_cannot_run_is_said_and_not_skipped(
    play: Plays, workload: MakesWorkload, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="did you mean release_page"):
        play("relese_page", CALM)
    with pytest.raises(UsageError, match="line 2"):
        workload("mount blocks=2\nflie pages=4\n")
    mine = Strategy(name="mine", claim="", kernel_patches=MappingProxyType({"6.1": ""}))
    with pytest.raises(UsageError, match="strategy mine cannot run on model: no model patch"):
        play(mine, CALM)
    monkeypatch.setattr(MODEL, "missing", lambda: "a wheel", raising=False)
    with pytest.raises(ToolchainError, match="backend model cannot run here: a wheel"):
        play("unpatched", CALM, MODEL)


def test_a_report_gets_a_result_to_render(compared: Compares) -> None:
    result = compared("unpatched", "release_page", workloads=5)
    assert [one.name for one in result.strategies] == ["unpatched", "release_page"]
    assert (result.workloads, result.backends) == (5, ("model",))


@pytest.mark.kernel
def test_the_same_call_plays_on_a_kernel(play: Plays) -> None:
    assert play("unpatched", CRASH, "uml:6.1").ending is Ending.CRASHED
    assert play("release_page", CRASH, "uml:6.1") == play("release_page", CRASH)
