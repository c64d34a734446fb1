# SPDX-License-Identifier: GPL-2.0-only
"""Violations: what must not be when all threads have returned, and all is closed and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from difftest.model.kernel import PAGE_SHIFT, PAGE_SIZE, KernelBug
from difftest.model.objects import Page
from difftest.workload.ops import Copy, Fill, Remap, RemapPrivate, Write, Zeropage
from difftest.workload.workload import tag_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.explore.execution import Execution
    from difftest.explore.scenario import Scenario
    from difftest.model.objects import Inode

BUG, BLOCKS, PAGES, STALE, LOST, COMMITTED, DEADLOCK = KINDS = (
    "BUG",
    "block leak",
    "page leak",
    "stale page",
    "lost page",
    "committed",
    "deadlock",
)
"""A stale page is in the page cache and should not be, or not like this; one is lost where reclaim
would drop what was written."""


class Violation(NamedTuple):
    kind: str
    detail: str


def violations(execution: Execution) -> tuple[Violation, ...]:
    """Judge an execution in which no thread can go on. It is of no use afterwards."""
    if execution.crash:
        return (Violation(BUG, execution.crash),)
    waiting = [thread.number for thread in execution.threads if not thread.done]
    if waiting:
        return (Violation(DEADLOCK, f"threads {waiting} wait for each other's locks"),)
    try:
        return tuple(dict.fromkeys(_at_the_end(execution)))
    except KernelBug as bug:
        return (Violation(BUG, f"{bug.title}, when all is closed"),)


def _at_the_end(execution: Execution) -> Iterator[Violation]:
    system = execution.system
    system.remove_end()
    inodes = [*system.files, system.filler]
    mapped_dirty = {
        pte.page for pte in system.mm.ptes.values() if pte.page is not None and pte.dirty
    }
    for number, inode in enumerate(inodes):
        name = f"file {number}" if number < len(system.files) else "the filler"
        allowed = contents_of(execution.scenario, number)
        for index, page in inode.i_mapping.i_pages.items():
            if isinstance(page, Page):
                at = f"page {index} of {name}"
                yield from _of_page(page, inode, index, at, allowed, mapped_dirty)
    blocks = sum(system.st_blocks(inode) for inode in inodes if inode.i_sb is system.sb)
    held = blocks * 512 // PAGE_SIZE
    used = system.used()
    if system.sb.max_blocks and used != held:
        yield Violation(BLOCKS, f"{used} blocks are in use, and the files have {held}")
    left, pages, committed = system.destroy()
    if left and used == held:
        yield Violation(BLOCKS, f"{left} blocks are in use when all is deleted")
    if pages:
        yield Violation(PAGES, f"{pages} pages are allocated when all is deleted")
    if committed:
        yield Violation(COMMITTED, f"{committed} pages are committed when all is deleted")


def _of_page(
    page: Page,
    inode: Inode,
    index: int,
    at: str,
    allowed: dict[int, set[int]],
    mapped_dirty: set[Page],
) -> Iterator[Violation]:
    """Judge a page of a page cache while nobody works on it."""
    if index << PAGE_SHIFT >= inode.i_size:
        yield Violation(STALE, f"{at} is cached beyond the end")
    if page.locked or not page.uptodate or not page.lru:
        state = "locked" if page.locked else "not on the LRU" if page.uptodate else "not up to date"
        yield Violation(STALE, f"{at} is {state}")
    if page.content not in allowed.get(index, set()) | allowed.get(-1, set()):
        yield Violation(STALE, f"{at} holds what nobody put there")
    if page.content and not page.dirty and page not in mapped_dirty:
        yield Violation(LOST, f"{at} is clean, and there is no other copy")


def contents_of(scenario: Scenario, number: int) -> dict[int, set[int]]:
    """Return the tags that operations may put into pages of a file, by page index; -1: any index.

    The filler counts as the file after the last one.
    """
    found: dict[int, set[int]] = {}
    filler = len(scenario.files) + len(scenario.memfds)
    for ordinal, (_, _, op) in enumerate(scenario.ops()):
        if isinstance(op, Fill) and number == filler:
            found.setdefault(-1, set()).update(tag_of(ordinal, i) for i in range(scenario.blocks))
        elif isinstance(op, Write) and op.file == number:
            for page in range(op.pages):
                found.setdefault(op.page + page, set()).add(tag_of(ordinal, page))
        elif isinstance(op, Copy | Zeropage):
            for offset in _offsets(scenario, op.map, number):
                for page in range(op.pages):
                    tag = tag_of(ordinal, page) if isinstance(op, Copy) else 0
                    found.setdefault(offset + op.page + page, set()).add(tag)
    return found


def _offsets(scenario: Scenario, number: int, file: int) -> set[int]:
    """Return at which offsets a mapping may ever show a file, shared."""
    one = scenario.maps[number]
    found = {one.offset} if one.kind.of_file and one.kind.shared and one.file == file else set()
    for _, _, op in scenario.ops():
        if isinstance(op, Remap) and not isinstance(op, RemapPrivate):
            found |= {op.offset} if (op.map, op.file) == (number, file) else set()
    return found
