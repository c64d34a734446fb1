# SPDX-License-Identifier: GPL-2.0-only
"""Replaying: one workload on any strategy and backend, told step by step."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from difftest import facts
from difftest.outcome import Ending, Outcome, Step, Window
from difftest.parting import parting
from difftest.verdict import Value, Verdict, judge_safely
from difftest.workload.codec import SETUP, line_of, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.backends import Backend
    from difftest.plugins import Plugins
    from difftest.strategy import Strategy
    from difftest.verdict import Oracle
    from difftest.workload.workload import Workload

_WIDTH = 46
"""Of the column of operations: as wide as the widest operation in a window."""


class Replay(NamedTuple):
    """One workload on one strategy and backend: what was seen, and what each oracle says."""

    strategy: str
    backend: str
    outcome: Outcome
    verdicts: tuple[tuple[str, Verdict], ...]
    console: str

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
    with backend.runner(chain) as runner:
        (outcome,) = runner.run([workload])
        console = runner.consoles.get(0, "")
    verdicts = tuple((one.name, judge_safely(one, workload, outcome)) for one in oracles)
    return Replay(strategy.name, backend.name, outcome, verdicts, console)


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
            yield _row(one.at, "| window", f"{one.used}/{blocks} blocks in use")
            continue
        bar = "|   " if "." in one.at else ""
        again = "| " if not bar and f"{one.at}.0" in seen else ""
        text = f"{again}goes on" if again else f"{bar}{line_of(ops[one.at])}"
        yield _row(one.at, text, f"{_result(one)}  {one.used}/{blocks} blocks in use")
    if outcome.ending is not Ending.FINISHED:
        yield f"        *** {outcome.ending}: {outcome.title}"
        return
    left = f"{outcome.left} blocks and {outcome.held} pages left"
    yield f"        everything closed, unmapped, deleted: {left}"


def _row(at: str, text: str, result: str) -> str:
    return f"{at:>6}  {text:<{_WIDTH}} {result}"


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
                parted = parting(one.outcome, other.outcome, one.backend, other.backend)
                both = f"{one.backend} and {other.backend}"
                lines.append(
                    f"{one.strategy}: {both} part: {parted}"
                    if parted
                    else f"{one.strategy}: {both} agree in every field"
                )
    return "\n".join(lines).rstrip() + "\n"
