# SPDX-License-Identifier: GPL-2.0-only
"""page_leak: every page that was allocated is free again in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.verdict import PASS, Verdict, fail, unknown

if TYPE_CHECKING:
    from difftest.outcome import Outcome
    from difftest.workload.workload import Workload


class PageLeak:
    """Counts the pages that are still allocated when all files, mappings and the mount are gone.

    And the huge pages that the pool lacks then, and the reservations that it still keeps. Kernels
    are asked for pages allocated minus pages freed (/proc/vmstat) before and after. Who leaked them
    it cannot tell.
    """

    name = "page_leak"
    question = "is every page free again?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:  # noqa: ARG002 - by protocol
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
        return PASS
