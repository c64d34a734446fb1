# SPDX-License-Identifier: GPL-2.0-only
"""mm/mmap.c and its neighbours in Linux 6.1: mapping, moving, locking, zapping, reclaiming.

Ranges are whole pages; a mapping is changed as a whole or not at all, so none is ever split.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.model.kernel import EFAULT, EINVAL, ENOMEM
from difftest.model.objects import (
    VM_HUGETLB,
    VM_LOCKED,
    VM_SHARED,
    VM_UFFD_WP,
    VM_WRITE,
    Mm,
    Pte,
    SwpEntry,
    Vma,
    filemap_remove_folio,
    find_vma,
    folio_unlock,
    get_page,
    is_vm_hugetlb_page,
    put_page,
    vma_kernel_pagesize,
)

from . import mlock, shmem
from .rmap import zap_pte

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.model.objects import Page


def _present(vma: Vma, start: int, end: int) -> Iterator[int]:
    """Yield the addresses in a mapping that have a page-table entry, and stay in a range."""
    first, last = max(start, vma.vm_start), min(end, vma.vm_end)
    for address in range(first, last, vma_kernel_pagesize(vma)):
        if address in vma.vm_mm.ptes:
            yield address


def _at(mm: Mm, start: int) -> Vma | None:
    vma = find_vma(mm, start)
    return vma if vma and vma.vm_start <= start else None


def mmap(vma: Vma) -> None:
    """Add a mapping; what it covers was unmapped before."""
    vma.vm_mm.vmas.append(vma)
    if vma.vm_file:
        vma.vm_file.i_mapping.i_mmap.append(vma)


def munmap(mm: Mm, start: int) -> None:
    """Remove the mapping that begins at an address, if there is one."""
    vma = _at(mm, start)
    if not vma:
        return
    zap_page_range(vma, vma.vm_start, vma.vm_end)
    drop_markers(vma)
    mm.vmas.remove(vma)
    if vma.vm_file:
        vma.vm_file.i_mapping.i_mmap.remove(vma)


def mremap(mm: Mm, start: int, to: int) -> int:
    """Move the mapping at an address; userfaultfds that did not ask for EVENT_REMAP lose it."""
    vma = _at(mm, start)
    if not vma:
        return -EFAULT
    for address in list(_present(vma, vma.vm_start, vma.vm_end)):
        mm.ptes[address - start + to] = pte = mm.ptes.pop(address)
        pte.uffd_wp = False
    drop_markers(vma)
    vma.vm_start, vma.vm_end = to, to + vma.vm_end - vma.vm_start
    vma.ctx = None
    vma.vm_flags &= ~VM_UFFD_WP
    return 0


def mprotect(mm: Mm, start: int, *, write: bool) -> int:
    vma = _at(mm, start)
    if not vma:
        return -ENOMEM
    vma.vm_flags = vma.vm_flags | VM_WRITE if write else vma.vm_flags & ~VM_WRITE
    for address in _present(vma, vma.vm_start, vma.vm_end):
        if not write:
            mm.ptes[address].write = False
    return 0


def mlock_onfault(mm: Mm, start: int) -> int:
    vma = _at(mm, start)
    if not vma:
        return -ENOMEM
    mlock.mlock_onfault(vma)
    return 0


def zap_page_range(vma: Vma, start: int, end: int) -> None:
    for address in list(_present(vma, start, end)):
        zap_pte(vma, address)


def drop_markers(vma: Vma) -> None:
    """What ZAP_FLAG_DROP_MARKER asks for."""
    markers = vma.vm_mm.markers
    for address in [one for one in markers if vma.vm_start <= one < vma.vm_end]:
        del markers[address]


def uffd_wp_range(vma: Vma) -> None:
    """Lift the write-protection of a whole mapping: MM_CP_UFFD_WP_RESOLVE."""
    for address in _present(vma, vma.vm_start, vma.vm_end):
        vma.vm_mm.ptes[address].uffd_wp = False
    drop_markers(vma)


def can_madv_lru_vma(vma: Vma) -> bool:
    return not vma.vm_flags & (VM_LOCKED | VM_HUGETLB)


def madvise_dontneed_free_valid_vma(vma: Vma, start: int, end: int) -> int:
    """Return where the range ends that MADV_DONTNEED is for, or an errno."""
    if not is_vm_hugetlb_page(vma):
        return -EINVAL if vma.vm_flags & VM_LOCKED else end
    if start % vma_kernel_pagesize(vma):
        return -EINVAL
    return end - end % vma_kernel_pagesize(vma)


def madvise_pageout(mm: Mm, start: int, end: int) -> int:
    """MADV_PAGEOUT: pages of files lose their mapping; what is clean or goes to swap is freed."""
    vma = _at(mm, start)
    if not vma:
        return -ENOMEM
    if not can_madv_lru_vma(vma):
        return -EINVAL
    for address in list(_present(vma, start, end)):
        page = mm.ptes[address].page
        if page and page.lru and page.mapcount == 1 and not page.mlock_count:
            _shrink_page(page, vma, address)
    return -ENOMEM if end > vma.vm_end else 0


def _shrink_page(page: Page, vma: Vma, address: int) -> None:
    """The part of shrink_folio_list() that a page which is mapped once comes through."""
    memory = vma.vm_mm.memory
    if not page.mapping:
        # Without swap anonymous memory has nowhere to go.
        if memory.total_swap_pages:
            uffd_wp = vma.vm_mm.ptes[address].uffd_wp
            zap_pte(vma, address)
            vma.vm_mm.markers.pop(address, None)
            swap = SwpEntry(page.content)
            vma.vm_mm.ptes[address] = Pte(None, write=False, swap=swap, uffd_wp=uffd_wp)
        return
    get_page(page)
    zap_pte(vma, address)
    page.locked = True
    if not page.dirty:
        filemap_remove_folio(page)
    elif vma.vm_file:
        shmem.shmem_writepage(page, vma.vm_file, memory)
    folio_unlock(page)
    put_page(page)


def fork(mm: Mm) -> Mm:
    """Copy an address space: page tables only of what is private and has pages."""
    child = Mm(mm.memory)
    for vma in mm.vmas:
        copy = Vma(
            child,
            vma.vm_start,
            vma.vm_end,
            vma.vm_flags & ~(VM_LOCKED | VM_UFFD_WP),
            vma.vm_file,
            vma.vm_pgoff,
        )
        mmap(copy)
        if vma.vm_flags & VM_SHARED:
            continue
        for address in _present(vma, vma.vm_start, vma.vm_end):
            pte = mm.ptes[address]
            if pte.page:
                get_page(pte.page)
                pte.page.mapcount += 1
            pte.write = False
            child.ptes[address] = Pte(pte.page, write=False, swap=pte.swap)
    return child


def exit_mmap(mm: Mm) -> None:
    for vma in list(mm.vmas):
        munmap(mm, vma.vm_start)
