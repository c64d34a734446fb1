# SPDX-License-Identifier: GPL-2.0-only
"""Fitting: what a patch that does not apply was made for, tried on the sources of kernels."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
from called import difftest

from difftest import fitting, kernels
from difftest.errors import PatchError
from difftest.fitting import Fit
from difftest.kernels import source

ROOT = Path(__file__).parents[1]
UPSTREAM = """\
--- a/mm/shmem.c
+++ b/mm/shmem.c
@@ -2361,8 +2361,13 @@ shmem_mfill_atomic_pte(
 \tpgoff_t somewhere;

 \tret = -ENOMEM;
-\tif (!shmem_inode_acct_block(inode, 1))
+\tif (!shmem_inode_acct_block(inode, 1)) {
+\t\tif (unlikely(*pagep)) {
+\t\t\tput_page(*pagep);
+\t\t\t*pagep = NULL;
+\t\t}
 \t\tgoto out;
+\t}

 \tif (!*pagep) {
 \t\tpage = shmem_alloc_page(gfp, info, pgoff);
"""


def bundled(strategy: str, series: str) -> str:
    return (ROOT / "strategies" / strategy / f"kernel-{series}.patch").read_text(encoding="utf-8")


def between(series: str, before: str, after: str, *, with_fix: bool) -> str:
    """Return a change of mm/shmem.c: of the baseline, or `with_fix` of the kernel as released."""
    text = (kernels.fetch(series) / "mm" / "shmem.c").read_text(encoding="utf-8")
    if with_fix:
        text = fixed(series, text)
    assert text.count(before) == 1
    return diff(text, text.replace(before, after))


def fixed(series: str, text: str) -> str:
    """Return mm/shmem.c with what the baseline takes out."""
    fix = source.taken_out(series)
    hunk = fix[fix.index("@@") :].splitlines()[1:]
    old, new = (
        "".join(f"{line[1:]}\n" for line in hunk if line[:1] in {" ", side}) for side in "+-"
    )
    assert text.count(old) == 1
    return text.replace(old, new)


def diff(before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        "a/mm/shmem.c",
        "b/mm/shmem.c",
    )
    return "".join(lines)


@pytest.mark.kernel
def test_a_patch_fits_the_series_that_it_was_made_for_and_no_other() -> None:
    for made_for in kernels.SERIES:
        text = bundled("release_page", made_for)
        fits = {one: fitting.fit(text, one) for one in kernels.SERIES}
        assert fits == {
            one: Fit.FITS if one == made_for else Fit.MISFIT for one in kernels.SERIES
        }, made_for


@pytest.mark.kernel
def test_what_was_made_against_the_fixed_tree_is_recognised() -> None:
    text = between("6.1", "\t\t\t*pagep = NULL;\n\t\t}\n", "\t\t}\n", with_fix=True)
    assert fitting.fit(text, "6.1") is Fit.ON_FIX
    with pytest.raises(PatchError, match=r"contains the upstream fix already, as 6\.1 "):
        fitting.misfits("strategy mine", text, ["6.1"])


@pytest.mark.kernel
def test_what_the_kernel_has_with_its_own_fix_is_recognised() -> None:
    after = (kernels.fetch("6.1") / "mm" / "shmem.c").read_text(encoding="utf-8")
    before = after.replace("int shmem_mfill_atomic_pte(", "int shmem_mcopy_atomic_pte(")
    assert before != after
    assert fitting.fit(diff(before, after), "6.1") is Fit.IN_BASELINE
    assert fitting.fit(diff(before, fixed("6.1", after)), "6.1") is Fit.IN_KERNEL
    with pytest.raises(PatchError, match=r"It is, or contains, the upstream fix as 6\.1 "):
        fitting.misfits("strategy mine", diff(before, fixed("6.1", after)), ["6.1"])
    with pytest.raises(PatchError, match=r"It is applied already: 6\.1"):
        fitting.misfits("strategy mine", diff(before, after), ["6.1"])


@pytest.mark.kernel
def test_the_upstream_fix_on_other_code_is_recognised_by_its_lines() -> None:
    with pytest.raises(PatchError) as caught:
        fitting.misfits("strategy mine", UPSTREAM, ["6.1", "5.10"])
    assert "It adds the lines of the upstream fix, on other code than this" in str(caught.value)
    assert "strategy mine on kernel 6.1 does not apply" in str(caught.value)
    assert "strategy mine on kernel 5.10 does not apply" in str(caught.value)


@pytest.mark.kernel
def test_a_patch_that_fits_some_kernels_says_why_not_the_others() -> None:
    text = bundled("naive_hold", "6.12")
    assert fitting.misfits("strategy mine", text, ["6.12"]) == {}
    refused = fitting.misfits("strategy mine", text, ["5.10", "6.12"])
    assert refused == {"5.10": "the patch does not apply to 5.10"}
    with pytest.raises(PatchError, match=r"It applies to 6\.12: --backend uml:6\.12"):
        fitting.misfits("strategy mine", text, ["5.10"])


def test_a_source_that_is_not_here_is_no_misfit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFTEST_CACHE", str(tmp_path))
    text = "--- a/mm/x.c\n+++ b/mm/x.c\n@@ -1 +1 @@\n-a\n+b\n"
    assert fitting.fit(text, "6.1") is Fit.UNKNOWN
    assert fitting.misfits("strategy mine", text, ["6.1"]) == {}


@pytest.mark.kernel
def test_a_run_names_the_series_that_a_patch_is_for(tmp_path: Path) -> None:
    patch = tmp_path / "mine.patch"
    patch.write_text(bundled("naive_hold", "6.12"), encoding="utf-8")
    done = difftest("run", "--patch", patch, "--output", tmp_path)
    assert done.returncode == 2
    assert "It applies to 6.12: --backend uml:6.12" in done.stderr
    assert not list(tmp_path.glob("0*"))
