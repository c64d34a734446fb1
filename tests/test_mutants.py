# SPDX-License-Identifier: GPL-2.0-only
"""Mutants: each is a valid patch, one edit away from its original."""

from __future__ import annotations

import difflib
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unidiff.patch import PatchSet

import strategies
from difftest import patching
from difftest.errors import PatchError, UsageError
from difftest.model import code
from difftest.mutants import Edit, edits, mutants_of

if TYPE_CHECKING:
    from pathlib import Path

FILE = "mm/shmem.py"
BEFORE = (code.ROOT / FILE).read_text(encoding="utf-8").splitlines(keepends=True)
KNOWN = {one.name: one for one in strategies.STRATEGIES}
LINES = (
    "    put_page(page)\n",
    "    page = None\n",
    "\n",
    "    # a comment\n",
    '    """A docstring."""\n',
    "    if page and not (page.lru or page.dirty):\n",
    "    while index[0:2] != {1: 2}:\n",
    "    elif (\n",
    "        page\n",
    "    ):\n",
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("model")
    shutil.copytree(code.ROOT / "mm", root / "mm")
    return root


@st.composite
def patches(draw: st.DrawFn) -> str:
    """Make a patch of the model's mm/shmem.py: lines replaced by others, in one to three places."""
    after = list(BEFORE)
    for at in sorted(draw(st.sets(st.integers(5, len(BEFORE) - 5), min_size=1, max_size=3)))[::-1]:
        removed = draw(st.integers(0, 3))
        after[at : at + removed] = draw(st.lists(st.sampled_from(LINES), max_size=5))
    context = draw(st.integers(1, 3))
    diff = difflib.unified_diff(BEFORE, after, f"a/{FILE}", f"b/{FILE}", n=context)
    return "".join(diff)


def applied(text: str) -> list[str]:
    """Apply a patch whose line numbers are exact, in another way than git does."""
    lines = list(BEFORE)
    for hunk in [hunk for file in PatchSet(text) for hunk in file][::-1]:
        start = hunk.source_start - 1
        source = [line.value for line in hunk.source_lines()]
        assert lines[start : start + hunk.source_length] == source
        lines[start : start + hunk.source_length] = [line.value for line in hunk.target_lines()]
    return lines


def is_one_edit(edit: Edit, original: list[str], mutant: list[str]) -> bool:
    """Say whether the code of a mutant is that of the original but for the edit."""
    more, less = (original, mutant) if edit.kind == "drop" else (mutant, original)
    if edit.kind in ("drop", "keep"):
        return any(
            [*more[:at], *more[at + 1 :]] == less and more[at].strip() == edit.line
            for at in range(len(more))
        )
    differ = [at for at, pair in enumerate(zip(original, mutant, strict=True)) if len({*pair}) > 1]
    first, last = differ[0], differ[-1]
    if edit.kind == "swap":
        there_and_back = original[first : last + 1] == mutant[first : last + 1][::-1]
        return last == first + 1 and there_and_back and original[first].strip() == edit.line
    restored = "".join(mutant[first : last + 1]).replace("not (", "", 1)
    close = restored.rindex("):")
    return original[first : last + 1] == (restored[:close] + restored[close + 1 :]).splitlines(
        keepends=True
    )


@given(patches())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mutant_is_a_valid_patch_one_edit_away(tree: Path, text: str) -> None:
    for edit in edits(text, "a patch"):
        assert patching.applies(edit.text, tree) or edit.text == ""
        assert is_one_edit(edit, applied(text), applied(edit.text)), edit


@given(patches())
@settings(max_examples=50)
def test_every_line_with_code_is_edited(text: str) -> None:
    names = [edit.name for edit in edits(text, "a patch")]
    assert len(set(names)) == len(names)
    for sign, kind in (("+", "drop"), ("-", "keep")):
        lines = [line for file in PatchSet(text) for hunk in file for line in hunk]
        mine = [line.value.strip() for line in lines if line.line_type == sign]
        with_code = [
            number
            for number, line in enumerate(mine, 1)
            if line and not line.startswith(("#", '"""'))
        ]
        assert [name for name in names if name.startswith(kind)] == [
            f"{kind}{sign}{number}" for number in with_code
        ]


def of_c(*lines: str) -> dict[str, Edit]:
    """Return the edits of a patch that adds these lines to a C file."""
    body = "".join(f"+{line}\n" for line in lines)
    text = f"--- a/mm/x.c\n+++ b/mm/x.c\n@@ -3,1 +3,{len(lines) + 1} @@\n out:\n{body}"
    return {edit.name: edit for edit in edits(text, "a patch")}


def added(edit: Edit) -> list[str]:
    return [line[1:] for line in edit.text.splitlines()[3:] if line.startswith("+")]


@pytest.mark.parametrize(
    ("line", "negated"),
    [
        ("\tif (a && (b || c(d)))", "\tif (!(a && (b || c(d))))"),
        ("\t} else if (a) {", "\t} else if (!(a)) {"),
        ("\twhile (a) b();", "\twhile (!(a)) b();"),
        ("\t} while (*a[f(1)]);", "\t} while (!(*a[f(1)]));"),
    ],
)
def test_a_condition_in_c_is_negated_as_a_whole(line: str, negated: str) -> None:
    assert added(of_c(line)["negate+1"]) == [negated]


def test_a_condition_may_go_on_for_several_lines() -> None:
    assert added(of_c("\tif (a &&", "\t    b(c))", "\t\td();")["negate+1"]) == [
        "\tif (!(a &&",
        "\t    b(c)))",
        "\t\td();",
    ]


@pytest.mark.parametrize("line", ["\tif (a &&", "\ta = b ? c : d;", "#if (X)", "\tnotif (a);"])
def test_what_is_no_whole_condition_is_not_negated(line: str) -> None:
    assert list(of_c(line)) == ["drop+1"]


@pytest.mark.parametrize("line", ["", "\t/* why */", "\t * why", "\t */", "\t// why"])
def test_lines_without_code_are_left_alone(line: str) -> None:
    assert list(of_c("\ta();", line, "\tb();")) == ["drop+1", "drop+3"]


def test_a_pointer_that_is_written_to_is_code() -> None:
    assert list(of_c("\t*pagep = NULL;")) == ["drop+1"]


def test_equal_lines_are_not_swapped() -> None:
    assert list(of_c("\ta();", "\ta();", "\tb();")) == ["drop+1", "drop+2", "drop+3", "swap+2"]


def test_a_patch_of_one_line_leaves_nothing() -> None:
    assert of_c("\ta();")["drop+1"].text == ""


def test_a_file_that_is_removed_stays_removed() -> None:
    assert not edits("--- a/mm/x.c\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-int a;\n", "a patch")


def test_text_that_is_no_patch_is_refused() -> None:
    with pytest.raises(PatchError, match="a patch holds no hunk"):
        edits("nonsense\n", "a patch")


def test_a_mutant_is_a_strategy_for_one_backend() -> None:
    original = KNOWN["unacct_before_return"]
    model = mutants_of(original, "model")["unacct_before_return~drop+2"]
    assert model.strategy.base == "naive_hold"
    assert model.strategy.claim == (
        "unacct_before_return, but it does not add `shmem_inode_unacct_blocks(inode, 1, memory)`."
    )
    assert model.strategy.must_fail == ()
    assert model.strategy.kernel_patches == {}
    assert model.patch == "model.patch"
    kernel = mutants_of(original, "uml:6.1")["unacct_before_return~drop+2"]
    assert kernel.strategy.model_patch is None
    assert list(kernel.strategy.kernel_patches) == ["6.1"]
    assert kernel.patch == "kernel-6.1.patch"


def test_the_baseline_has_no_mutants() -> None:
    assert mutants_of(KNOWN["unpatched"], "model") == {}


def test_a_backend_that_does_not_say_which_patches_it_takes_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be made for backend elsewhere"):
        mutants_of(KNOWN["release_page"], "elsewhere")
