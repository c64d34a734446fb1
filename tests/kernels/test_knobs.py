# SPDX-License-Identifier: GPL-2.0-only
"""The knobs go on top of every bundled strategy, and where they do not, faults are not played."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from played import CALM, KNOWN

import strategies
from difftest import facts, kernels
from difftest.backends import guest
from difftest.errors import BuildError
from difftest.kernels import Patch
from difftest.kernels.knobs import knobs
from difftest.outcome import Ending, Outcome
from difftest.workload.codec import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload

FAULTY = from_text(
    to_text(CALM).replace("copy", "fault site=page_alloc call=1 error=ENOMEM\ncopy", 1)
)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("strategy", "series"),
    [(one.name, series) for one in strategies.STRATEGIES for series in one.kernel_patches],
)
def test_the_knobs_apply_on_top_of_every_strategy(strategy: str, series: str) -> None:
    chain = facts.chain(KNOWN[strategy], KNOWN)
    fixes = [Patch(one.name, one.kernel_patches[series]) for one in chain]
    plain = kernels.digest(series, fixes, kernels.UML)
    assert kernels.digest(series, [*fixes, *knobs(series)], kernels.UML) != plain


class Recorded(guest.GuestRunner):
    """Notes what it is asked to play."""

    def __init__(self, name: str, played: list[str], **more: object) -> None:
        super().__init__(None, None, 0, {}, **more)  # type: ignore[arg-type]
        self.name = name
        self.played = played

    def play(self, workloads: Sequence[Workload], places: Sequence[int]) -> Iterator[Outcome]:
        for place in places:
            self.played.append(f"{self.name} {place}")
            self.consoles[place] = self.name
            yield Outcome(Ending.FINISHED, (), self.name, left=len(workloads[place].faults))


def test_outcomes_keep_their_order_and_only_faults_go_to_the_kernel_with_knobs() -> None:
    played: list[str] = []
    runner = Recorded("plain", played, with_knobs=lambda: Recorded("knobs", played))
    outcomes = list(runner.run([CALM, FAULTY, FAULTY, CALM]))
    assert [one.title for one in outcomes] == ["plain", "knobs", "knobs", "plain"]
    assert [one.left for one in outcomes] == [0, 1, 1, 0]
    assert runner.consoles == {0: "plain", 1: "knobs", 2: "knobs", 3: "plain"}


def test_without_faults_nobody_asks_for_a_kernel_with_knobs() -> None:
    def never() -> guest.GuestRunner:
        raise AssertionError

    runner = Recorded("plain", [], with_knobs=never)
    assert len(list(runner.run([CALM, CALM]))) == 2


def test_a_kernel_that_takes_no_knobs_plays_no_faults_and_says_why() -> None:
    asked: list[str] = []

    def refuse() -> str:
        asked.append("once")
        return "it takes no fault knobs: hunk 2"

    runner = Recorded("plain", [], with_knobs=refuse)
    one, two, three = runner.run([FAULTY, CALM, FAULTY])
    assert (one.ending, one.title) == (Ending.UNPLAYED, "it takes no fault knobs: hunk 2")
    assert (two.ending, three.ending) == (Ending.FINISHED, Ending.UNPLAYED)
    assert asked == ["once"]


class Stubborn(guest.GuestBackend):
    """A backend whose kernels with knobs do not compile."""

    def _kernel(self, chain: Sequence[Strategy], more: Sequence[Patch] = ()) -> kernels.Kernel:
        assert chain
        raise BuildError("no rule\nfor faults.o" if more else "never asked")

    def _machine(self, kernel: kernels.Kernel, initrd: Path) -> guest.Machine:
        raise NotImplementedError

    def missing(self) -> str:
        return ""

    def platform(self) -> str:
        return ""


def test_knobs_that_do_not_compile_are_a_reason_not_an_error() -> None:
    backend = Stubborn("uml:6.1", kernels.SERIES["6.1"], kernels.UML)
    backend.prepare_faults([KNOWN["unpatched"]])
    with contextlib.ExitStack() as stack:
        said = backend._with_knobs([KNOWN["unpatched"]], 0, stack)
    assert said == "it takes no fault knobs: no rule for faults.o"
