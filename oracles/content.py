# SPDX-License-Identifier: GPL-2.0-only
"""content: what can be read back is what was copied or written, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.ledger import Attempt, Ledger, Mapping
from difftest.verdict import UNREACHED, Verdict, fail, passed, unknown
from difftest.workload import ops

if TYPE_CHECKING:
    from difftest.outcome import Outcome, State
    from difftest.workload.workload import Workload


class Content:
    """Compares every page of every file, and of every mapping that is present, at the end.

    Pages are told apart by a tag of the operation and page that filled them. Private pages must
    also still be there, or not be there any more. What lies in the page cache beyond the end of a
    file it does not look at.

    Reached if a copy filled a page. What is wrong after a callee was made to keep its page is left
    to `guard`.
    """

    name = "content"
    question = "does memory hold what was copied there?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        ledger = Ledger(workload, outcome)
        reached = False
        for event in ledger.walk():
            if isinstance(event, Attempt) and event.installed:
                reached |= isinstance(event.op, ops.Copying)
        state = outcome.state
        if state is None:
            return unknown("the kernel crashed before the end")
        wrong = _in_files(ledger, state) or _in_maps(ledger, state)
        if wrong and ledger.suspects:
            # A callee was made to forget its page: what became of that is the guard's to say.
            return UNREACHED
        return fail(wrong) if wrong else passed(reached=reached)


def _in_files(ledger: Ledger, state: State) -> str:
    for number, (book, file) in enumerate(zip(ledger.files, state.files, strict=True)):
        if book.size != file.size:
            return f"file {number} has {file.size} pages, not {book.size}"
        for page, tag in enumerate(file.content):
            expected = book.pages.get(page, 0)
            if tag != expected:
                return f"page {page} of file {number} {_difference(tag, expected)}"
    return ""


def _in_maps(ledger: Ledger, state: State) -> str:
    for number, (mapping, tags) in enumerate(zip(ledger.maps, state.maps, strict=True)):
        for page, held in enumerate(tags or ()):
            wrong = _in_memory(mapping, page, held)
            if wrong:
                return f"page {page} of map {number} {wrong}"
    return ""


def _in_memory(mapping: Mapping, page: int, held: int | None) -> str:
    """Say what is wrong with a page of a mapping, of which a private one has no other copy."""
    private = not mapping.is_of_file(page)
    if held is None:
        return "is gone" if private and page in mapping.present else ""
    if not mapping.shared and page not in mapping.own:
        return "is there, and should be gone"
    expected = mapping.holds(page)
    return "" if held == expected else _difference(held, expected)


def _difference(found: int, expected: int) -> str:
    return f"holds {_words(found)}, and should hold {_words(expected)}"


def _words(tag: int) -> str:
    if tag == 0:
        return "zeros"
    if tag < 0:
        return "a mixture"
    return f"page {tag % 256 - 1} of what operation {tag // 256 - 1} (counting all) wrote"
