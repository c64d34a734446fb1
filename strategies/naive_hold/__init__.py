# SPDX-License-Identifier: GPL-2.0-only
"""Keeps the block charged across the retry, so that the retry cannot fail for want of it."""

from difftest.strategy import from_folder

STRATEGY = from_folder(
    __file__,
    claim="Keeps the block charged across the retry, so that the retry cannot fail for want of it.",
    function="shmem_mfill_atomic_pte",
    reference="the order of the code before cb658a453b93",
    weakness="A caller that never comes back (mapping gone, source gone) leaks the block.",
    history="The code of 4.11 before cb658a453b93, which gave the block back because of that leak.",
    must_fail=("block_accounting",),
)
