# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from difftest.errors import PatchError
from difftest.kernels import Patch, tree

if TYPE_CHECKING:
    from pathlib import Path

EDIT = """\
--- a/mm/shmem.c
+++ b/mm/shmem.c
@@ -1,3 +1,3 @@
 first
-second
+zweite
 third
"""
NEW_FILE = """\
--- /dev/null
+++ b/mm/new.h
@@ -0,0 +1 @@
+new
"""
DRIVER = """\
--- a/drivers/net/tun.c
+++ b/drivers/net/tun.c
@@ -1 +1 @@
-tun
+tap
"""


def patched(source: Path, where: Path, *texts: str) -> Path:
    patches = [Patch(f"patch {number}", text) for number, text in enumerate(texts)]
    tree.make(source, patches, where / "tree", "6.1")
    return where / "tree"


def test_the_copy_has_the_change_and_the_source_has_not(fake_tree: Path, tmp_path: Path) -> None:
    copy = patched(fake_tree, tmp_path, EDIT, NEW_FILE)
    assert (copy / "mm/shmem.c").read_text() == "first\nzweite\nthird\n"
    assert (copy / "mm/new.h").read_text() == "new\n"
    assert (fake_tree / "mm/shmem.c").read_text() == "first\nsecond\nthird\n"
    assert not (fake_tree / "mm/new.h").exists()


def test_an_include_by_way_of_the_parent_finds_the_patched_header(
    fake_tree: Path, tmp_path: Path
) -> None:
    header = "--- a/mm/internal.h\n+++ b/mm/internal.h\n@@ -1 +1 @@\n-header\n+changed\n"
    copy = patched(fake_tree, tmp_path, header)
    assert (copy / "lib/../mm/internal.h").read_text() == "changed\n"


def test_a_directory_that_is_not_compiled_is_one_link(fake_tree: Path, tmp_path: Path) -> None:
    copy = patched(fake_tree, tmp_path, EDIT)
    assert (copy / "Documentation").is_symlink()
    assert (copy / "drivers/net").is_symlink()
    assert not (copy / "drivers").is_symlink()
    assert (copy / "Documentation/index").read_text() == "words\n"


def test_a_directory_that_is_not_compiled_can_be_patched(fake_tree: Path, tmp_path: Path) -> None:
    copy = patched(fake_tree, tmp_path, DRIVER)
    assert (copy / "drivers/net/tun.c").read_text() == "tap\n"
    assert (fake_tree / "drivers/net/tun.c").read_text() == "tun\n"


@pytest.mark.parametrize("path", ["../outside.c", "mm/../../outside.c", "build/.config"])
def test_a_patch_that_leaves_the_tree_is_refused(path: str) -> None:
    text = f"--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n"
    with pytest.raises(PatchError, match=r"fix x touches .*expected paths below a kernel tree"):
        tree.touched([Patch("fix x", text)])


def test_an_absolute_path_is_refused() -> None:
    with pytest.raises(PatchError, match="fix x touches /etc/passwd"):
        tree.touched([Patch("fix x", "--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n")])


def test_a_new_symbolic_link_is_refused() -> None:
    text = (
        "diff --git a/mm/link b/mm/link\nnew file mode 120000\n"
        "--- /dev/null\n+++ b/mm/link\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n"
    )
    with pytest.raises(PatchError, match="symbolic link"):
        tree.touched([Patch("fix x", text)])


def test_both_names_of_a_renamed_file_are_touched() -> None:
    text = (
        "diff --git a/mm/shmem.c b/mm/tmpfs.c\nsimilarity index 100%\n"
        "rename from mm/shmem.c\nrename to mm/tmpfs.c\n"
    )
    assert set(tree.touched([Patch("fix x", text)])) == {"mm/shmem.c", "mm/tmpfs.c"}


def test_a_patch_that_does_not_fit_names_itself_and_the_series(
    fake_tree: Path, tmp_path: Path
) -> None:
    with pytest.raises(PatchError, match=r"patch 1 on kernel 6\.1 does not apply"):
        patched(fake_tree, tmp_path, EDIT, EDIT)
