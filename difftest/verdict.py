# SPDX-License-Identifier: GPL-2.0-only
"""A verdict: what an oracle says of one outcome, in three values, with its evidence."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeGuard, cast

from difftest.guarding import stopped
from difftest.ledger import UntoldError
from difftest.outcome import Record
from difftest.strategy import BASELINE

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
    `kinds` names what a PASS or FAIL is about, if the oracle tells several things apart, in words
    that mean the same in every workload: results count them.
    """

    value: Value
    evidence: str = ""
    reached: bool = True
    kinds: tuple[str, ...] = ()


PASS = Verdict(Value.PASS)
UNREACHED = Verdict(Value.PASS, reached=False)


def passed(*, reached: bool) -> Verdict:
    return PASS if reached else UNREACHED


def fail(evidence: str, kinds: tuple[str, ...] = ()) -> Verdict:
    return Verdict(Value.FAIL, evidence, kinds=kinds)


def unknown(cause: str) -> Verdict:
    return Verdict(Value.UNKNOWN, cause)


class Oracle(Protocol):
    """Judges one property. `name` is its column, `question` what a PASS answers with yes.

    Four attributes may be left out. `informational = True`: it is reported, and rules nothing out.
    `ranks = True`: nor does it, but who fails it comes after those that do not. `sees`: fields of
    an outcome that it cannot do without and that some backends do not see (`unseen`); there it is
    not asked. `of_guards = True`: it is also asked about a kernel that an assertion stopped because
    a fault had broken what it asserts; that says nothing of any other property.
    """

    name: str
    question: str

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        """Judge an outcome. It may be of any ending; what cannot be seen in it is UNKNOWN.

        A PASS says whether the workload came to where it could have been a FAIL.
        """
        ...


class Pairwise(Protocol):
    """An oracle that compares: what a fix does with what the baseline does on the same backend."""

    name: str
    question: str

    def compare(self, workload: Workload, baseline: Outcome, outcome: Outcome) -> Verdict:
        """Judge an outcome beside that of the baseline. Either may be of any known ending."""
        ...


AnyOracle: TypeAlias = Oracle | Pairwise


def compares(oracle: AnyOracle | None) -> TypeGuard[Pairwise]:
    """Whether an oracle compares. Asked for every verdict: isinstance() takes ten times as long."""
    return hasattr(oracle, "compare")


class Traits(Record, frozen=True):
    """What a run keeps of an oracle, so that it can be rendered where its plugin is gone."""

    informational: bool = False
    ranks: bool = False
    pairwise: bool = False
    of_guards: bool = False
    sees: tuple[str, ...] = ()

    @classmethod
    def of(cls, oracle: AnyOracle) -> Traits:
        return cls(
            informational=bool(getattr(oracle, "informational", False)),
            ranks=bool(getattr(oracle, "ranks", False)),
            pairwise=compares(oracle),
            of_guards=bool(getattr(oracle, "of_guards", False)),
            sees=tuple(getattr(oracle, "sees", ())),
        )


def judge_safely(
    oracle: AnyOracle, workload: Workload, outcome: Outcome, baseline: Outcome | None = None
) -> Verdict:
    """Ask an oracle; one that raises has no opinion, and its exception is the cause.

    `baseline` is what the baseline did, for those that compare.
    """
    if not outcome.known:
        return unknown(f"{outcome.ending}: {outcome.title}")
    if stopped(workload, outcome) and not getattr(oracle, "of_guards", False):
        return UNREACHED
    try:
        if compares(oracle):
            return _compared(oracle, workload, outcome, baseline)
        return cast("Oracle", oracle).judge(workload, outcome)
    except UntoldError as error:
        return unknown(str(error))
    except Exception as error:  # noqa: BLE001 - an oracle is anybody's code
        return unknown(f"oracle {oracle.name} raised {type(error).__name__}: {error}")


def _compared(
    oracle: Pairwise, workload: Workload, outcome: Outcome, baseline: Outcome | None
) -> Verdict:
    if baseline is None:
        return unknown(f"there is no outcome of {BASELINE} to compare with")
    if not baseline.known:
        return unknown(f"{BASELINE}: {baseline.ending}: {baseline.title}")
    return oracle.compare(workload, baseline, outcome)
