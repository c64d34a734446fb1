# SPDX-License-Identifier: GPL-2.0-only
"""mm/shmem.c of Linux 6.1: charging blocks, the page cache, UFFDIO_COPY into a shared file.

Left out, because no workload reaches it: huge pages, seals, quotas, NUMA policy, and ranges
that begin or end inside a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.model.kernel import (
    BLOCKS_PER_PAGE,
    EEXIST,
    EFAULT,
    EINVAL,
    ENOENT,
    ENOMEM,
    ENOSPC,
    PAGE_SHIFT,
    PAGE_SIZE,
    VM_BUG_ON,
    WARN_ON,
    May,
)
from difftest.model.memory import (
    alloc_page,
    copy_from_user_nofault,
    read_swap_page,
    vm_enough_memory,
)
from difftest.model.objects import (
    VM_NORESERVE,
    AddressSpace,
    Inode,
    Mm,
    Page,
    PageRef,
    SwpEntry,
    Vma,
    filemap_remove_folio,
    folio_put,
    folio_unlock,
    linear_page_index,
    put_page,
)

from . import userfaultfd
from .rmap import zap_pte

if TYPE_CHECKING:
    from difftest.model.objects import Memory


def shmem_acct_block(flags: int, pages: int, memory: Memory) -> int:
    if not flags & VM_NORESERVE:
        return 0

    return vm_enough_memory(memory, pages)


def shmem_unacct_blocks(flags: int, pages: int, memory: Memory) -> None:
    if flags & VM_NORESERVE:
        memory.vm_committed_as -= pages


def shmem_inode_acct_block(inode: Inode, pages: int, memory: Memory) -> bool:
    sbinfo = inode.i_sb

    if shmem_acct_block(inode.flags, pages, memory):
        return False

    if sbinfo.max_blocks:
        if sbinfo.used_blocks > sbinfo.max_blocks - pages:
            shmem_unacct_blocks(inode.flags, pages, memory)
            return False
        sbinfo.used_blocks += pages

    return True


def shmem_inode_unacct_blocks(inode: Inode, pages: int, memory: Memory) -> None:
    sbinfo = inode.i_sb

    if sbinfo.max_blocks:
        sbinfo.used_blocks -= pages
    shmem_unacct_blocks(inode.flags, pages, memory)


def shmem_recalc_inode(inode: Inode, memory: Memory) -> None:
    freed = inode.alloced - inode.swapped - inode.i_mapping.nrpages
    if freed > 0:
        inode.alloced -= freed
        inode.i_blocks -= freed * BLOCKS_PER_PAGE
        shmem_inode_unacct_blocks(inode, freed, memory)


def shmem_uncharge(inode: Inode, pages: int, memory: Memory) -> None:
    inode.alloced -= pages
    inode.i_blocks -= pages * BLOCKS_PER_PAGE
    shmem_recalc_inode(inode, memory)

    shmem_inode_unacct_blocks(inode, pages, memory)


def shmem_add_to_page_cache(
    folio: Page, mapping: AddressSpace, index: int, expected: SwpEntry | None = None
) -> May[int]:
    VM_BUG_ON(not folio.locked)
    VM_BUG_ON(not folio.swapbacked)

    folio.refcount += 1
    folio.mapping = mapping
    folio.index = index

    yield "shmem_add_to_page_cache"
    if mapping.i_pages.get(index) is not expected:
        folio.mapping = None
        folio.refcount -= 1
        return -EEXIST
    mapping.i_pages[index] = folio
    mapping.nrpages += 1
    return 0


def shmem_undo_range(inode: Inode, start: int, end: int, memory: Memory) -> None:
    """Drop the pages from index `start` up to, but not including, `end`."""
    mapping = inode.i_mapping
    for index in sorted(mapping.i_pages):
        if start <= index < end:
            folio = mapping.i_pages[index]
            if isinstance(folio, SwpEntry):
                del mapping.i_pages[index]
                inode.swapped -= 1
                continue
            VM_BUG_ON(folio.locked)
            folio.locked = True
            truncate_inode_folio(folio)
            folio_unlock(folio)
            folio_put(folio)
    shmem_recalc_inode(inode, memory)


def truncate_inode_folio(folio: Page) -> None:
    """Take the page out of the cache; find_lock_entries() holds a reference of its own."""
    folio.refcount += 1
    folio.dirty = False
    filemap_remove_folio(folio)


def shmem_getattr(inode: Inode, memory: Memory) -> int:
    """The `st_blocks` part: what reclaim has freed is seen when somebody looks."""
    if inode.alloced - inode.swapped != inode.i_mapping.nrpages:
        shmem_recalc_inode(inode, memory)
    return inode.i_blocks


def shmem_setattr_size(inode: Inode, newsize: int, memory: Memory) -> int:
    """The size part of shmem_setattr()."""
    oldsize = inode.i_size
    inode.i_size = newsize
    if newsize <= oldsize:
        first = newsize >> PAGE_SHIFT
        if oldsize > newsize:
            unmap_mapping_range(inode.i_mapping, first, 1 << 52, even_cows=True)
        if inode.alloced:
            shmem_undo_range(inode, first, 1 << 52, memory)
    return 0


def unmap_mapping_range(mapping: AddressSpace, first: int, last: int, *, even_cows: bool) -> None:
    """Zap the page-table entries of file pages from `first` to before `last`.

    With `even_cows` also those of private pages that stand in their place.
    """
    for vma in mapping.i_mmap:
        for address in range(vma.vm_start, vma.vm_end, PAGE_SIZE):
            pte = vma.vm_mm.ptes.get(address)
            if not pte or not first <= linear_page_index(vma, address) < last:
                continue
            cow = pte.swap or (pte.page and not pte.page.mapping)
            if even_cows or not cow:
                zap_pte(vma, address)


def shmem_punch_hole(inode: Inode, start: int, end: int, memory: Memory) -> int:
    """The FALLOC_FL_PUNCH_HOLE part of shmem_fallocate(), by page indices."""
    unmap_mapping_range(inode.i_mapping, start, end, even_cows=False)
    shmem_undo_range(inode, start, end, memory)
    return 0


def shmem_evict_inode(inode: Inode, memory: Memory) -> None:
    inode.i_size = 0
    shmem_undo_range(inode, 0, 1 << 52, memory)
    WARN_ON(inode.i_blocks)


SGP_NOALLOC, SGP_CACHE, SGP_WRITE = range(1, 4)


def shmem_get_folio(inode: Inode, index: int, sgp: int, memory: Memory) -> May[Page | int]:
    """shmem_get_folio_gfp(): the page, locked, or an errno."""
    mapping = inode.i_mapping
    once = 0

    while True:  # repeat:
        if sgp <= SGP_CACHE and index << PAGE_SHIFT >= inode.i_size:
            return -EINVAL

        folio = mapping.i_pages.get(index)
        if isinstance(folio, SwpEntry):
            back = yield from shmem_swapin_folio(inode, index, folio, memory)
            if back == -EEXIST:
                continue
            return back

        if folio is not None:
            VM_BUG_ON(folio.locked)
            folio.locked = True
            folio.refcount += 1
            return folio

        if sgp == SGP_NOALLOC:
            return -ENOENT

        if not shmem_inode_acct_block(inode, 1, memory):
            if not once:
                once += 1
                shmem_recalc_inode(inode, memory)
                continue
            return -ENOSPC

        yield "shmem_alloc_folio"
        folio = alloc_page(memory)
        folio.locked = True
        folio.swapbacked = True

        error = yield from shmem_add_to_page_cache(folio, mapping, index)
        if error:
            shmem_inode_unacct_blocks(inode, 1, memory)
            folio_unlock(folio)
            folio_put(folio)
            if error == -EEXIST:
                continue
            return error
        folio.lru = True

        inode.alloced += 1
        inode.i_blocks += BLOCKS_PER_PAGE
        shmem_recalc_inode(inode, memory)
        return folio


def shmem_writepage(folio: Page, inode: Inode, memory: Memory) -> None:
    """Write a locked page to swap, if there is any, and leave an entry in the page's place."""
    if not memory.total_swap_pages:
        folio.dirty = True
        return

    shmem_recalc_inode(inode, memory)
    inode.swapped += 1
    mapping, index = inode.i_mapping, folio.index
    filemap_remove_folio(folio)
    mapping.i_pages[index] = SwpEntry(folio.content)


def shmem_swapin_folio(inode: Inode, index: int, swap: SwpEntry, memory: Memory) -> May[Page | int]:
    yield "shmem_swapin"
    folio = read_swap_page(memory, swap)
    folio.locked = True
    folio.swapbacked = True
    folio.uptodate = True
    folio.lru = True

    error = yield from shmem_add_to_page_cache(folio, inode.i_mapping, index, swap)
    if error:
        folio_unlock(folio)
        folio_put(folio)
        return error

    inode.swapped -= 1
    shmem_recalc_inode(inode, memory)
    folio.dirty = True
    return folio


def shmem_write_page(inode: Inode, index: int, tag: int, memory: Memory) -> May[int]:
    """Write one whole page: shmem_write_begin(), the copy, shmem_write_end()."""
    folio = yield from shmem_get_folio(inode, index, SGP_WRITE, memory)
    if isinstance(folio, int):
        return folio
    folio.content = tag

    pos = (index + 1) << PAGE_SHIFT
    inode.i_size = max(inode.i_size, pos)
    folio.uptodate = True
    folio.dirty = True
    folio_unlock(folio)
    put_page(folio)
    return PAGE_SIZE


def shmem_mfill_atomic_pte(
    dst_mm: Mm,
    dst_vma: Vma,
    dst_addr: int,
    src_addr: int,
    zeropage: bool,  # noqa: FBT001 - the kernel's parameter
    wp_copy: bool,  # noqa: FBT001
    pagep: PageRef,
) -> May[int]:
    inode = dst_vma.vm_file
    assert inode is not None  # noqa: S101 - the C code would follow a null pointer
    memory = dst_mm.memory
    mapping = inode.i_mapping
    pgoff = linear_page_index(dst_vma, dst_addr)

    if not shmem_inode_acct_block(inode, 1, memory):
        return -ENOMEM

    label = "out_unacct_blocks"
    while True:  # left by break: C's goto to `label`
        if not pagep.page:
            ret = -ENOMEM
            yield "shmem_alloc_folio"
            folio = alloc_page(memory)
            if not folio:
                break

            if not zeropage:  # COPY
                ret = copy_from_user_nofault(dst_mm, folio, src_addr)

                # fallback to copy_from_user outside mmap_lock
                if ret:
                    pagep.page = folio
                    ret = -ENOENT
                    # don't free the page
                    label = "out_unacct_blocks"
                    break
            else:  # ZEROPAGE
                folio.content = 0
        else:
            folio = pagep.page
            pagep.page = None

        VM_BUG_ON(folio.locked)
        VM_BUG_ON(folio.swapbacked)
        folio.locked = True
        folio.swapbacked = True
        folio.uptodate = True

        ret = -EFAULT
        max_off = -(-inode.i_size // PAGE_SIZE)
        label = "out_release"
        if pgoff >= max_off:
            break

        ret = yield from shmem_add_to_page_cache(folio, mapping, pgoff)
        if ret:
            break

        ret = userfaultfd.mfill_atomic_install_pte(
            dst_mm, dst_vma, dst_addr, folio, newly_allocated=True, wp_copy=wp_copy
        )
        if ret:
            label = "out_delete_from_cache"
            break

        inode.alloced += 1
        inode.i_blocks += BLOCKS_PER_PAGE
        shmem_recalc_inode(inode, memory)

        folio_unlock(folio)
        return 0

    if label == "out_delete_from_cache":
        filemap_remove_folio(folio)
        label = "out_release"
    if label == "out_release":
        folio_unlock(folio)
        folio_put(folio)
        label = "out_unacct_blocks"
    if label == "out_unacct_blocks":
        shmem_inode_unacct_blocks(inode, 1, memory)
    return ret
