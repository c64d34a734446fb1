# SPDX-License-Identifier: GPL-2.0-only
"""Whose a failure is, as a test of one shard can know it: the bug in question is never forgiven."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from played import KNOWN, MODEL

from difftest import plugins, shards
from difftest.alongside import Alongside, Row, Whose
from difftest.outcome import Ending, Outcome
from difftest.strategy import BASELINE
from difftest.verdict import PASS, fail, unknown

if TYPE_CHECKING:
    from difftest.shards import Shard

(SHARD,) = shards.plan(10, 0)
FINISHED = Outcome(Ending.FINISHED, ())
CRASHED = Outcome(Ending.CRASHED, (), title="BUG at mm/userfaultfd.c mcopy_atomic")
#: By workload: the bug in question on the first four, another one on the eighth.
BUG: Row = {"no_kernel_bug": fail("BUG"), "page_leak": unknown("crashed")}
LEAK: Row = {"no_kernel_bug": PASS, "page_leak": fail("1 pages")}
GOOD: Row = {"no_kernel_bug": PASS, "page_leak": PASS}


class Told(Alongside):
    """Shards of which the test tells what the strategies come to; the others do as `usual`."""

    def __init__(self, usual: dict[int, Row], **own: dict[int, Row]) -> None:
        super().__init__(plugins.load(), 1)
        self._told, self._usual = own, usual
        self.asked: list[str] = []

    def _rows(self, strategy: str, backend: str, shard: Shard) -> list[Row]:
        assert (backend, shard) == ("model", SHARD)
        self.asked.append(strategy)
        told = self._told.get(strategy, self._usual)
        names = [one.name for one in self.judges(strategy, MODEL)]
        return [
            dict.fromkeys(names, PASS) | told.get(number, GOOD) for number in range(SHARD.length)
        ]

    def _outcomes(self, strategy: str, backend: str, shard: Shard) -> list[Outcome]:
        assert backend == "model"
        return [
            CRASHED if row is BUG else FINISHED
            for row in (self._told.get(strategy, self._usual).get(at) for at in range(shard.length))
        ]

    def of(self, strategy: str) -> Whose:
        return self.whose(KNOWN[strategy], MODEL, SHARD)


BASE = dict.fromkeys(range(4), BUG) | {7: LEAK}


@pytest.mark.parametrize("strategy", ["release_page", "naive_hold", BASELINE])
def test_what_the_baseline_and_all_installed_fail_is_another_bug(strategy: str) -> None:
    told = Told({7: LEAK}, unpatched=BASE).of(strategy)
    assert told.forgiven == {"page_leak": {7}}
    assert told.bugs == ("page_leak",)
    assert set(told.mended) == {f"no_kernel_bug: {CRASHED.title}"}


@pytest.mark.parametrize("other", ["install_pte_v6", "naive_hold"])
def test_one_fix_that_passes_there_is_enough_for_it_to_count(other: str) -> None:
    told = Told({7: LEAK}, unpatched=BASE, **{other: {}})
    for strategy in ("release_page", BASELINE):
        whose = told.of(strategy)
        assert (whose.forgiven, whose.bugs) == ({}, ())
        assert whose.mended["page_leak"] == other


def test_a_fix_that_mends_nothing_is_forgiven_nothing_of_the_bug_in_question() -> None:
    told = Told({7: LEAK}, unpatched=BASE, release_page=BASE).of("release_page")
    assert told.forgiven == {"page_leak": {7}}
    nobody = Told(BASE, unpatched=BASE).of("release_page")
    assert nobody.forgiven == {}


def test_other_words_on_another_workload_or_half_of_a_bug_are_the_fixs_own() -> None:
    words: Row = LEAK | {"page_leak": fail("2 pages")}
    told = Told({7: LEAK}, unpatched=BASE, release_page={7: words})
    assert told.of("release_page").forgiven == {}
    assert told.of("install_pte_v6").forgiven == {"page_leak": {7}}
    more = {7: LEAK, 8: LEAK}
    assert Told({7: LEAK}, unpatched=BASE, release_page=more).of("release_page").forgiven == {
        "page_leak": {7}
    }
    twice = BASE | {8: LEAK}
    half = Told(more, unpatched=twice, release_page={7: LEAK})
    assert not half.of("release_page").forgiven
    assert not half.of("install_pte_v6").forgiven


def test_what_the_crash_of_the_baseline_hides_takes_two_that_agree_and_none_that_passes() -> None:
    hidden = {7: LEAK, 2: LEAK}
    alone = Told({7: LEAK, 2: BUG}, unpatched=BASE, release_page=hidden)
    assert alone.of("release_page").forgiven == {"page_leak": {7}}
    both = Told(hidden, unpatched=BASE)
    assert both.of("release_page").forgiven == {"page_leak": {2, 7}}
    passing = Told(hidden, unpatched=BASE, acct_last={7: LEAK})
    assert passing.of("release_page").forgiven == {"page_leak": {7}}


def test_no_more_are_played_than_it_takes_to_refute() -> None:
    told = Told({}, unpatched=BASE, release_page={5: LEAK})
    assert not told.of("release_page").forgiven
    assert set(told.asked) == {BASELINE, "release_page"}
