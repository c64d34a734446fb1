# SPDX-License-Identifier: GPL-2.0-only
"""Refreshing: a strategy's patch files, made to apply to the model and kernels as they are now."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from difftest import kernels, patching
from difftest.backends.model import ModelBackend, copy
from difftest.checking import ok, unknown, wrong
from difftest.checking.anchoring import anchored
from difftest.errors import PatchError, UsageError
from difftest.kernels import DEFAULT, SERIES, cache, source, tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.checking import Finding
    from difftest.checking.target import Target
    from difftest.strategy import Strategy


def refresh(target: Target) -> Iterator[Finding]:
    """Rewrite the patch files of strategies where they apply no more, or at other lines.

    A file is written only if what it will hold applies strictly. Those that a strategy stands on
    come before it, so that it meets them as they will be. The target's strategies are changed as
    well.
    """
    if not target.folders:
        raise UsageError(
            "--refresh rewrites the patch files of strategies: name a folder that has some"
        )
    depth = {one.name: len(target.plugins.chain(one)) for one in target.strategies}
    for one in sorted(target.strategies, key=lambda one: depth[one.name]):
        if one.name in target.folders:
            yield from _strategy(target, one, target.folders[one.name])


def _strategy(target: Target, strategy: Strategy, folder: Path) -> Iterator[Finding]:
    below = target.plugins.chain(strategy)[:-1]
    fresh = {}
    for path in sorted(folder.glob("*.patch")):
        kind, _, series = path.stem.partition("-")
        about, text = f"{strategy.name}, {path.name}", path.read_text(encoding="utf-8")
        if kind == "kernel" and series in SERIES and not source.had(series):
            yield unknown(about, f"its source is not here: `difftest kernel fetch {series}`")
            continue
        try:
            if kind == "kernel" and series in SERIES:
                new, said = _for_kernel(text, below, series)
            elif path.stem == "model" or (kind == "model" and series in SERIES):
                new, said = _for_model(text, below, series or DEFAULT)
            else:
                continue
        except PatchError as error:
            yield wrong(about, f"cannot be refreshed, and is left as it is:\n{error}")
            continue
        if new != text:
            path.write_text(new, encoding="utf-8")
        fresh[path.stem] = new
        yield ok(about, said)
    _replace(target, strategy, fresh)


def _for_model(text: str, below: Sequence[Strategy], series: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory(prefix="difftest-refresh-") as work:
        copy(ModelBackend(series).patches(below), Path(work))
        return _anchored(text, Path(work))


def _for_kernel(text: str, below: Sequence[Strategy], series: str) -> tuple[str, str]:
    under = [tree.Patch(f"strategy {one.name}", one.kernel_patches[series]) for one in below]
    with cache.workdir("refresh") as work:
        every = [*under, tree.Patch("it", text)]
        tree.copy(kernels.fetch(series), every, work / "tree")
        tree.apply(under, work / "tree", series)
        return _anchored(text, work / "tree")


def _anchored(text: str, place: Path) -> tuple[str, str]:
    """Return the patch for a tree, and what became of it. Raises PatchError."""
    patching.touched_files(text, "it")
    if not text.strip():
        return text, "is empty"
    new = anchored(text, place)
    patching.apply(new.text, place, "what came of it")
    if new.text == text:
        return text, "is as it should be"
    if not new.merged:
        return new.text, "refreshed: other line numbers"
    return new.text, f"refreshed: look at what changed around {new.merged} of its hunks"


def _replace(target: Target, strategy: Strategy, fresh: dict[str, str]) -> None:
    """Put the new texts into the target's record of a strategy."""
    kernel = {one.partition("-")[2]: fresh[one] for one in fresh if one.startswith("kernel-")}
    models = {one.partition("-")[2]: fresh[one] for one in fresh if one.startswith("model-")}
    new = replace(
        strategy,
        kernel_patches=MappingProxyType({**strategy.kernel_patches, **kernel}),
        series_model_patches=MappingProxyType({**strategy.series_model_patches, **models}),
        model_patch=fresh.get("model", strategy.model_patch),
    )
    target.strategies[target.strategies.index(strategy)] = new
    target.plugins.strategies[strategy.name] = new
