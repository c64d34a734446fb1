# SPDX-License-Identifier: GPL-2.0-only
"""no_kernel_bug: the kernel does not stop itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.outcome import Ending, Window
from difftest.verdict import Verdict, fail, passed

if TYPE_CHECKING:
    from difftest.outcome import Outcome
    from difftest.workload.workload import Workload


class NoKernelBug:
    """Fails for BUG, WARN, oops and panic. Sees every kernel crash; cannot see a silent error.

    Reached if a copy stopped on a missing source page and was gone on with.
    """

    name = "no_kernel_bug"
    question = "does the kernel survive?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:  # noqa: ARG002 - by protocol
        if outcome.ending is not Ending.CRASHED:
            return passed(reached=any(isinstance(one, Window) for one in outcome.trace))
        after = f"after step {outcome.trace[-1].at}" if outcome.trace else "in the first step"
        return fail(f"{outcome.title}, {after}")
