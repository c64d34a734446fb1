# SPDX-License-Identifier: GPL-2.0-only
"""Replaying: one workload on any strategy and backend, told step by step."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from tabulate import tabulate

from difftest import facts
from difftest.backends import running
from difftest.conformance import disagreements
from difftest.strategy import BASELINE
from difftest.timeline import Event, threads, timeline
from difftest.verdict import Traits, Value, Verdict, compares, judge_safely
from difftest.workload.codec import SETUP, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from difftest.backends import Backend
    from difftest.outcome import Outcome
    from difftest.plugins import Plugins
    from difftest.strategy import Strategy
    from difftest.timeline import Row
    from difftest.verdict import AnyOracle
    from difftest.workload.workload import Workload

_MARGIN = " " * 8


class Replay(NamedTuple):
    """One workload on one strategy and backend: what was seen, and what each oracle says.

    `unseen` has the fields of the outcome that the backend cannot see, with the reason.
    """

    strategy: str
    backend: str
    outcome: Outcome
    unseen: Mapping[str, str]
    verdicts: tuple[tuple[str, Verdict], ...] = ()
    console: str = ""
    culprit: str = ""

    @property
    def failed(self) -> bool:
        return any(verdict.value is Value.FAIL for _, verdict in self.verdicts)


def replay(
    plugins: Plugins,
    workload: Workload,
    strategy: Strategy,
    backend: Backend,
    oracles: Sequence[AnyOracle],
) -> Replay:
    """Run a workload once. Raises what the backend raises when it is made ready."""
    chain = facts.chain(strategy, plugins.strategies)
    backend.prepare(chain)
    with running(backend, chain) as runner:
        (outcome,) = runner.run([workload])
        console, culprit = runner.consoles.get(0, ""), runner.culprits.get(0, "")
    # As in a run: an oracle that lacks what it has to see is not asked.
    asked = [one for one in oracles if not set(Traits.of(one).sees) & set(backend.unseen)]
    base = baseline_of(plugins, workload, backend, asked)
    verdicts = tuple((one.name, judge_safely(one, workload, outcome, base)) for one in asked)
    return Replay(strategy.name, backend.name, outcome, backend.unseen, verdicts, console, culprit)


def baseline_of(
    plugins: Plugins, workload: Workload, backend: Backend, oracles: Sequence[AnyOracle]
) -> Outcome | None:
    """Return what the baseline does, if somebody is to compare with it."""
    below = plugins.strategies.get(BASELINE)
    if not below or not any(compares(one) for one in oracles):
        return None
    return replay(plugins, workload, below, backend, ()).outcome


def told(workload: Workload, outcome: Outcome) -> Iterator[str]:
    """Tell an outcome step by step: a column for each thread, then blocks and pages after it.

    A thread whose copy is stopped has an open window, and holds no lock meanwhile.
    """
    for line in to_text(workload).splitlines():
        if line.split()[0] in SETUP:
            yield f"{_MARGIN}{line}"
    rows = timeline(workload, outcome)
    names = threads(rows)
    cells = [
        [row.at, *(_cell(row, name) for name in names), *_used(row, workload.blocks)]
        for row in rows
        if row.at
    ]
    if cells:
        headers = ("step", *names, "blocks in use", "pages of files")
        table = tabulate(cells, headers, "presto", disable_numparse=True)
        yield from (f"{_MARGIN}{line}".rstrip() for line in table.splitlines())
    last = rows[-1]
    yield f"{_MARGIN}{f'{last.text}:' if last.event is Event.END else '***'} {last.result}"


def _cell(row: Row, thread: str) -> str:
    """Return what a thread does in a row."""
    if thread != row.thread:
        return "(in its window)" if thread in row.stopped else ""
    match row.event:
        case Event.STOP:
            return f"{row.text}\n{row.result}"
        case Event.STEP:
            return f"{row.text} = {row.result}"
        case _:
            return f"{row.text} ***"


def _used(row: Row, blocks: int) -> tuple[str, str]:
    used = "?" if row.after is None else f"{row.after}/{blocks}" if blocks else f"{row.after}"
    return used, "" if row.due is None else f"{row.due} LEAK" if row.leaks else str(row.due)


def render(workload: Workload, replays: Sequence[Replay]) -> str:
    """Return the replays of one workload as text, and where two of them part.

    Those of one strategy, and those on one backend if there are two strategies, of which neither
    crashed alone.
    """
    lines: list[str] = []
    for one in replays:
        lines += [f"{one.strategy} on {one.backend}:", *told(workload, one.outcome)]
        lines += [f"        who: {one.culprit}"] if one.culprit else []
        lines += [
            f"        {name}: {verdict.value.upper()}"
            + (f": {verdict.evidence}" if verdict.evidence else "")
            for name, verdict in one.verdicts
            if verdict.value is not Value.PASS
        ]
        passed = [name for name, verdict in one.verdicts if verdict.value is Value.PASS]
        if passed:
            lines.append(f"        PASS: {', '.join(passed)}")
        lines.append("")
    two = len({one.strategy for one in replays}) == 2  # noqa: PLR2004 - a pair
    for one, other in combinations(replays, 2):
        if one.strategy == other.strategy:
            lines += _beside(one, other, one.strategy, (one.backend, other.backend))
        elif two and one.backend == other.backend and one.outcome.ending is other.outcome.ending:
            lines += _beside(one, other, one.backend, (one.strategy, other.strategy))
    return "\n".join(lines).rstrip() + "\n"


def _beside(one: Replay, other: Replay, both: str, names: tuple[str, str]) -> Iterator[str]:
    """Say where two replays part: each value that differs, the first first.

    `both` is what they have in common, `names` what each is called.
    """
    unseen = {**one.unseen, **other.unseen}
    found = disagreements(one.outcome, other.outcome, unseen)
    said = f"{both}: {' and '.join(names)}"
    if not found:
        but = "".join(f" but {field}: {reason}" for field, reason in unseen.items())
        yield f"{said} agree in every field{but}"
        return
    yield f"{said} part:"
    rows = [(each.where, each.one, each.other) for each in found]
    table = tabulate(rows, ("", *names), disable_numparse=True)
    yield from (f"        {line}".rstrip() for line in table.splitlines())
