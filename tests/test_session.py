# SPDX-License-Identifier: GPL-2.0-only
"""From what is asked for to strategies and backends."""

from __future__ import annotations

from pathlib import Path

import pytest

from difftest import kernels, plugins, session
from difftest.errors import UsageError


def test_a_run_that_names_no_backend_needs_one_kernel() -> None:
    loaded = plugins.load()
    default = [one.name for one in loaded.backends.values() if one.default]
    assert default == ["model", f"uml:{kernels.DEFAULT}"]
    chosen, left_out = session.backends_of(loaded, [])
    assert [one.name for one in chosen] + list(left_out) == default


def test_a_backend_that_is_no_default_is_taken_by_name() -> None:
    loaded = plugins.load()
    loaded.backends["model"].default = False
    chosen, _ = session.backends_of(loaded, ["model"])
    assert [one.name for one in chosen] == ["model"]


@pytest.mark.parametrize(
    ("names", "series"),
    [
        (("model",), {"6.1"}),
        (("model", "uml:6.1"), {"6.1"}),
        (("uml:6.12", "uml:5.10"), {"5.10", "6.12"}),
        (("uml:6.1+debug",), {"6.1"}),
    ],
)
def test_a_patch_file_is_for_the_kernels_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], series: set[str]
) -> None:
    # With their sources at hand it would be tried on them.
    monkeypatch.setenv("DIFFTEST_CACHE", str(tmp_path))
    file = tmp_path / "mine.patch"
    file.write_text("--- a/mm/shmem.c\n+++ b/mm/shmem.c\n@@ -1 +1 @@\n-a\n+b\n")
    loaded = plugins.load()
    backends = [loaded.backend(name) for name in names]
    mine = session.strategies_of(loaded, ["unpatched"], [file], backends)[-1]
    assert mine.name == "mine"
    assert set(mine.kernel_patches) == series


def patch_files(folder: Path, *names: str) -> list[Path]:
    """Make patches, all different, in files of these names."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(
            f"--- a/mm/shmem.c\n+++ b/mm/shmem.c\n@@ -1 +1 @@\n-a\n+{number}\n"
        )
    return [folder / name for name in names]


def test_several_patches_are_strategies_each_with_a_name_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = patch_files(tmp_path, "fix.patch", "v2/fix.patch", "release_page.patch")
    chosen = session.strategies_of(plugins.load(), ["unpatched"], files)
    assert [one.name for one in chosen] == ["unpatched", "fix", "fix_2", "release_page_2"]
    assert len({one.kernel_patches[kernels.DEFAULT] for one in chosen[1:]}) == 3
    told = capsys.readouterr().err
    assert "release_page.patch: there is a strategy release_page already: this one is " in told


def test_standard_input_is_read_once() -> None:
    with pytest.raises(UsageError, match="given twice"):
        session.strategies_of(plugins.load(), [], [Path("-"), Path("-")])
