# SPDX-License-Identifier: GPL-2.0-only
"""lru: pages of locked memory are on the list of those that cannot be reclaimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.ledger import follow
from difftest.verdict import fail, passed, unknown

if TYPE_CHECKING:
    from difftest.ledger import Mapping
    from difftest.outcome import Outcome
    from difftest.verdict import Verdict
    from difftest.workload.workload import Workload


class Lru:
    """Counts mlocked and unevictable pages against the pages that locked mappings have.

    For information: a page on another list is found out when it is to be reclaimed, and put
    right. It counts and knows no page by itself: two errors may make up for each other. Not
    counted are pages of zeros and private pages that may be in swap, of which nobody knows
    whether they should be.

    Reached if a locked mapping has a page in the end.
    """

    name = "lru"
    question = "is locked memory on the list of what cannot be reclaimed?"
    informational = True

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        ledger, _ = follow(workload, outcome)
        state = outcome.state
        if state is None:
            return unknown("the kernel crashed before the end")
        locked = [one for one in ledger.maps if one.locked]
        sure = {page for one in locked for page in _pages(one, one.present)}
        perhaps = {
            page for one in locked for page in _pages(one, one.present | one.doubtful, sure=False)
        }
        if not len(sure) <= state.mlocked <= len(perhaps):
            count = f"{len(sure)}" + (f" to {len(perhaps)}" if len(perhaps) > len(sure) else "")
            return fail(f"{state.mlocked} pages are mlocked, and locked mappings have {count}")
        if state.unevictable != state.mlocked:
            return fail(
                f"{state.mlocked} pages are mlocked, and {state.unevictable} are on the list of "
                "those that cannot be reclaimed"
            )
        return passed(reached=bool(sure))


def _pages(mapping: Mapping, pages: set[int], *, sure: bool = True) -> set[tuple[int, int]]:
    """Return what is mapped at some pages: a page of a file counts once for all its mappings."""
    found = set()
    for page in pages:
        if mapping.is_of_file(page):
            found.add((id(mapping.book), mapping.offset + page))
        elif not sure or (mapping.own[page] and page not in mapping.reclaimed):
            found.add((id(mapping), page))
    return found
