# SPDX-License-Identifier: GPL-2.0-only
"""stale_cache: the page cache holds what operations put there, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.ledger import Attempt, follow
from difftest.readback import difference
from difftest.verdict import fail, passed, unknown

if TYPE_CHECKING:
    from difftest.outcome import Outcome
    from difftest.verdict import Verdict
    from difftest.workload.workload import Workload


class StaleCache:
    """Looks for pages in the cache of a file, or contents, that no successful operation put there.

    Cached pages are seen by mincore(), also beyond the end of the file, where they would come to
    light when it grows. Such a page was left behind by an operation that failed: it may be up to
    date, on no list of the kernel's and not counted by st_blocks. It cannot see the cache of shared
    anonymous memory, which has no file to look at, nor a page that was there for a while only.

    Reached if a copy or the like failed on a page of a file after it was charged or allocated, or
    went on with one that it had copied while no lock was held.
    """

    name = "stale_cache"
    question = "is nothing in the page cache that nobody put there?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:
        ledger, events = follow(workload, outcome)
        reached = False
        for event in events:
            if isinstance(event, Attempt) and event.entered:
                mapping = event.mapping
                of_file = mapping.shared and any(mapping.book is book for book in ledger.files)
                reached |= of_file and (event.retried or not event.installed)
        if outcome.state is None:
            return unknown("the kernel crashed before the end")
        for number, (book, file) in enumerate(zip(ledger.files, outcome.state.files, strict=True)):
            for page, tag in enumerate(file.content):
                if tag and page not in book.pages:
                    return fail(f"page {page} of file {number} {difference(tag, 0)}")
            for page, cached in enumerate(file.cached):
                if cached == "1" and page not in book.pages:
                    where = "" if page < book.size else ", beyond its end"
                    return fail(
                        f"page {page} of file {number} is in the page cache{where}, and nothing "
                        "put it there"
                    )
        return passed(reached=reached)
