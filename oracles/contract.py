# SPDX-License-Identifier: GPL-2.0-only
"""contract: every result is one that the documentation allows in that state."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from difftest.ledger import ENOMEM, Attempt, Ledger, Returned
from difftest.verdict import PASS, Verdict, fail
from difftest.workload import ops
from difftest.workload.limits import PAGE_SIZE

if TYPE_CHECKING:
    from difftest.outcome import Outcome, Step
    from difftest.workload.workload import Workload


class Contract:
    """Holds results of UFFDIO_COPY, UFFDIO_ZEROPAGE and write() against their manual pages.

    ioctl_userfaultfd(2): all pages and 0; some pages and EAGAIN; no page and an errno that fits.
    Which of several fitting errno values is returned is left open; so is whether an operation
    may succeed when statfs() shows no free block, which block_accounting judges.
    """

    name = "contract"
    question = "is every result one that the manual allows?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        attempt: dict[str, Attempt] = {}
        ledger = Ledger(workload, outcome)
        for event in ledger.walk():
            if isinstance(event, Attempt):
                attempt[event.at] = event
                wrong = _attempt(event)
            elif isinstance(event.op, ops.Copy | ops.Zeropage):
                wrong = _filled(event, attempt[event.at])
            else:
                wrong = _other(event, workload.blocks)
            if wrong:
                return fail(f"step {event.at}: {wrong}")
        return PASS


def _name(reasons: frozenset[int]) -> str:
    return " or ".join(sorted(errno.errorcode[reason] for reason in reasons)) or "nothing"


def _attempt(event: Attempt) -> str:
    barred = event.reasons - {ENOMEM}
    if event.installed and barred:
        return f"page {event.page} was filled, where {_name(barred)} was due"
    return ""


def _filled(event: Returned, last: Attempt) -> str:
    """Judge what a copy or zeropage returned. `last` is the last page that it came to."""
    op, step = event.op, event.step
    pages = len(op.source) if isinstance(op, ops.Copy) else op.pages  # type: ignore[attr-defined]
    if step.copy is None:
        return f"returned {_result(step)} and did not write the byte count"
    if step.copy == pages * PAGE_SIZE:
        return "" if step.ret == 0 else f"filled every page and returned {_result(step)}"
    if step.copy > 0:
        return _filled_some(step, step.copy, pages, last)
    if step.ret != step.copy:
        return f"returned {_result(step)}, and {step.copy} as byte count"
    if -step.ret not in last.reasons:
        return f"returned {_result(step)}, where {_name(last.reasons)} was due"
    return ""


def _filled_some(step: Step, count: int, pages: int, last: Attempt) -> str:
    if count % PAGE_SIZE or count > pages * PAGE_SIZE:
        return f"the byte count is {count}, of {pages * PAGE_SIZE}"
    if step.ret != -errno.EAGAIN:
        return f"filled {count // PAGE_SIZE} of {pages} pages and returned {_result(step)}"
    if not last.reasons:
        return f"stopped after {count // PAGE_SIZE} of {pages} pages for no reason"
    return ""


def _other(event: Returned, blocks: int) -> str:
    op, step = event.op, event.step
    if isinstance(op, ops.Write | ops.Fill):
        asked = op.pages * PAGE_SIZE if isinstance(op, ops.Write) else step.ret
        if step.ret == asked and asked >= 0:
            return ""
        if step.ret != -errno.ENOSPC and not 0 < step.ret < asked:
            return f"wrote {_result(step)} of {asked} bytes"
        # A short write: only a full mount cuts it short.
        return "" if step.used >= blocks else f"returned {_result(step)} with blocks free"
    if isinstance(op, ops.Unregister):
        return "" if step.ret in (0, -errno.EINVAL) else f"returned {_result(step)}"
    return "" if step.ret == 0 else f"returned {_result(step)}"


def _result(step: Step) -> str:
    return errno.errorcode.get(-step.ret, str(step.ret)) if step.ret < 0 else str(step.ret)
