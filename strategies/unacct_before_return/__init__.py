# SPDX-License-Identifier: GPL-2.0-only
"""Gives the block back before -ENOENT returns, and charges again on the retry."""

from difftest.strategy import from_folder

STRATEGY = from_folder(
    __file__,
    claim="Gives the block back before -ENOENT returns, and charges again on the retry.",
    function="shmem_mfill_atomic_pte",
    reference="cb658a453b93",
    weakness="Mends the leak of its base and brings the failing charge on the retry back: the BUG.",
    history="Merged for 4.11 as the mend of that leak; it made the BUG possible.",
    base="naive_hold",
    must_fail=("no_kernel_bug",),
)
