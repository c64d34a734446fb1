# SPDX-License-Identifier: GPL-2.0-only
"""mm/rmap.c of Linux 6.1, as far as it counts: a page enters and leaves page tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.model.objects import VM_UFFD_WP, put_page

from . import mlock

if TYPE_CHECKING:
    from difftest.model.objects import Page, Pte, Vma


def page_add_file_rmap(page: Page, vma: Vma) -> None:
    page.mapcount += 1
    mlock.mlock_vma_page(page, vma)


def page_add_new_anon_rmap(page: Page) -> None:
    page.swapbacked = True
    page.mapcount = 1


def page_remove_rmap(page: Page, vma: Vma) -> None:
    page.mapcount -= 1
    mlock.munlock_vma_page(page, vma)


def zap_pte(vma: Vma, address: int) -> None:
    """The part of zap_pte_range() for one entry: remove it with its reference."""
    pte = vma.vm_mm.ptes.pop(address)
    pte_install_uffd_wp_if_needed(vma, address, pte)
    if pte.page is None:
        return
    if pte.dirty and pte.page.mapping:
        pte.page.dirty = True
    page_remove_rmap(pte.page, vma)
    put_page(pte.page)


def pte_install_uffd_wp_if_needed(vma: Vma, address: int, pte: Pte) -> None:
    """Of mm_inline.h: an entry of a file that was write-protected leaves a marker of that."""
    if not vma.vm_file or not vma.vm_flags & VM_UFFD_WP:
        return
    if pte.uffd_wp:
        vma.vm_mm.markers[address] = True
