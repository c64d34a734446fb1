# SPDX-License-Identifier: GPL-2.0-only
"""A verdict: what an oracle says of one outcome, in three values, with its evidence."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from difftest.guarding import stopped
from difftest.outcome import Record

if TYPE_CHECKING:
    from difftest.outcome import Outcome
    from difftest.workload.workload import Workload


class Value(StrEnum):
    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNKNOWN = "unknown"


class Verdict(Record, frozen=True):
    """`evidence` is one sentence: what was seen and what should have been; empty for a PASS.

    `reached` is False for a PASS of a workload that never came to where this could have failed.
    """

    value: Value
    evidence: str = ""
    reached: bool = True


PASS = Verdict(Value.PASS)
UNREACHED = Verdict(Value.PASS, reached=False)


def passed(*, reached: bool) -> Verdict:
    return PASS if reached else UNREACHED


def fail(evidence: str) -> Verdict:
    return Verdict(Value.FAIL, evidence)


def unknown(cause: str) -> Verdict:
    return Verdict(Value.UNKNOWN, cause)


class Oracle(Protocol):
    """Judges one property. `name` is its column, `question` what a PASS answers with yes.

    One with `of_guards = True` is also asked about a kernel that an assertion stopped because a
    fault had broken what it asserts. That says nothing of any other property.
    """

    name: str
    question: str

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        """Judge an outcome. It may be of any ending; what cannot be seen in it is UNKNOWN.

        A PASS says whether the workload came to where it could have been a FAIL.
        """
        ...


def judge_safely(oracle: Oracle, workload: Workload, outcome: Outcome) -> Verdict:
    """Ask an oracle; one that raises has no opinion, and its exception is the cause."""
    if not outcome.known:
        return unknown(f"{outcome.ending}: {outcome.title}")
    if stopped(workload, outcome) and not getattr(oracle, "of_guards", False):
        return UNREACHED
    try:
        return oracle.judge(workload, outcome)
    except Exception as error:  # noqa: BLE001 - an oracle is anybody's code
        return unknown(f"oracle {oracle.name} raised {type(error).__name__}: {error}")
