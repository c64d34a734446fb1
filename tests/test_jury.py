# SPDX-License-Identifier: GPL-2.0-only
"""A jury says of workloads whether they fail, and for the same reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from difftest.jury import Jury, Reason, everywhere
from difftest.outcome import Ending, Outcome
from difftest.verdict import PASS, Verdict, fail
from difftest.workload import codec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.outcome import Step, Window
    from difftest.workload.workload import Workload

LONG = codec.from_text("mount blocks=2\nfile pages=2\nfill leave=0\nfree pages=1\n")
SHORT = codec.from_text("mount blocks=2\nfile pages=2\nfill leave=0\n")


class Titled:
    """A kernel that crashes in one way on long workloads, and in another on short ones."""

    consoles: dict[int, str] = {}  # noqa: RUF012 - the protocol's
    culprits: dict[int, str] = {}  # noqa: RUF012 - as above

    def run(self, workloads: Sequence[Workload]) -> Iterator[Outcome]:
        for one in workloads:
            trace: tuple[Step | Window, ...] = ()
            yield Outcome(Ending.CRASHED, trace, "long" if len(one.steps) > 1 else "short")


class Crashes:
    name = "crashes"
    question = "?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:  # noqa: ARG002
        return fail(outcome.title)


def test_a_crash_is_not_shrunk_to_another_crash() -> None:
    jury, runners = Jury(Crashes(), []), [Titled()]
    assert jury.fail(runners, jury.reasons(runners, LONG), [LONG, SHORT]) == [True, False]
    assert jury.fail(runners, jury.reasons(runners, SHORT), [LONG, SHORT]) == [False, True]


@pytest.mark.parametrize(
    ("kinds", "other", "same"),
    [
        ((), (), True),
        (("a", "b"), ("b",), True),
        (("a",), ("b",), False),
        (("a",), (), False),
        ((), ("a",), True),
    ],
)
def test_what_an_oracle_tells_apart_is_another_reason(
    kinds: tuple[str, ...], other: tuple[str, ...], *, same: bool
) -> None:
    outcome = Outcome(Ending.FINISHED, ())
    one, two = (Reason.of(outcome, fail("", kinds=each)) for each in (kinds, other))
    assert one.same(two) == same


def test_the_title_of_an_outcome_that_is_no_crash_is_no_reason() -> None:
    hung = Outcome(Ending.HUNG, (), "no sign of life for 10 s")
    assert Reason.of(hung, PASS) == Reason.of(Outcome(Ending.FINISHED, ()), PASS)


def test_what_does_not_hold_on_one_backend_is_not_tried_on_the_next() -> None:
    asked: list[tuple[int, int]] = []

    def hold(place: int, some: Sequence[Workload]) -> list[bool]:
        asked.append((place, len(some)))
        return [place == 0 and one == LONG for one in some]

    assert everywhere([SHORT, LONG], 3, hold) == [False, False]
    assert asked == [(0, 2), (1, 1)]
