# SPDX-License-Identifier: GPL-2.0-only
"""guard tells what becomes of a forgotten page; the other oracles leave that to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from drawn import seed_of, with_faults
from faulty_workloads import FORGOTTEN, FORGOTTEN_IN_AN_ERROR
from known import may_find_hugetlb

import oracles
import strategies
from difftest import facts
from difftest.backends.model import ModelBackend
from difftest.outcome import Ending, Outcome
from difftest.verdict import UNREACHED, Value, Verdict, compares, judge_safely
from difftest.workload.codec import from_text, to_text

if TYPE_CHECKING:
    from difftest.workload.workload import Workload

KNOWN = {one.name: one for one in strategies.STRATEGIES}
ORACLES = {one.name: one for one in oracles.ORACLES if not compares(one)}
GUARD = ORACLES["guard"]
PLAIN = from_text(to_text(FORGOTTEN).replace("fault site=callee_keeps_page call=1 error=0\n", ""))


def played(strategy: str, *workloads: Workload) -> list[Outcome]:
    with ModelBackend().runner(facts.chain(KNOWN[strategy], KNOWN)) as runner:
        return list(runner.run(workloads))


def judged(strategy: str, workload: Workload) -> dict[str, Verdict]:
    (outcome,) = played(strategy, workload)
    return {name: judge_safely(one, workload, outcome) for name, one in ORACLES.items()}


def test_a_page_in_the_place_of_another_one_is_silent_corruption() -> None:
    given = judged("remove_bug_on", FORGOTTEN)
    assert given["guard"].value is Value.FAIL
    assert given["guard"].evidence == (
        "silent corruption: page 1 of map 0 holds what was meant for page 0, after step 0"
    )
    assert all(one.value is Value.PASS for name, one in given.items() if name != "guard")


@pytest.mark.parametrize("strategy", ["unpatched", "release_page", "naive_hold"])
@pytest.mark.parametrize("workload", [FORGOTTEN, FORGOTTEN_IN_AN_ERROR])
def test_an_assertion_that_stops_the_kernel_is_no_failure_of_anything(
    strategy: str, workload: Workload
) -> None:
    given = judged(strategy, workload)
    title = "BUG at mm/userfaultfd.c mcopy_atomic"
    assert given.pop("guard") == Verdict(Value.PASS, f"stopped: {title}")
    assert set(given.values()) == {UNREACHED}


def test_a_copy_that_returns_the_error_contains_it() -> None:
    given = judged("remove_bug_on", FORGOTTEN_IN_AN_ERROR)["guard"]
    assert given.value is Value.PASS
    assert given.evidence.startswith("contained: mfill_atomic_pte() returned EFAULT and kept")


def test_a_workload_without_such_a_fault_says_nothing() -> None:
    assert judged("remove_bug_on", PLAIN)["guard"] == UNREACHED


def test_a_kernel_that_crashes_later_on_is_unknown() -> None:
    (outcome,) = played("remove_bug_on", FORGOTTEN)
    later = msgspec.structs.replace(
        outcome, ending=Ending.CRASHED, title="BUG: Bad page state", state=None
    )
    assert judge_safely(GUARD, FORGOTTEN, later).value is Value.UNKNOWN


def test_damage_in_the_copy_that_a_page_was_kept_in_is_no_assertion_at_work() -> None:
    (outcome,) = played("unpatched", FORGOTTEN)
    damaged = msgspec.structs.replace(outcome, title="panic: Kernel mode fault")
    assert judge_safely(ORACLES["no_kernel_bug"], FORGOTTEN, damaged).value is Value.FAIL


def test_the_bug_itself_is_still_one_where_a_fault_hit_before() -> None:
    workload = from_text(
        "mount blocks=2\nfile pages=4\nmap file=0 offset=0 pages=4\n"
        "fault site=block_charge call=1 error=ENOMEM\n"
        "copy map=0 page=0 source=R\ncopy map=0 page=0 source=M\n  window\n    fill leave=0\n"
    )
    given = judged("unpatched", workload)
    assert given["no_kernel_bug"].value is Value.FAIL


HEAD = "mount blocks=0\nfile pages=6\nmap file=0 offset=0 pages=6\n"
KEPT = "fault site=callee_keeps_page call=1 error=0\n"


@pytest.mark.parametrize(
    "operations",
    [
        # The page that comes next reads no source, be there one or not.
        "copy map=0 page=0 source=MU\n",
        "copy_unaligned map=0 page=0 source=RMU\n",
        "copy map=0 page=0 source=MMM\n  window\n    munmap_source\n",
        # It does not stop where its source is missing either.
        "copy map=0 page=0 source=MMRM\n",
        "copy_unaligned map=0 page=1 source=MMMM\n",
        # It stops for the second time at the page after that.
        "copy_unaligned map=0 page=0 source=MRMR\n  window\n  window\n    remap_anonymous map=0\n",
        # Nor where nobody watches the source: the page that was kept came again all the same.
        "copy map=0 page=0 source=MR\n  window\n    close_source\n",
    ],
)
def test_what_follows_a_forgotten_page_is_followed(operations: str) -> None:
    given = judged("remove_bug_on", from_text(HEAD + KEPT + operations))
    assert all(one.value is Value.PASS for name, one in given.items() if name != "guard"), given


def test_a_page_that_cannot_be_told_leaves_everything_unknown() -> None:
    later = KEPT.replace("call=1", "call=2")
    closed = "copy map=0 page=0 source=MMM\n  window\n    close_source\n"
    given = judged("remove_bug_on", from_text(HEAD + later + closed))
    assert given["content"].value is Value.UNKNOWN
    assert "which page a callee kept cannot be told" in given["content"].evidence


@pytest.mark.parametrize("series", ["5.10", "6.1", "6.12"])
@pytest.mark.parametrize("strategy", ["remove_bug_on", "release_page"])
def test_a_right_fix_passes_every_other_oracle_whatever_fails_inside(
    strategy: str, series: str, request: pytest.FixtureRequest
) -> None:
    drawn = with_faults(seed_of(request.config))
    workloads = [one for one in drawn if not may_find_hugetlb(one)]
    with ModelBackend(series).runner(facts.chain(KNOWN[strategy], KNOWN)) as runner:
        for workload, outcome in zip(workloads, runner.run(workloads), strict=True):
            for name, one in ORACLES.items():
                given = judge_safely(one, workload, outcome)
                if getattr(one, "informational", False):
                    continue
                # Of a source that nobody fills any more, one in some thousand is not told apart.
                if name != "guard" and "cannot be told" not in given.evidence:
                    assert given.value is Value.PASS, (name, given.evidence, to_text(workload))
