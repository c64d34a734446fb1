# SPDX-License-Identifier: GPL-2.0-only
"""mm/hugetlb.c of Linux 6.1: the pool of huge pages, its reservations, UFFDIO_COPY into them.

Left out, because no workload reaches it: private mappings, pages of more than one size, subpools,
control groups, surplus pages, and files that anything else than their mapping changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.model.kernel import (
    EEXIST,
    EFAULT,
    ENOENT,
    ENOMEM,
    ENOSPC,
    HPAGE_SHIFT,
    PAGE_SHIFT,
    VM_BUG_ON,
    May,
)
from difftest.model.memory import copy_from_user_nofault
from difftest.model.objects import (
    VM_NORESERVE,
    VM_WRITE,
    AddressSpace,
    Hstate,
    Inode,
    Memory,
    Mm,
    Page,
    PageRef,
    Pte,
    Vma,
    filemap_remove_folio,
    folio_unlock,
    get_page,
    put_page,
)

from .rmap import page_add_file_rmap

if TYPE_CHECKING:
    from collections.abc import Iterable

MCOPY_ATOMIC_CONTINUE = 2


def vma_hugecache_offset(vma: Vma, address: int) -> int:
    return ((address - vma.vm_start) >> HPAGE_SHIFT) + (vma.vm_pgoff << PAGE_SHIFT >> HPAGE_SHIFT)


def available_huge_pages(h: Hstate) -> int:
    return h.free_huge_pages - h.resv_huge_pages


def region_chg(resv_map: dict[int, bool], pages: Iterable[int]) -> int:
    """Return how many pages a map of reservations does not have."""
    return sum(page not in resv_map for page in pages)


def region_add(resv_map: dict[int, bool], pages: Iterable[int]) -> int:
    """Add pages to a map of reservations; return how many it did not have."""
    before = len(resv_map)
    for page in pages:
        resv_map[page] = True
    return len(resv_map) - before


def region_del(resv_map: dict[int, bool], pages: Iterable[int]) -> int:
    """Take pages out of a map of reservations; return how many it had."""
    return sum(resv_map.pop(page, False) for page in pages)


def hugetlb_acct_memory(h: Hstate, delta: int) -> int:
    if delta > 0 and available_huge_pages(h) < delta:
        return -ENOMEM
    h.resv_huge_pages += delta
    return 0


def hugetlb_reserve_pages(inode: Inode, start: int, end: int, vm_flags: int, h: Hstate) -> bool:
    if vm_flags & VM_NORESERVE:
        return True

    chg = region_chg(inode.resv_map, range(start, end))
    if hugetlb_acct_memory(h, chg) < 0:
        return False

    region_add(inode.resv_map, range(start, end))
    return True


def hugetlb_unreserve_pages(inode: Inode, freed: int, h: Hstate) -> None:
    """Give all reservations of a file back, except those that `freed` pages had used."""
    chg = region_del(inode.resv_map, tuple(inode.resv_map))
    hugetlb_acct_memory(h, freed - chg)


def _resv_map(vma: Vma) -> dict[int, bool]:
    assert vma.vm_file is not None  # noqa: S101 - the C code would follow a null pointer
    return vma.vm_file.resv_map


def vma_needs_reservation(vma: Vma, address: int) -> int:
    return region_chg(_resv_map(vma), (vma_hugecache_offset(vma, address),))


def vma_commit_reservation(vma: Vma, address: int) -> int:
    return region_add(_resv_map(vma), (vma_hugecache_offset(vma, address),))


def vma_add_reservation(vma: Vma, address: int) -> int:
    return region_add(_resv_map(vma), (vma_hugecache_offset(vma, address),))


def vma_del_reservation(vma: Vma, address: int) -> int:
    return region_del(_resv_map(vma), (vma_hugecache_offset(vma, address),))


def restore_reserve_on_error(vma: Vma, address: int, page: Page) -> None:
    rc = vma_needs_reservation(vma, address)

    if page.restore_reserve:
        if rc:
            vma_add_reservation(vma, address)
    elif not rc:
        vma_del_reservation(vma, address)


def vma_has_reserves(chg: int) -> bool:
    """Of a shared mapping, with VM_NORESERVE or without."""
    return not chg


def dequeue_huge_page_vma(h: Hstate, chg: int) -> Page | None:
    if not vma_has_reserves(chg) and available_huge_pages(h) == 0:
        return None

    if not h.free_huge_pages:
        return None
    page = _dequeue(h)
    if vma_has_reserves(chg):
        page.restore_reserve = True
        h.resv_huge_pages -= 1
    return page


def _dequeue(h: Hstate) -> Page:
    h.free_huge_pages -= 1
    return Page(content=-1, hstate=h, dtor=free_huge_page)


def free_huge_page(page: Page) -> None:
    h = page.hstate
    assert h is not None  # noqa: S101 - the C code would follow a null pointer
    restore_reserve = page.restore_reserve
    page.restore_reserve = False
    if restore_reserve:
        h.resv_huge_pages += 1
    h.free_huge_pages += 1


def alloc_huge_page(vma: Vma, address: int) -> Page | int:
    h = vma.vm_mm.memory.hstate
    chg = vma_needs_reservation(vma, address)

    page = dequeue_huge_page_vma(h, chg)
    if not page:
        # With nr_overcommit_hugepages at 0 the pool does not grow.
        return -ENOSPC

    vma_commit_reservation(vma, address)
    return page


def alloc_huge_page_vma(h: Hstate) -> Page:
    """alloc_huge_page_nodemask(): from the pool, or else one that does not stay in it."""
    if available_huge_pages(h):
        return _dequeue(h)
    return alloc_migrate_huge_page(h)


def alloc_migrate_huge_page(h: Hstate) -> Page:
    h.nr_huge_pages += 1
    h.temporary += 1
    return Page(content=-1, hstate=h, dtor=free_temporary_huge_page)


def free_temporary_huge_page(page: Page) -> None:
    """The way of one with HPageTemporary through free_huge_page()."""
    h = page.hstate
    assert h is not None  # noqa: S101 - the C code would follow a null pointer
    h.nr_huge_pages -= 1
    h.temporary -= 1


def hugetlbfs_pagecache_present(vma: Vma, address: int) -> bool:
    assert vma.vm_file is not None  # noqa: S101 - the C code would follow a null pointer
    return vma_hugecache_offset(vma, address) in vma.vm_file.i_mapping.i_pages


def hugetlb_add_to_page_cache(page: Page, mapping: AddressSpace, idx: int) -> int:
    page.locked = True
    if idx in mapping.i_pages:
        page.locked = False
        return -EEXIST
    mapping.i_pages[idx] = page
    mapping.nrpages += 1
    page.mapping = mapping
    page.index = idx
    get_page(page)
    page.restore_reserve = False
    return 0


def hugetlbfs_evict_inode(inode: Inode, memory: Memory) -> None:
    """remove_inode_hugepages() of all that a file of hugetlbfs has."""
    freed = 0
    for page in list(inode.i_mapping.i_pages.values()):
        assert isinstance(page, Page)  # noqa: S101 - huge pages are never in swap
        VM_BUG_ON(page.restore_reserve)
        page.locked = True
        get_page(page)
        filemap_remove_folio(page)
        folio_unlock(page)
        put_page(page)
        freed += 1
    hugetlb_unreserve_pages(inode, freed, memory.hstate)


def hugetlb_mcopy_atomic_pte(
    dst_mm: Mm,
    dst_vma: Vma,
    dst_addr: int,
    src_addr: int,
    mode: int,
    pagep: PageRef,
    wp_copy: bool,  # noqa: FBT001 - the kernel's parameter
) -> May[int]:
    is_continue = mode == MCOPY_ATOMIC_CONTINUE
    h = dst_mm.memory.hstate
    inode = dst_vma.vm_file
    assert inode is not None  # noqa: S101 - the C code would follow a null pointer
    mapping = inode.i_mapping
    idx = vma_hugecache_offset(dst_vma, dst_addr)
    page_in_pagecache = False

    if is_continue:
        found = mapping.i_pages.get(idx)
        if not isinstance(found, Page):
            return -EFAULT
        page = found
        get_page(page)
        page.locked = True
        page_in_pagecache = True
    elif not pagep.page:
        # If a page already exists, then it's UFFDIO_COPY for a non-missing case.
        if hugetlbfs_pagecache_present(dst_vma, dst_addr):
            return -EEXIST

        yield "alloc_huge_page"
        new = alloc_huge_page(dst_vma, dst_addr)
        if isinstance(new, int):
            return -ENOMEM
        page = new

        ret = copy_from_user_nofault(dst_mm, page, src_addr)

        # fallback to copy_from_user outside mmap_lock
        if ret:
            ret = -ENOENT
            # Free the allocated page which may have consumed a reservation.
            restore_reserve_on_error(dst_vma, dst_addr, page)
            put_page(page)

            # Allocate a temporary page to hold the copied contents.
            page = alloc_huge_page_vma(h)
            pagep.page = page
            return ret
    else:
        if hugetlbfs_pagecache_present(dst_vma, dst_addr):
            put_page(pagep.page)
            pagep.page = None
            return -EEXIST

        yield "alloc_huge_page"
        new = alloc_huge_page(dst_vma, dst_addr)
        if isinstance(new, int):
            put_page(pagep.page)
            pagep.page = None
            return -ENOMEM
        page = new
        page.content = pagep.page.content
        put_page(pagep.page)
        pagep.page = None

    page.uptodate = True

    label = "out_release_nounlock"
    while True:  # left by break: C's goto to `label`
        # Add shared, newly allocated pages to the page cache.
        if not is_continue:
            size = inode.i_size >> HPAGE_SHIFT
            ret = -EFAULT
            if idx >= size:
                break

            ret = hugetlb_add_to_page_cache(page, mapping, idx)
            if ret:
                break
            page_in_pagecache = True

        label = "out_release_unlock"
        ret = -EEXIST
        if dst_addr in dst_mm.ptes:
            break

        page_add_file_rmap(page, dst_vma)
        writable = bool(dst_vma.vm_flags & VM_WRITE) and not wp_copy
        dst_mm.markers.pop(dst_addr, None)
        dst_mm.ptes[dst_addr] = Pte(page, write=writable, uffd_wp=wp_copy)
        folio_unlock(page)
        return 0

    if label == "out_release_unlock":
        folio_unlock(page)
    if not page_in_pagecache:
        restore_reserve_on_error(dst_vma, dst_addr, page)
    put_page(page)
    return ret
