# SPDX-License-Identifier: GPL-2.0-only
"""The system that a workload runs on: one process, one tmpfs mount, two userfaultfds.

Its methods are system calls. What may stop is a generator; its value is what the call returns,
a negative errno for a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.model.kernel import PAGE_SIZE, May
from difftest.model.objects import (
    VM_SHARED,
    VM_WRITE,
    Inode,
    Memory,
    Mm,
    SuperBlock,
    Userfaultfd,
    Vma,
    zap_pte,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest.model.code import Code

MAP_BASE = 0x20000000
SOURCE_BASE = 0x30000000
STACK = 0x7FFF0000
STRIDE = 0x100000
"""Between neighbouring mappings, and between the sources of two copies."""


class System:
    """A machine that has just mounted a tmpfs of `blocks` blocks and runs `code`."""

    def __init__(self, code: Code, blocks: int) -> None:
        self.code = code
        self.sb = SuperBlock(max_blocks=blocks)
        self.mm = Mm(Memory())
        # The stack, say: above all that a workload maps there is always another mapping.
        self.mm.vmas.append(Vma(STACK, STACK + PAGE_SIZE, VM_WRITE))
        self.destination = Userfaultfd()
        self.source = Userfaultfd()
        self.files: list[Inode] = []
        self.filler = Inode(self.sb)
        self.filler_pages = 0
        self.maps: list[Vma] = []
        self.sources = 0
        self.copy: int | None = None
        """The `copy` or `zeropage` field after the last ioctl; None if it was not written."""

    def create(self, pages: int) -> None:
        self.files.append(Inode(self.sb, i_size=pages * PAGE_SIZE))

    def mmap(self, file: int, offset: int, pages: int) -> None:
        """Map a file, shared and writable, and watch it for missing pages."""
        start = MAP_BASE + len(self.maps) * STRIDE
        inode = self.files[file]
        vma = Vma(
            start,
            start + pages * PAGE_SIZE,
            VM_SHARED | VM_WRITE,
            vm_file=inode,
            vm_pgoff=offset,
            ctx=self.destination,
        )
        inode.i_mapping.i_mmap.append(vma)
        self.mm.vmas.append(vma)
        self.maps.append(vma)

    def used(self) -> int:
        return self.sb.used_blocks

    def pwrite(self, inode: Inode, page: int, tags: Sequence[int]) -> May[int]:
        """generic_perform_write(): whole pages, up to the first that fails."""
        written = 0
        while written < len(tags):
            ret = yield from self.code.shmem.shmem_write_page(
                inode, page + written, tags[written], self.mm.memory
            )
            if ret < 0:
                return written * PAGE_SIZE or ret
            written += 1
        return written * PAGE_SIZE

    def ftruncate(self, inode: Inode, pages: int) -> int:
        ret: int = self.code.shmem.shmem_setattr_size(self.mm, inode, pages * PAGE_SIZE)
        return ret

    def punch_hole(self, inode: Inode, page: int, pages: int) -> int:
        ret: int = self.code.shmem.shmem_punch_hole(self.mm, inode, page, page + pages)
        return ret

    def munmap(self, vma: Vma) -> int:
        if vma in self.mm.vmas:
            for address in range(vma.vm_start, vma.vm_end, PAGE_SIZE):
                if address in self.mm.ptes:
                    zap_pte(self.mm, address)
            self.mm.vmas.remove(vma)
            if vma.vm_file:
                vma.vm_file.i_mapping.i_mmap.remove(vma)
        return 0

    def unregister(self, vma: Vma) -> int:
        length = vma.vm_end - vma.vm_start
        ret: int = self.code.fs.userfaultfd_unregister(self.mm, vma.vm_start, length)
        return ret

    def place_source(self, tags: Sequence[int], resident: Sequence[bool]) -> int:
        """Make the source of the next copy and return its address; the rest of it is missing."""
        start = SOURCE_BASE + self.sources * STRIDE
        self.sources += 1
        self._arena = Vma(start, start + len(tags) * PAGE_SIZE, VM_WRITE, ctx=self.source)
        self.mm.vmas.append(self._arena)
        self._tags = {start + i * PAGE_SIZE: tag for i, tag in enumerate(tags)}
        for address, here in zip(self._tags, resident, strict=True):
            if here:
                self.resolve(address)
        return start

    def resolve(self, address: int) -> None:
        """Give the source page to whoever waits for it, unless it is unmapped by now."""
        if self._arena in self.mm.vmas:
            self.mm.anonymous[address] = self._tags[address]

    def munmap_source(self) -> int:
        """Unmap the source of the last copy."""
        for address in self._tags:
            self.mm.anonymous.pop(address, None)
        return self.munmap(self._arena)

    def uffdio_copy(self, dst: int, src: int, pages: int) -> May[int]:
        arg = self.code.fs.UffdioCopy(dst, src, pages * PAGE_SIZE)
        ret: int = yield from self.code.fs.userfaultfd_copy(self.mm, self.destination, arg)
        self.copy = arg.copy
        return ret

    def uffdio_zeropage(self, dst: int, pages: int) -> May[int]:
        arg = self.code.fs.UffdioCopy(dst, 0, pages * PAGE_SIZE)
        ret: int = yield from self.code.fs.userfaultfd_zeropage(self.mm, self.destination, arg)
        self.copy = arg.copy
        return ret

    def destroy(self) -> tuple[int, int]:
        """Close, delete and unmap everything; return the blocks in use and the pages held then."""
        for inode in (*self.files, self.filler):
            for vma in list(inode.i_mapping.i_mmap):
                self.munmap(vma)
            self.code.shmem.shmem_evict_inode(inode, self.mm.memory)
        return self.used(), self.mm.memory.held()
