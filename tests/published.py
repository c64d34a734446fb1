# SPDX-License-Identifier: GPL-2.0-only
"""Published formats of reports, as somebody else's code reads and checks them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from junitparser import JUnitXml, TestSuite
from kcidb_io.schema import LATEST
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


def kcidb(text: str) -> dict[str, Any]:
    """Return what KCIDB would read, once it was found to be valid and whole.

    What refers to an object that is not there is valid, but would never be shown.
    """
    data: dict[str, Any] = LATEST.validate_exactly(json.loads(text))
    ids = {}
    for what in ("checkouts", "builds", "tests"):
        ids[what] = [one["id"] for one in data[what]]
        assert len(set(ids[what])) == len(ids[what])
    assert {one["checkout_id"] for one in data["builds"]} <= set(ids["checkouts"])
    assert {one["build_id"] for one in data["tests"]} <= set(ids["builds"])
    return data
