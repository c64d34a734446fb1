# SPDX-License-Identifier: GPL-2.0-only
"""progress: what failed for want of space succeeds when there is some."""

from __future__ import annotations

from errno import ENOMEM
from typing import TYPE_CHECKING

from difftest.ledger import Attempt, Filling, follow
from difftest.verdict import fail, passed
from difftest.workload import ops

if TYPE_CHECKING:
    from difftest.ledger import Returned
    from difftest.outcome import Outcome
    from difftest.verdict import Verdict
    from difftest.workload.workload import Workload


class Progress:
    """Holds a page that was refused for want of space against a later copy to it.

    When the files leave room by what they hold, not by what the kernel counts, and no manual page
    has another reason, the copy has to fill it. What the failure left behind, a block that is
    still counted or a page in the way, shows here. Not judged while another copy is stopped, for
    which a fix may keep a block, nor where a fault made the copy fail.

    Reached if a page was refused so and a later copy came to it with room.
    """

    name = "progress"
    question = "does a copy succeed when there is space again?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        refused: set[tuple[int, int]] = set()
        last: dict[str, Attempt] = {}
        due: set[str] = set()
        reached = False
        for event in follow(workload, outcome)[1]:
            if isinstance(event, Attempt):
                last[event.at] = event
                if _place(event) in refused and _has_to_succeed(event):
                    reached = True
                    if not event.installed:
                        due.add(event.at)
            elif isinstance(event.op, Filling):
                if event.at in due:
                    return fail(
                        f"step {event.at}: page {last[event.at].page} was refused for want of "
                        "space, and with space it is not filled either"
                    )
                if _refused(event, last.get(event.at)):
                    refused.add(_place(last[event.at]))
        return passed(reached=reached)


def _place(event: Attempt) -> tuple[int, int]:
    """Return which page of which file it is about."""
    mapping = event.mapping
    return id(mapping.book), mapping.offset + event.op.page + event.page


def _has_to_succeed(event: Attempt) -> bool:
    return (
        event.room
        and event.mapping.shared
        and not event.reasons - {ENOMEM}
        and not event.injected
        and isinstance(event.op, ops.Copying | ops.Zeropage)
    )


def _refused(event: Returned, last: Attempt | None) -> bool:
    """Whether it returned for want of space alone."""
    return (
        last is not None and not last.installed and last.reasons == {ENOMEM} and event.step.ret < 0
    )
