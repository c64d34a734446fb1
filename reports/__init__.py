# SPDX-License-Identifier: GPL-2.0-only
"""The bundled reports, in the order in which `difftest list` shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from reports.github import GithubReport
from reports.html import HtmlReport
from reports.json import JsonReport
from reports.junit import JunitReport
from reports.kcidb import KcidbReport
from reports.lkml import LkmlReport
from reports.markdown import MarkdownReport
from reports.table import TableReport

if TYPE_CHECKING:
    from difftest.report import Report

REPORTS: tuple[Report, ...] = (
    TableReport(),
    MarkdownReport(),
    GithubReport(),
    HtmlReport(),
    LkmlReport(),
    JsonReport(),
    JunitReport(),
    KcidbReport(),
)

hookimpl = pluggy.HookimplMarker("difftest")


@hookimpl
def difftest_reports() -> tuple[Report, ...]:
    return REPORTS
