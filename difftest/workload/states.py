# SPDX-License-Identifier: GPL-2.0-only
"""The interesting states: what a workload came through, as its outcome tells."""

from __future__ import annotations

import contextlib
from errno import EAGAIN, EEXIST, EFAULT, EINTR, ENOENT, ENOMEM
from typing import TYPE_CHECKING

from difftest.ledger import Attempt, Ledger
from difftest.outcome import Outcome, Window

if TYPE_CHECKING:
    from difftest.workload.workload import Workload

_AT_RETRY = {
    ENOMEM: "retry with no block left",
    ENOENT: "retry with the destination gone",
    EEXIST: "retry with the page present",
    EFAULT: "retry beyond the end of the file, or with the source gone",
    EAGAIN: "retry while pages are being removed",
    EINTR: "copier killed at its stop",
}

#: Every state, in the order of a report.
STATES = (
    "copy stopped on a missing source page",
    *_AT_RETRY.values(),
    "retry that succeeded",
    "first try with no block left",
    "partial copy",
)


def states_of(workload: Workload, outcome: Outcome) -> tuple[str, ...]:
    """Return the states that a workload came through, in the order of STATES.

    As far as its outcome can be followed: one that lacks a result ends there.
    """
    found = set()
    if any(isinstance(one, Window) for one in outcome.trace):
        found.add(STATES[0])
    ledger = Ledger(workload, outcome)
    with contextlib.suppress(LookupError):
        for event in ledger.walk():
            if isinstance(event, Attempt):
                found |= _states_at(event)
    return tuple(state for state in STATES if state in found)


def _states_at(event: Attempt) -> set[str]:
    found = set()
    if event.retried:
        found |= {_AT_RETRY[reason] for reason in event.reasons if reason in _AT_RETRY}
        if event.installed:
            found.add("retry that succeeded")
    elif ENOMEM in event.reasons:
        found.add("first try with no block left")
    if event.page and not event.installed:
        found.add("partial copy")
    return found
