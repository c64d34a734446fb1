# SPDX-License-Identifier: GPL-2.0-only
"""Which page-table entries a userfaultfd protects, on the models of all series."""

from __future__ import annotations

from errno import EEXIST, EINVAL
from typing import TYPE_CHECKING

import msgspec
import pytest
from wrong import wrong

import oracles
from difftest import kernels
from difftest.backends.model import ModelBackend
from difftest.outcome import Outcome, State, Step
from difftest.verdict import Value, judge_safely
from difftest.workload.codec import from_text
from strategies import STRATEGIES

if TYPE_CHECKING:
    from difftest.strategy import Strategy

(RELEASE_PAGE,) = (one for one in STRATEGIES if one.name == "release_page")
(CONTRACT,) = (one for one in oracles.ORACLES if one.name == "contract")
FILE = "mount blocks=4\nfile pages=3\nmap file=0 offset=0 pages=3\n"
PRIVATE = "mount blocks=4\nfile pages=3\nmap_private file=0 offset=0 pages=3\n"
ANONYMOUS = "mount blocks=4\nfile pages=3\nmap_anonymous pages=3\n"
HUGE = "mount blocks=4\nfile pages=3\nmap_hugetlb pages=2\n"
PROTECTED = "register_wp map=0\ncopy_wp map=0 page=0 pages=2\n"
REMOVED = "remove_begin map=0 page=0 pages=1\nremove_end\n"

any_series = pytest.mark.parametrize("series", kernels.SERIES)
later_series = pytest.mark.parametrize("series", ["6.1", "6.12"])


def play(series: str, text: str, strategy: Strategy = RELEASE_PAGE) -> Outcome:
    with ModelBackend(series).runner([strategy]) as runner:
        (outcome,) = runner.run([from_text(text)])
    return outcome


def state(series: str, text: str) -> State:
    outcome = play(series, text)
    assert judge_safely(CONTRACT, from_text(text), outcome).value is Value.PASS
    assert outcome.state
    return outcome.state


def last(series: str, text: str) -> Step:
    found = play(series, text).trace[-1]
    assert isinstance(found, Step)
    return found


@any_series
def test_what_is_not_registered_for_it_cannot_be_protected(series: str) -> None:
    step = last(series, f"{ANONYMOUS}copy_wp map=0 page=0 pages=1\n")
    assert (step.ret, step.copy) == (-EINVAL, -EINVAL)


@any_series
def test_anonymous_memory_is_protected_where_it_was_asked_for(series: str) -> None:
    seen = state(series, f"{ANONYMOUS}{PROTECTED}copy map=0 page=2 source=R\n")
    assert seen.protected == ("110",)


@later_series
@pytest.mark.parametrize(
    ("kind", "expected"), [(FILE, "110"), (PRIVATE, "110"), (HUGE, "11")], ids=["file", "", "huge"]
)
def test_so_is_memory_of_files(kind: str, expected: str, series: str) -> None:
    assert state(series, kind + PROTECTED).protected == (expected,)


@any_series
@pytest.mark.parametrize("op", ["unregister map=0", "mremap map=0", "close_destination"])
def test_whoever_lets_go_of_a_mapping_lifts_its_protection(op: str, series: str) -> None:
    assert state(series, f"{ANONYMOUS}{PROTECTED}{op}\n").protected == ("000",)


@any_series
@pytest.mark.parametrize("op", ["register map=0", "fork", "mprotect map=0 write=0", "mlock map=0"])
def test_others_leave_it(op: str, series: str) -> None:
    assert state(series, f"{ANONYMOUS}{PROTECTED}{op}\n").protected == ("110",)


@any_series
def test_a_page_in_swap_stays_protected(series: str) -> None:
    seen = state(series, f"{ANONYMOUS}swapon\n{PROTECTED}pageout map=0 page=0 pages=3\n")
    assert (seen.swapped, seen.protected) == (2, ("110",))


@later_series
@pytest.mark.parametrize(
    "op",
    ["punch file=0 page=0 pages=1", REMOVED.rstrip(), "truncate file=0 pages=0"],
)
def test_a_page_of_a_file_leaves_a_marker_behind(op: str, series: str) -> None:
    assert state(series, f"{FILE}{PROTECTED}{op}\n").protected[0][0] == "m"


@any_series
def test_anonymous_memory_leaves_none(series: str) -> None:
    assert state(series, f"{ANONYMOUS}{PROTECTED}{REMOVED}").protected == ("010",)


@later_series
def test_a_copy_takes_the_place_of_a_marker_and_a_page_of_zeros_does_not(series: str) -> None:
    copied = state(series, f"{PRIVATE}{PROTECTED}{REMOVED}copy map=0 page=0 source=R\n")
    assert copied.protected == ("010",)
    step = last(series, f"{PRIVATE}{PROTECTED}{REMOVED}zeropage map=0 page=0 pages=1\n")
    assert (step.ret, step.copy) == (-EEXIST, -EEXIST)


def test_a_fix_that_forgets_protection_is_caught() -> None:
    text = ANONYMOUS + PROTECTED
    verdict = judge_safely(
        CONTRACT, from_text(text), play("6.1", text, wrong("forgets_protection"))
    )
    assert verdict.evidence == "map 0: page 0 is not write-protected"


def test_so_is_protection_that_nobody_asked_for() -> None:
    text = f"{ANONYMOUS}{PROTECTED}copy map=0 page=2 source=R\n"
    outcome = play("6.1", text)
    assert outcome.state
    changed = msgspec.structs.replace(outcome.state, protected=("111",))
    verdict = judge_safely(
        CONTRACT, from_text(text), msgspec.structs.replace(outcome, state=changed)
    )
    assert verdict.evidence == "map 0: page 2 is for no reason write-protected"
