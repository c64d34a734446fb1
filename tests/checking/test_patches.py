# SPDX-License-Identifier: GPL-2.0-only
"""Patches: what applies where, and whether kernel and model are changed in the same functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from played import KNOWN

from difftest import facts
from difftest.checking import State, patches
from difftest.strategy import Strategy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from difftest.checking import Finding

MODEL = KNOWN["release_page"].model_patch or ""
KERNELS = dict(KNOWN["release_page"].kernel_patches)


def fix(**fields: object) -> Strategy:
    given = {"kernel_patches": KERNELS, "model_patch": MODEL} | fields
    return Strategy(name="mine", claim="", **given)  # type: ignore[arg-type]


def by_about(findings: Iterable[Finding]) -> dict[str, tuple[State, str]]:
    return {one.about: (one.state, one.text) for one in findings}


def test_a_model_patch_that_applies_nowhere_is_told_line_by_line() -> None:
    stale = MODEL.replace("return -ENOMEM", "return -ENOSPC")
    found = by_about(patches.applying([fix(model_patch=stale)]))
    for model in ("model:5.10", "model", "model:6.12"):
        state, text = found[f"mine, {model}"]
        assert state is State.WRONG
        assert "expected: " in text
        assert "return -ENOSPC" in text


def test_a_model_that_cannot_be_imported_is_wrong() -> None:
    broken = MODEL.replace("put_page(pagep.page)", "put_page(pagep.page")
    state, text = by_about(patches.applying([fix(model_patch=broken)]))["mine, model"]
    assert state is State.WRONG
    assert "cannot be imported: SyntaxError" in text


def test_what_is_not_there_for_a_reason_is_no_fault() -> None:
    one = fix(model_patch=None, kernel_patches={}, does_not_apply={"5.10": "it has no such call"})
    found = by_about(patches.applying([one]))
    assert found["mine, kernel 5.10"] == (State.OK, "it has no such call")
    assert found["mine, kernel 6.1"] == (State.OK, "no patch")
    assert found["mine, model"] == (State.OK, "no model patch")


def test_a_source_that_is_not_here_leaves_it_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DIFFTEST_CACHE", str(tmp_path))
    chain = [fix()]
    for findings in (by_about(patches.applying(chain)), by_about(patches.alike(chain))):
        state, text = next(one for about, one in findings.items() if about.endswith("6.1"))
        assert state is State.UNKNOWN
        assert text == "its source is not here: `difftest kernel fetch 6.1`"


def test_text_that_is_no_patch_is_named() -> None:
    one = fix(model_patch="@@ what @@", kernel_patches={"6.1": "--- a/x\n+++ b/x\n@@ -1,9 +1 @@\n"})
    found = by_about(patches.unreadable(one))
    assert list(found) == ["mine, model.patch", "mine, kernel-6.1.patch"]
    assert not list(patches.unreadable(fix()))


def test_files_that_nobody_reads_are_named(tmp_path: Path) -> None:
    for name in ("model.patch", "kernel-6.1.patch", "model-6.12.patch", "model61.patch",
                 "kernel-6.2.patch", "kernel-6.1.patch.orig"):  # fmt: skip
        (tmp_path / name).touch()
    found = by_about(patches.strays("mine", tmp_path))
    assert sorted(found) == [
        "mine, kernel-6.1.patch.orig", "mine, kernel-6.2.patch", "mine, model61.patch",
    ]  # fmt: skip
    assert "there is no series 6.2: there are 5.10, 6.1, 6.12" in found["mine, kernel-6.2.patch"][1]


@pytest.mark.kernel
@pytest.mark.parametrize("strategy", KNOWN.values(), ids=lambda one: one.name)
def test_bundled_patches_apply_and_change_the_same_functions(strategy: Strategy) -> None:
    chain = facts.chain(strategy, KNOWN)
    findings = [*patches.applying(chain), *patches.alike(chain)]
    assert {one.state for one in findings} == {State.OK}
    assert sum(", functions of " in one.about for one in findings) == len(strategy.kernel_patches)


@pytest.mark.kernel
def test_functions_that_only_one_patch_changes_are_told() -> None:
    elsewhere = KNOWN["remove_bug_on"].model_patch
    found = by_about(patches.alike([fix(model_patch=elsewhere)]))
    for series in ("5.10", "6.1", "6.12"):
        state, text = found[f"mine, functions of {series}"]
        assert state is State.WRONG
        assert text == (
            "only the kernel patch changes shmem_mfill_atomic_pte; "
            "only the model patch changes mcopy_atomic"
        )


@pytest.mark.kernel
def test_a_patch_without_headings_is_read_all_the_same() -> None:
    bare = {
        series: "\n".join(
            line.rpartition("@@")[0] + "@@" if line.startswith("@@") else line
            for line in text.split("\n")
        )
        for series, text in KERNELS.items()
    }
    assert bare != KERNELS
    assert {one.state for one in patches.alike([fix(kernel_patches=bare)])} == {State.OK}


@pytest.mark.kernel
def test_a_kernel_patch_that_does_not_apply_says_where_it_would() -> None:
    found = by_about(patches.applying([fix(kernel_patches={"5.10": KERNELS["6.12"]})]))
    state, text = found["mine, kernel 5.10"]
    assert state is State.WRONG
    assert "expected: " in text
    assert "It applies to 6.12: --backend uml:6.12" in text
