# SPDX-License-Identifier: GPL-2.0-only
"""UFFDIO_COPY into hugetlb memory, on the models of all series."""

from __future__ import annotations

from errno import EAGAIN, EEXIST, EFAULT, EINVAL, ENOENT, ENOMEM
from typing import TYPE_CHECKING

import pytest
from known import FORGOTTEN, FORGOTTEN_PROGRESS
from wrong import wrong

import oracles
from difftest import facts, kernels
from difftest.backends.model import ModelBackend
from difftest.model import objects
from difftest.outcome import Ending, Outcome, State, Step
from difftest.verdict import Value, judge_safely
from difftest.workload import limits
from difftest.workload.codec import from_text
from difftest.workload.workload import tag_of
from strategies import STRATEGIES

if TYPE_CHECKING:
    from difftest.strategy import Strategy

KNOWN = {one.name: one for one in STRATEGIES}
HUGE = "mount blocks=4\nfile pages=2\nmap_hugetlb pages=2\n"
SCARCE = "mount blocks=4\nfile pages=2\nmap_hugetlb_noreserve pages=2\n"
PAGE = 2 << 20

any_series = pytest.mark.parametrize("series", kernels.SERIES)


def play(series: str, text: str, strategy: Strategy = KNOWN["release_page"]) -> Outcome:
    with ModelBackend(series).runner(facts.chain(strategy, KNOWN)) as runner:
        (outcome,) = runner.run([from_text(text)])
    return outcome


def last(series: str, text: str) -> tuple[int, int | None]:
    """Return what the last operation returned, of a workload that leaves nothing behind."""
    outcome = play(series, text)
    found = outcome.trace[-1]
    assert isinstance(found, Step)
    assert (outcome.held, outcome.huge, outcome.reserved) == (0, 0, 0)
    return found.ret, found.copy


def state(series: str, text: str) -> State:
    found = play(series, text).state
    assert found
    return found


def test_the_pool_is_as_large_as_that_of_guests() -> None:
    assert objects.POOL == limits.POOL
    assert limits.POOL >= limits.MAX_MAPS * limits.MAX_HUGE


@any_series
def test_huge_pages_are_copied_and_taken_from_what_is_reserved(series: str) -> None:
    seen = state(series, f"{HUGE}copy map=0 page=0 source=M\n")
    assert seen.maps == ((tag_of(0, 0), None),)
    assert (seen.huge, seen.reserved) == (1, 1)
    assert last(series, f"{HUGE}copy map=0 page=0 source=MR\n") == (0, 2 * PAGE)


@any_series
def test_without_reservation_pages_are_taken_as_they_come(series: str) -> None:
    seen = state(series, f"{SCARCE}copy map=0 page=1 source=R\n")
    assert (seen.huge, seen.reserved) == (1, 0)


@any_series
@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("munmap map=0", ENOENT),
        ("unregister map=0", ENOENT),
        ("remap map=0 file=0 offset=0", ENOENT),
        ("remap_anonymous map=0", ENOENT),
        ("munmap_source", EFAULT),
        ("fill_hugetlb leave=0", 0),
        ("remap_hugetlb map=0 pages=1", 0),
    ],
)
def test_a_retry_finds_what_the_window_left(action: str, error: int, series: str) -> None:
    text = f"{HUGE}copy map=0 page=0 source=M\n  window\n    {action}\n"
    assert last(series, text) == ((-error, -error) if error else (0, PAGE))


@any_series
def test_a_page_that_another_copy_brought_stays(series: str) -> None:
    text = f"{HUGE}begin map=0 page=0 source=M\ncopy map=0 page=0 source=R\nresume begin=0\n"
    outcome = play(series, text)
    steps = {one.at: one for one in outcome.trace if isinstance(one, Step)}
    assert (steps["0"].ret, steps["0"].copy) == (-EEXIST, -EEXIST)
    assert outcome.state
    assert outcome.state.maps == ((tag_of(1, 0), None),)
    assert (outcome.held, outcome.huge, outcome.reserved) == (0, 0, 0)


@any_series
@pytest.mark.parametrize(
    "op",
    ["copy_unaligned map=0 page=0 source=RR", "zeropage map=0 page=0 pages=1"],
)
def test_small_pages_and_zeros_are_refused(op: str, series: str) -> None:
    assert last(series, f"{HUGE}{op}\n") == (-EINVAL, -EINVAL)


@any_series
def test_an_empty_pool_fails_what_is_not_reserved(series: str) -> None:
    text = f"{SCARCE}fill_hugetlb leave=0\ncopy map=0 page=0 source=R\n"
    assert last(series, text) == (-ENOMEM, -ENOMEM)
    assert last(series, f"{HUGE}fill_hugetlb leave=0\ncopy map=0 page=0 source=R\n") == (0, PAGE)
    text = f"{SCARCE}fill_hugetlb leave=1\nremap_hugetlb map=0 pages=2\n"
    assert last(series, text) == (-ENOMEM, None)
    assert state(series, text).maps == (None,)


@any_series
def test_a_pool_that_runs_empty_fails_a_copy_in_its_middle(series: str) -> None:
    text = f"{SCARCE}fill_hugetlb leave=1\ncopy map=0 page=0 source=RR\n"
    assert last(series, text) == (-EAGAIN, PAGE)


@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_what_was_removed_is_mapped_again_by_continue_and_by_nothing_else(series: str) -> None:
    removed = f"{HUGE}copy map=0 page=0 source=R\nremove_begin map=0 page=0 pages=1\nremove_end\n"
    assert state(series, removed).maps == ((None, None),)
    assert last(series, f"{removed}copy map=0 page=0 source=R\n") == (-EEXIST, -EEXIST)
    assert last(series, f"{removed}continue map=0 page=0 pages=1\n") == (0, PAGE)
    assert last(series, f"{removed}continue map=0 page=1 pages=1\n") == (-EFAULT, -EFAULT)


@any_series
@pytest.mark.parametrize(
    "strategy",
    # Of a block that it leaks, too, 6.12 warns before pages are counted.
    [one for one in STRATEGIES if one.name != "naive_hold"],
    ids=lambda one: one.name,
)
def test_a_copy_that_comes_back_to_hugetlb_memory_forgets_its_page(
    strategy: Strategy, series: str
) -> None:
    """Every series, with any fix: the page that the first try allocated is nobody's any more."""
    outcome = play(series, FORGOTTEN, strategy)
    assert outcome.trace[-1] == Step("0", -EINVAL, outcome.trace[-1].used, -EINVAL)
    assert outcome.held == 1
    (page_leak,) = (one for one in oracles.ORACLES if one.name == "page_leak")
    verdict = judge_safely(page_leak, from_text(FORGOTTEN), outcome)
    assert verdict.value is Value.FAIL
    assert verdict.evidence == "1 pages are still allocated when everything is gone"


@any_series
def test_and_forgets_how_many_it_had_copied(series: str) -> None:
    outcome = play(series, FORGOTTEN_PROGRESS)
    (contract,) = (one for one in oracles.ORACLES if one.name == "contract")
    verdict = judge_safely(contract, from_text(FORGOTTEN_PROGRESS), outcome)
    assert verdict.evidence == "step 0: returned EINVAL after it had filled 1 pages"


def test_a_huge_page_that_a_fix_keeps_is_missed() -> None:
    text = f"{HUGE}copy map=0 page=0 source=M\n"
    outcome = play("6.1", text, wrong("keeps_huge_page"))
    (page_leak,) = (one for one in oracles.ORACLES if one.name == "page_leak")
    verdict = judge_safely(page_leak, from_text(text), outcome)
    assert verdict.evidence == "the pool of huge pages lacks 1 when everything is gone"


def test_so_is_a_reservation() -> None:
    text = f"{HUGE}copy map=0 page=0 source=M\n"
    leaked = Outcome(Ending.FINISHED, play("6.1", text).trace, left=0, held=0, reserved=1)
    (page_leak,) = (one for one in oracles.ORACLES if one.name == "page_leak")
    verdict = judge_safely(page_leak, from_text(text), leaked)
    assert verdict.evidence.startswith("the pool of huge pages keeps 1 reservations")
