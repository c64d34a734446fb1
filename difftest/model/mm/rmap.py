# SPDX-License-Identifier: GPL-2.0-only
"""mm/rmap.c of Linux 6.1, as far as it counts: a page enters and leaves page tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.model.objects import put_page

from . import mlock

if TYPE_CHECKING:
    from difftest.model.objects import Page, Vma


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
    if pte.page is None:
        return
    if pte.dirty and pte.page.mapping:
        pte.page.dirty = True
    page_remove_rmap(pte.page, vma)
    put_page(pte.page)
