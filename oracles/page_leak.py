# SPDX-License-Identifier: GPL-2.0-only
"""page_leak: every page that was allocated is free again in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.ledger import Attempt, follow
from difftest.outcome import Window
from difftest.verdict import Verdict, fail, passed, unknown

if TYPE_CHECKING:
    from difftest.outcome import Outcome
    from difftest.workload.workload import Workload


class PageLeak:
    """Counts the pages that are still allocated when all files, mappings and the mount are gone.

    And the huge pages that the pool lacks then, and the reservations that it still keeps. Kernels
    are asked for pages allocated minus pages freed (/proc/vmstat) before and after. Who leaked them
    it cannot tell.

    Reached if a copy stopped, and so held a page while no lock was held, or if one came as far as
    to allocate a page and did not put it into place.
    """

    name = "page_leak"
    question = "is every page free again?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        if outcome.held is None:
            return unknown("the kernel crashed before the end")
        if outcome.held > 0:
            return fail(f"{outcome.held} pages are still allocated when everything is gone")
        if outcome.held < 0:
            return fail(f"{-outcome.held} pages were freed that the workload had not allocated")
        if outcome.huge:
            return fail(f"the pool of huge pages lacks {outcome.huge} when everything is gone")
        if outcome.reserved:
            return fail(
                f"the pool of huge pages keeps {outcome.reserved} reservations when everything is "
                "gone"
            )
        return passed(reached=_reached(workload, outcome))


def _reached(workload: Workload, outcome: Outcome) -> bool:
    if any(isinstance(one, Window) for one in outcome.trace):
        return True
    return any(
        isinstance(event, Attempt) and event.entered and not event.installed
        for event in follow(workload, outcome)[1]
    )
