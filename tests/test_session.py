# SPDX-License-Identifier: GPL-2.0-only
"""From what is asked for to strategies and backends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from difftest import kernels, plugins, session

if TYPE_CHECKING:
    from pathlib import Path


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
    tmp_path: Path, names: tuple[str, ...], series: set[str]
) -> None:
    file = tmp_path / "mine.patch"
    file.write_text("--- a/mm/shmem.c\n+++ b/mm/shmem.c\n@@ -1 +1 @@\n-a\n+b\n")
    loaded = plugins.load()
    backends = [loaded.backend(name) for name in names]
    mine = session.strategies_of(loaded, ["unpatched"], [file], backends)[-1]
    assert mine.name == "mine"
    assert set(mine.kernel_patches) == series
