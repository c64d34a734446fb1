# SPDX-License-Identifier: GPL-2.0-only
"""The patches of a strategy: what they apply to, and whether kernel and model are changed alike."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from unidiff.patch import PatchSet

from difftest import kernels, patching
from difftest.backends.model import ModelBackend, copy, load
from difftest.checking import ok, unknown, wrong
from difftest.errors import PatchError
from difftest.facts import model_of
from difftest.fitting import recognised
from difftest.functions import touched
from difftest.kernels import cache, source, tree
from difftest.kernels.series import SERIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.checking import Finding
    from difftest.strategy import Strategy

_PATCH = re.compile(r"(?P<kind>kernel|model)-(?P<series>.+)\.patch|model\.patch")


def strays(name: str, folder: Path) -> Iterator[Finding]:
    """Find files in a strategy's folder that look like patches and are read by nobody."""
    for path in sorted(folder.glob("*.patch*")):
        match = _PATCH.fullmatch(path.name)
        if not match:
            text = (
                "is read by nobody: expected model.patch, kernel-SERIES.patch, model-SERIES.patch"
            )
            yield wrong(f"{name}, {path.name}", text)
        elif match["series"] and match["series"] not in SERIES:
            text = f"there is no series {match['series']}: there are {', '.join(SERIES)}"
            yield wrong(f"{name}, {path.name}", text)


def unreadable(strategy: Strategy) -> Iterator[Finding]:
    """Find patches of a strategy that are none."""
    for name, text in strategy.files().items():
        about = f"{strategy.name}, {name}"
        try:
            patching.touched_files(text, "it")
        except PatchError as error:
            yield wrong(about, str(error))


def applying(chain: Sequence[Strategy]) -> Iterator[Finding]:
    """Say of every kernel and model whether a strategy's patches apply, on top of its base's."""
    strategy = chain[-1]
    for one in kernels.known().values():
        series, about = one.like or one.name, f"{strategy.name}, kernel {one.name}"
        if reason := _gap(chain, series):
            yield ok(about, reason)
            continue
        patches = _patches(chain, series)
        why = kernels.misfit(one.name, patches)
        if why is None:
            text = f"its source is not here: `difftest kernel fetch {one.name}`"
            yield unknown(about, text)
        elif why:
            told = recognised("".join(patch.text for patch in patches), [one.name])
            yield wrong(about, "\n".join([why, *(told if len(patches) == 1 else ())]))
        else:
            yield ok(about, "applies")
    for series in SERIES:
        model, about = ModelBackend(series), f"{strategy.name}, {model_of(series)}"
        if reason := next(filter(None, map(model.supports, chain)), ""):
            yield ok(about, reason)
            continue
        try:
            load(model.patches(chain))
        except PatchError as error:
            yield wrong(about, str(error))
        else:
            yield ok(about, "applies, and is imported")


def alike(chain: Sequence[Strategy]) -> Iterator[Finding]:
    """Say whether kernel and model patch change the same functions, series by series.

    Functions are found in the patched files, so that it needs no headings. Where a patch does not
    apply, or there is none, nothing is said.
    """
    strategy = chain[-1]
    for series, one in SERIES.items():
        model = ModelBackend(series)
        if any(map(model.supports, chain)):
            continue
        if _gap(chain, series) or kernels.misfit(series, patches := _patches(chain, series)):
            continue
        try:
            in_model = _in_model(chain, model)
        except PatchError:
            continue
        about = f"{strategy.name}, functions of {series}"
        if not source.had(series):
            yield unknown(about, f"its source is not here: `difftest kernel fetch {series}`")
            continue
        names = {old: new for (_, old), new in one.renamed.items()}
        in_kernel = {names.get(name, name) for name in _in_kernel(series, patches)}
        if in_model == in_kernel:
            yield ok(about, f"kernel and model change {', '.join(sorted(in_kernel)) or 'none'}")
            continue
        only = [
            f"only the {what} patch changes {', '.join(sorted(names))}"
            for what, names in (("kernel", in_kernel - in_model), ("model", in_model - in_kernel))
            if names
        ]
        yield wrong(about, "; ".join(only))


def _in_model(chain: Sequence[Strategy], model: ModelBackend) -> set[str]:
    """Return the functions of the model that the last patch of a chain changes."""
    with tempfile.TemporaryDirectory(prefix="difftest-check-") as folder:
        before, after = Path(folder) / "before", Path(folder) / "after"
        copy(model.patches(chain[:-1]), before)
        copy(model.patches(chain), after)
        return _functions(patching.difference(before, after))


def _in_kernel(series: str, patches: Sequence[tree.Patch]) -> set[str]:
    """Return the functions of a kernel that the last of some patches changes."""
    with cache.workdir("check") as work:
        for place, applied in (("before", patches[:-1]), ("after", patches)):
            tree.copy(kernels.fetch(series), patches, work / place)
            tree.apply(applied, work / place, series)
        return _functions(patching.difference(work / "before", work / "after"))


def _functions(difference: str) -> set[str]:
    return {name.lstrip("_") for name in touched([PatchSet(difference)]).functions}


def _gap(chain: Sequence[Strategy], series: str) -> str:
    """Say why there is no kernel of a strategy, "" if there is."""
    reasons = (link.does_not_apply.get(series) for link in chain)
    if reason := next(filter(None, reasons), ""):
        return reason
    return "" if all(series in link.kernel_patches for link in chain) else "no patch"


def _patches(chain: Sequence[Strategy], series: str) -> list[tree.Patch]:
    return [tree.Patch(f"strategy {link.name}", link.kernel_patches[series]) for link in chain]
