# SPDX-License-Identifier: GPL-2.0-only
"""A strategy: one proposed fix, as patches for kernels and for the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from difftest.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The code before any fix; every strategy is compared with it.
BASELINE = "unpatched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One proposed fix.

    `kernel_patches` maps a series ("6.1") to patch text against that series' baseline tree with
    the patches of `base` (another strategy's name) applied first. `model_patch` is patch text
    against `difftest/model` in the same way; None if the fix has not been written for the model,
    "" if it changes nothing. `must_fail` names the oracles that are known to catch this one: if a
    campaign's do not, its silence about the others proves nothing, and it is void.
    """

    name: str
    claim: str
    function: str = ""
    reference: str = ""
    weakness: str = ""
    base: str | None = None
    must_fail: tuple[str, ...] = ()
    model_patch: str | None = None
    kernel_patches: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def from_folder(
    init: str,
    *,
    claim: str,
    function: str = "",
    reference: str = "",
    weakness: str = "",
    base: str | None = None,
    must_fail: tuple[str, ...] = (),
) -> Strategy:
    """Make the strategy of a plugin folder: named after it, with the patch files beside `init`.

    `init` is the `__file__` of the folder's `__init__.py`. `kernel-SERIES.patch` and `model.patch`
    are read; raises PluginError if there is neither.
    """
    folder = Path(init).parent
    kernel = {
        path.stem.removeprefix("kernel-"): path.read_text(encoding="utf-8")
        for path in sorted(folder.glob("kernel-*.patch"))
    }
    model = folder / "model.patch"
    if not kernel and not model.exists():
        raise PluginError(
            f"strategy folder {folder} holds no patch: "
            "expected model.patch or kernel-SERIES.patch (kernel-6.1.patch)"
        )
    return Strategy(
        name=folder.name,
        claim=claim,
        function=function,
        reference=reference,
        weakness=weakness,
        base=base,
        must_fail=must_fail,
        model_patch=model.read_text(encoding="utf-8") if model.exists() else None,
        kernel_patches=MappingProxyType(kernel),
    )
