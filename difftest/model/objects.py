# SPDX-License-Identifier: GPL-2.0-only
"""The objects: pages, files, mounts, mappings, page tables. Kernel names for kernel fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from difftest.model.kernel import BUG_ON, HPAGE_PAGES, HPAGE_SIZE, PAGE_SHIFT, PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

POOL = 8
"""Huge pages, as QEMU's guests have them."""

VM_WRITE = 0x02
VM_SHARED = 0x08
VM_UFFD_WP = 0x1000
VM_LOCKED = 0x2000
VM_NORESERVE = 0x00200000
VM_HUGETLB = 0x00400000


@dataclass(slots=True, eq=False)
class Page:
    """A page, which is also its folio.

    `content` is the tag that fills it; 0: zeros, -1: a mixture. `mlock_count` counts the locked
    mappings that map it: with any, it is Mlocked. `private` is its owner's affair, as in the
    kernel.
    """

    content: int = 0
    refcount: int = 1
    mapcount: int = 0
    locked: bool = False
    uptodate: bool = False
    swapbacked: bool = False
    dirty: bool = False
    lru: bool = False
    mlock_count: int = 0
    mapping: AddressSpace | None = None
    index: int = 0
    private: Inode | None = None
    restore_reserve: bool = False
    """HPageRestoreReserve of a huge page; 5.10 keeps it in PagePrivate."""
    hstate: Hstate | None = None
    """The pool of a huge page, to which its destructor `dtor` gives it back."""
    dtor: Callable[[Page], None] | None = None


@dataclass(slots=True, eq=False)
class SwpEntry:
    """What stands for a page in a page cache or a page table while the page is in swap."""

    content: int


@dataclass(slots=True, eq=False)
class PageRef:
    """A `struct page **`: `pagep.page` is `*pagep`."""

    page: Page | None = None


@dataclass(slots=True, eq=False)
class AddressSpace:
    """The page cache of one file; `i_mmap` has the mappings of it."""

    i_pages: dict[int, Page | SwpEntry] = field(default_factory=dict)
    nrpages: int = 0
    i_mmap: list[Vma] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class SuperBlock:
    """A tmpfs mount; no limit if `max_blocks` is 0."""

    max_blocks: int
    used_blocks: int = 0


@dataclass(slots=True, eq=False)
class Inode:
    """A tmpfs file, `struct shmem_inode_info` and `struct file` included, or one of hugetlbfs.

    `f_count` counts the references besides those of descriptors and mappings. `resv_map` is that
    of hugetlbfs: the indices of pages which have a reservation, or had one that they used.
    """

    i_sb: SuperBlock
    i_size: int = 0
    i_blocks: int = 0
    i_mapping: AddressSpace = field(default_factory=AddressSpace)
    i_rwsem: bool = False
    """Whether it is held for writing."""
    flags: int = VM_NORESERVE
    alloced: int = 0
    swapped: int = 0
    f_count: int = 0
    resv_map: dict[int, bool] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Pte:
    """A page-table entry. `page` None is the zero page; with `swap` it is not present."""

    page: Page | None
    write: bool
    dirty: bool = True
    swap: SwpEntry | None = None
    uffd_wp: bool = False


@dataclass(slots=True, eq=False)
class Userfaultfd:
    """`struct userfaultfd_ctx`: which mapping it watches is the mapping's affair."""

    mmap_changing: int = 0


@dataclass(slots=True, eq=False)
class Vma:
    """A mapping: of a tmpfs file, shared memory included, or without `vm_file` anonymous.

    With VM_HUGETLB it is of hugetlb memory, and `vm_file` is of hugetlbfs.
    """

    vm_mm: Mm
    vm_start: int
    vm_end: int
    vm_flags: int
    vm_file: Inode | None = None
    vm_pgoff: int = 0
    ctx: Userfaultfd | None = None


@dataclass(slots=True, eq=False)
class Hstate:
    """The pool of huge pages; `temporary` are those that it got beyond what it keeps."""

    nr_huge_pages: int = POOL
    free_huge_pages: int = POOL
    resv_huge_pages: int = 0
    temporary: int = 0


@dataclass(slots=True, eq=False)
class Memory:
    """The machine: every page that was ever allocated, and the pages committed.

    `commit_limit` is None with overcommit_memory=0. Only what files take is counted: see
    `overcommit` in the vocabulary. No workload can fill `total_swap_pages`, if there are any.
    """

    pages: list[Page] = field(default_factory=list)
    vm_committed_as: int = 0
    commit_limit: int | None = None
    total_swap_pages: int = 0
    hstate: Hstate = field(default_factory=Hstate)

    def held(self) -> int:
        """Count the pages that are allocated. Those of the pool always are."""
        pages = sum(page.refcount > 0 for page in self.pages)
        return pages + self.hstate.temporary * HPAGE_PAGES


@dataclass(slots=True, eq=False)
class Mm:
    """An address space. `ptes` is keyed by address.

    `source` holds, by address, what is resident of the memory that copies come from: the tags of
    the two halves of each page. `markers` are addresses with PTE_MARKER_UFFD_WP for an entry.
    """

    memory: Memory
    vmas: list[Vma] = field(default_factory=list)
    ptes: dict[int, Pte] = field(default_factory=dict)
    markers: dict[int, bool] = field(default_factory=dict)
    source: dict[int, tuple[int, int]] = field(default_factory=dict)
    readers: int = 0
    """Holders of mmap_lock for reading."""
    fatal_signal_pending: bool = False
    """Of the task that is in a copy."""


def is_vm_hugetlb_page(vma: Vma) -> bool:
    return bool(vma.vm_flags & VM_HUGETLB)


def vma_kernel_pagesize(vma: Vma) -> int:
    return HPAGE_SIZE if is_vm_hugetlb_page(vma) else PAGE_SIZE


def linear_page_index(vma: Vma, address: int) -> int:
    return ((address - vma.vm_start) >> PAGE_SHIFT) + vma.vm_pgoff


def find_vma(mm: Mm, address: int) -> Vma | None:
    """Return the first mapping that ends above the address; it may begin above it, too."""
    above = [vma for vma in mm.vmas if vma.vm_end > address]
    return min(above, key=lambda vma: vma.vm_start, default=None)


def get_page(page: Page) -> None:
    BUG_ON(page.refcount <= 0)
    page.refcount += 1


def get_file(file: Inode) -> Inode:
    file.f_count += 1
    return file


def fput(file: Inode) -> None:
    """Drop a reference; what the last one ends, ends when the system call returns."""
    BUG_ON(file.f_count <= 0)
    file.f_count -= 1


def put_page(page: Page) -> None:
    BUG_ON(page.refcount <= 0)
    page.refcount -= 1
    if not page.refcount:
        # What the page allocator's checks find on a page that is freed too early.
        BUG_ON(page.locked or page.mapcount or page.mapping)
        if page.dtor:
            page.dtor(page)


folio_put = put_page


def folio_unlock(folio: Page) -> None:
    BUG_ON(not folio.locked, "mm/filemap.c folio_unlock")
    folio.locked = False


def filemap_remove_folio(folio: Page) -> None:
    """Take a locked page out of its file's cache, with the reference that the cache held."""
    BUG_ON(not folio.locked)
    mapping = folio.mapping
    assert mapping is not None  # noqa: S101 - the C code would follow a null pointer
    del mapping.i_pages[folio.index]
    mapping.nrpages -= 1
    folio.mapping = None
    folio_put(folio)
