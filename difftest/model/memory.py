# SPDX-License-Identifier: GPL-2.0-only
"""Memory management below the code under test: pages, user memory, mmap_lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.model.kernel import BUG_ON, PAGE_SIZE, Fault, May
from difftest.model.objects import Memory, Mm, Page, PageRef, find_vma

if TYPE_CHECKING:
    from collections.abc import Iterator


def alloc_page(memory: Memory) -> Page:
    page = Page()
    memory.pages.append(page)
    return page


def vm_enough_memory(memory: Memory, pages: int) -> int:
    """__vm_enough_memory() with overcommit_memory=0, which refuses only what could never fit."""
    memory.vm_committed_as += pages
    return 0


def mmap_read_lock(mm: Mm) -> Iterator[str]:
    yield "mmap_read_lock"
    mm.readers += 1


def mmap_read_unlock(mm: Mm) -> None:
    BUG_ON(mm.readers <= 0)
    mm.readers -= 1


def copy_from_user_nofault(mm: Mm, page: Page, address: int) -> int:
    """Copy a page with page faults disabled; return how many bytes could not be copied."""
    if address not in mm.anonymous:
        return PAGE_SIZE
    page.content = mm.anonymous[address]
    return 0


def copy_from_user(mm: Mm, pagep: PageRef, address: int) -> May[int]:
    """Copy a page, waiting for its faults; return how many bytes could not be copied."""
    page = pagep.page
    assert page is not None  # noqa: S101 - the caller has checked
    while address not in mm.anonymous:
        vma = find_vma(mm, address)
        if not vma or vma.vm_start > address:
            return PAGE_SIZE
        yield Fault(address)
    page.content = mm.anonymous[address]
    return 0
