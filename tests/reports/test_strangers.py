# SPDX-License-Identifier: GPL-2.0-only
"""No text of strangers breaks a report that a machine or a browser reads."""

from __future__ import annotations

from hypothesis import given, settings
from published import junit, kcidb
from strange import TEXTS, result

from difftest.characters import printable
from reports.junit import JunitReport
from reports.kcidb import KcidbReport

_PLAIN = result("plain")


def kinds(text: str) -> dict[str, list[tuple[str, list[str]]]]:
    """Return what the cases of a JUnit report are called and came to."""
    return {
        name: [(str(case.name), [type(one).__name__ for one in case.result]) for case in suite]
        for name, suite in junit(text).items()
    }


@settings(max_examples=40, deadline=None)
@given(text=TEXTS)
def test_junit_has_the_same_cases_and_the_text_whole(text: str) -> None:
    page = JunitReport().render(result(text))
    assert kinds(page) == kinds(JunitReport().render(_PLAIN))
    messages = [
        str(one.message) for suite in junit(page).values() for case in suite for one in case.result
    ]
    assert any(one.endswith(printable(text)) for one in messages)


@settings(max_examples=40, deadline=None)
@given(text=TEXTS)
def test_kcidb_has_the_same_tests_and_the_text_whole(text: str) -> None:
    data = kcidb(KcidbReport().render(result(text)))
    plain = kcidb(KcidbReport().render(_PLAIN))
    for what in ("checkouts", "builds", "tests"):
        assert len(data[what]) == len(plain[what])
    assert [one["status"] for one in data["tests"]] == [one["status"] for one in plain["tests"]]
    assert all(one["comment"].endswith(printable(text)) for one in data["checkouts"])
