# SPDX-License-Identifier: GPL-2.0-only
"""Replaying: one workload on any strategy and backend, told step by step."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from tabulate import tabulate

from difftest import facts
from difftest.backends import running
from difftest.conformance import disagreements
from difftest.outcome import Ending, Outcome, Step, Window
from difftest.verdict import Value, Verdict, judge_safely
from difftest.workload.codec import SETUP, line_of, line_of_fault, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from difftest.backends import Backend
    from difftest.plugins import Plugins
    from difftest.strategy import Strategy
    from difftest.verdict import Oracle
    from difftest.workload.workload import Workload

_WIDTH = 46
"""Of the column of operations: as wide as the widest operation in a window."""


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
    oracles: Sequence[Oracle],
) -> Replay:
    """Run a workload once. Raises what the backend raises when it is made ready."""
    chain = facts.chain(strategy, plugins.strategies)
    backend.prepare(chain)
    with running(backend, chain) as runner:
        (outcome,) = runner.run([workload])
        console, culprit = runner.consoles.get(0, ""), runner.culprits.get(0, "")
    verdicts = tuple((one.name, judge_safely(one, workload, outcome)) for one in oracles)
    return Replay(strategy.name, backend.name, outcome, backend.unseen, verdicts, console, culprit)


def timeline(workload: Workload, outcome: Outcome) -> Iterator[str]:
    """Tell an outcome step by step, windows marked, with the blocks in use after each step."""
    ops = dict(workload.places())
    blocks = workload.blocks
    seen = {one.at: one for one in outcome.trace}
    for line in to_text(workload).splitlines():
        if line.split()[0] in SETUP:
            yield f"        {line}"
    for one in outcome.trace:
        if isinstance(one, Window):
            copy = one.at.partition(".")[0]
            if one.at.endswith(".0"):
                yield _row(copy, line_of(ops[copy]), "stops, with no lock held")
            hits = _hits(workload, one)
            yield _row(one.at, "| window", f"{one.used}/{blocks} blocks in use{hits}")
            continue
        bar = "|   " if "." in one.at else ""
        again = "| " if not bar and f"{one.at}.0" in seen else ""
        text = f"{again}goes on" if again else f"{bar}{line_of(ops[one.at])}"
        in_use = f"{one.used}/{blocks} blocks in use"
        yield _row(one.at, text, f"{_result(one)}  {in_use}{_hits(workload, one)}")
    if outcome.ending is not Ending.FINISHED:
        yield f"        *** {outcome.ending}: {outcome.title}{_hits(workload, outcome)}"
        return
    left = f"{outcome.left} blocks and {outcome.held} pages left"
    yield f"        everything closed, unmapped, deleted: {left}"


def _row(at: str, text: str, result: str) -> str:
    return f"{at:>6}  {text:<{_WIDTH}} {result}"


def _hits(workload: Workload, one: Step | Window | Outcome) -> str:
    """Say which faults hit."""
    return "".join(f"; {line_of_fault(workload.faults[number])} hit" for number in one.hits)


def _result(step: Step) -> str:
    text = errno.errorcode.get(-step.ret, "") if step.ret < 0 else ""
    text = text or str(step.ret)
    if step.copy is not None and step.copy != step.ret:
        text += f" (filled {step.copy})" if step.copy > 0 else f" (field {step.copy})"
    return f"= {text:<8}"


def render(workload: Workload, replays: Sequence[Replay]) -> str:
    """Return the replays of one workload as text, and where those of one strategy part."""
    lines: list[str] = []
    for one in replays:
        lines += [f"{one.strategy} on {one.backend}:", *timeline(workload, one.outcome)]
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
    for number, one in enumerate(replays):
        for other in replays[number + 1 :]:
            if one.strategy == other.strategy:
                lines += _beside(one, other)
    return "\n".join(lines).rstrip() + "\n"


def _beside(one: Replay, other: Replay) -> Iterator[str]:
    """Say where two replays of one strategy part: each value that differs, the first first."""
    unseen = {**one.unseen, **other.unseen}
    found = disagreements(one.outcome, other.outcome, unseen)
    both = f"{one.strategy}: {one.backend} and {other.backend}"
    if not found:
        but = "".join(f" but {field}: {reason}" for field, reason in unseen.items())
        yield f"{both} agree in every field{but}"
        return
    yield f"{both} part:"
    rows = [(each.where, each.one, each.other) for each in found]
    table = tabulate(rows, ("", one.backend, other.backend), disable_numparse=True)
    yield from (f"        {line}".rstrip() for line in table.splitlines())
