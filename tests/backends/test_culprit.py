# SPDX-License-Identifier: GPL-2.0-only
from pathlib import Path

import pytest

from difftest.backends import culprit

CONSOLES = Path(__file__).parents[1] / "data" / "console"
ENTRY = "userfaultfd_ioctl sys_ioctl handle_syscall userspace"


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (
            "page-owner",
            (
                "allocated by shmem_alloc_folio < shmem_mfill_atomic_pte < mcopy_atomic; "
                "freed by __folio_put < shmem_mfill_atomic_pte < mcopy_atomic; "
                "seen in shmem_mfill_atomic_pte < mcopy_atomic"
            ),
        ),
        (
            "kasan",
            (
                "seen in shmem_mfill_atomic_pte < mcopy_atomic; "
                "allocated by shmem_alloc_folio < shmem_mfill_atomic_pte < mcopy_atomic; "
                "freed by __folio_put < shmem_mfill_atomic_pte < mcopy_atomic"
            ),
        ),
        ("lockdep", "seen in __might_fault"),
        ("lockdep-of-uml-itself", ""),
        ("uml-bug", ""),
    ],
)
def test_a_console_names_who_did_it(log: str, told: str) -> None:
    assert culprit.of_console((CONSOLES / f"{log}.log").read_text(encoding="utf-8")) == told


def test_left_pages_are_counted_by_who_allocated_them() -> None:
    common = "save_stack get_page_from_freelist __alloc_pages shmem_alloc_folio"
    stacks = [
        f"{common} shmem_mfill_atomic_pte {ENTRY}",
        f"{common} shmem_getpage_gfp {ENTRY}",
        f"{common} shmem_mfill_atomic_pte {ENTRY}",
    ]
    assert culprit.of_pages(stacks) == (
        "2 left pages allocated by shmem_alloc_folio < shmem_mfill_atomic_pte; "
        "1 left page allocated by shmem_alloc_folio < shmem_getpage_gfp"
    )


def test_pages_that_keep_account_are_nobodys() -> None:
    stacks = [f"__alloc_pages {who} sys_ioctl" for who in ("__stack_depot_save", "allocate_slab")]
    assert culprit.of_pages(stacks) == ""


def test_a_stack_of_nothing_but_the_allocator_is_told_all_the_same() -> None:
    assert culprit.of_pages(["__alloc_pages __free_pages"]) == (
        "1 left page allocated by __alloc_pages < __free_pages"
    )
