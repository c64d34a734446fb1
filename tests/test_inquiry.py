# SPDX-License-Identifier: GPL-2.0-only
"""A debugging kernel is asked only where another one shows no more than a symptom."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from made import RACE, UNPATCHED
from msgspec.structs import replace

from difftest import plugins
from difftest.errors import BuildError
from difftest.inquiry import inquire, is_symptom
from difftest.outcome import Ending, Outcome
from difftest.result import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload

LEAK = Outcome(Ending.FINISHED, (), left=0, held=1)
BUG = Outcome(Ending.CRASHED, (), "BUG at mm/userfaultfd.c mcopy_atomic")


@dataclass
class Fake:
    """A backend on which everything has the same outcome."""

    name: str
    outcome: Outcome
    culprits: dict[int, str] = field(default_factory=dict)
    error: Exception | None = None
    default: bool = False
    prepared: int = 0
    consoles: dict[int, str] = field(default_factory=dict)
    unseen: dict[str, str] = field(default_factory=dict)

    def missing(self) -> str:
        return ""

    def supports(self, _: Strategy) -> str:
        return ""

    def prepare(self, _: Sequence[Strategy]) -> str:
        self.prepared += 1
        if self.error:
            raise self.error
        return ""

    @contextlib.contextmanager
    def runner(self, _: Sequence[Strategy]) -> Iterator[Fake]:
        yield self

    def run(self, workloads: Sequence[Workload]) -> Iterator[Outcome]:
        yield from [self.outcome] * len(workloads)


def ask(*backends: Fake) -> dict[tuple[str, int], str]:
    loaded = plugins.load()
    loaded.backends.clear()
    loaded.backends.update({one.name: one for one in backends})
    names = tuple(one.name for one in backends if "+" not in one.name)
    witness = Witness("unpatched", "page_leak", names, 3, RACE, shrunk=False, evidence="")
    twice = [witness, replace(witness, oracle="content")]
    return inquire(loaded, {"unpatched": UNPATCHED}, twice)


def test_the_debugging_kernel_is_asked_once_for_each_workload() -> None:
    debug = Fake("uml:6.1+debug", LEAK, {0: "allocated by x"})
    told = ask(Fake("model", LEAK), Fake("uml:6.1", LEAK), debug)
    assert told == {("unpatched", 3): "allocated by x (uml:6.1+debug)"}
    assert debug.prepared == 1


def test_where_the_kernel_names_the_place_itself_nobody_is_asked() -> None:
    debug = Fake("uml:6.1+debug", BUG, {0: "seen in x"})
    assert ask(Fake("uml:6.1", BUG), debug) == {}
    assert debug.prepared == 0


def test_a_kernel_without_a_debugging_one_beside_it_is_passed_over() -> None:
    debug = Fake("uml:6.1+debug", LEAK, {0: "allocated by x"})
    assert ask(Fake("uml:5.10", LEAK), debug) == {}
    assert ask(Fake("uml:5.10", LEAK), Fake("uml:6.1", LEAK), debug) != {}


def test_a_debugging_kernel_that_does_not_build_is_told_and_fails_nothing() -> None:
    debug = Fake("uml:6.1+debug", LEAK, error=BuildError("no room"))
    told = ask(Fake("uml:6.1", LEAK), debug)
    assert told == {("unpatched", 3): "cannot be told, uml:6.1+debug does not run here: no room"}


def test_a_debugging_kernel_that_sees_nothing_says_so() -> None:
    debug = Fake("uml:6.1+debug", Outcome(Ending.FINISHED, (), left=0, held=0))
    told = ask(Fake("uml:6.1", LEAK), debug)
    assert told == {("unpatched", 3): "uml:6.1+debug names nobody: finished"}


@pytest.mark.parametrize(
    ("outcome", "symptom"),
    [
        (LEAK, True),
        (Outcome(Ending.FINISHED, (), left=1, held=0), False),
        (Outcome(Ending.CRASHED, (), "BUG: Bad page state"), True),
        (Outcome(Ending.CRASHED, (), "BUG at include/linux/mm.h put_page_testzero"), True),
        (BUG, False),
        (Outcome(Ending.OUT_OF_MEMORY, (), "the guest has no memory left"), True),
        (Outcome(Ending.HUNG, (), "no sign of life"), False),
    ],
)
def test_a_symptom_is_damage_that_does_not_say_where_it_came_from(
    outcome: Outcome,
    symptom: bool,  # noqa: FBT001 - a row of the table
) -> None:
    assert is_symptom(outcome) is symptom
