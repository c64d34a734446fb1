# SPDX-License-Identifier: GPL-2.0-only
"""Anchoring: a patch finds its place in a file that has changed, or says that it has none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from difftest import patching
from difftest.checking.anchoring import Anchored, anchored
from difftest.errors import PatchError

if TYPE_CHECKING:
    from pathlib import Path

OLD = """\
int f(struct page *page)
{
	if (charge(page, 1))
		return -ENOMEM;
	return copy(page);
}

int g(struct page *page)
{
	if (charge(page, 1))
		return -ENOMEM;
	return zero(page);
}
"""


def hunk(*lines: str) -> str:
    return "\n".join(["--- a/mm/a.c", "+++ b/mm/a.c", *lines, ""])


PATCH = "Why it is right.\n" + hunk(
    "@@ -10,3 +10,5 @@ g()",
    "-\tif (charge(page, 1))",
    "+\tif (charge(page, 1)) {",
    "+\t\tput_page(page);",
    " \t\treturn -ENOMEM;",
    "+\t}",
    " \treturn zero(page);",
)


def moved(tree: Path, text: str, patch: str = PATCH) -> Anchored:
    """Anchor a patch in a file of this text, and see that it does apply there."""
    (tree / "mm").mkdir(exist_ok=True)
    (tree / "mm" / "a.c").write_text(text)
    new = anchored(patch, tree)
    patching.apply(new.text, tree, "it")
    return new


def heads(text: str) -> list[str]:
    return re.findall(r"^@@ .*$", text, re.MULTILINE)


def test_a_patch_that_is_in_its_place_stays_as_it_is(tmp_path: Path) -> None:
    assert moved(tmp_path, OLD) == Anchored(PATCH, merged=0)


def test_lines_that_moved_get_their_numbers(tmp_path: Path) -> None:
    new = moved(tmp_path, "/* A word. */\n\n" + OLD)
    assert new == Anchored(PATCH.replace("-10,3 +10,5", "-12,3 +12,5"), merged=0)


def test_a_form_feed_ends_no_line(tmp_path: Path) -> None:
    assert (
        moved(tmp_path, OLD.replace("return copy(page);", "return\f\u2028copy(page);")).text
        == PATCH
    )


def test_later_hunks_count_what_earlier_ones_add(tmp_path: Path) -> None:
    both = hunk(
        "@@ -4,2 +4,3 @@ f()", " \t\treturn -ENOMEM;", "+\tcheck(page);", " \treturn copy(page);",
        "@@ -11,2 +12,3 @@ g()", " \t\treturn -ENOMEM;", "+\tcheck(page);", " \treturn zero(page);",
    )  # fmt: skip
    new = moved(tmp_path, "\n" + OLD, both)
    assert heads(new.text) == ["@@ -5,2 +5,3 @@ f()", "@@ -12,2 +13,3 @@ g()"]


def test_equal_lines_in_another_function_are_not_taken(tmp_path: Path) -> None:
    patch = hunk("@@ -3,2 +3,1 @@ g()", "-\tif (charge(page, 1))", " \t\treturn -ENOMEM;")
    assert heads(moved(tmp_path, OLD, patch).text) == ["@@ -10,2 +10,1 @@ g()"]


def test_changed_context_beside_a_change_is_merged(tmp_path: Path) -> None:
    new = moved(tmp_path, OLD.replace("return zero(page);", "return clear(page);"))
    assert new.merged == 1
    assert new.text == PATCH.replace("return zero(page);", "return clear(page);")
    assert "\t}\n\treturn clear(page);\n" in (tmp_path / "mm" / "a.c").read_text()


def test_a_line_that_came_into_the_context_stays(tmp_path: Path) -> None:
    patch = PATCH.replace("-10,3 +10,5", "-8,5 +8,7").replace(
        "@@ g()\n", "@@ g()\n int g(struct page *page)\n {\n"
    )
    new = moved(
        tmp_path,
        OLD.replace("g(struct page *page)\n{\n", "g(struct page *page)\n{\n\tlook();\n"),
        patch,
    )
    assert new.merged == 1
    assert heads(new.text) == ["@@ -8,6 +8,8 @@ g()"]
    assert "\tlook();\n\tif (charge(page, 1)) {\n" in (tmp_path / "mm" / "a.c").read_text()


BODY = "\tif (charge(page, 1))\n\t\treturn -ENOMEM;\n\treturn zero(page);\n"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (BODY, BODY.replace("1))", "2))"), "what it changes has changed, near line 10"),
        (BODY, BODY.replace("1))", "1, 0) < 0)"), "what it changes has changed, near line 10"),
        (BODY, "\tpanic();\n", "it changed g, and what is like it, near line 3, is in f"),
        (OLD, "int g(struct page *page)\n{\n\tpanic();\n}\n", "no place is like it any more"),
    ],
)
def test_a_hunk_without_a_place_is_named_with_the_reason(
    old: str, new: str, why: str, tmp_path: Path
) -> None:
    assert old in OLD
    with pytest.raises(PatchError, match=rf"mm/a\.c, hunk 1 of 1: {why}"):
        moved(tmp_path, OLD.replace(old, new))


def test_two_places_that_are_alike_are_not_chosen_from(tmp_path: Path) -> None:
    patch = hunk(
        "@@ -4,2 +4,3 @@", " \t\treturn -EAGAIN;", "+\tcheck(page);", " \treturn any(page);"
    )
    with pytest.raises(PatchError, match="lines 4 and 11 are both like it"):
        moved(tmp_path, OLD.replace("zero(page)", "copy(page)"), patch)


def test_the_hunks_that_have_no_place_are_all_named(tmp_path: Path) -> None:
    more = hunk("@@ -90,1 +92,1 @@ h()", "-\tnowhere_at_all();", "+\there();").split("\n", 2)[2]
    with pytest.raises(PatchError) as error:
        moved(tmp_path, "int x;\n", PATCH + more)
    assert "hunk 1 of 2" in str(error.value)
    assert "hunk 2 of 2" in str(error.value)


def test_patches_that_add_or_remove_files_are_refused(tmp_path: Path) -> None:
    new = "--- /dev/null\n+++ b/mm/b.c\n@@ -0,0 +1 @@\n+int x;\n"
    for text in (new, PATCH.replace("a.c", "c.c")):
        with pytest.raises(PatchError, match="only changes to files that are there"):
            moved(tmp_path, OLD, text)
