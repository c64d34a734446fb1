# SPDX-License-Identifier: GPL-2.0-only
"""difftest, a differential tester for competing kernel fixes: the names plugins import."""

import pluggy

from difftest.outcome import Ending, Outcome, State, Step, Window
from difftest.result import Result
from difftest.strategy import Strategy, from_folder
from difftest.verdict import (
    PASS,
    UNREACHED,
    Oracle,
    Value,
    Verdict,
    fail,
    passed,
    unknown,
)
from difftest.workload.workload import Workload

#: Marks the functions with which a plugin implements hooks (difftest/hookspecs.py).
hookimpl = pluggy.HookimplMarker("difftest")

__all__ = (
    "PASS",
    "UNREACHED",
    "Ending",
    "Oracle",
    "Outcome",
    "Result",
    "State",
    "Step",
    "Strategy",
    "Value",
    "Verdict",
    "Window",
    "Workload",
    "fail",
    "from_folder",
    "hookimpl",
    "passed",
    "unknown",
)
