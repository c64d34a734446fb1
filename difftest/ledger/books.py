# SPDX-License-Identifier: GPL-2.0-only
"""Books: what a file or a mapping should hold, page by page."""

from __future__ import annotations

from dataclasses import dataclass, field

from difftest.workload.limits import PAGE_SIZE

MIXTURE = -1
"""The tag of a page that was copied from two pages of different tags."""


@dataclass(slots=True)
class Book:
    """A file: its size in pages, and the tags of the pages that it has.

    `limited`: its pages are blocks of the mount. `charged`: memory is committed for each.
    `reclaimed` are those of its pages that were to be reclaimed since they were filled.
    """

    size: int
    limited: bool = False
    charged: bool = True
    pages: dict[int, int] = field(default_factory=dict)
    reclaimed: set[int] = field(default_factory=set)

    def fill(self, page: int, tag: int) -> None:
        self.pages[page] = tag
        self.reclaimed.discard(page)


@dataclass(slots=True)
class Mapping:
    """A mapping: pages `offset` to `offset + pages` of a file, or of none, of `size` bytes each.

    `own` holds the tags of private pages that it has, by page; None for a page of the file.
    `present` are the pages with a page-table entry, `doubtful` those that may have one: their
    entry may have been taken away, and no document says whether. `reclaimed` are private pages
    that were to be reclaimed since they were filled. `protected` are those that were filled for
    write-protection while it is on, `unsure` those that could not be written anyway, and that a
    kernel may not protect. `scarce`: nobody has reserved its huge pages.
    """

    book: Book | None
    offset: int
    pages: int
    shared: bool
    own: dict[int, int | None] = field(default_factory=dict)
    present: set[int] = field(default_factory=set)
    doubtful: set[int] = field(default_factory=set)
    reclaimed: set[int] = field(default_factory=set)
    protected: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    size: int = PAGE_SIZE
    scarce: bool = False
    mapped: bool = True
    registered: bool = True
    protects: bool = False
    writable: bool = True
    locked: bool = False
    moved: bool = False

    def holds(self, page: int) -> int:
        """Return the tag that memory holds at a page that is present."""
        tag = self.own.get(page)
        if tag is None and self.book:
            return self.book.pages.get(self.offset + page, 0)
        return tag or 0

    def drop(self, page: int) -> None:
        """Take a page-table entry away, and a private page with it.

        It may leave something in its place that tells of its protection.
        """
        self.own.pop(page, None)
        self.present.discard(page)
        if page not in self.protected:
            self.doubtful.discard(page)
        elif self.book:
            self.doubtful.add(page)

    def fill(self, page: int, *, protect: bool) -> None:
        """Enter a page-table entry."""
        self.own.pop(page, None)
        self.doubtful.discard(page)
        self.present.add(page)
        self.reclaimed.discard(page)
        for pages, holds in (
            (self.protected, protect),
            (self.unsure, protect and not self.writable),
        ):
            (pages.add if holds else pages.discard)(page)

    def unregister(self) -> None:
        """Watch it no more: what was protected is not, either."""
        self.registered = self.protects = False
        self.protected.clear()

    def doubt(self, page: int) -> None:
        """Note that a page-table entry may be gone; whatever it leads to stays."""
        if page in self.present:
            self.present.discard(page)
            self.doubtful.add(page)

    def is_of_file(self, page: int) -> bool:
        """Whether what is mapped at a page, if anything, is a page of the file."""
        return self.shared or self.own.get(page, 0) is None

    def page_out(self, page: int) -> None:
        """Reclaim a page: one of a file loses its entry, that of a private one leads to swap."""
        if page not in self.present | self.doubtful:
            return
        if not self.is_of_file(page):
            self.reclaimed.add(page)
            return
        self.doubt(page)
        if self.book:
            self.book.reclaimed.add(self.offset + page)

    def was_reclaimed(self, page: int) -> bool:
        """Whether what is mapped at a page was to be reclaimed since it was filled."""
        if self.is_of_file(page):
            return self.book is not None and self.offset + page in self.book.reclaimed
        return page in self.reclaimed
