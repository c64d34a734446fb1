# SPDX-License-Identifier: GPL-2.0-only
"""Fitting: which kernels a patch is for, and what it was made for if it is for none of them.

Nothing is compiled: the files that a patch touches are copied, and git tries it on them.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from unidiff.patch import PatchSet

from difftest import kernels, patching
from difftest.errors import PatchError
from difftest.kernels import cache, source, tree
from difftest.kernels.series import SERIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class Fit(Enum):
    """How a patch stands to a kernel; the first that holds, in this order."""

    FITS = "it applies"
    UNKNOWN = "the source is not in the cache"
    IN_BASELINE = "the baseline is already as it would make it"
    IN_KERNEL = "with the upstream fix, which the baseline takes out, the kernel is already so"
    ON_FIX = "it applies where the upstream fix, which the baseline takes out, is still there"
    MISFIT = "none of these"


def fit(text: str, series: str) -> Fit:
    """Say how a patch stands to a series or a tree of a user's own."""
    why = kernels.misfit(series, [tree.Patch("the patch", text)])
    if why is None:
        return Fit.UNKNOWN
    if not why:
        return Fit.FITS
    fix = source.taken_out(series)
    with cache.workdir("fit") as work:
        tree.copy(kernels.fetch(series), [tree.Patch("the patch", text)], work / "baseline")
        if patching.applies(text, work / "baseline", reverse=True):
            return Fit.IN_BASELINE
        if not fix:
            return Fit.MISFIT
        both = [tree.Patch("the patch", text), tree.Patch("the fix", fix)]
        tree.copy(kernels.fetch(series), both, work / "fixed")
        return _on_fix(text, fix, work / "fixed")


def _on_fix(text: str, fix: str, place: Path) -> Fit:
    try:
        patching.undo(fix, place, "the baseline")
    except PatchError:
        return Fit.MISFIT
    if patching.applies(text, place, reverse=True):
        return Fit.IN_KERNEL
    return Fit.ON_FIX if patching.applies(text, place) else Fit.MISFIT


def misfits(name: str, text: str, places: Sequence[str]) -> dict[str, str]:
    """Return why a patch does not apply to some of these series and trees, by their names.

    What the source of is not in the cache counts as fitting. `name` is what messages call the
    patch. Raises PatchError if it fits none: it says what that patch seems to be for.
    """
    patch = [tree.Patch(name, text)]
    refused = {place: why for place in places if (why := kernels.misfit(place, patch))}
    if places and len(refused) == len(places):
        raise PatchError("\n".join([*refused.values(), *recognised(text, places)]))
    return {place: _short(place, fit(text, place)) for place in refused}


def _short(place: str, found: Fit) -> str:
    return f"the patch does not apply to {place}" + (
        "" if found is Fit.MISFIT else f": {found.value}"
    )


def recognised(text: str, places: Sequence[str]) -> Iterator[str]:
    """Yield what there is to say of a patch that does not apply to `places`."""
    found = {one: fit(text, one) for one in dict.fromkeys([*places, *kernels.known()])}
    alike = {kind: [one for one in found if found[one] is kind] for kind in Fit}
    if fitting := alike[Fit.FITS]:
        names = " ".join(f"--backend uml:{one}" for one in fitting)
        yield f"It applies to {', '.join(fitting)}: {names}"
    if there := [one for one in alike[Fit.IN_BASELINE] if one in places]:
        yield f"It is applied already: {', '.join(there)}, before any fix, is as it would make it."
    if there := [one for one in alike[Fit.IN_KERNEL] if one in places]:
        yield (
            f"It is, or contains, the upstream fix as {', '.join(there)} has it already. The "
            "baseline takes that out, and more than that is in this patch: bundled strategies "
            "(`difftest list`) have it alone."
        )
    elif there := [one for one in alike[Fit.ON_FIX] if one in places]:
        yield (
            f"It was made for a tree that contains the upstream fix already, as {', '.join(there)} "
            "does. Fixes are compared with the code before that one: make it against the tree that "
            f"`difftest kernel fetch {there[0]}` prints."
        )
    elif any(_has_fix(text, source.taken_out(one)) for one in found if one in SERIES):
        yield (
            "It adds the lines of the upstream fix, on other code than this: that fix is compared "
            "already, for each series, as a bundled strategy (`difftest list`)."
        )
    if unknown := alike[Fit.UNKNOWN]:
        yield (
            f"Whether it applies to {', '.join(unknown)} is not known: the source is not here "
            f"(`difftest kernel fetch {unknown[0]}`)."
        )


def _has_fix(text: str, fix: str) -> bool:
    """Say whether a patch adds all code that taking out the fix removes, wherever that is."""
    wanted = set(_code(fix, added=False)) - set(_code(fix, added=True))
    return bool(wanted) and wanted <= set(_code(text, added=True))


def _code(text: str, *, added: bool) -> Iterator[str]:
    for line in (line for file in PatchSet(text) for hunk in file for line in hunk):
        words = " ".join(line.value.split())
        comment = words.startswith(("*", "/*", "//")) and not words.endswith(";")
        if (line.is_added if added else line.is_removed) and len(words) > 1 and not comment:
            yield words
