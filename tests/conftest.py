# SPDX-License-Identifier: GPL-2.0-only
"""What every test run prints: the workloads that it drew by chance, to have them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests noted as the property `drawn`, whether they passed or failed."""
    drawn = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == "drawn"
    ]
    if drawn:
        terminalreporter.section("drawn by chance")
        for command in sorted(drawn):
            terminalreporter.write_line(command)
