# SPDX-License-Identifier: GPL-2.0-only
"""A user's own git tree is a series: read from, never written to."""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from unidiff.patch import PatchSet

from difftest import catalogue, kernels, plugins
from difftest.errors import ToolchainError, UsageError
from difftest.facts import facts_of, misfit
from difftest.kernels import cache, source, trees
from difftest.strategy import Strategy

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "VERSION = {}\nPATCHLEVEL = {}\nSUBLEVEL = 7\nEXTRAVERSION = -mine\n"


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    done = subprocess.run(
        ["git", "-C", folder, *who, *words], check=True, capture_output=True, text=True
    )
    return done.stdout


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "change")


def repository(
    folder: Path, *, version: tuple[int, int] = (6, 1), fixed: bool = True, platform: bool = True
) -> Path:
    """Make a repository with the lines of a kernel that our patches touch, and no others."""
    for name, text in trees.patches_of("6.1").items():
        before = fixed if name == "baseline.patch" else platform
        for file in PatchSet(text):
            lines = [
                line.value
                for hunk in file
                for line in (hunk.source_lines() if before else hunk.target_lines())
            ]
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(lines))
    (folder / "Makefile").write_text(VERSION.format(*version))
    (folder / "mm" / "userfaultfd.c").write_text("assertion\n")
    git(folder.parent, "init", "--quiet", str(folder))
    commit(folder)
    return folder


def state(folder: Path) -> dict[str, tuple[int, str]]:
    """Return time and content of all files of a repository, those of git among them."""
    return {
        str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def tree(tmp_path: Path, own_cache: Path) -> Path:
    assert own_cache.exists()
    return repository(tmp_path / "mine")


def test_a_tree_becomes_a_series_and_a_backend(tree: Path) -> None:
    said = trees.add(tree)
    assert said.startswith("mine: Linux 6.1.7-mine, commit ")
    assert said.endswith("like 6.1")
    assert kernels.known()["mine"].like == "6.1"
    assert "uml:mine" in plugins.load().backends
    (row,) = catalogue.kernels_listing().splitlines()[-1:]
    assert row.split() == ["mine", "6.1.7-mine", git(tree, "rev-parse", "HEAD")[:12], str(tree)]
    trees.remove("mine")
    assert "mine" not in kernels.known()
    assert "uml:mine" not in plugins.load().backends


def test_the_source_is_that_of_the_commit_without_the_fix(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "DISK_NEEDED", 0)
    (tree / "mm" / "userfaultfd.c").write_text("not committed\n")
    git(tree, "tag", "old")
    trees.add(tree, "old", "fix-5")
    made = kernels.fetch("fix-5")
    assert (made / "mm" / "userfaultfd.c").read_text() == "assertion\n"
    assert "put_page(*pagep)" in (tree / "mm" / "shmem.c").read_text()
    assert "put_page(*pagep)" not in (made / "mm" / "shmem.c").read_text()
    assert source.version("fix-5") == "6.1.7-mine"
    assert not (made / ".git").exists()


def test_nothing_in_the_tree_is_touched(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of files changed without their content: `git status` would refresh the index."""
    monkeypatch.setattr(source, "DISK_NEEDED", 0)
    for path in tree.rglob("*.c"):
        os.utime(path, (1, 1))
    before = state(tree)
    trees.add(tree)
    kernels.fetch("mine")
    assert state(tree) == before


def test_another_commit_is_another_source(tree: Path) -> None:
    trees.add(tree)
    first = source.directory_name("mine")
    trees.remove("mine")
    (tree / "README").write_text("more\n")
    commit(tree)
    trees.add(tree)
    assert source.directory_name("mine") != first


@pytest.mark.usefixtures("own_cache")
def test_a_tree_without_the_fix_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "DISK_NEEDED", 0)
    mine = repository(tmp_path / "mine", fixed=False, platform=False)
    said = trees.add(mine).splitlines()[1:]
    assert said == [
        "the tree is already as baseline.patch of 6.1 would make it",
        "the tree is already as platform.patch of 6.1 would make it",
    ]
    assert (kernels.fetch("mine") / "mm/shmem.c").read_text() == (mine / "mm/shmem.c").read_text()


def test_a_tree_that_is_neither_is_refused(tree: Path) -> None:
    (tree / "mm" / "shmem.c").write_text("quite different\n")
    commit(tree)
    with pytest.raises(UsageError, match="neither with the fix") as caught:
        trees.add(tree)
    assert "baseline.patch of series 6.1 does not apply" in str(caught.value)
    assert "mm/shmem.c, hunk 1 of 1" in str(caught.value)


@pytest.mark.parametrize("version", [(4, 19), (5, 4), (6, 13), (7, 0)])
@pytest.mark.usefixtures("own_cache")
def test_a_version_outside_of_what_is_known_is_refused(
    tmp_path: Path, version: tuple[int, int]
) -> None:
    mine = repository(tmp_path / "mine", version=version)
    with pytest.raises(UsageError, match=r"spans 5\.10 to 6\.12"):
        trees.add(mine)


def test_what_cannot_be_a_tree_is_told(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no git tree that can be read"):
        trees.add(tmp_path, name="x")
    with pytest.raises(UsageError, match=r"--rev nowhere: .* has no such commit"):
        trees.add(tree, "nowhere")
    with pytest.raises(UsageError, match=r"'a:b' cannot be the name"):
        trees.add(tree, name="a:b")
    with pytest.raises(UsageError, match=r"'6\.1' cannot be the name"):
        trees.add(tree, name="6.1")
    trees.add(tree)
    with pytest.raises(UsageError, match="difftest kernel remove mine"):
        trees.add(tree)
    with pytest.raises(UsageError, match="no tree 'other': there are mine"):
        trees.remove("other")
    git(tree, "rm", "--quiet", "mm/userfaultfd.c")
    commit(tree)
    with pytest.raises(UsageError, match="holds no kernel"):
        trees.add(tree, name="y")


def test_a_commit_that_has_gone_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "DISK_NEEDED", 0)
    trees.add(tree)
    tree.rename(tree.with_name("moved"))
    with pytest.raises(ToolchainError, match="difftest kernel remove mine"):
        kernels.fetch("mine")
    assert list((cache.root() / "tmp").iterdir()) == []


def test_cleaning_everything_keeps_the_note_of_a_tree(tree: Path) -> None:
    trees.add(tree)
    kernels.clean(everything=True)
    assert "mine" in kernels.known()


def test_a_strategy_takes_the_patch_of_the_nearest_series_or_says_why_not(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "DISK_NEEDED", 0)
    trees.add(tree)
    backend = plugins.load().backend("uml:mine")
    text = "--- a/mm/userfaultfd.c\n+++ b/mm/userfaultfd.c\n@@ -1 +1 @@\n-{}\n+gone\n"
    fits, stale = (
        Strategy(name=word, claim="", kernel_patches={"6.1": text.format(word)})
        for word in ("assertion", "elsewhere")
    )
    older = Strategy(name="older", claim="", kernel_patches={"5.10": text.format("assertion")})
    assert backend.supports(fits) == ""
    assert backend.supports(stale).startswith("does not apply: strategy elsewhere on kernel mine")
    assert backend.supports(older) == "no patch for 6.1"
    facts = facts_of(fits, {"assertion": fits}, ["uml:mine"])
    assert misfit("assertion", facts, "uml:mine") == ""


@pytest.mark.kernel
def test_a_real_kernel_comes_out_as_it_went_in(tmp_path: Path) -> None:
    """The distribution's source, made a repository; the whole would take minutes."""
    original = kernels.fetch("6.1")
    mine = tmp_path / "mine.git"
    git(tmp_path, "init", "--quiet", "--bare", str(mine))
    where = (f"--work-tree={original}", "-c", "core.compression=1")
    parts = ("Makefile", "arch/um", "arch/x86", "fs", "include", "kernel", "mm")
    # The source has a .gitignore that leaves nearly everything out.
    git(mine, *where, "add", "--force", *parts)
    git(mine, *where, "commit", "--quiet", "--message", "all")
    name = f"test-{os.getpid()}"
    said = trees.add(mine, name=name)
    try:
        assert "already as baseline.patch of 6.1" in said
        made = kernels.fetch(name)
        assert all(sizes(made / part) == sizes(original / part) for part in parts)
        assert {path.name for path in made.iterdir()} == {part.split("/")[0] for part in parts}
        assert (made / "mm/shmem.c").read_text() == (original / "mm/shmem.c").read_text()
    finally:
        subprocess.run(["rm", "-rf", *(cache.root() / "sources").glob(f"{name}-*")], check=True)
        trees.remove(name)


def sizes(folder: Path) -> dict[str, int]:
    """Return the size of every file."""
    return {
        f"{where}/{name}"[len(str(folder)) :]: os.lstat(f"{where}/{name}").st_size
        for where, _, names in os.walk(folder)
        for name in names
    }
