# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from difftest.errors import PluginError
from difftest.settings import StoredStrategy
from difftest.strategy import from_folder

if TYPE_CHECKING:
    from pathlib import Path

PATCH = "--- a/mm/shmem.c\n+++ b/mm/shmem.c\n@@ -1,1 +1,2 @@ f()\n+\ta();\n \tb();\n"


def folder(tmp_path: Path, *names: str) -> str:
    place = tmp_path / "mine"
    place.mkdir()
    for name in names:
        (place / name).write_text(PATCH)
    return str(place / "__init__.py")


def test_a_folder_is_a_strategy_of_its_name_with_its_patches(tmp_path: Path) -> None:
    one = from_folder(
        folder(tmp_path, "kernel-6.1.patch", "model.patch", "model-6.12.patch"),
        claim="Mends it.",
        history="Merged.",
        does_not_apply={"5.10": "it has no helper"},
    )
    assert (one.name, one.history) == ("mine", "Merged.")
    assert dict(one.kernel_patches) == {"6.1": PATCH}
    assert [one.model_patch_for(series) for series in ("6.1", "6.12")] == [PATCH, PATCH]
    assert dict(one.does_not_apply) == {"5.10": "it has no helper"}
    assert StoredStrategy.of(one).strategy() == one


def test_a_folder_without_a_patch_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="mine holds no patch"):
        from_folder(folder(tmp_path), claim="Mends it.")


@pytest.mark.parametrize("name", ["kernel-5.10.patch", "model-5.10.patch"])
def test_a_patch_for_a_series_where_it_does_not_apply_is_an_error(
    tmp_path: Path, name: str
) -> None:
    init = folder(tmp_path, name, "model.patch")
    with pytest.raises(PluginError, match=r"mine has a patch for 5\.10, and says .* no helper"):
        from_folder(init, claim="Mends it.", does_not_apply={"5.10": "it has no helper"})
