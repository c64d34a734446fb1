# SPDX-License-Identifier: GPL-2.0-only
"""Conformance: whether the model and a kernel saw the same of a workload, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.facts import is_model, model_for
from difftest.outcome import Ending
from difftest.parting import FIELDS, Difference, differences, sentence
from difftest.result import Conformance, Disagreement
from difftest.workload.codec import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from difftest.comparison import Runs
    from difftest.outcome import Outcome
    from difftest.tally import Run

EXAMPLES = 3
"""How many examples a record carries: enough to see a pattern, few enough to read."""


def disagreements(one: Outcome, other: Outcome, unseen: Iterable[str] = ()) -> list[Difference]:
    """Return what differs between two outcomes of one workload.

    What lies in a field of `unseen` does not count.
    """
    if one == other:
        return []
    hidden = tuple(unseen)
    return [
        found
        for found in differences(one, other)
        if not any(f"{found.field}.".startswith((f"{name}.", f"{name}[")) for name in hidden)
    ]


def seen_fields(unseen: Iterable[str]) -> list[str]:
    """Return the fields of an outcome that can be compared, at least in part."""
    hidden = set(unseen)
    return [field for field in FIELDS if field not in hidden]


def conformance(
    strategy: str,
    runs: Runs,
    backends: Iterable[str],
    unseen: Mapping[str, Mapping[str, str]],
    texts: Mapping[int, str],
) -> list[Conformance]:
    """Compare whole outcomes of each kernel with those of the model of its series, by number.

    `unseen` has for each backend the fields that it cannot see.
    """
    return [
        _conformance(
            strategy,
            backend,
            runs.get(model_for(backend), {}),
            runs.get(backend, {}),
            {**unseen.get(model_for(backend), {}), **unseen.get(backend, {})},
            texts,
        )
        for backend in backends
        if not is_model(backend)
    ]


def _conformance(
    strategy: str,
    backend: str,
    here: Mapping[int, Run],
    there: Mapping[int, Run],
    unseen: Mapping[str, str],
    texts: Mapping[int, str],
) -> Conformance:
    compared = 0
    causes: dict[str, int] = {}
    unplayed: dict[str, int] = {}
    differ: dict[int, Difference] = {}
    for number in sorted(here.keys() & there.keys()):
        one, other = here[number].outcome, there[number].outcome
        if other.ending is Ending.UNPLAYED:
            unplayed[other.title] = unplayed.get(other.title, 0) + 1
            continue
        if strange := next((seen for seen in (one, other) if not seen.known), None):
            cause = f"{strange.ending}: {strange.title}"
            causes[cause] = causes.get(cause, 0) + 1
            continue
        compared += 1
        for found in disagreements(one, other, unseen)[:1]:
            differ[number] = found
    smallest = None
    if differ:
        least = min(differ, key=lambda number: (*size(texts[number]), number))
        one, other = here[least].outcome, there[least].outcome
        smallest = Disagreement(
            number=least,
            text=texts[least],
            shrunk=False,
            differences=tuple(disagreements(one, other, unseen)),
        )
    return Conformance(
        strategy=strategy,
        backend=backend,
        compared=compared,
        differ=len(differ),
        unknown=sum(causes.values()),
        causes=tuple(causes)[:EXAMPLES],
        unseen=dict(unseen),
        first=tuple(
            f"workload {number}: {sentence(found, model_for(backend), backend)}"
            for number, found in list(differ.items())[:EXAMPLES]
        ),
        smallest=smallest,
        unplayed=unplayed,
    )
