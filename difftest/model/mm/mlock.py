# SPDX-License-Identifier: GPL-2.0-only
"""mm/mlock.c of Linux 6.1: which pages are Mlocked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.model.kernel import PAGE_SIZE
from difftest.model.objects import VM_LOCKED

if TYPE_CHECKING:
    from difftest.model.objects import Page, Vma


def mlock_vma_page(page: Page, vma: Vma) -> None:
    if vma.vm_flags & VM_LOCKED:
        page.mlock_count += 1


def munlock_vma_page(page: Page, vma: Vma) -> None:
    if vma.vm_flags & VM_LOCKED and page.mlock_count:
        page.mlock_count -= 1


def lru_cache_add_inactive_or_unevictable(page: Page, vma: Vma) -> None:
    """Of mm/swap.c."""
    page.lru = True
    mlock_vma_page(page, vma)


def mlock_onfault(vma: Vma) -> None:
    """mlock2(MLOCK_ONFAULT) of a whole mapping."""
    if vma.vm_flags & VM_LOCKED:
        return
    vma.vm_flags |= VM_LOCKED
    for address in range(vma.vm_start, vma.vm_end, PAGE_SIZE):
        pte = vma.vm_mm.ptes.get(address)
        if pte and pte.page:
            mlock_vma_page(pte.page, vma)
