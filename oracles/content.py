# SPDX-License-Identifier: GPL-2.0-only
"""content: what was copied or written can be read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.ledger import Attempt, follow
from difftest.readback import lost
from difftest.verdict import UNREACHED, Verdict, fail, passed, unknown
from difftest.workload import ops

if TYPE_CHECKING:
    from difftest.outcome import Outcome
    from difftest.verdict import Verdict
    from difftest.workload.workload import Workload


class Content:
    """Compares every page that was filled, in files and in mappings, at the end.

    Pages are told apart by a tag of the operation and page that filled them. Private pages must
    also still be there, or not be there any more. Pages that were to be reclaimed are left to
    `dirty`, and those that nobody filled to `stale_cache`; what is in swap and was never read
    back nobody sees.

    Reached if a copy filled a page. What is wrong after a callee was made to keep its page is left
    to `guard`.
    """

    name = "content"
    question = "does memory hold what was copied there?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        ledger, events = follow(workload, outcome)
        reached = False
        for event in events:
            if isinstance(event, Attempt) and event.installed:
                reached |= isinstance(event.op, ops.Copying)
        if outcome.state is None:
            return unknown("the kernel crashed before the end")
        for number, (book, file) in enumerate(zip(ledger.files, outcome.state.files, strict=True)):
            if book.size != file.size:
                return fail(f"file {number} has {file.size} pages, not {book.size}")
        wrong = next(lost(ledger, outcome.state, reclaimed=False), "")
        if wrong and ledger.suspects:
            # A callee was made to forget its page: what became of that is the guard's to say.
            return UNREACHED
        return fail(wrong) if wrong else passed(reached=reached)
