# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from reports import REPORTS, difftest_reports


def test_the_bundled_reports_have_names_of_their_own() -> None:
    assert difftest_reports() is REPORTS
    names = [one.name for one in REPORTS]
    assert names == ["table", "markdown", "github", "html", "lkml", "json", "junit", "kcidb"]
    suffixes = [
        ".txt",
        ".md",
        ".github.md",
        ".html",
        ".mail.txt",
        ".json",
        ".junit.xml",
        ".kcidb.json",
    ]
    assert [one.suffix for one in REPORTS] == suffixes
