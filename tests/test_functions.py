# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

import pytest
from played import FITTING, KNOWN
from unidiff.patch import PatchSet

from difftest import facts, kernels
from difftest.functions import Touched, touched

if TYPE_CHECKING:
    from pathlib import Path

    from difftest.strategy import Strategy


def of(*body: str, heading: str = "static int f(struct page *page)", path: str = "a.c") -> Touched:
    """Return what a patch of one hunk touches."""
    old = sum(not line.startswith("+") for line in body)
    new = sum(not line.startswith("-") for line in body)
    head = f"@@ -10,{old} +10,{new} @@ {heading}".rstrip()
    return touched([PatchSet("\n".join([f"--- a/{path}", f"+++ b/{path}", head, *body, ""]))])


def test_the_heading_names_the_function() -> None:
    assert of(" \tint a;", "+\ta = 1;").functions == ("f",)


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("f()", "f"),
        ("int shmem_mfill_atomic_pte(struct mm_struct *dst_mm,", "shmem_mfill_atomic_pte"),
        ("static __always_inline ssize_t __mcopy_atomic(struct mm_struct *m,", "__mcopy_atomic"),
        ("struct vm_area_struct *find_dst_vma(struct mm_struct *dst_mm,", "find_dst_vma"),
        ("SYSCALL_DEFINE1(userfaultfd, int, flags)", "userfaultfd"),
        ("def shmem_mfill_atomic_pte(", "shmem_mfill_atomic_pte"),
    ],
)
def test_headings_of_every_kind_are_read(heading: str, name: str) -> None:
    assert of("+\ta = 1;", " \tb();", heading=heading).functions == (name,)


def test_a_function_that_begins_in_the_hunk_is_the_one_that_is_changed() -> None:
    found = of(" }", " ", " int g(int a,", " \t  int b)", " {", "-\treturn a;", "+\treturn b;")
    assert found == Touched(("g",), (), ("g",), 0)


def test_one_hunk_may_touch_two_functions() -> None:
    found = of("-\ta();", " }", " ", " void g(void)", " {", "+\tspin_lock(&x);", " }")
    assert found == Touched(("f", "g"), ("g",), (), 0)


def test_a_function_that_is_added_or_renamed_counts() -> None:
    assert of(" }", " ", "+void g(void)", "+{", "+\ta();", "+}").functions == ("g",)
    assert of(" }", " ", "-void g(void)", "+void h(void)", " {").functions == ("g", "h")


def test_what_lies_between_functions_is_in_none() -> None:
    between = (" }", " ", "+/*", "+ * About g.", "+ */", "+int limit = 2;", " int g(void)", " {")
    assert of(*between) == Touched((), (), (), 0)
    assert of("+extern int g(int a,", "+\t\t int b);", " ", heading="") == Touched((), (), (), 0)
    assert of("+\tint member;", " };", heading="struct inode {") == Touched((), (), (), 0)


def test_a_label_ends_no_function() -> None:
    assert of(" out:", "-\treturn ret;", "+\treturn 0;").returns == ("f",)


def test_without_headings_the_functions_are_not_known_and_that_is_said() -> None:
    found = of(" \tint a;", "+\ta = 1;", "+\treturn a;", heading="")
    assert found == Touched((), (), (), 2)
    assert of("+#include <linux/file.h>", " #include <linux/fs.h>", heading="").nameless == 0


@pytest.mark.parametrize(
    "line",
    [
        "\tspin_lock_irq(&info->lock);",
        "\tunlock_page(page);",
        "\tfolio_unlock(folio);",
        "\tif (!folio_trylock(folio))",
        "\tmmap_read_lock(dst_mm);",
        "\tdst_pte = pte_offset_map_lock(dst_mm, dst_pmd, dst_addr, &ptl);",
        "\tup_read(&ctx->map_changing_lock);",
        "\tmutex_lock(&m);",
        "\t__SetPageLocked(page);",
        "\t__folio_set_locked(folio);",
    ],
)
def test_locking_is_recognized(line: str) -> None:
    for sign in "+-":
        assert of(f"{sign}{line}", " \ta();").locking == ("f",)


@pytest.mark.parametrize(
    "line",
    [
        "\tif (!shmem_inode_acct_block(inode, 1))",
        "\tshmem_inode_unacct_blocks(inode, 1);",
        "\tVM_BUG_ON(folio_test_locked(folio));",
        "\t/* drop spin_lock() first */",
        "\tput_page(page);",
        "\tclock();",
    ],
)
def test_what_only_looks_like_locking_is_not(line: str) -> None:
    found = of(f"+{line}", " \ta();")
    assert (found.functions, found.locking) == (("f",), ())


def test_locking_in_the_context_is_not_changed() -> None:
    assert of(" \tspin_lock(&x);", "+\ta();", " \tspin_unlock(&x);").locking == ()


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("\treturn -ENOMEM;", True),
        ("\tret = -ENOENT;", True),
        ("\t\tgoto out_release;", True),
        ('            label = "out_release"', True),
        ("\tif (ret == -ENOENT)", False),
        ("\t * return what is left", False),
        ("\tshrink = 1;", False),
    ],
)
def test_return_values_are_what_is_returned_or_leads_there(line: str, counts: bool) -> None:  # noqa: FBT001 - a case
    assert of(f"+{line}", " \ta();").returns == (("f",) if counts else ())


@pytest.mark.kernel
@FITTING
def test_the_source_agrees_on_the_functions_of_bundled_patches(
    strategy: Strategy, series: str, tmp_path: Path
) -> None:
    source = kernels.fetch(series)
    *below, _ = links = facts.chain(strategy, KNOWN)
    before, after = tmp_path / "before", tmp_path / "after"
    every = [kernels.Patch(one.name, one.kernel_patches[series]) for one in links]
    names = _patched(source, every, after, every)
    assert names == _patched(source, every[: len(below)], before, every)
    found: dict[str, None] = {}
    for name in names:
        old, new = ((tree / name).read_text().splitlines() for tree in (before, after))
        for tag, *spans in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag == "equal":
                continue
            for lines, first, last in ((old, *spans[:2]), (new, *spans[2:])):
                found |= dict.fromkeys(filter(None, _enclosing(lines, first, last)))
    own = touched([PatchSet(strategy.kernel_patches[series])])
    assert set(own.functions) == set(found)
    assert own.nameless == 0


def _patched(
    source: Path, patches: list[kernels.Patch], tree: Path, every: list[kernels.Patch]
) -> list[str]:
    """Make `tree` of the files that all patches touch, with some of them applied."""
    names = sorted(kernels.tree.touched(every))
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes((source / name).read_bytes())
    kernels.tree.apply(patches, tree, "")
    return names


def _enclosing(lines: list[str], first: int, last: int) -> list[str]:
    """Return the function that each line with something on it is in: found from its end."""
    found = []
    for number in range(first, last):
        end = next((i for i in range(number, len(lines)) if lines[i] == "}"), 0)
        opened = next((i for i in range(end, -1, -1) if lines[i] == "{"), 0)
        start = next((i for i in range(opened - 1, -1, -1) if not lines[i][:1].isspace()), 0)
        if start <= number <= end and lines[number].strip():
            match = re.search(r"(\w+)\(", lines[start])
            found.append(match[1] if match else "")
    return found
