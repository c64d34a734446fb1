# SPDX-License-Identifier: GPL-2.0-only
"""As release_page, but unlocks the page before it puts it."""

from difftest.strategy import from_folder

STRATEGY = from_folder(
    __file__,
    claim="As release_page, but unlocks the page before it puts it.",
    function="shmem_mfill_atomic_pte",
    reference="first version of the fix, 28 April 2021",
    weakness="The page was never locked: a kernel with DEBUG_VM stops at the unlock.",
    history="First version of the fix: a reviewer saw that VM_BUG_ON_PAGE() would stop it.",
    must_fail=("no_kernel_bug",),
)
