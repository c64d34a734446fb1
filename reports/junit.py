# SPDX-License-Identifier: GPL-2.0-only
"""The result as JUnit XML: a suite for each strategy on each backend, a case for each oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from difftest.case import Status, controls, decided, judged
from difftest.characters import printable
from difftest.rendering import introduction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from difftest.case import Case
    from difftest.result import Result

#: What a case that is no PASS is called. Systems that read this differ in what they make of a
#: skipped case, but none of them turns red for it: a page of skipped cases is a green page. So
#: UNKNOWN, which is where evidence should be and is not, is an error: "it could not be told", apart
#: from the failures and as red as they are. Skipped is only what has nothing to judge.
_ELEMENTS = {Status.FAIL: Failure, Status.UNKNOWN: Error, Status.NOTHING: Skipped}


class JunitReport:
    """JUnit XML for CI systems, in which UNKNOWN is an error."""

    name = "junit"
    suffix = ".junit.xml"

    def render(self, result: Result, run: str = "RUN") -> str:
        # The totals of the whole would have one that the schema does not know: readers add up.
        page = JUnitXml("difftest")
        decision = _suite("decision", "difftest.decision", [decided(result)])
        decision.add_property("run", printable(introduction(result)))
        page.add_testsuite(decision)
        page.add_testsuite(_suite("controls", "difftest.controls", controls(result, run)))
        for (strategy, backend), cases in judged(result, run).items():
            # A dot would begin another level of the tree that is shown.
            place = f"difftest.{strategy}.{backend.replace('.', '_')}"
            page.add_testsuite(_suite(f"{strategy} on {backend}", place, cases))
        text = page.tostring().decode()  # type: ignore[no-untyped-call] # theirs has no types
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(name: str, place: str, cases: Iterable[Case]) -> TestSuite:
    suite = TestSuite(printable(name))
    suite.add_testcases([_case(one, place) for one in cases])
    return suite


def _case(one: Case, place: str) -> TestCase:
    case = TestCase(printable(one.name), classname=printable(place))
    if element := _ELEMENTS.get(one.status):
        said = element(printable(one.message), one.weight)
        said.text = printable(one.detail)
        case.result = [said]
    else:
        case.system_out = printable(one.detail)
    return case
