# SPDX-License-Identifier: GPL-2.0-only
"""block_accounting: the mount counts the blocks that its files use, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.ledger import Attempt, follow
from difftest.verdict import Verdict, fail, passed, unknown

if TYPE_CHECKING:
    from difftest.outcome import Outcome
    from difftest.workload.workload import Workload


class BlockAccounting:
    """Compares f_blocks - f_bfree with what the files hold.

    After every operation with what they should hold by the results so far (not while a copy is
    stopped: a fix may keep a block for it; a page that was to be reclaimed may be gone, which
    is for `dirty` to judge); at the end with the sum of st_blocks; and with zero
    when all is closed. A mount without limit counts nothing.

    Reached if a copy or the like came to a page of a file on a mount with a limit, in a shared
    mapping: that is where a block is charged, or refused.
    """

    name = "block_accounting"
    question = "are the blocks in use the blocks of the files?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        ledger, events = follow(workload, outcome)
        reached = False
        for event in events:
            if isinstance(event, Attempt):
                mapping = event.mapping
                limited = mapping.shared and mapping.book and mapping.book.limited
                reached |= bool(limited and event.entered)
            elif "." in event.at or event.stopped:
                continue
            elif not event.kept <= event.used <= event.blocks:
                return fail(
                    f"after step {event.at} ({event.op.name}) {event.used} blocks are in use, "
                    f"and the files have {event.blocks} pages"
                )
        if outcome.state is None or outcome.left is None:
            return unknown("the kernel crashed before the end")
        files = outcome.state.files[: len(workload.files)] if workload.blocks else ()
        blocks = sum(file.blocks for file in files)
        blocks += outcome.state.filler.blocks
        if not blocks <= ledger.used <= blocks + ledger.reclaimed:
            return fail(
                f"at the end {ledger.used} blocks are in use, and st_blocks sum up to {blocks}"
            )
        if outcome.left:
            return fail(
                f"{outcome.left} of {workload.blocks} blocks are in use when every file is closed "
                "and deleted"
            )
        return passed(reached=reached)
