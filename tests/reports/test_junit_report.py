# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import pytest
from junitparser import Error, Failure, Skipped, TestCase, TestSuite
from made import BACKENDS, BUNDLED, HUNG, ORACLES, campaign, except_for, run, strategy, whole
from msgspec.structs import replace
from published import JUNIT
from published import junit as suites

from difftest.assemble import result_of
from difftest.result import Attack
from reports.junit import JunitReport

WHOLE = whole()


def outcome(suite: TestSuite, name: str) -> tuple[type, str]:
    """Return the element of a case, TestCase if it has none, and its message."""
    case = next(one for one in suite if one.name == name)
    if not case.result:
        return TestCase, ""
    (only,) = case.result
    return type(only), str(only.message)


PAGE = suites(JunitReport().render(WHOLE, "runs/0001"))


def test_there_is_a_suite_for_each_strategy_on_each_backend() -> None:
    names = [f"{one.name} on {backend}" for one in WHOLE.strategies for backend in BACKENDS]
    assert list(PAGE) == ["decision", "controls", *names]
    for name in names:
        assert [one.name for one in PAGE[name]] == list(ORACLES)


def test_a_failure_has_its_evidence_and_its_workload() -> None:
    suite = PAGE["naive_hold on model"]
    kind, message = outcome(suite, "block_accounting")
    assert kind is Failure
    assert message == "400/2000: 1 block in use after all was closed, expected 0"
    text = next(one for one in suite if one.name == "block_accounting").result[0].text
    assert "0.0.0 |     fill leave=0" in text
    assert "difftest replay runs/0001/witnesses/naive_hold-block_accounting.workload" in text


def test_a_clean_cell_passes_and_says_what_it_bounds() -> None:
    suite = PAGE["release_page on uml:6.1"]
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (5, 0, 0, 0)
    assert [one.system_out for one in suite] == ["0/2000 (<0.15 %)"] * 5


def test_what_could_not_be_judged_is_an_error_and_never_a_pass() -> None:
    few = result_of(campaign(workloads=50))
    page = suites(JunitReport().render(few))
    kind, message = outcome(page["release_page on model"], "content")
    assert kind is Error
    assert message == "UNKNOWN (50 of 50): too few workloads"


def test_a_bound_with_too_many_unknown_beside_it_is_an_error() -> None:
    hung = range(0, 2000, 50)
    parts = campaign(except_for("release_page", hung, run(0, HUNG)), workloads=2000, shard_size=500)
    result = result_of(parts)
    (cell,) = (
        one
        for one in result.cells
        if (one.strategy, one.backend, one.oracle) == ("release_page", "model", "content")
    )
    assert cell.verdict == "pass"
    kind, message = outcome(
        suites(JunitReport().render(result))["release_page on model"], "content"
    )
    assert kind is Error
    assert "no sign of life for 10 s" in message


def test_nothing_passes_in_a_run_that_is_void() -> None:
    page = suites(JunitReport().render(result_of(campaign(lambda _, number: run(number)))))
    assert outcome(page["decision"], "a strategy is recommended")[0] is Error
    assert {outcome(page["release_page on model"], one)[0] for one in ORACLES} == {Error}
    kind, message = outcome(page["controls"], "control: unpatched fails no_kernel_bug on model")
    assert kind is Failure
    assert "not caught in any" in message


def test_controls_are_a_suite_of_their_own() -> None:
    suite = PAGE["controls"]
    assert suite.tests == len(WHOLE.controls) + len(WHOLE.conformance)
    assert (suite.failures, suite.errors) == (0, 0)


def test_a_strategy_that_was_not_run_for_a_reason_is_skipped_with_it() -> None:
    other = strategy("other", added=["x"], series=["5.10"])
    page = suites(JunitReport().render(result_of(campaign(strategies=[*BUNDLED, other]))))
    suite = page["other on uml:6.1"]
    assert (suite.tests, suite.skipped) == (5, 5)
    assert outcome(suite, "content") == (Skipped, "no patch for 6.1")


@pytest.mark.parametrize(
    ("crashed", "kind"), [(True, Failure), (False, Skipped), (None, Error)], ids=str
)
def test_an_attack_that_gets_through_fails_and_none_passes(
    crashed: bool | None,  # noqa: FBT001 - a parameter of the test
    kind: type,
) -> None:
    parts = campaign(workloads=2000, shard_size=500)
    parts.attacked = [Attack("release_page", "uml:6.1", 1, default=True, crashed=crashed, how="so")]
    page = suites(JunitReport().render(result_of(parts)))
    name = "attack with vm.unprivileged_userfaultfd=1"
    assert outcome(page["release_page on uml:6.1"], name)[0] is kind


def test_what_only_ranks_or_informs_says_so() -> None:
    result = replace(WHOLE, ranking=("block_accounting",))
    page = suites(JunitReport().render(result))
    case = next(one for one in page["naive_hold on model"] if one.name == "block_accounting")
    assert case.result[0].type == "ranks"
    case = next(one for one in page["unpatched on model"] if one.name == "no_kernel_bug")
    assert case.result[0].type == "decides"


def test_equal_runs_give_equal_text() -> None:
    again = replace(WHOLE, timings={"campaign": 1.5})
    assert JunitReport().render(again) == JunitReport().render(WHOLE)


def test_the_schema_refuses_what_is_not_of_this_kind() -> None:
    assert not JUNIT.is_valid("<testsuites><testsuite name='a'/></testsuites>")
