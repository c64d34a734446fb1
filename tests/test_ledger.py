# SPDX-License-Identifier: GPL-2.0-only
"""The ledger says what files should hold, and which errors are due, from results alone."""

from __future__ import annotations

from errno import EEXIST, EFAULT, ENOENT, ENOMEM

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from difftest import ledger
from difftest.backends.model import ModelBackend
from difftest.ledger import Attempt, Ledger, Returned
from difftest.outcome import Ending, Outcome, Step
from difftest.strategy import Strategy
from difftest.workload.codec import from_text
from difftest.workload.generate import workloads
from difftest.workload.ops import Swapon
from difftest.workload.workload import Workload, tag_of

RIGHT = Strategy(
    name="right",
    claim="",
    model_patch="--- a/mm/shmem.py\n+++ b/mm/shmem.py\n@@ -235,2 +235,5 @@\n"
    "     if not shmem_inode_acct_block(inode, 1, memory):\n+        if pagep.page:\n"
    "+            put_page(pagep.page)\n+            pagep.page = None\n         return -ENOMEM\n",
)


def outcome_of(workload: Workload) -> Outcome:
    with ModelBackend().runner([RIGHT]) as runner:
        (outcome,) = runner.run([workload])
    return outcome


@given(workloads())
def test_the_ledger_agrees_with_a_right_kernel_about_every_page(workload: Workload) -> None:
    outcome = outcome_of(workload)
    book = Ledger(workload, outcome)
    for event in book.walk():
        if isinstance(event, Returned) and "." not in event.at and not event.stopped:
            assert book.blocks == event.step.used
    assert outcome.state
    swap = any(isinstance(op, Swapon) for _, op in workload.places())
    for file, seen in zip(book.files, outcome.state.files, strict=True):
        assert file.size == seen.size
        assert tuple(file.pages.get(page, 0) for page in range(file.size)) == seen.content
        cached = {page for page in range(16) if seen.cached[page] == "1"}
        assert cached <= set(file.pages) if swap else cached == set(file.pages)


@given(workloads())
def test_every_page_that_was_not_filled_had_a_reason(workload: Workload) -> None:
    for event in Ledger(workload, outcome_of(workload)).walk():
        if isinstance(event, Attempt):
            assert not event.barred if event.installed else event.reasons


@given(workloads(), st.data())
def test_a_finished_outcome_that_lacks_a_step_is_not_followed(
    workload: Workload, data: st.DataObject
) -> None:
    outcome = outcome_of(workload)
    steps = [one for one in outcome.trace if isinstance(one, Step)]
    gone = data.draw(st.sampled_from(steps))
    trace = tuple(one for one in outcome.trace if one is not gone)
    with pytest.raises(LookupError, match=f"no result of step {gone.at}"):
        list(Ledger(workload, msgspec.structs.replace(outcome, trace=trace)).walk())


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("fill leave=0", ENOMEM),
        ("munmap map=0", ENOENT),
        ("unregister map=0", ENOENT),
        ("truncate file=0 pages=0", EFAULT),
        ("munmap_source", EFAULT),
        ("write file=0 page=0 pages=1", EEXIST),
    ],
)
def test_what_happens_in_a_window_is_the_reason_at_the_retry(action: str, reason: int) -> None:
    workload = from_text(
        "mount blocks=3\nfile pages=2\nmap file=0 offset=0 pages=2\n"
        f"copy map=0 page=0 source=M\n  window\n    {action}\n"
    )
    events = [e for e in Ledger(workload, outcome_of(workload)).walk() if isinstance(e, Attempt)]
    (attempt,) = events
    assert attempt.retried
    assert attempt.reasons == {reason}
    assert not attempt.installed


def test_a_zeropage_in_a_window_has_no_source_that_could_be_gone() -> None:
    workload = from_text(
        "mount blocks=3\nfile pages=1\nmap file=0 offset=0 pages=1\ncopy map=0 page=0 source=M\n"
        "  window\n    munmap_source\n    zeropage map=0 page=0 pages=1\n"
    )
    events = [e for e in Ledger(workload, outcome_of(workload)).walk() if isinstance(e, Attempt)]
    assert [event.reasons for event in events] == [set(), {EFAULT, EEXIST}]


def test_pages_before_a_window_are_entered_before_it() -> None:
    workload = from_text(
        "mount blocks=3\nfile pages=2\nmap file=0 offset=0 pages=2\n"
        "copy map=0 page=0 source=RM\n  window\n    punch file=0 page=0 pages=1\n"
    )
    book = Ledger(workload, outcome_of(workload))
    list(book.walk())
    assert book.files[0].pages == {1: tag_of(0, 1)}


def test_a_crash_ends_the_walk_at_the_retry_that_did_not_come_back() -> None:
    workload = from_text(
        "mount blocks=1\nfile pages=2\nmap file=0 offset=0 pages=2\n"
        "copy map=0 page=0 source=M\n  window\n    fill leave=0\nmunmap map=0\n"
    )
    with ModelBackend().runner([Strategy(name="b", claim="", model_patch="")]) as runner:
        (outcome,) = runner.run([workload])
    assert outcome.ending is Ending.CRASHED
    events = list(ledger.Ledger(workload, outcome).walk())
    assert isinstance(events[-1], Attempt)
    assert events[-1].reasons == {ENOMEM}
    assert not events[-1].installed


def test_a_copy_that_is_stopped_may_keep_memory_committed_but_not_from_itself() -> None:
    workload = from_text(
        "mount blocks=0\nfile pages=2\nmap file=0 offset=0 pages=2\novercommit leave=1\n"
        "free pages=1\ncopy map=0 page=0 source=M\n  window\n    fill leave=0\n"
    )
    book = Ledger(workload, outcome_of(workload))
    full = [
        (event.at, book.full(book.filler))
        for event in book.walk()
        if isinstance(event, Returned) and event.at != "0"
    ]
    assert full == [("1", False), ("2.0.0", True), ("2", True)]
    attempts = [e for e in Ledger(workload, outcome_of(workload)).walk() if isinstance(e, Attempt)]
    assert [one.reasons for one in attempts] == [frozenset()]
