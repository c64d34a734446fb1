# SPDX-License-Identifier: GPL-2.0-only
"""Counts the page for the file before it is mapped, and uncharges it where that fails.

Its flaw needs no failing page table: a copy beyond the end of the file, or to a page that the file
has, leaves by out_release, which does not give the block back any more.
"""

from difftest.strategy import from_folder

STRATEGY = from_folder(
    __file__,
    claim="Counts the page for the file before it is mapped, and uncharges it where that fails.",
    function="shmem_mfill_atomic_pte",
    reference="version 4 of what became 7d64ae3ab648",
    weakness="What fails before the page is counted (end of file, place taken) keeps the block.",
    history=(
        "Reviewed on 20 April 2021: Peter Xu saw that out_release misses a call to give the "
        "block back."
    ),
    base="release_page",
    must_fail=("block_accounting",),
)
