# SPDX-License-Identifier: GPL-2.0-only
"""contract: every result is one that the documentation allows in that state."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from difftest.ledger import Attempt, Filling, Mapping, Returned, follow
from difftest.verdict import Verdict, fail, passed
from difftest.workload import ops
from difftest.workload.limits import PAGE_SIZE

if TYPE_CHECKING:
    from difftest.outcome import Outcome, Step
    from difftest.workload.workload import Workload


#: The errno values that the manual pages of other operations name, in whatever state.
_MAY_FAIL = {
    ops.Munmap: (),
    ops.Remap: (errno.EBADF,),
    ops.RemapPrivate: (errno.EBADF,),
    ops.RemapAnonymous: (errno.EBADF,),
    ops.RemapHugetlb: (errno.EBADF, errno.ENOMEM),
    # EINVAL: 5.10 does not move hugetlb memory.
    ops.Mremap: (errno.EFAULT, errno.EINVAL),
    ops.Mprotect: (errno.ENOMEM,),
    ops.Mlock: (errno.ENOMEM,),
    ops.Pageout: (errno.ENOMEM, errno.EINVAL),
    ops.Register: (errno.EBADF, errno.EINVAL),
    ops.RegisterWp: (errno.EBADF, errno.EINVAL),
    ops.Unregister: (errno.EBADF, errno.EINVAL),
    ops.RemoveBegin: (errno.ENOMEM, errno.EINVAL),
    ops.RemoveEnd: (errno.ENOMEM, errno.EINVAL),
    ops.CloseDestination: (errno.EBADF,),
}

#: These come before the copy begins, or instead of its end: then no byte count is written.
_UNWRITTEN = (errno.EBADF, errno.EAGAIN, errno.EINTR, errno.EINVAL)


class Contract:
    """Holds the results of all operations against their manual pages.

    ioctl_userfaultfd(2): all pages and 0; some pages and EAGAIN; no page and an errno that fits.
    Which of several fitting errno values is returned is left open; so is whether an operation
    may succeed when statfs() shows no free block, which block_accounting judges. A page that was
    filled for write-protection is protected in the end, and no other one that is there.

    Reached if a copy or the like did not fill all of its pages: then it had an errno to choose.
    """

    name = "contract"
    question = "is every result one that the manual allows?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        attempt: dict[str, Attempt] = {}
        reached = False
        ledger, events = follow(workload, outcome)
        for event in events:
            if isinstance(event, Attempt):
                attempt[event.at] = event
                reached |= not event.installed
                wrong = _attempt(event)
            elif isinstance(event.op, Filling):
                wrong = _filled(event.op, event.step, attempt[event.at])
            elif isinstance(event.op, ops.Write):
                asked = event.op.pages * PAGE_SIZE
                wrong = _written(event.step, asked, event.full)
            elif isinstance(event.op, ops.Fill):
                wrong = _written(event.step, None, event.full)
            else:
                wrong = _other(event)
            if wrong:
                return fail(f"step {event.at}: {wrong}")
        for number, pages in enumerate(outcome.state.protected if outcome.state else ()):
            if wrong := _protection(ledger.maps[number], pages):
                return fail(f"map {number}: {wrong}")
        return passed(reached=reached)


def _name(reasons: frozenset[int]) -> str:
    return " or ".join(sorted(errno.errorcode[reason] for reason in reasons)) or "nothing"


def _attempt(event: Attempt) -> str:
    if event.installed and event.barred:
        return f"page {event.page} was filled, where {_name(event.barred)} was due"
    return ""


def _filled(op: Filling, step: Step, last: Attempt) -> str:
    """Judge what a copy or the like returned. `last` is the last page that it came to."""
    if step.copy is None:
        early = -step.ret in _UNWRITTEN and -step.ret in last.reasons
        return "" if early else f"returned {_result(step)} and did not write the byte count"
    if step.copy == op.pages * last.size:
        return "" if step.ret == 0 else f"filled every page and returned {_result(step)}"
    if step.copy > 0:
        return _filled_some(step, step.copy, op.pages, last)
    return _filled_none(step, last)


def _filled_none(step: Step, last: Attempt) -> str:
    if step.ret != step.copy:
        return f"returned {_result(step)}, and {step.copy} as byte count"
    if last.page:
        return f"returned {_result(step)} after it had filled {last.page} pages"
    if -step.ret not in last.reasons:
        return f"returned {_result(step)}, where {_name(last.reasons)} was due"
    return ""


def _filled_some(step: Step, count: int, pages: int, last: Attempt) -> str:
    done, rest = divmod(count, last.size)
    if rest or done > pages:
        return f"the byte count is {count}, of {pages * last.size}"
    if step.ret != -errno.EAGAIN:
        return f"filled {done} of {pages} pages and returned {_result(step)}"
    if last.page > done:
        return f"the byte count is {count}, after {last.page} pages were filled"
    if not last.reasons:
        return f"stopped after {done} of {pages} pages for no reason"
    return ""


def _protection(mapping: Mapping, seen: str) -> str:
    """Judge which pages are write-protected: "1" in `seen`."""
    for page in mapping.present - mapping.unsure if seen else ():
        if (page in mapping.protected) != (seen[page] == "1"):
            wrongly = "not" if page in mapping.protected else "for no reason"
            return f"page {page} is {wrongly} write-protected"
    return ""


def _written(step: Step, asked: int | None, full: bool) -> str:  # noqa: FBT001 - a plain fact
    """Judge a write of so many bytes; None: of as many as were free."""
    if step.ret == (step.ret if asked is None else asked) and step.ret >= 0:
        return ""
    if step.ret != -errno.ENOSPC and not (asked and 0 < step.ret < asked):
        return f"wrote {_result(step)} of {'all' if asked is None else asked} bytes"
    # A short write: only a full mount, or a limit of memory, cuts it short.
    return "" if full else f"returned {_result(step)} with blocks free"


def _other(event: Returned) -> str:
    step = event.step
    if step.ret == 0 or -step.ret in _MAY_FAIL.get(type(event.op), ()):
        return ""
    return f"returned {_result(step)}"


def _result(step: Step) -> str:
    return errno.errorcode.get(-step.ret, str(step.ret)) if step.ret < 0 else str(step.ret)
