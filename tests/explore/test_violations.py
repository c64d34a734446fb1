# SPDX-License-Identifier: GPL-2.0-only
"""Each kind of violation is seen where it is, and nothing is seen where nothing is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from difftest.backends.model import load
from difftest.explore.execution import Execution
from difftest.explore.scenario import from_text
from difftest.explore.violations import (
    BLOCKS,
    BUG,
    COMMITTED,
    DEADLOCK,
    LOST,
    PAGES,
    STALE,
    violations,
)
from difftest.model.memory import alloc_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from difftest.model.objects import Page

SCENARIO = from_text(
    """\
mount blocks=4
file pages=2
map file=0 offset=0 pages=2
map_private file=0 offset=0 pages=1
thread
  copy map=0 page=0 source=RR
  zeropage map=1 page=0 pages=1
thread
  fill leave=1
""",
    "judged",
)


def played() -> Execution:
    execution = Execution(SCENARIO, load(()))
    while able := execution.enabled():
        execution.step(able[0])
    return execution


def page(execution: Execution) -> Page:
    found = execution.system.files[0].i_mapping.i_pages[1]
    assert not hasattr(found, "swap")
    return found  # type: ignore[return-value]


def leave_clean(execution: Execution) -> None:
    for pte in execution.system.mm.ptes.values():
        pte.dirty = False
    page(execution).dirty = False


def hold_block(execution: Execution) -> None:
    execution.system.sb.used_blocks += 1


def commit(execution: Execution) -> None:
    execution.system.mm.memory.vm_committed_as += 1


WRONG: dict[str, tuple[Callable[[Execution], object], str, str]] = {
    "held block": (hold_block, BLOCKS, "4 blocks are in use, and the files have 3"),
    "held page": (
        lambda execution: alloc_page(execution.system.mm.memory),
        PAGES,
        "1 pages are allocated when all is deleted",
    ),
    "beyond the end": (
        lambda execution: setattr(execution.system.files[0], "i_size", 4096),
        STALE,
        "page 1 of file 0 is cached beyond the end",
    ),
    "off the LRU": (
        lambda execution: setattr(page(execution), "lru", False),
        STALE,
        "page 1 of file 0 is not on the LRU",
    ),
    "wrong content": (
        lambda execution: setattr(page(execution), "content", 0),
        STALE,
        "page 1 of file 0 holds what nobody put there",
    ),
    "clean": (leave_clean, LOST, "page 0 of file 0 is clean, and there is no other copy"),
    "committed": (commit, COMMITTED, "1 pages are committed when all is deleted"),
    "counted twice": (
        lambda execution: setattr(execution.system.files[0], "i_blocks", 24),
        BUG,
        "WARNING at mm/shmem.c shmem_evict_inode, when all is closed",
    ),
}


def test_nothing_is_seen_where_nothing_is() -> None:
    assert violations(played()) == ()


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_seen_for_what_it_is(name: str) -> None:
    spoil, kind, detail = WRONG[name]
    execution = played()
    spoil(execution)
    assert (kind, detail) in violations(execution)


def test_threads_that_wait_for_ever_are_a_deadlock() -> None:
    execution = Execution(SCENARIO, load(()))
    execution.system.filler.i_rwsem = True
    while able := execution.enabled():
        execution.step(able[0])
    assert [one.kind for one in violations(execution)] == [DEADLOCK]
