# SPDX-License-Identifier: GPL-2.0-only
"""fs/userfaultfd.c of Linux 6.1: the ioctls, down to mm/userfaultfd.c."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from difftest.model.kernel import BUG_ON, EAGAIN, EINVAL, ENOMEM, PAGE_SIZE, May
from difftest.model.objects import VM_UFFD_WP, find_vma

from ..mm import mmap  # noqa: TID252 - a patched copy is another package
from ..mm import userfaultfd as mm_userfaultfd  # noqa: TID252

if TYPE_CHECKING:
    from difftest.model.objects import Mm, Userfaultfd, Vma


UFFDIO_COPY_MODE_WP = mm_userfaultfd.UFFDIO_COPY_MODE_WP


@dataclass(slots=True)
class UffdioCopy:
    """`struct uffdio_copy`, and those of zeropage and continue with `src` and `mode` unused.

    `copy` is also what they call `zeropage` and `mapped`. None: not written.
    """

    dst: int
    src: int
    len: int
    mode: int = 0
    copy: int | None = None


def validate_range(start: int, length: int) -> int:
    if start % PAGE_SIZE:
        return -EINVAL
    if length % PAGE_SIZE:
        return -EINVAL
    if not length:
        return -EINVAL
    return 0


def userfaultfd_copy(mm: Mm, ctx: Userfaultfd, uffdio_copy: UffdioCopy) -> May[int]:
    if ctx.mmap_changing:
        return -EAGAIN

    ret = validate_range(uffdio_copy.dst, uffdio_copy.len)
    if ret:
        return ret
    ret = yield from mm_userfaultfd.mcopy_atomic(
        mm, uffdio_copy.dst, uffdio_copy.src, uffdio_copy.len, ctx, uffdio_copy.mode
    )
    uffdio_copy.copy = ret
    if ret < 0:
        return ret
    BUG_ON(not ret)
    return 0 if ret == uffdio_copy.len else -EAGAIN


def userfaultfd_zeropage(mm: Mm, ctx: Userfaultfd, uffdio_zeropage: UffdioCopy) -> May[int]:
    if ctx.mmap_changing:
        return -EAGAIN

    ret = validate_range(uffdio_zeropage.dst, uffdio_zeropage.len)
    if ret:
        return ret
    ret = yield from mm_userfaultfd.mfill_zeropage(
        mm, uffdio_zeropage.dst, uffdio_zeropage.len, ctx
    )
    uffdio_zeropage.copy = ret
    if ret < 0:
        return ret
    BUG_ON(not ret)
    return 0 if ret == uffdio_zeropage.len else -EAGAIN


def userfaultfd_continue(mm: Mm, ctx: Userfaultfd, uffdio_continue: UffdioCopy) -> May[int]:
    if ctx.mmap_changing:
        return -EAGAIN

    ret = validate_range(uffdio_continue.dst, uffdio_continue.len)
    if ret:
        return ret
    ret = yield from mm_userfaultfd.mcopy_continue(
        mm, uffdio_continue.dst, uffdio_continue.len, ctx
    )
    uffdio_continue.copy = ret
    if ret < 0:
        return ret
    BUG_ON(not ret)
    return 0 if ret == uffdio_continue.len else -EAGAIN


def vma_can_userfault(vma: Vma, vm_flags: int) -> bool:  # noqa: ARG001 - the kernel's parameters
    """All that a workload maps is anonymous, of hugetlb or of shmem."""
    return True


def userfaultfd_register(mm: Mm, ctx: Userfaultfd, start: int, length: int, vm_flags: int) -> int:
    """Register a whole mapping: no workload asks for a part of one.

    For missing pages always, and with VM_UFFD_WP for write-protection.
    """
    vma = find_vma(mm, start)
    if not vma:
        return -ENOMEM
    if vma.vm_start >= start + length:
        return -EINVAL
    if not vma_can_userfault(vma, vm_flags):
        return -EINVAL
    # What was registered in the right mode, and another one, stays as it is.
    vma.ctx = ctx
    vma.vm_flags |= vm_flags
    return 0


def userfaultfd_unregister(mm: Mm, start: int, length: int) -> int:
    """Unregister whole mappings: no workload asks for a part of one."""
    vma = find_vma(mm, start)
    if not vma:
        return -ENOMEM
    if vma.vm_start >= start + length:
        return -EINVAL
    userfaultfd_clear_vma(vma)
    return 0


def userfaultfd_clear_vma(vma: Vma) -> None:
    if vma.vm_flags & VM_UFFD_WP:
        mmap.uffd_wp_range(vma)
    vma.vm_flags &= ~VM_UFFD_WP
    vma.ctx = None


def userfaultfd_remove(vma: Vma) -> bool:
    """Begin UFFD_EVENT_REMOVE; False if the caller has to wait until somebody has read it."""
    if not vma.ctx:
        return True
    vma.ctx.mmap_changing += 1
    return False


def userfaultfd_event_complete(ctx: Userfaultfd) -> None:
    """End what userfaultfd_remove() began."""
    ctx.mmap_changing -= 1
    BUG_ON(ctx.mmap_changing < 0)


def userfaultfd_release(mm: Mm, ctx: Userfaultfd) -> None:
    for vma in mm.vmas:
        if vma.ctx is ctx:
            userfaultfd_clear_vma(vma)
