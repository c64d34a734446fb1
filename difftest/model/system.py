# SPDX-License-Identifier: GPL-2.0-only
"""The system that a workload runs on: one process, one tmpfs mount, its userfaultfds.

Its methods are system calls. What may stop is a generator; its value is what the call returns,
a negative errno for a failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from difftest.model.kernel import EBADF, EINVAL, ENOMEM, HPAGE_SIZE, PAGE_SIZE, May
from difftest.model.memory import inode_lock, inode_unlock, mmap_write_lock
from difftest.model.objects import (
    VM_HUGETLB,
    VM_NORESERVE,
    VM_SHARED,
    VM_UFFD_WP,
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
FILLER_BASE = 0x200000000
STACK = 0x7FFF00000000
STRIDE = 0x4000000
"""Between neighbouring mappings, and between the sources of two copies."""
SWAP_PAGES = 255
OTHER_PLACE = 0x100000000
"""From a mapping to the other place that it may be moved to."""


@dataclass(slots=True)
class Area:
    """Where a mapping of the workload is, or was: so many pages from `start`, of `size` bytes."""

    start: int
    pages: int
    size: int = PAGE_SIZE

    @property
    def length(self) -> int:
        return self.pages * self.size

    def addresses(self) -> range:
        """Return where each page begins."""
        return range(self.start, self.start + self.length, self.size)


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
        self._hugetlb: list[Inode] = []
        self._filler_end = FILLER_BASE

    def create(self, pages: int, *, memfd: bool = False) -> None:
        sb = self.shm_mnt if memfd else self.sb
        self.files.append(Inode(sb, i_size=pages * PAGE_SIZE))

    def mmap(self, file: int | None, offset: int, pages: int, *, shared: bool) -> None:
        """Map a file, or memory without one, and watch it for missing pages."""
        self.maps.append(Area(MAP_BASE + len(self.maps) * STRIDE, pages))
        self._map(len(self.maps) - 1, file, offset, shared=shared)
        self._register(len(self.maps) - 1)

    def mmap_hugetlb(self, pages: int, *, reserve: bool) -> None:
        self.maps.append(Area(MAP_BASE + len(self.maps) * STRIDE, pages, HPAGE_SIZE))
        self._map_hugetlb(self.maps[-1], reserve=reserve)
        self._register(len(self.maps) - 1)

    def page_size(self, number: int) -> int:
        """Return the bytes of a page of a mapping, as it was last mapped."""
        return self.maps[number].size

    def remap(self, number: int, file: int | None, offset: int = 0, *, shared: bool) -> May[int]:
        """Map something over a mapping, or where it was, and watch that: two calls."""
        yield from mmap_write_lock(self.mm)
        self._map(number, file, offset, shared=shared)
        return (yield from self.register(number))

    def _map(self, number: int, file: int | None, offset: int, *, shared: bool) -> None:
        area = self.maps[number]
        self._munmap(number)
        area.size = PAGE_SIZE
        inode = None if file is None else self.files[file]
        if shared and not inode:
            # shmem_zero_setup(): its pages are accounted for when it is mapped.
            inode = Inode(self.shm_mnt, i_size=area.length, flags=0)
            self._shared.append(inode)
        flags = VM_WRITE | (VM_SHARED if shared else 0)
        self.code.mmap.mmap(
            Vma(self.mm, area.start, area.start + area.length, flags, inode, offset)
        )

    def remap_hugetlb(self, number: int, pages: int) -> May[int]:
        """Map hugetlb memory over a mapping, or where it was, and watch that: three calls."""
        yield from self.munmap(number)
        area = self.maps[number]
        area.size, area.pages = HPAGE_SIZE, pages
        yield from mmap_write_lock(self.mm)
        return self._map_hugetlb(area) or (yield from self.register(number))

    def _map_hugetlb(self, area: Area, *, reserve: bool = True) -> int:
        """mmap() of hugetlb memory, of a file of its own: hugetlb_file_setup()."""
        flags = VM_WRITE | VM_SHARED | VM_HUGETLB | (0 if reserve else VM_NORESERVE)
        inode = Inode(self.shm_mnt, i_size=area.length)
        if not self.code.hugetlb.hugetlb_reserve_pages(
            inode, 0, area.pages, flags, self.mm.memory.hstate
        ):
            return -ENOMEM
        self._hugetlb.append(inode)
        self.code.mmap.mmap(Vma(self.mm, area.start, area.start + area.length, flags, inode))
        return 0

    def fill_hugetlb(self, leave: int) -> May[int]:
        yield from mmap_write_lock(self.mm)
        h = self.mm.memory.hstate
        pages = h.free_huge_pages - h.resv_huge_pages - leave
        if pages <= 0:
            return 0
        area = Area(self._filler_end, pages, HPAGE_SIZE)
        self._filler_end += area.length
        return self._map_hugetlb(area)

    def used(self) -> int:
        return self.sb.used_blocks

    def pwrite(self, inode: Inode, page: int, tags: Sequence[int]) -> May[int]:
        """Write whole pages, up to the first that fails."""
        yield from inode_lock(inode)
        ret = yield from self._perform_write(inode, page, tags)
        inode_unlock(inode)
        return ret

    def fill(self, tags: Sequence[int]) -> May[int]:
        """Append to the filler. Its lock is that of its file position, too."""
        yield from inode_lock(self.filler)
        ret = yield from self._perform_write(self.filler, self.filler_pages, tags)
        self.filler_pages += max(0, ret) // PAGE_SIZE
        inode_unlock(self.filler)
        return ret

    def free(self, pages: int) -> May[int]:
        """Cut pages off the filler, as far as it has them."""
        yield from inode_lock(self.filler)
        self.filler_pages = max(0, self.filler_pages - pages)
        ret = self._setattr_size(self.filler, self.filler_pages)
        inode_unlock(self.filler)
        return ret

    def _perform_write(self, inode: Inode, page: int, tags: Sequence[int]) -> May[int]:
        """generic_perform_write()."""
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

    def ftruncate(self, inode: Inode, pages: int) -> May[int]:
        yield from inode_lock(inode)
        ret = self._setattr_size(inode, pages)
        inode_unlock(inode)
        return ret

    def _setattr_size(self, inode: Inode, pages: int) -> int:
        ret: int = self.code.shmem.shmem_setattr_size(inode, pages * PAGE_SIZE, self.mm.memory)
        return ret

    def punch_hole(self, inode: Inode, page: int, pages: int) -> May[int]:
        yield from inode_lock(inode)
        ret: int = self.code.shmem.shmem_punch_hole(inode, page, page + pages, self.mm.memory)
        inode_unlock(inode)
        return ret

    def munmap(self, number: int) -> May[int]:
        yield from mmap_write_lock(self.mm)
        self._munmap(number)
        return 0

    def _munmap(self, number: int) -> None:
        self.code.mmap.munmap(self.mm, self.maps[number].start)
        self._evict_shared()

    def _evict_shared(self) -> int:
        """Delete the files of shared memory that nobody maps, or holds, any more.

        Returns the pages that were accounted for when they were mapped.
        """
        unused = [one for one in self._shared if not one.i_mapping.i_mmap and not one.f_count]
        pages = sum(one.i_size for one in unused) // PAGE_SIZE
        for inode in unused:
            self._shared.remove(inode)
            self.code.shmem.shmem_evict_inode(inode, self.mm.memory)
        for inode in [one for one in self._hugetlb if not one.i_mapping.i_mmap]:
            self._hugetlb.remove(inode)
            self.code.hugetlb.hugetlbfs_evict_inode(inode, self.mm.memory)
        return pages

    def mremap(self, number: int) -> May[int]:
        yield from mmap_write_lock(self.mm)
        area = self.maps[number]
        to = area.start ^ OTHER_PLACE
        ret: int = self.code.mmap.mremap(self.mm, area.start, to)
        if not ret:
            area.start = to
        return ret

    def mprotect(self, number: int, *, write: bool) -> May[int]:
        yield from mmap_write_lock(self.mm)
        ret: int = self.code.mmap.mprotect(self.mm, self.maps[number].start, write=write)
        return ret

    def mlock(self, number: int) -> May[int]:
        """Lock a mapping; one that is or was huge is left alone, as the vocabulary says."""
        yield from mmap_write_lock(self.mm)
        if self.page_size(number) == HPAGE_SIZE:
            return 0
        ret: int = self.code.mmap.mlock_onfault(self.mm, self.maps[number].start)
        return ret

    def pageout(self, number: int, page: int, pages: int) -> int:
        start, end = self._range(number, page, pages)
        ret: int = self.code.mmap.madvise_pageout(self.mm, start, end)
        return ret

    def swapon(self) -> int:
        self.mm.memory.total_swap_pages = SWAP_PAGES
        return 0

    def fork(self) -> May[int]:
        yield from mmap_write_lock(self.mm)
        self._children.append(self.code.mmap.fork(self.mm))
        return 0

    def overcommit(self, leave: int) -> int:
        memory = self.mm.memory
        memory.commit_limit = memory.vm_committed_as + leave
        return 0

    def register(self, number: int, *, wp: bool = False) -> May[int]:
        yield from mmap_write_lock(self.mm)
        return self._register(number, wp=wp)

    def _register(self, number: int, *, wp: bool = False) -> int:
        if not self._destination_open:
            return -EBADF
        area = self.maps[number]
        ret: int = self.code.fs.userfaultfd_register(
            self.mm, self._destination, area.start, area.length, VM_UFFD_WP if wp else 0
        )
        return ret

    def unregister(self, number: int) -> May[int]:
        yield from mmap_write_lock(self.mm)
        if not self._destination_open:
            return -EBADF
        area = self.maps[number]
        ret: int = self.code.fs.userfaultfd_unregister(self.mm, area.start, area.length)
        return ret

    def remove_begin(self, number: int, page: int, pages: int) -> int:
        """The way through madvise(MADV_DONTNEED) until it has to wait, or all of it."""
        if self._removal or not self._destination_open:
            return 0
        start, end = self._range(number, page, pages)
        vma = find_vma(self.mm, start)
        if not vma or vma.vm_start > start:
            return -ENOMEM
        inside = self.code.mmap.madvise_dontneed_free_valid_vma(vma, start, min(end, vma.vm_end))
        if inside < 0:
            return -EINVAL
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
        end = self.code.mmap.madvise_dontneed_free_valid_vma(vma, removal.start, removal.end)
        if end < 0:
            return -EINVAL
        self.code.mmap.zap_page_range(vma, removal.start, end)
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
        self, tags: Sequence[int], letters: str, size: int, shift: int = 0, *, own: bool = False
    ) -> int:
        """Make the source of a copy and return its address.

        `letters` are those of the vocabulary, one for each of its pages of `size` bytes; the first
        page to copy begins `shift` bytes into it. `own`: it has a userfaultfd of its own. What a
        huge page is copied from is watched, or missing, in its first 4096 bytes.
        """
        start = SOURCE_BASE + self._slots * STRIDE
        self._slots += 1
        halves = [tag for tag in tags for _ in range(2)]
        if shift:
            halves = [0, *halves, 0]
        addresses = [start + number * size for number in range(len(letters))]
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

    def _range(self, number: int, page: int, pages: int) -> tuple[int, int]:
        """Return where pages of a mapping begin and end."""
        area = self.maps[number]
        start = area.start + page * area.size
        return start, start + pages * area.size

    def uffdio_copy(
        self, number: int, page: int, source: int, pages: int, size: int, *, wp: bool = False
    ) -> May[int]:
        """Copy pages of `size` bytes to a mapping; `page` counts those, too."""
        fs = self.code.fs
        mode = fs.UFFDIO_COPY_MODE_WP if wp else 0
        start = self.maps[number].start + page * size
        arg = fs.UffdioCopy(start, source, pages * size, mode)
        return (yield from self._ioctl(fs.userfaultfd_copy, arg))

    def uffdio_zeropage(self, number: int, page: int, pages: int) -> May[int]:
        fs = self.code.fs
        start, end = self._range(number, page, pages)
        arg = fs.UffdioCopy(start, 0, end - start)
        return (yield from self._ioctl(fs.userfaultfd_zeropage, arg))

    def uffdio_continue(self, number: int, page: int, pages: int) -> May[int]:
        fs = self.code.fs
        start, end = self._range(number, page, pages)
        arg = fs.UffdioCopy(start, 0, end - start)
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
        late = self._evict_shared()
        if self.mm.memory.commit_limit is not None:
            # Of a file that outlived its mapping: with the mapping the limit would have moved.
            self.mm.memory.commit_limit += late
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
