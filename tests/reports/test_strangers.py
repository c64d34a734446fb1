# SPDX-License-Identifier: GPL-2.0-only
"""No text of strangers breaks a report that a machine or a browser reads."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given, settings
from published import github, junit, kcidb
from strange import TEXTS, result

from difftest.characters import printable
from reports.github import GithubReport
from reports.junit import JunitReport
from reports.kcidb import KcidbReport
from reports.markdown import MarkdownReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from justhtml import JustHTML

    from difftest.report import Report

_PLAIN = result("plain")
T = TypeVar("T")


@cache
def plain(report: Callable[[], Report], read: Callable[[str], T]) -> T:
    """Return what is read of a report in which nothing is strange."""
    return read(report().render(_PLAIN))


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
    assert kinds(page) == plain(JunitReport, kinds)
    messages = [
        str(one.message) for suite in junit(page).values() for case in suite for one in case.result
    ]
    assert any(one.endswith(printable(text)) for one in messages)


@settings(max_examples=40, deadline=None)
@given(text=TEXTS)
def test_kcidb_has_the_same_tests_and_the_text_whole(text: str) -> None:
    data = kcidb(KcidbReport().render(result(text)))
    expected = plain(KcidbReport, kcidb)
    for what in ("checkouts", "builds", "tests"):
        assert len(data[what]) == len(expected[what])
    assert [one["status"] for one in data["tests"]] == [one["status"] for one in expected["tests"]]
    assert all(one["comment"].endswith(printable(text)) for one in data["checkouts"])


def elements(page: JustHTML) -> list[str]:
    """Return the elements of a page in order, without links: GitHub makes them of addresses."""
    return [one.name for one in page.query("*") if one.name != "a"]


def made_elements(text: str) -> list[str]:
    return elements(github(text))


def whole(page: JustHTML) -> str:
    """Return all text of a page, without what may stand in other places."""
    return bare(str(page.to_text(separator="")))


def bare(text: str) -> str:
    """Return text without spaces, and without what keeps a name from being a mention."""
    return "".join(text.replace("\N{WORD JOINER}", "").split())


@pytest.mark.parametrize("report", [GithubReport(), MarkdownReport()], ids=lambda one: one.name)
@settings(max_examples=40, deadline=None)
@given(text=TEXTS)
def test_markdown_has_the_same_elements_and_the_text_whole(report: Report, text: str) -> None:
    page = github(report.render(result(text)))
    assert elements(page) == plain(type(report), made_elements)
    assert bare(printable(text)) in whole(page)


@settings(max_examples=40, deadline=None)
@given(text=TEXTS)
def test_github_tells_nobody_and_refers_to_nothing(text: str) -> None:
    page = GithubReport().render(result(text))
    assert not re.search(r"@\w|#\d|GH-\d", page)
