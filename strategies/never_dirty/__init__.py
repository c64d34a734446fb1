# SPDX-License-Identifier: GPL-2.0-only
"""Installs the page clean: neither the entry nor the page is marked dirty.

On 5.10 shmem_mfill_atomic_pte does so itself; since 5.14 mfill_atomic_install_pte does, for pages
of files and for anonymous ones, which stay dirty here.
"""

from difftest.strategy import from_folder

STRATEGY = from_folder(
    __file__,
    claim="Installs the page clean: neither the entry nor the page is marked dirty.",
    function="mfill_atomic_install_pte",
    reference="what the review of install_pte feared of set_page_dirty()",
    weakness="Reclaim takes a clean page for one that has its contents elsewhere, and drops it.",
    history=(
        "Never proposed: Peter Xu feared it of version 5, whose author showed that the page was "
        "marked."
    ),
    base="release_page",
    must_fail=("dirty",),
)
