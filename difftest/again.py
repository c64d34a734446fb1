# SPDX-License-Identifier: GPL-2.0-only
"""A/A: the baseline against itself. What differs there, the rig does, and everywhere else too."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from difftest import facts
from difftest.backends import played, running
from difftest.parting import differences, sentence
from difftest.result import Control
from difftest.strategy import BASELINE
from difftest.tally import Again, Tally
from difftest.workload import codec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from difftest.context import Context


class Task(NamedTuple):
    """A shard that the store has, to be run once more: its texts, and its tally, packed."""

    backend: str
    shard: int
    texts: tuple[str, ...]
    before: bytes


def run_again(context: Context, task: Task) -> Again:
    """Run a shard of the baseline once more, and compare whole outcomes."""
    known = context.settings.known()
    backend = context.plugins.backend(task.backend)
    before = Tally.unpacked(task.before).runs
    workloads = [codec.from_text(text) for text in task.texts]
    with running(backend, facts.chain(known[BASELINE], known)) as runner:
        outcomes = played(backend, runner, workloads)
    compared = differ = 0
    first = ""
    for run, outcome in zip(before, outcomes, strict=True):
        if not (run.outcome.known and outcome.known):
            continue
        compared += 1
        if run.outcome != outcome:
            differ += 1
            found = next(differences(run.outcome, outcome))
            first = first or f"workload {run.number}: {sentence(found, 'once', 'again')}"
    return Again(task.backend, task.shard, compared, differ, first)


def controls(seen: Iterable[Again], backends: Iterable[str]) -> list[Control]:
    """Return a control for each backend that anything was run on again."""
    seen = sorted(seen, key=lambda one: one.shard)
    return [
        _control(backend, its)
        for backend in backends
        if (its := [one for one in seen if one.backend == backend])
    ]


def _control(backend: str, its: list[Again]) -> Control:
    compared, differ = (sum(getattr(one, name) for one in its) for name in ("compared", "differ"))
    detail = f"{differ} of {compared} outcomes differ"
    if differ:
        detail += f", the first: {next(one.first for one in its if one.first)}"
    return Control(
        f"{BASELINE} is like itself on {backend}", not differ if compared else None, detail
    )
