# SPDX-License-Identifier: GPL-2.0-only
"""Faults: calls inside the kernel that fail because a workload says so, and the sites they have.

Only calls count that are made for a page which userfaultfd fills (inside mfill_atomic_pte()), and
only from the first operation on. A site has its functions in `difftest/model/faults.py` and in
`difftest/kernels/knobs/`; the guest agent tells the kernel.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

KEEPS_PAGE = "callee_keeps_page"
"""The site of a callee that breaks its contract, not one that fails."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place where calls can be made to fail; `errors` are those that a fault may name there.

    "0" stands for a call that says it succeeded.
    """

    name: str
    about: str
    errors: tuple[str, ...]


SITES = {
    one.name: one
    for one in (
        Site(
            "block_charge",
            "shmem_inode_acct_block(): no block of the mount is left.\n\n"
            "It has no errno of its own: UFFDIO_COPY makes ENOMEM of it. In 6.12 it is called "
            "shmem_inode_acct_blocks().",
            ("ENOMEM",),
        ),
        Site(
            "page_alloc",
            "The allocation of the page that is to be filled: there is no memory left.\n\n"
            "shmem_alloc_folio() (5.10: shmem_alloc_page()) for a page of a file, and "
            "alloc_page_vma() (6.12: vma_alloc_folio()) for a private one.",
            ("ENOMEM",),
        ),
        Site(
            "cache_insert",
            "shmem_add_to_page_cache(): there is no memory, or there is a page already.",
            ("ENOMEM", "EEXIST"),
        ),
        Site(
            "pte_install",
            "mfill_atomic_install_pte(): the page is in place already, or beyond the end of the "
            "file.\n\n"
            "In 5.10, which has no such function, where it checks that the entry is free, after "
            "the size of the file.",
            ("EEXIST", "EFAULT"),
        ),
        Site(
            KEEPS_PAGE,
            "mfill_atomic_pte() does nothing and leaves the page to its caller, against their "
            "contract.\n\n"
            "Only calls count that come in with a page, as the one after a stop does. This shows "
            "what BUG_ON(page) in the caller guards against.",
            ("0", "ENOMEM", "EEXIST", "EFAULT"),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Fault:
    """The `call`-th call of a site, counted from 1, does nothing and returns `error`."""

    site: str
    call: int
    error: str

    @property
    def errno(self) -> int:
        """Return the number of the error, 0 for one that is none."""
        return getattr(errno, self.error) if self.error != "0" else 0
