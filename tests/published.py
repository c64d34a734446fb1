# SPDX-License-Identifier: GPL-2.0-only
"""Published formats of reports, as somebody else's code reads and checks them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cmarkgfm
from cmarkgfm.cmark import Options
from junitparser import JUnitXml, TestSuite
from justhtml import JustHTML
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


def github(text: str) -> JustHTML:
    """Return the page that GitHub's own parser makes of Markdown; text between is not lost."""
    made = cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
    return JustHTML(made, fragment=True, strict=True, sanitize=False)


def shown(page: JustHTML, selector: str) -> list[str]:
    """Return the text of each element that a selector finds, in one line."""
    return [" ".join(str(one.to_text()).split()) for one in page.query(selector)]
