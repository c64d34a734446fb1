# SPDX-License-Identifier: GPL-2.0-only
"""Patch facts: what a strategy's patches say by themselves, before anything is run."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from unidiff.patch import PatchSet

from difftest.errors import PluginError
from difftest.functions import touched
from difftest.kernels.series import DEFAULT, name_in, patches_for
from difftest.patching import touched_files
from difftest.result import Patch, PatchFacts
from difftest.strategy import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from difftest.strategy import Strategy

#: The model of the default series; those of others are called "model:SERIES".
MODEL = "model"

_ASSERTION = re.compile(r"\b(?:VM_)?(?:BUG|WARN)_ON\w*\(")
_COMMENT = re.compile(r"\s*(?:\*|/\*|//|#)")


def chain(strategy: Strategy, known: Mapping[str, Strategy]) -> tuple[Strategy, ...]:
    """Return the strategies whose patches make up this one, in the order of application.

    The baseline is none of them. `known` has every strategy by name. Raises PluginError for a
    base that is not known, and for one that stands on itself.
    """
    links = [strategy]
    while (base := links[-1].base) and base != BASELINE:
        if base not in known:
            raise PluginError(
                f"strategy {links[-1].name}: its base {base} is not known; "
                f"the strategies are {', '.join(sorted(known))}"
            )
        if base in {link.name for link in links}:
            names = " on ".join(link.name for link in [*links, known[base]])
            raise PluginError(f"strategy {strategy.name} stands on itself: {names}")
        links.append(known[base])
    return tuple(reversed(links))


def facts_of(
    strategy: Strategy, known: Mapping[str, Strategy], backends: Iterable[str] = ()
) -> PatchFacts:
    """Read a strategy's patches, together with those of the strategies it stands on.

    Files and lines are those for the newest series that `backends` run, else for the newest.
    Raises PatchError for text that is no patch, and as `chain` does.
    """
    links = chain(strategy, known)
    series = set(links[0].kernel_patches).intersection(*(link.kernel_patches for link in links))
    by_age = sorted(series, key=_age)
    model = all(link.model_patch is not None for link in links)
    run = {patches_for(backend) for backend in backends if not is_model(backend)}
    if by_age:
        newest = max(by_age, key=lambda one: (one in run, by_age.index(one)))
        patches = [(link.name, link.kernel_patches[newest]) for link in links]
    else:
        patches = [(link.name, link.model_patch or "") for link in links]
    places = touched(sets := [PatchSet(text) for _, text in patches])
    files = [path for name, text in patches for path in touched_files(text, f"strategy {name}")]
    return PatchFacts(
        series=tuple(by_age),
        model=model,
        files=tuple(dict.fromkeys(files)),
        added=sum(patch.added for patch in sets),
        removed=sum(patch.removed for patch in sets),
        assertions_removed=_assertions_removed(sets),
        functions=places.functions,
        locking=places.locking,
        returns=places.returns,
        nameless=places.nameless,
        does_not_apply={one: why for link in links for one, why in link.does_not_apply.items()},
    )


def patches_of(strategy: Strategy, known: Mapping[str, Strategy]) -> tuple[Patch, ...]:
    """Return the text of a strategy's patches, and of those it stands on, for each target.

    Targets come from the newest series to the oldest, then the models. Raises as `chain` does.
    """
    links = chain(strategy, known)
    found: dict[str, dict[str, str]] = {}
    for link in links:
        texts = {series: text for series, text in link.kernel_patches.items() if text}
        texts |= {MODEL: link.model_patch} if link.model_patch else {}
        texts |= {model_of(one): text for one, text in link.series_model_patches.items()}
        for target, text in texts.items():
            found.setdefault(target, {})[link.name] = text
    targets = sorted(found, key=lambda one: (not is_model(one), _age(one)), reverse=True)
    return tuple(
        Patch(name, target, text)
        for target in targets
        for name, text in found[target].items()
        if strategy.name in found[target]
    )


def applied(kernels: Iterable[str]) -> tuple[str, ...]:
    """Return the series and trees of backends whose kernels were made: patches fit them exactly."""
    found = {name_in(backend) for backend in kernels if not is_model(backend)} - {""}
    return tuple(sorted(found, key=_age))


def model_of(series: str) -> str:
    """Return the name of the backend that models a kernel series."""
    return MODEL if series == DEFAULT else f"{MODEL}:{series}"


def model_for(backend: str) -> str:
    """Return the name of the model that a kernel's outcomes are compared with."""
    return model_of(patches_for(backend) or DEFAULT)


def is_model(backend: str) -> bool:
    return backend.partition(":")[0] == MODEL


def misfit(name: str, facts: PatchFacts, backend: str) -> str:
    """Say why a strategy cannot run on a backend ("no model patch"), or "" if it can.

    The baseline is what the patches are made against: it runs everywhere.
    """
    if name == BASELINE:
        return ""
    series = patches_for(backend) or (DEFAULT if is_model(backend) else "")
    if series in facts.does_not_apply:
        return facts.does_not_apply[series]
    if backend in facts.refused:
        return facts.refused[backend]
    if is_model(backend):
        return "" if facts.model else "no model patch"
    if series and series not in facts.series:
        return f"no patch for {series}"
    return ""


def _age(series: str) -> tuple[bool, list[int], str]:
    """Sort "5.10" before "6.1" before "6.12", and a name without a number ("next") last."""
    numbers = [int(digits) for digits in re.findall(r"\d+", series)]
    return not numbers, numbers, series


def _assertions_removed(patches: Iterable[PatchSet]) -> tuple[str, ...]:
    """Return the assertions that were in the code before the patches and are not after them."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for patch in patches:
        for hunk in (hunk for file in patch for hunk in file):
            before.update(_assertions(line.value for line in hunk.source_lines()))
            after.update(_assertions(line.value for line in hunk.target_lines()))
    return tuple((before - after).elements())


def _assertions(lines: Iterable[str]) -> list[str]:
    """Return each assertion as `BUG_ON(page)`, also one that goes over several lines."""
    text = " ".join(" ".join(line.split()) for line in lines if not _COMMENT.match(line))
    found = []
    for match in _ASSERTION.finditer(text):
        depth = 1
        end = match.end()
        while depth and end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        found.append(text[match.start() : end])
    return found
