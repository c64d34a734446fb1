# SPDX-License-Identifier: GPL-2.0-only
"""The system that a workload runs on: one process, one tmpfs mount, its userfaultfds.

Its methods are system calls. What may stop is a generator; its value is what the call returns,
a negative errno for a failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from difftest.model.kernel import EBADF, EINVAL, ENOMEM, PAGE_SIZE, May
from difftest.model.objects import (
    VM_SHARED,
    VM_WRITE,
    Inode,
    Memory,
    Mm,
    SuperBlock,
    Userfaultfd,
    Vma,
    find_vma,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from difftest.model.code import Code

MAP_BASE = 0x20000000
SOURCE_BASE = 0x30000000
STACK = 0x7FFF0000
STRIDE = 0x100000
"""Between neighbouring mappings, and between the sources of two copies."""
SWAP_PAGES = 255
OTHER_PLACE = 0x8000000
"""From a mapping to the other place that it may be moved to."""


@dataclass(slots=True)
class Area:
    """Where a mapping of the workload is, or was: `length` bytes from `start`."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Removal:
    """A madvise(MADV_DONTNEED) that waits until its event is read."""

    start: int
    end: int
    beyond: bool
    """Whether the range reaches beyond its mapping."""


class System:
    """A machine that has just mounted a tmpfs of `blocks` blocks and runs `code`."""

    def __init__(self, code: Code, blocks: int) -> None:
        self.code = code
        self.sb = SuperBlock(max_blocks=blocks)
        self.shm_mnt = SuperBlock(max_blocks=0)
        self.mm = Mm(Memory())
        # The stack, say: above all that a workload maps there is always another mapping.
        self.mm.vmas.append(Vma(self.mm, STACK, STACK + PAGE_SIZE, VM_WRITE))
        self.files: list[Inode] = []
        self.filler = Inode(self.sb)
        self.filler_pages = 0
        self.maps: list[Area] = []
        self.copy: int | None = None
        """The `copy` or `zeropage` field after the last ioctl; None if it was not written."""
        self._destination = Userfaultfd()
        self._destination_open = True
        self._in_flight = 0
        self._source: Userfaultfd | None = Userfaultfd()
        self._own_sources = Userfaultfd()
        self._halves: dict[int, tuple[int, int]] = {}
        """What a source page is to hold, by its address."""
        self._arena: list[int] = []
        self._slots = 0
        self._removal: Removal | None = None
        self._children: list[Mm] = []
        self._shared: list[Inode] = []

    def create(self, pages: int, *, memfd: bool = False) -> None:
        sb = self.shm_mnt if memfd else self.sb
        self.files.append(Inode(sb, i_size=pages * PAGE_SIZE))

    def mmap(self, file: int | None, offset: int, pages: int, *, shared: bool) -> None:
        """Map a file, or memory without one, and watch it for missing pages."""
        start = MAP_BASE + len(self.maps) * STRIDE
        self.maps.append(Area(start, pages * PAGE_SIZE))
        self.remap(len(self.maps) - 1, file, offset, shared=shared)

    def remap(self, number: int, file: int | None, offset: int = 0, *, shared: bool) -> int:
        """Map something over a mapping, or where it was, and watch that."""
        area = self.maps[number]
        self.munmap(number)
        inode = None if file is None else self.files[file]
        if shared and not inode:
            # shmem_zero_setup(): its pages are accounted for when it is mapped.
            inode = Inode(self.shm_mnt, i_size=area.length, flags=0)
            self._shared.append(inode)
        flags = VM_WRITE | (VM_SHARED if shared else 0)
        self.code.mmap.mmap(
            Vma(self.mm, area.start, area.start + area.length, flags, inode, offset)
        )
        return self.register(number)

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

    def st_blocks(self, inode: Inode) -> int:
        ret: int = self.code.shmem.shmem_getattr(inode, self.mm.memory)
        return ret

    def ftruncate(self, inode: Inode, pages: int) -> int:
        ret: int = self.code.shmem.shmem_setattr_size(inode, pages * PAGE_SIZE, self.mm.memory)
        return ret

    def punch_hole(self, inode: Inode, page: int, pages: int) -> int:
        ret: int = self.code.shmem.shmem_punch_hole(inode, page, page + pages, self.mm.memory)
        return ret

    def munmap(self, number: int) -> int:
        self.code.mmap.munmap(self.mm, self.maps[number].start)
        self._evict_shared()
        return 0

    def _evict_shared(self) -> None:
        """Delete the files of shared memory that nobody maps, or holds, any more."""
        unused = [one for one in self._shared if not one.i_mapping.i_mmap and not one.f_count]
        for inode in unused:
            self._shared.remove(inode)
            self.code.shmem.shmem_evict_inode(inode, self.mm.memory)

    def mremap(self, number: int) -> int:
        area = self.maps[number]
        to = area.start ^ OTHER_PLACE
        ret: int = self.code.mmap.mremap(self.mm, area.start, to)
        if not ret:
            area.start = to
        return ret

    def mprotect(self, number: int, *, write: bool) -> int:
        ret: int = self.code.mmap.mprotect(self.mm, self.maps[number].start, write=write)
        return ret

    def mlock(self, number: int) -> int:
        ret: int = self.code.mmap.mlock_onfault(self.mm, self.maps[number].start)
        return ret

    def pageout(self, number: int, page: int, pages: int) -> int:
        start = self.maps[number].start + page * PAGE_SIZE
        end = start + pages * PAGE_SIZE
        ret: int = self.code.mmap.madvise_pageout(self.mm, start, end)
        return ret

    def swapon(self) -> int:
        self.mm.memory.total_swap_pages = SWAP_PAGES
        return 0

    def fork(self) -> int:
        self._children.append(self.code.mmap.fork(self.mm))
        return 0

    def overcommit(self, leave: int) -> int:
        memory = self.mm.memory
        memory.commit_limit = memory.vm_committed_as + leave
        return 0

    def register(self, number: int) -> int:
        if not self._destination_open:
            return -EBADF
        area = self.maps[number]
        ret: int = self.code.fs.userfaultfd_register(
            self.mm, self._destination, area.start, area.length
        )
        return ret

    def unregister(self, number: int) -> int:
        if not self._destination_open:
            return -EBADF
        area = self.maps[number]
        ret: int = self.code.fs.userfaultfd_unregister(self.mm, area.start, area.length)
        return ret

    def remove_begin(self, number: int, page: int, pages: int) -> int:
        """The way through madvise(MADV_DONTNEED) until it has to wait, or all of it."""
        if self._removal or not self._destination_open:
            return 0
        start = self.maps[number].start + page * PAGE_SIZE
        end = start + pages * PAGE_SIZE
        vma = find_vma(self.mm, start)
        if not vma or vma.vm_start > start:
            return -ENOMEM
        if not self.code.mmap.can_madv_lru_vma(vma):
            return -EINVAL
        inside = min(end, vma.vm_end)
        if not self.code.fs.userfaultfd_remove(vma):
            self._removal = Removal(start, inside, beyond=end > vma.vm_end)
            return 0
        self.code.mmap.zap_page_range(vma, start, inside)
        return -ENOMEM if end > vma.vm_end else 0

    def remove_end(self) -> int:
        """Read the event; the rest of the madvise() that waits for that."""
        removal, self._removal = self._removal, None
        if not removal:
            return 0
        self.code.fs.userfaultfd_event_complete(self._destination)
        vma = find_vma(self.mm, removal.start)
        if not vma or vma.vm_start > removal.start:
            return -ENOMEM
        if not self.code.mmap.can_madv_lru_vma(vma):
            return -EINVAL
        self.code.mmap.zap_page_range(vma, removal.start, removal.end)
        return -ENOMEM if removal.beyond else 0

    def close_destination(self) -> int:
        if not self._destination_open:
            return -EBADF
        self.remove_end()
        self._destination_open = False
        self._release_destination()
        return 0

    def _release_destination(self) -> None:
        """What the last reference to the descriptor does: an ioctl in flight has one, too."""
        if not self._destination_open and not self._in_flight:
            self.code.fs.userfaultfd_release(self.mm, self._destination)

    def place_source(
        self, tags: Sequence[int], letters: str, shift: int = 0, *, own: bool = False
    ) -> int:
        """Make the source of a copy and return its address.

        `letters` are those of the vocabulary, one for each of its pages; the first page to copy
        begins `shift` bytes into it. `own`: it has a userfaultfd of its own.
        """
        start = SOURCE_BASE + self._slots * STRIDE
        self._slots += 1
        halves = [tag for tag in tags for _ in range(2)]
        if shift:
            halves = [0, *halves, 0]
        addresses = [start + number * PAGE_SIZE for number in range(len(letters))]
        for number, address in enumerate(addresses):
            if letters[number] == "U":
                continue
            ctx = self._own_sources if own else self._source
            self.mm.vmas.append(Vma(self.mm, address, address + PAGE_SIZE, VM_WRITE, ctx=ctx))
            self._halves[address] = (halves[2 * number], halves[2 * number + 1])
            if letters[number] == "R":
                self.mm.source[address] = self._halves[address]
        if not own:
            self._arena = addresses
        return start + shift

    def resolve(self, address: int) -> None:
        """Give a source page to whoever waits for it, if it is still mapped and watched."""
        vma = find_vma(self.mm, address)
        if vma and vma.vm_start <= address and vma.ctx:
            self.mm.source[address] = self._halves[address]

    def munmap_source(self) -> int:
        """Unmap the source of the last copy that was not begun."""
        for address in self._arena:
            self.mm.source.pop(address, None)
            self.code.mmap.munmap(self.mm, address)
        return 0

    def close_source(self) -> int:
        """Close the userfaultfd that watches the sources of copies that were not begun."""
        if self._source:
            self.code.fs.userfaultfd_release(self.mm, self._source)
        self._source = None
        return 0

    def kill_copier(self) -> int:
        self.mm.fatal_signal_pending = True
        return 0

    def _place(self, number: int, page: int) -> int:
        return self.maps[number].start + page * PAGE_SIZE

    def uffdio_copy(
        self, number: int, page: int, source: int, pages: int, *, wp: bool = False
    ) -> May[int]:
        fs = self.code.fs
        mode = fs.UFFDIO_COPY_MODE_WP if wp else 0
        arg = fs.UffdioCopy(self._place(number, page), source, pages * PAGE_SIZE, mode)
        return (yield from self._ioctl(fs.userfaultfd_copy, arg))

    def uffdio_zeropage(self, number: int, page: int, pages: int) -> May[int]:
        fs = self.code.fs
        arg = fs.UffdioCopy(self._place(number, page), 0, pages * PAGE_SIZE)
        return (yield from self._ioctl(fs.userfaultfd_zeropage, arg))

    def uffdio_continue(self, number: int, page: int, pages: int) -> May[int]:
        fs = self.code.fs
        arg = fs.UffdioCopy(self._place(number, page), 0, pages * PAGE_SIZE)
        return (yield from self._ioctl(fs.userfaultfd_continue, arg))

    def _ioctl(self, function: Any, arg: Any) -> May[int]:
        """An ioctl of the destinations' descriptor, which it holds open."""
        if not self._destination_open:
            self.copy = None
            return -EBADF
        self._in_flight += 1
        ret: int = yield from function(self.mm, self._destination, arg)
        self._in_flight -= 1
        self._release_destination()
        self._evict_shared()
        self.copy = arg.copy
        return ret

    def destroy(self) -> tuple[int, int, int]:
        """Close, delete and unmap everything.

        Returns the blocks in use, the pages held and the pages committed then.
        """
        self.mm.memory.commit_limit = None
        for mm in (*self._children, self.mm):
            self.code.mmap.exit_mmap(mm)
        self._evict_shared()
        for inode in (*self.files, self.filler):
            self.code.shmem.shmem_evict_inode(inode, self.mm.memory)
        memory = self.mm.memory
        return self.used(), memory.held(), memory.vm_committed_as
