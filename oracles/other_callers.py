# SPDX-License-Identifier: GPL-2.0-only
"""other_callers: nobody but a copy to a shared file can reach an assertion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.ledger import Attempt, Filling, follow
from difftest.outcome import Ending
from difftest.verdict import Value, Verdict, fail
from difftest.workload import ops
from difftest.workload.limits import PAGE_SIZE

if TYPE_CHECKING:
    from difftest.ledger import Ledger, Mapping
    from difftest.outcome import Outcome
    from difftest.workload.workload import Workload


class OtherCallers:
    """Asks whether the other users of the retry loop can crash the kernel, each by itself.

    Copies to private mappings of files, to anonymous, shared anonymous and hugetlb memory, that
    stopped and were tried again; zeropage and continue with no block left. What a copy goes into is
    what is mapped there when it comes back. A crash counts for what was in progress then; one that
    comes to light later counts for nobody here (`no_kernel_bug` has it).

    Reached if one of them was: results count each kind.
    """

    name = "other_callers"
    question = "do the other callers never crash it?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        ledger, events = follow(workload, outcome)
        kinds: dict[str, None] = {}
        for event in events:
            if isinstance(event, Attempt) and event.entered:
                copy = isinstance(event.op, ops.Copying)
                if event.retried if copy else event.full:
                    kinds[_kind(ledger, event.op, event.mapping)] = None
        if outcome.ending is Ending.CRASHED:
            at, op = ledger.interrupted() or ("", None)
            kind = _kind(ledger, op, ledger.maps[op.map]) if isinstance(op, Filling) else ""
            if kind:
                return fail(f"{outcome.title}, in step {at}: {kind}", (kind,))
        kinds.pop("", None)
        return Verdict(Value.PASS, reached=bool(kinds), kinds=tuple(kinds))


def _kind(ledger: Ledger, op: Filling, mapping: Mapping) -> str:
    """Name the caller; "" for a copy to a shared file, and for what is none."""
    if isinstance(op, ops.Zeropage | ops.Continue):
        return op.name
    if not isinstance(op, ops.Copying):
        return ""
    if mapping.size != PAGE_SIZE:
        return "hugetlb copy"
    if not mapping.shared:
        return "private copy" if mapping.book else "anonymous copy"
    of_file = any(mapping.book is book for book in ledger.files)
    return "" if of_file else "shared anonymous copy"
