# SPDX-License-Identifier: GPL-2.0-only
"""What `difftest conform` says: where the model and a kernel part, and how much was compared."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tabulate import tabulate

from difftest import replay
from difftest.conformance import seen_fields
from difftest.facts import is_model, misfit, model_for
from difftest.findings import outcomes_of
from difftest.parting import sentence
from difftest.reached import TABLES, rows, summary
from difftest.rendering import disagreement_command, introduction, listing, origin, percent
from difftest.result import upper_bound
from difftest.workload import codec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from difftest.findings import Shrunk
    from difftest.outcome import Outcome
    from difftest.result import Conformance, Disagreement, Result

AGREE, DISAGREE, UNKNOWN = 0, 1, 2


def status(result: Result) -> int:
    """Return whether all agree, some do not, or (2) some could not be compared."""
    found = [_of_backend(result, backend) for backend in _kernels(result)]
    if any(one.differ for some in found for one in some):
        return DISAGREE
    whole = all(sum(one.compared for one in some) for some in found)
    return AGREE if whole and not any(one.unknown for one in result.conformance) else UNKNOWN


def render(result: Result, shrunk: Sequence[Shrunk], run: str) -> str:
    """Return the smallest disagreements, step by step, and a line for each backend at the end."""
    lines = [introduction(result), ""]
    for one in result.conformance:
        if one.smallest:
            lines += _part(one, one.smallest, outcomes_of(one, shrunk))
            lines += [*(f"    {line}" for line in disagreement_command(one, run)), ""]
    lines += [summary(result, backend) for backend in result.backends]
    lines += [_line(result, backend) for backend in _kernels(result)]
    return "\n".join(lines) + "\n"


def reached_tables(result: Result) -> str:
    """Return what each operation came to, and what the copies did in whose windows it stood."""
    return "".join(
        f"{tabulate(rows(result, window=window), [*titles, *result.backends])}\n\n"
        for *titles, window in TABLES
    )


def _part(
    one: Conformance, smallest: Disagreement, outcomes: Mapping[str, Outcome]
) -> Iterator[str]:
    """Tell the smallest disagreement; one that was not shrunk (Ctrl-C) only in a sentence."""
    if outcomes:
        replays = [
            replay.Replay(one.strategy, backend, outcome, one.unseen)
            for backend, outcome in outcomes.items()
        ]
        yield replay.render(codec.from_text(smallest.text), replays)
    else:
        first = sentence(smallest.differences[0], model_for(one.backend), one.backend)
        yield f"{one.strategy}: {origin(smallest)}: {first}"


def _line(result: Result, backend: str) -> str:
    some = _of_backend(result, backend)
    compared, differ, unknown = (
        sum(getattr(one, name) for one in some) for name in ("compared", "differ", "unknown")
    )
    unseen = {field: reason for one in some for field, reason in one.unseen.items()}
    causes = list(dict.fromkeys(cause for one in some for cause in one.causes))
    both = (model_for(backend), backend)
    unplayed: Counter[str] = Counter()
    for one in some:
        unplayed.update(one.unplayed)
    absent = {
        one.name: next(filter(None, (misfit(one.name, one.patch, where) for where in both)), "")
        for one in result.strategies
    }
    whole = "nothing could be compared"
    if compared:
        bound = "" if differ else f" (<{percent(upper_bound(compared))})"
        fields = ", ".join(seen_fields(unseen))
        whole = f"{differ} of {compared} pairs of outcomes disagree{bound}, fields: {fields}"
    parts = [f"{backend}: {whole}"]
    parts += [f"not seen: {field} ({reason})" for field, reason in unseen.items()]
    parts += [f"{count} more pairs were not played: {why}" for why, count in unplayed.items()]
    if unknown:
        parts.append(f"{unknown} more pairs are unknown: {listing(causes)}")
    parts += [f"{name} was not compared: {why}" for name, why in absent.items() if why]
    return "; ".join(parts)


def _kernels(result: Result) -> list[str]:
    return [backend for backend in result.backends if not is_model(backend)]


def _of_backend(result: Result, backend: str) -> list[Conformance]:
    return [one for one in result.conformance if one.backend == backend]
