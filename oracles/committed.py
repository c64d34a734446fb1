# SPDX-License-Identifier: GPL-2.0-only
"""committed: the memory that is committed is given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.ledger import Attempt, follow
from difftest.verdict import fail, passed, unknown

if TYPE_CHECKING:
    from difftest.outcome import Outcome
    from difftest.verdict import Verdict
    from difftest.workload.workload import Workload


class Committed:
    """Compares committed memory (Committed_AS) after a workload with that before.

    Each page of a tmpfs file or memfd is charged there beside the block of its mount, also where
    there is no mount with a limit. While a workload runs it does not look: mappings and threads
    move the sum, too. Two errors may make up for each other.

    Reached if a copy or the like came to a page of such a file, in a shared mapping.
    """

    name = "committed"
    question = "is all committed memory given back?"
    sees = ("committed",)

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        if outcome.committed is None:
            return unknown("the kernel crashed before the end")
        if outcome.committed:
            more = "more" if outcome.committed > 0 else "fewer"
            return fail(
                f"{abs(outcome.committed)} pages {more} are committed than before, when everything "
                "is gone"
            )
        reached = False
        for event in follow(workload, outcome)[1]:
            if isinstance(event, Attempt) and event.entered:
                mapping = event.mapping
                reached |= mapping.shared and mapping.book is not None and mapping.book.charged
        return passed(reached=reached)
