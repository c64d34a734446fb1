# SPDX-License-Identifier: GPL-2.0-only
"""guard: a page that a callee forgets to consume never ends up in the place of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest import guarding
from difftest.ledger import follow
from difftest.verdict import UNREACHED, Value, Verdict, fail, unknown

if TYPE_CHECKING:
    from difftest.ledger import Ledger, Suspect
    from difftest.outcome import Outcome, State
    from difftest.workload.workload import Workload


class Guard:
    """Judges what happens after mfill_atomic_pte() was made to keep the page it came with.

    Stopped: an assertion ends the kernel at once. Contained: the copy returns, and every page that
    it came to with the kept one holds what it should, is gone, or was filled anew. Silent
    corruption, which is the failure: such a page holds something else. That the kept page itself
    is not in place, though the callee said so, no caller can know, and nobody is blamed for it.

    What a fix guards against is no failure of its own: who lets it through comes after those that
    do not, and is not out for it.

    Reached if such a fault hit.
    """

    name = "guard"
    question = "is a forgotten page kept out of the place of others?"
    ranks = True
    of_guards = True

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        fault = next(guarding.kept(workload, outcome), None)
        if fault is None:
            return UNREACHED
        if guarding.stopped(workload, outcome):
            return Verdict(Value.PASS, f"stopped: {outcome.title}")
        if outcome.state is None:
            return unknown(f"the kernel crashed later on: {outcome.title}")
        ledger, _ = follow(workload, outcome)
        for one in ledger.suspects:
            found = _found(ledger, one, outcome.state)
            expected = one.flight.tag(one.page)
            if found is not None and found != expected:
                return fail(f"silent corruption: {_place(one)} {_words(one, found)}")
        returned = f"mfill_atomic_pte() returned {fault.error} and kept the page"
        return Verdict(Value.PASS, f"contained: {returned}, and no other page is wrong")


def _found(ledger: Ledger, one: Suspect, state: State) -> int | None:
    """Return what is where a suspect was put; None if it is not there any more."""
    mapping, page, tag = one.mapping, one.flight.op.page + one.page, one.flight.tag(one.page)
    book = mapping.book if mapping.shared else None
    index = mapping.offset + page
    if (book.pages.get(index) if book else mapping.own.get(page)) != tag:
        return None
    for other, tags in zip(ledger.maps, state.maps, strict=True):
        if other is mapping and tags and tags[page] is not None:
            return tags[page]
    files = zip(ledger.files, state.files, strict=True)
    content = next((file.content for other, file in files if other is book), ())
    return content[index] if index < len(content) else None


def _place(one: Suspect) -> str:
    return f"page {one.flight.op.page + one.page} of map {one.flight.op.map}"


def _words(one: Suspect, found: int) -> str:
    kept = [page for page in sorted(one.flight.kept) if one.flight.tag(page) == found]
    whose = f"what was meant for page {one.flight.op.page + kept[-1]}" if kept else "something else"
    return f"holds {whose}, after step {one.flight.at}"
