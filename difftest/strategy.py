# SPDX-License-Identifier: GPL-2.0-only
"""A strategy: one proposed fix, as patches for kernels and for the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from difftest.equivalent import reasons
from difftest.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from difftest.equivalent import Equivalent
    from difftest.unreached import Unreached

#: The code before any fix; every strategy is compared with it.
BASELINE = "unpatched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One proposed fix.

    `kernel_patches` maps a series ("6.1") to patch text against that series' baseline tree with
    the patches of `base` (another strategy's name) applied first. `model_patch` is patch text
    against `difftest/model` in the same way; None if the fix has not been written for the model,
    "" if it changes nothing. `series_model_patches` has others, by series, where the model of a
    series needs one. `must_fail` names the oracles that are known to catch this one: if a
    campaign's do not, its silence about the others proves nothing, and it is void. `gives_up` names
    those that rank it behind others, in the same way. With `needs_faults` they can do so only on
    workloads with faults: without any nobody can tell. `history` says
    in a sentence what became of it. `does_not_apply` has, by series, the reason why it makes no
    sense there and has no patch, for kernels and model. `equivalents` are the mutants
    (difftest/mutants.py) that do what it does, each with the reason; `unreached` are lines that its
    patches add and no workload can execute.
    """

    name: str
    claim: str
    function: str = ""
    reference: str = ""
    weakness: str = ""
    history: str = ""
    base: str | None = None
    must_fail: tuple[str, ...] = ()
    gives_up: tuple[str, ...] = ()
    needs_faults: bool = False
    does_not_apply: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    model_patch: str | None = None
    series_model_patches: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    kernel_patches: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    equivalents: tuple[Equivalent, ...] = ()
    unreached: tuple[Unreached, ...] = ()

    def model_patch_for(self, series: str) -> str | None:
        """Return the patch for the model of a series."""
        return self.series_model_patches.get(series, self.model_patch)

    def model_file_for(self, series: str) -> str:
        """Return the name of the file that the patch for the model of a series is in."""
        return f"model-{series}.patch" if series in self.series_model_patches else "model.patch"

    def files(self) -> dict[str, str]:
        """Return the texts of all patches by the names of their files."""
        files = {} if self.model_patch is None else {"model.patch": self.model_patch}
        files |= {f"model-{one}.patch": text for one, text in self.series_model_patches.items()}
        return files | {f"kernel-{one}.patch": text for one, text in self.kernel_patches.items()}


def from_folder(
    init: str,
    *,
    claim: str,
    function: str = "",
    reference: str = "",
    weakness: str = "",
    history: str = "",
    base: str | None = None,
    must_fail: tuple[str, ...] = (),
    gives_up: tuple[str, ...] = (),
    needs_faults: bool = False,
    does_not_apply: Mapping[str, str] = MappingProxyType({}),
) -> Strategy:
    """Make the strategy of a plugin folder: named after it, with the patch files beside `init`.

    `init` is the `__file__` of the folder's `__init__.py`. `kernel-SERIES.patch`, `model.patch`
    and `model-SERIES.patch` are read, and `mutants.toml` if there is one; raises PluginError if
    there is neither of the first two, and for a series that has a patch and a reason why it has
    none.
    """
    folder = Path(init).parent
    kernel, models = (
        {
            path.stem.removeprefix(prefix): path.read_text(encoding="utf-8")
            for path in sorted(folder.glob(f"{prefix}*.patch"))
        }
        for prefix in ("kernel-", "model-")
    )
    model = folder / "model.patch"
    if not kernel and not model.exists():
        raise PluginError(
            f"strategy folder {folder} holds no patch: "
            "expected model.patch or kernel-SERIES.patch (kernel-6.1.patch)"
        )
    if both := sorted({*kernel, *models} & {*does_not_apply}):
        raise PluginError(
            f"strategy {folder.name} has a patch for {both[0]}, and says that it does not apply "
            f"there: {does_not_apply[both[0]]}; take out one of them"
        )
    known = reasons(folder)
    return Strategy(
        name=folder.name,
        claim=claim,
        function=function,
        reference=reference,
        weakness=weakness,
        history=history,
        base=base,
        must_fail=must_fail,
        gives_up=gives_up,
        needs_faults=needs_faults,
        does_not_apply=MappingProxyType(dict(does_not_apply)),
        model_patch=model.read_text(encoding="utf-8") if model.exists() else None,
        series_model_patches=MappingProxyType(models),
        kernel_patches=MappingProxyType(kernel),
        equivalents=known.equivalent,
        unreached=known.unreached,
    )
