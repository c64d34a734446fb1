# SPDX-License-Identifier: GPL-2.0-only
"""dirty: what was copied survives that its memory is reclaimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.ledger import follow
from difftest.readback import lost
from difftest.verdict import UNREACHED, fail, passed, unknown
from difftest.workload import ops
from difftest.workload.workload import operation_of

if TYPE_CHECKING:
    from difftest.outcome import Outcome
    from difftest.verdict import Verdict
    from difftest.workload.workload import Workload


class Dirty:
    """Compares the pages that a `pageout` was over since they were filled.

    The kernel throws away what it believes nobody has changed: a page that a copy left clean is
    lost then, and reads as zeros. No swap is needed for that; with swap a dirty page comes back
    from there. It cannot see what the kernel would reclaim by itself, nor a page whose dirty bit
    is set too often.

    Reached if there is such a page in the end, and a copy had filled it.
    """

    name = "dirty"
    question = "does what was copied survive reclaim?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        ledger, _ = follow(workload, outcome)
        if outcome.state is None:
            return unknown("the kernel crashed before the end")
        wrong = next(lost(ledger, outcome.state, reclaimed=True), "")
        if wrong and ledger.suspects:
            # A callee was made to forget its page: what became of that is the guard's to say.
            return UNREACHED
        if wrong:
            return fail(f"after it was to be reclaimed, {wrong}")
        copies = {
            number
            for number, (_, op) in enumerate(workload.places())
            if isinstance(op, ops.Copying)
        }
        filled = [book.pages.get(page, 0) for book in ledger.files for page in book.reclaimed]
        filled += [one.own.get(page) or 0 for one in ledger.maps for page in one.reclaimed]
        return passed(reached=any(operation_of(tag) in copies for tag in filled))
