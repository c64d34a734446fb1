# SPDX-License-Identifier: GPL-2.0-only
"""mm/userfaultfd.c of Linux 6.1: filling missing pages of a shared tmpfs mapping.

Left out, because no workload reaches it: private and anonymous destinations, huge pages,
write-protection, UFFDIO_CONTINUE.
"""

from __future__ import annotations

from difftest.model.kernel import (
    BUG_ON,
    EAGAIN,
    EEXIST,
    EFAULT,
    EINVAL,
    ENOENT,
    PAGE_SIZE,
    May,
)
from difftest.model.memory import copy_from_user, mmap_read_lock, mmap_read_unlock
from difftest.model.objects import (
    VM_SHARED,
    VM_WRITE,
    Mm,
    Page,
    PageRef,
    Pte,
    Userfaultfd,
    Vma,
    find_vma,
    linear_page_index,
    put_page,
)

from . import shmem

MCOPY_ATOMIC_NORMAL, MCOPY_ATOMIC_ZEROPAGE = range(2)


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
) -> int:
    writable = bool(dst_vma.vm_flags & VM_WRITE)
    inode = dst_vma.vm_file
    assert inode is not None  # noqa: S101 - the C code would follow a null pointer

    # serialize against truncate with the page table lock
    offset = linear_page_index(dst_vma, dst_addr)
    max_off = -(-inode.i_size // PAGE_SIZE)
    if offset >= max_off:
        return -EFAULT

    if dst_addr in dst_mm.ptes:
        return -EEXIST

    if newly_allocated:
        page.lru = True
    page.mapcount += 1
    dst_mm.ptes[dst_addr] = Pte(page, write=writable)
    return 0


def mfill_atomic_pte(
    dst_mm: Mm,
    dst_vma: Vma,
    dst_addr: int,
    src_addr: int,
    page: PageRef,
    mode: int,
) -> May[int]:
    return (
        yield from shmem.shmem_mfill_atomic_pte(
            dst_mm, dst_vma, dst_addr, src_addr, mode != MCOPY_ATOMIC_NORMAL, page
        )
    )


def __mcopy_atomic(
    dst_mm: Mm,
    dst_start: int,
    src_start: int,
    length: int,
    mcopy_mode: int,
    ctx: Userfaultfd,
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
            if not dst_vma.vm_file or not dst_vma.vm_flags & VM_SHARED:
                break

            while src_addr < src_start + length:
                BUG_ON(dst_addr >= dst_start + length)

                yield "pte_alloc"
                err = yield from mfill_atomic_pte(
                    dst_mm, dst_vma, dst_addr, src_addr, page, mcopy_mode
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
    dst_mm: Mm, dst_start: int, src_start: int, length: int, ctx: Userfaultfd
) -> May[int]:
    return (
        yield from __mcopy_atomic(dst_mm, dst_start, src_start, length, MCOPY_ATOMIC_NORMAL, ctx)
    )


def mfill_zeropage(dst_mm: Mm, start: int, length: int, ctx: Userfaultfd) -> May[int]:
    return (yield from __mcopy_atomic(dst_mm, start, 0, length, MCOPY_ATOMIC_ZEROPAGE, ctx))
