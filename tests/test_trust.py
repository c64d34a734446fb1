# SPDX-License-Identifier: GPL-2.0-only
"""Trust: what a stranger's patch may not do, wherever in it that is, and what it may."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from called import difftest
from hypothesis import given, settings
from hypothesis import strategies as st

from difftest import patchfile, patching, trust
from difftest.errors import DifftestError, PatchError, UsageError

ROOT = Path(__file__).parents[1]
PLAIN = "100644"


def change(path: str, *added: str, git: bool = False) -> str:
    """Return a change that adds lines to a file after its first."""
    head = f"diff --git a/{path} b/{path}\nindex 1234567..89abcde {PLAIN}\n" if git else ""
    lines = "".join(f"+{line}\n" for line in added)
    return f"{head}--- a/{path}\n+++ b/{path}\n@@ -1,2 +1,{2 + len(added)} @@\n a\n{lines} b\n"


def header(path: str, *lines: str, to: str = "") -> str:
    return "".join(f"{line}\n" for line in (f"diff --git a/{path} b/{to or path}", *lines))


def new(path: str, mode: str, line: str) -> str:
    return header(path, f"new file mode {mode}", "index 0000000..89abcde") + (
        f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{line}\n"
    )


#: What a hostile patch has in it somewhere, and words of the message that refuses it.
HOSTILE = {
    "makefile": (change("mm/Makefile", "$(shell id)"), "a Makefile can run programs"),
    "makefile elsewhere": (change("Makefile", "$(shell id)"), "a Makefile can run programs"),
    "kbuild": (change("mm/Kbuild", "$(shell id)"), "a Makefile can run programs"),
    "kconfig": (change("mm/Kconfig", "$(shell,id)"), "a Kconfig file can run programs"),
    "script": (change("scripts/sorttable.c", "x"), "runs when a kernel is built"),
    "host program": (change("usr/gen_init_cpio.c", "x"), "touches usr/gen_init_cpio.c"),
    "host header": (change("include/linux/license.h", "x"), "touches include/linux/license.h"),
    "no source": (change("mm/x.S", "x"), "touches mm/x.S"),
    "parent": (change("../x.c", "x"), "reaches out of the tree"),
    "parent inside": (change("mm/../../x.c", "x"), "reaches out of the tree"),
    "parent prefix": (change("x.c", "x").replace("a/", "../").replace("b/", "../"), "reaches out"),
    "absolute": (
        "--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1,2 @@\n a\n+x\n", "reaches out of the tree"
    ),
    "absolute inside": (change("/etc/x.c", "x"), "reaches out of the tree"),
    "quoted": (change("mm/x.c", "x").replace("a/mm/x.c", '"a/mm/\\170.c"'), "kernel tree"),
    "space": (change("mm/a b.c", "x"), "expected paths below a kernel tree"),
    "no prefix": (change("x.c", "x").replace("a/x", "x").replace("b/x", "x"), "kernel tree"),
    "symlink": (new("mm/x.c", "120000", "/etc/passwd"), "a symbolic link"),
    "symlink changed": (
        header("mm/x.c", "index 1234567..89abcde 120000") + change("mm/x.c", "x"), "symbolic link"
    ),
    "submodule": (new("mm/x.c", "160000", "Subproject commit 1"), "a submodule"),
    "new executable": (new("mm/x.c", "100755", "x"), "makes mm/x.c executable"),
    "executable": (header("mm/x.c", "old mode 100644", "new mode 100755"), "makes mm/x.c exec"),
    "other mode": (header("mm/x.c", "old mode 100644", "new mode 100600"), "changes the mode"),
    "binary": (
        header("mm/x.c", "index 1..2", "GIT binary patch", "literal 4", "LcmZQzWMT#Y01f~L"),
        "binary patch",
    ),
    "binary told": (
        header("mm/x.c", "index 1..2", "Binary files a/mm/x.c and b/mm/x.c differ"), "a binary"
    ),
    "rename": (
        header("mm/x.c", "similarity index 100%", "rename from mm/x.c", "rename to mm/y.c",
               to="mm/y.c"),
        "renames",
    ),
    "rename out": (
        header("mm/x.c", "rename from mm/x.c", "rename to scripts/x.c", to="scripts/x.c"),
        "renames",
    ),
    "rename by header": (change("mm/x.c", "x").replace("+++ b/mm/x.c", "+++ b/mm/y.c"), "renames"),
    "copy": (
        header("mm/x.c", "similarity index 100%", "copy from mm/x.c", "copy to mm/y.c",
               to="mm/y.c"),
        "copies",
    ),
    "header line": (header("mm/x.c", "gone file mode 1") + change("mm/x.c", "x"), "not known"),
    "include": (change("mm/x.c", '#include "/etc/passwd"'), "could read a file"),
    "include angled": (change("mm/x.c", "#include </etc/passwd>"), "could read a file"),
    "include up": (change("mm/x.c", '#include "../../../etc/passwd"'), "could read a file"),
    "include spaced": (change("mm/x.c", ' # /* */ include "/etc/passwd"'), "could read a file"),
    "include digraph": (change("mm/x.c", '%:include "/etc/passwd"'), "could read a file"),
    "include split": (change("mm/x.c", "#inc\\", 'lude "/etc/passwd"'), "could read a file"),
    "include split hash": (change("mm/x.c", "#\\", 'include "/etc/passwd"'), "could read a file"),
    "include next": (change("mm/x.c", '#include_next "/etc/passwd"'), "could read a file"),
    "include of a macro": (
        change("mm/x.c", '#define X "/etc/passwd"', "#include X"), "could read a file"
    ),
    "include hidden": (
        change("mm/x.c", 'char *a = "/*";', '#include "/etc/passwd"', 'char *b = "*/";'),
        "could read a file",
    ),
    "include hidden twice": (
        change("mm/x.c", 'char *a = "/*";', '#/**/include "/etc/passwd"'), "could read a file"
    ),
    "import": (change("mm/x.h", '#import "/etc/passwd"'), "could read a file"),
    "embed": (change("mm/x.c", "char a[] = {", '#embed "x"', "};"), "could read a file"),
    "incbin": (change("mm/x.c", 'x(".incbin \\"/etc/passwd\\"");'), "can read files"),
    "asm": (change("mm/x.c", 'asm(".inc" "bin \\"/etc/passwd\\"");'), "can read files"),
    "asm volatile": (change("mm/x.c", 'asm volatile ("nop");'), "can read files"),
    "asm underlined": (change("mm/x.c", '__asm__ ("nop");'), "can read files"),
    "assembler include": (change("mm/x.c", 'x(".include \\"/etc/passwd\\"");'), "can read files"),
    "asks for a file": (change("mm/x.c", '#if __has_include("/etc/x")'), "can read files"),
    "escape": (change("mm/x.c", "x\x1b[2K"), "a character that nobody sees"),
    "turned around": (change("mm/x.c", "/* \u202e x */"), "a character that nobody sees"),
}  # fmt: skip


def changes(*, git: st.SearchStrategy[bool], least: int = 0) -> st.SearchStrategy[list[str]]:
    """Draw changes that nothing is to be said against."""
    return st.lists(
        st.builds(
            change,
            st.sampled_from(["mm/shmem.c", "mm/kasan/kasan.h", "fs/userfaultfd.c", *trust.FILES]),
            st.sampled_from(["\tput_page(*p);", "", "#include <asm/page.h>", '#include "../x.h"']),
            st.sampled_from(["\tif (asm_is_no_word(x))", "\t/* .S files */", "-- x", "++ x"]),
            git=git,
        ),
        min_size=least,
        max_size=3,
    )


GIT = changes(git=st.just(value=True))
ANY = changes(git=st.booleans(), least=1)
#: Each runs git some times, or comes for each of many kinds.
FEW = settings(max_examples=15)


@pytest.mark.parametrize("kind", HOSTILE)
@FEW
@given(before=GIT, after=GIT)
def test_a_hostile_patch_is_refused_whatever_is_around_it(
    kind: str, before: list[str], after: list[str]
) -> None:
    hostile, words = HOSTILE[kind]
    with pytest.raises(PatchError) as caught:
        trust.vetted("".join([*before, hostile, *after]), "--patch x")
    assert words in str(caught.value)
    assert str(caught.value).startswith("--patch x ")


@FEW
@given(good=ANY, words=st.sampled_from(["", "Words.\n---\n mm/x | 1 +\n\n"]))
def test_a_patch_of_kernel_code_passes_and_changes_the_same(good: list[str], words: str) -> None:
    text = words + "".join(good) + "-- \n2.39.5\n\n"
    anew = trust.vetted(text, "x")
    assert patching.counted(anew) == patching.counted(text)
    assert anew.count("+++ b/") == len(good)
    assert "diff --git" not in anew
    assert "2.39.5" not in anew


@pytest.mark.parametrize("path", sorted(ROOT.glob("strategies/*/kernel-*.patch")), ids=str)
def test_bundled_patches_would_pass_as_those_of_strangers(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert patching.counted(trust.vetted(text, "x")) == patching.counted(text)


def test_files_that_are_new_or_go_stay_so() -> None:
    gone = header("mm/y.c", f"deleted file mode {PLAIN}", "index 1234567..0000000")
    gone += "--- a/mm/y.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    anew = trust.vetted(new("mm/x.c", PLAIN, "x") + gone, "x")
    assert "--- /dev/null\n+++ b/mm/x.c\n" in anew
    assert "--- a/mm/y.c\n+++ /dev/null\n" in anew


def test_directories_of_other_names_are_the_tree_all_the_same() -> None:
    text = change("mm/x.c", "y").replace("a/mm", "linux.orig/mm").replace("b/mm", "linux/mm")
    assert trust.vetted(text, "x") == change("mm/x.c", "y")


def test_a_second_name_that_only_git_would_read_is_gone() -> None:
    text = change("mm/x.c", "y", git=True).replace("--- a/mm/x.c", "--- a/scripts/x")
    assert trust.vetted(text, "x") == change("mm/x.c", "y")


def test_what_was_there_before_may_stay() -> None:
    text = '--- a/mm/x.c\n+++ b/mm/x.c\n@@ -1,2 +1,3 @@\n asm ("nop");\n+x\n b\n'
    assert trust.vetted(text, "x") == text


def test_a_patch_of_100_mb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.patch"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(PatchError, match="larger than 1000 kB"):
        patchfile.read(path)


def test_trust_takes_any_file_of_the_tree_and_any_size(tmp_path: Path) -> None:
    path = tmp_path / "x.patch"
    path.write_text(text := change("mm/Makefile", *["obj-y += x.o"] * 100_000))
    with pytest.raises(PatchError, match="--trust-patch"):
        patchfile.read(path)
    assert patchfile.read(path, trust=True).text == text


@pytest.mark.parametrize("damage", ["crlf", "nul", "latin-1"])
@FEW
@given(good=ANY)
def test_what_is_no_clean_text_is_refused_around_any_change(damage: str, good: list[str]) -> None:
    last = change("mm/x.c", "zwölf").encode()
    damaged = {
        "crlf": last.replace(b"zw\xc3\xb6lf", b"zwei\r"),
        "nul": last.replace(b"zw", b"\0"),
        "latin-1": last.replace(b"\xc3\xb6", b"\xf6"),
    }[damage]
    # A pipe, because a file would have to be another one for each example.
    reader, writer = os.pipe()
    os.write(writer, "".join(good).encode() + damaged)
    os.close(writer)
    with pytest.raises(UsageError):
        patchfile.read(Path(f"/proc/self/fd/{reader}"))
    os.close(reader)


@FEW
@given(st.text())
def test_any_text_is_read_or_refused_but_never_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(DifftestError):
        trust.vetted(f"{change('mm/x.c', 'y')}{text}", "x")


def test_the_command_line_refuses_and_says_the_way_on(tmp_path: Path) -> None:
    path = tmp_path / "x.patch"
    path.write_text(change("mm/Makefile", "$(shell touch /tmp/x)"))
    done = difftest("run", "--patch", path, "--output", tmp_path / "runs")
    assert done.returncode == 2
    assert "touches mm/Makefile: a Makefile can run programs" in done.stderr
    assert "--trust-patch" in done.stderr
    assert not (tmp_path / "runs").exists()
