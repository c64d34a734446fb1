# SPDX-License-Identifier: GPL-2.0-only
"""mm/userfaultfd.c of Linux 6.1: filling missing pages.

Left out, because no workload reaches it: transparent huge pages, and UFFDIO_WRITEPROTECT.
"""

from __future__ import annotations

from difftest.model.kernel import (
    BUG_ON,
    EAGAIN,
    EEXIST,
    EFAULT,
    EINTR,
    EINVAL,
    ENOENT,
    ENOMEM,
    PAGE_SIZE,
    May,
)
from difftest.model.memory import (
    alloc_page,
    copy_from_user,
    copy_from_user_nofault,
    mem_cgroup_charge,
    mmap_read_lock,
    mmap_read_unlock,
)
from difftest.model.objects import (
    VM_SHARED,
    VM_UFFD_WP,
    VM_WRITE,
    Mm,
    Page,
    PageRef,
    Pte,
    Userfaultfd,
    Vma,
    find_vma,
    folio_put,
    folio_unlock,
    is_vm_hugetlb_page,
    linear_page_index,
    put_page,
    vma_kernel_pagesize,
)

from . import hugetlb, shmem
from .mlock import lru_cache_add_inactive_or_unevictable
from .rmap import page_add_file_rmap, page_add_new_anon_rmap

MCOPY_ATOMIC_NORMAL, MCOPY_ATOMIC_ZEROPAGE, MCOPY_ATOMIC_CONTINUE = range(3)
UFFDIO_COPY_MODE_WP = 2


def find_dst_vma(dst_mm: Mm, dst_start: int, length: int) -> Vma | None:
    dst_vma = find_vma(dst_mm, dst_start)
    if not dst_vma:
        return None

    if dst_start < dst_vma.vm_start or dst_start + length > dst_vma.vm_end:
        return None

    if not dst_vma.ctx:
        return None

    return dst_vma


def mfill_atomic_install_pte(
    dst_mm: Mm,
    dst_vma: Vma,
    dst_addr: int,
    page: Page,
    *,
    newly_allocated: bool,
    wp_copy: bool,
) -> int:
    writable = bool(dst_vma.vm_flags & VM_WRITE)
    vm_shared = dst_vma.vm_flags & VM_SHARED
    page_in_cache = page.mapping

    if page_in_cache and not vm_shared:
        writable = False

    # Always mark a PTE as write-protected when needed, regardless of VM_WRITE.
    if wp_copy:
        writable = False

    if dst_vma.vm_file:
        # serialize against truncate with the page table lock
        inode = dst_vma.vm_file
        offset = linear_page_index(dst_vma, dst_addr)
        max_off = -(-inode.i_size // PAGE_SIZE)
        if offset >= max_off:
            return -EFAULT

    # We allow to overwrite a pte marker.
    if dst_addr in dst_mm.ptes:
        return -EEXIST

    if page_in_cache:
        if newly_allocated:
            page.lru = True
        page_add_file_rmap(page, dst_vma)
    else:
        page_add_new_anon_rmap(page)
        lru_cache_add_inactive_or_unevictable(page, dst_vma)

    dst_mm.ptes[dst_addr] = Pte(page, write=writable)
    dst_mm.ptes[dst_addr].uffd_wp = wp_copy
    dst_mm.markers.pop(dst_addr, None)
    return 0


def mcopy_atomic_pte(
    dst_mm: Mm,
    dst_vma: Vma,
    dst_addr: int,
    src_addr: int,
    pagep: PageRef,
    wp_copy: bool,  # noqa: FBT001 - the kernel's parameter
) -> May[int]:
    if not pagep.page:
        yield "alloc_page_vma"
        page = alloc_page(dst_mm.memory)
        if not page:
            return -ENOMEM

        ret = copy_from_user_nofault(dst_mm, page, src_addr)

        # fallback to copy_from_user outside mmap_lock
        if ret:
            ret = -ENOENT
            pagep.page = page
            # don't free the page
            return ret
    else:
        page = pagep.page
        pagep.page = None

    page.uptodate = True

    ret = -ENOMEM
    label = "out_release"
    while True:  # left by break: C's goto to `label`
        if mem_cgroup_charge(page, dst_mm):
            break

        ret = mfill_atomic_install_pte(
            dst_mm, dst_vma, dst_addr, page, newly_allocated=True, wp_copy=wp_copy
        )
        if ret:
            break
        label = "out"
        break

    if label == "out_release":
        put_page(page)
    return ret


def mfill_zeropage_pte(dst_mm: Mm, dst_vma: Vma, dst_addr: int) -> int:
    if dst_vma.vm_file:
        # the shmem MAP_PRIVATE case requires checking the i_size
        inode = dst_vma.vm_file
        offset = linear_page_index(dst_vma, dst_addr)
        max_off = -(-inode.i_size // PAGE_SIZE)
        if offset >= max_off:
            return -EFAULT
    if dst_addr in dst_mm.ptes or dst_addr in dst_mm.markers:
        return -EEXIST
    dst_mm.ptes[dst_addr] = Pte(None, write=False)
    return 0


def mcontinue_atomic_pte(
    dst_mm: Mm,
    dst_vma: Vma,
    dst_addr: int,
    wp_copy: bool,  # noqa: FBT001 - the kernel's parameter
) -> May[int]:
    inode = dst_vma.vm_file
    assert inode is not None  # noqa: S101 - the C code would follow a null pointer
    pgoff = linear_page_index(dst_vma, dst_addr)

    folio = yield from shmem.shmem_get_folio(inode, pgoff, shmem.SGP_NOALLOC, dst_mm.memory)
    # Our caller expects us to return -EFAULT if we failed to find folio
    if folio == -ENOENT:
        return -EFAULT
    if isinstance(folio, int):
        return folio

    ret = mfill_atomic_install_pte(
        dst_mm, dst_vma, dst_addr, folio, newly_allocated=False, wp_copy=wp_copy
    )
    folio_unlock(folio)
    if ret:
        folio_put(folio)
    return ret


def __mcopy_atomic_hugetlb(
    dst_mm: Mm,
    dst_vma: Vma | None,
    dst_start: int,
    src_start: int,
    length: int,
    ctx: Userfaultfd,
    mode: int,
    wp_copy: bool,  # noqa: FBT001 - the kernel's parameter
) -> May[int]:
    assert dst_vma is not None  # noqa: S101 - until it has to be looked up again
    # There is no default zero huge page for all huge page sizes.
    if mode == MCOPY_ATOMIC_ZEROPAGE:
        mmap_read_unlock(dst_mm)
        return -EINVAL

    src_addr = src_start
    dst_addr = dst_start
    copied = 0
    page = PageRef()  # a huge page
    vma_hpagesize = vma_kernel_pagesize(dst_vma)

    # Validate alignment based on huge page size
    err = -EINVAL
    label = "out_unlock"
    aligned = not (dst_start % vma_hpagesize or length % vma_hpagesize)

    while aligned:  # retry:
        # If we had to drop mmap_lock and retry, dst_vma will be set to NULL.
        if not dst_vma:
            err = -ENOENT
            dst_vma = find_dst_vma(dst_mm, dst_start, length)
            if not dst_vma or not is_vm_hugetlb_page(dst_vma):
                break

            err = -EINVAL  # if there were pages of another size
            if vma_hpagesize != vma_kernel_pagesize(dst_vma):
                break

        label = "out_unlock"
        while src_addr < src_start + length:
            BUG_ON(dst_addr >= dst_start + length)

            yield "huge_pte_alloc"
            if mode != MCOPY_ATOMIC_CONTINUE and dst_addr in dst_mm.ptes:
                err = -EEXIST
                break

            err = yield from hugetlb.hugetlb_mcopy_atomic_pte(
                dst_mm, dst_vma, dst_addr, src_addr, mode, page, wp_copy
            )
            yield "cond_resched"

            if err == -ENOENT:
                mmap_read_unlock(dst_mm)
                BUG_ON(not page.page)

                err = yield from copy_from_user(dst_mm, page, src_addr)
                if err:
                    err = -EFAULT
                    label = "out"
                    break
                yield from mmap_read_lock(dst_mm)
                if ctx.mmap_changing:
                    err = -EAGAIN
                    break

                dst_vma = None
                label = "retry"
                break
            else:
                BUG_ON(page.page)  # a huge page

            if not err:
                dst_addr += vma_hpagesize
                src_addr += vma_hpagesize
                copied += vma_hpagesize

                if dst_mm.fatal_signal_pending:
                    err = -EINTR
            if err:
                break
        if label == "retry":
            label = "out_unlock"
            continue
        break

    if label == "out_unlock":
        mmap_read_unlock(dst_mm)
    # out:
    if page.page:  # a huge page
        put_page(page.page)
    BUG_ON(copied < 0)
    BUG_ON(err > 0)
    BUG_ON(not copied and not err)
    return copied or err


def mfill_atomic_pte(
    dst_mm: Mm,
    dst_vma: Vma,
    dst_addr: int,
    src_addr: int,
    page: PageRef,
    mode: int,
    wp_copy: bool,  # noqa: FBT001 - the kernel's parameter
) -> May[int]:
    if mode == MCOPY_ATOMIC_CONTINUE:
        return (yield from mcontinue_atomic_pte(dst_mm, dst_vma, dst_addr, wp_copy))

    if not dst_vma.vm_flags & VM_SHARED:
        if mode == MCOPY_ATOMIC_NORMAL:
            err = yield from mcopy_atomic_pte(dst_mm, dst_vma, dst_addr, src_addr, page, wp_copy)
        else:
            err = mfill_zeropage_pte(dst_mm, dst_vma, dst_addr)
    else:
        err = yield from shmem.shmem_mfill_atomic_pte(
            dst_mm, dst_vma, dst_addr, src_addr, mode != MCOPY_ATOMIC_NORMAL, wp_copy, page
        )

    return err


def __mcopy_atomic(
    dst_mm: Mm,
    dst_start: int,
    src_start: int,
    length: int,
    mcopy_mode: int,
    ctx: Userfaultfd,
    mode: int,
) -> May[int]:
    BUG_ON(dst_start % PAGE_SIZE)
    BUG_ON(length % PAGE_SIZE)

    src_addr = src_start
    dst_addr = dst_start
    copied = 0
    page = PageRef()

    while True:  # retry:
        yield from mmap_read_lock(dst_mm)

        label = "out_unlock"
        while True:  # left by break: C's goto to `label`
            err = -EAGAIN
            if ctx.mmap_changing:
                break

            err = -ENOENT
            dst_vma = find_dst_vma(dst_mm, dst_start, length)
            if not dst_vma:
                break

            err = -EINVAL
            # don't allow a wrprotect copy if the userfaultfd didn't register as WP.
            wp_copy = bool(mode & UFFDIO_COPY_MODE_WP)
            if wp_copy and not dst_vma.vm_flags & VM_UFFD_WP:
                break

            # If this is a HUGETLB vma, pass off to appropriate routine
            if is_vm_hugetlb_page(dst_vma):
                return (
                    yield from __mcopy_atomic_hugetlb(
                        dst_mm, dst_vma, dst_start, src_start, length, ctx, mcopy_mode, wp_copy
                    )
                )

            if not dst_vma.vm_file and mcopy_mode == MCOPY_ATOMIC_CONTINUE:
                break

            while src_addr < src_start + length:
                BUG_ON(dst_addr >= dst_start + length)

                yield "pte_alloc"
                err = yield from mfill_atomic_pte(
                    dst_mm, dst_vma, dst_addr, src_addr, page, mcopy_mode, wp_copy
                )
                yield "cond_resched"

                if err == -ENOENT:
                    mmap_read_unlock(dst_mm)
                    BUG_ON(not page.page)

                    label = "retry"
                    err = yield from copy_from_user(dst_mm, page, src_addr)
                    if err:
                        err = -EFAULT
                        label = "out"
                    break
                else:
                    BUG_ON(page.page)

                if not err:
                    dst_addr += PAGE_SIZE
                    src_addr += PAGE_SIZE
                    copied += PAGE_SIZE

                    if dst_mm.fatal_signal_pending:
                        err = -EINTR
                if err:
                    break
            break

        if label == "retry":
            continue
        if label == "out_unlock":
            mmap_read_unlock(dst_mm)
        break

    # out:
    if page.page:
        put_page(page.page)
    BUG_ON(copied < 0)
    BUG_ON(err > 0)
    BUG_ON(not copied and not err)
    return copied or err


def mcopy_atomic(
    dst_mm: Mm, dst_start: int, src_start: int, length: int, ctx: Userfaultfd, mode: int
) -> May[int]:
    return (
        yield from __mcopy_atomic(
            dst_mm, dst_start, src_start, length, MCOPY_ATOMIC_NORMAL, ctx, mode
        )
    )


def mfill_zeropage(dst_mm: Mm, start: int, length: int, ctx: Userfaultfd) -> May[int]:
    return (yield from __mcopy_atomic(dst_mm, start, 0, length, MCOPY_ATOMIC_ZEROPAGE, ctx, 0))


def mcopy_continue(dst_mm: Mm, start: int, length: int, ctx: Userfaultfd) -> May[int]:
    return (yield from __mcopy_atomic(dst_mm, start, 0, length, MCOPY_ATOMIC_CONTINUE, ctx, 0))
