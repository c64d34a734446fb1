# SPDX-License-Identifier: GPL-2.0-only
"""Counts the page for the file after it is mapped; leaves it in the cache where mapping fails.

Nothing that a workload does lets the mapping of a new page fail: it takes an injected failure.
"""

from difftest.strategy import from_folder

STRATEGY = from_folder(
    __file__,
    claim=(
        "Counts the page for the file after it is mapped; leaves it in the cache where mapping "
        "fails."
    ),
    function="shmem_mfill_atomic_pte",
    reference="version 5 of what became 7d64ae3ab648",
    weakness="The page stays in the cache, up to date, on no LRU list and counted for nobody.",
    history=(
        "Reviewed on 27 April 2021: Hugh Dickins saw that delete_from_page_cache() was gone; "
        "the BUG was found in the same mail."
    ),
    base="release_page",
)
