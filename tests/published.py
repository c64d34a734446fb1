# SPDX-License-Identifier: GPL-2.0-only
"""Published formats of reports, as somebody else's code reads and checks them."""

from __future__ import annotations

from pathlib import Path

from junitparser import JUnitXml, TestSuite
from xmlschema import XMLSchema

#: What Jenkins checks JUnit reports with. Its licence stands in it.
JUNIT = XMLSchema(Path(__file__).parent / "data/schema/junit-10.xsd")


def junit(text: str) -> dict[str, TestSuite]:
    """Return the suites of a JUnit report by name, once it was found to be valid."""
    JUNIT.validate(text)
    found = {str(one.name): one for one in JUnitXml.fromstring(text.encode())}
    for suite in found.values():
        told = suite.tests, suite.failures, suite.errors, suite.skipped
        suite.update_statistics()
        assert told == (suite.tests, suite.failures, suite.errors, suite.skipped)
    return found
