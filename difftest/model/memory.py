# SPDX-License-Identifier: GPL-2.0-only
"""Memory management below the code under test: pages, user memory, mmap_lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.model.kernel import BUG_ON, ENOMEM, PAGE_SIZE, Fault, May, Wait
from difftest.model.objects import Inode, Memory, Mm, Page, PageRef, SwpEntry, find_vma

if TYPE_CHECKING:
    from collections.abc import Iterator


def alloc_page(memory: Memory) -> Page:
    page = Page()
    memory.pages.append(page)
    return page


def read_swap_page(memory: Memory, swap: SwpEntry) -> Page:
    """Read a page back from swap: not for a file, or a process, but for the cache of swap."""
    page = alloc_page(memory)
    page.content = swap.content
    return page


def mem_cgroup_charge(page: Page, mm: Mm) -> int:  # noqa: ARG001 - what the kernel passes
    """Charge the memory control group. No workload limits one, so it succeeds."""
    return 0


def vm_enough_memory(memory: Memory, pages: int) -> int:
    """__vm_enough_memory(): with overcommit_memory=0 it refuses only what could never fit."""
    memory.vm_committed_as += pages
    if memory.commit_limit is not None and memory.vm_committed_as > memory.commit_limit:
        memory.vm_committed_as -= pages
        return -ENOMEM
    return 0


def mmap_read_lock(mm: Mm) -> Iterator[str]:
    yield "mmap_read_lock"
    mm.readers += 1


def mmap_read_unlock(mm: Mm) -> None:
    BUG_ON(mm.readers <= 0)
    mm.readers -= 1


def mmap_write_lock(mm: Mm) -> Iterator[Wait]:
    """Wait until nobody reads. Who writes never stops, so nobody ever sees the lock taken."""
    yield Wait("mmap_write_lock", lambda: not mm.readers)


def inode_lock(inode: Inode) -> Iterator[Wait]:
    yield Wait("inode_lock", lambda: not inode.i_rwsem)
    inode.i_rwsem = True


def inode_unlock(inode: Inode) -> None:
    BUG_ON(not inode.i_rwsem)
    inode.i_rwsem = False


def _pages(address: int) -> range:
    """Return the pages that a page's worth of bytes from an address touches."""
    first = address - address % PAGE_SIZE
    return range(first, address + PAGE_SIZE, PAGE_SIZE)


def _fill(mm: Mm, page: Page, address: int) -> None:
    """Put what is at an address into a page: aligned, or in the middle of a page."""
    halves = [half for at in _pages(address) for half in mm.source[at]]
    found = halves[1:3] if address % PAGE_SIZE else halves
    page.content = found[0] if found[0] == found[1] else -1


def copy_from_user_nofault(mm: Mm, page: Page, address: int) -> int:
    """Copy a page with page faults disabled; return how many bytes could not be copied."""
    if any(at not in mm.source for at in _pages(address)):
        return PAGE_SIZE
    _fill(mm, page, address)
    return 0


def copy_from_user(mm: Mm, pagep: PageRef, address: int) -> May[int]:
    """Copy a page, waiting for its faults; return how many bytes could not be copied."""
    page = pagep.page
    assert page is not None  # noqa: S101 - the caller has checked
    at = address - address % PAGE_SIZE
    while at < address + PAGE_SIZE:
        if at in mm.source:
            at += PAGE_SIZE
            continue
        vma = find_vma(mm, at)
        if not vma or vma.vm_start > at:
            return PAGE_SIZE
        if not vma.ctx:
            mm.source[at] = (0, 0)
            continue
        yield Fault(at)
        if mm.fatal_signal_pending:
            return PAGE_SIZE
    _fill(mm, page, address)
    return 0
