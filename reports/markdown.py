# SPDX-License-Identifier: GPL-2.0-only
"""The result as a page of GitHub-flavoured Markdown: the decision first, then its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest import kills, matrix, reached
from difftest.gfm import fence, plain, table
from difftest.rendering import (
    LEGEND,
    Line,
    absence,
    against_base,
    causes,
    cell_text,
    cells_of,
    command,
    conformance_lines,
    control_lines,
    headline,
    introduction,
    leading,
    listing,
    origin,
    reached_rows,
    remarks,
    steps,
    strategy_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.result import Result, StrategyResult, Witness


class MarkdownReport:
    name = "markdown"
    suffix = ".md"

    def render(self, result: Result, run: str = "RUN") -> str:
        lines = ["# Comparison of fixes", "", f"{plain(introduction(result))}.", ""]
        lines += [f"- **{plain(name)}**: {plain(text)}" for name, text in strategy_lines(result)]
        lines += ["", *_decision(result)]
        lines += ["## What was seen", "", plain(LEGEND), ""]
        for backend in result.backends:
            lines += _backend(result, backend)
        out = [one for one in result.strategies if one.ruled_out]
        if out:
            lines += ["## Ruled out", ""]
        for strategy in out:
            lines += _ruled_out(result, strategy, run)
        lines += _apart(result, run)
        besides = remarks(result)
        if besides:
            lines += ["## Besides", "", *(f"- {plain(one)}" for one in besides), ""]
        rows = reached_rows(result)
        if rows:
            lines += ["## States reached by the baseline", ""]
            lines += table(["state", *result.backends], rows)
        lines += _operations(result)
        lines += _checks("Controls", control_lines(result))
        lines += _checks("Model against kernels", conformance_lines(result, run))
        lines += _checks("Mutants", kills.lines(result))
        return "\n".join(lines).rstrip("\n") + "\n"


def _decision(result: Result) -> Iterator[str]:
    decision = result.decision
    yield from (f"## {plain(headline(decision))}", "")
    for reason in (
        decision.void,
        *decision.reasons,
        *decision.severity,
        *against_base(result, ruled_out=False),
    ):
        if reason:
            yield f"- {plain(reason)}"
    yield ""


def _backend(result: Result, backend: str) -> Iterator[str]:
    rows = []
    for one in result.strategies:
        cells = [cell_text(cell) for cell in cells_of(result, one, backend)]
        gap = [absence(one, backend), *[""] * (len(result.oracles) - 1)]
        rows.append([one.name, *(cells or gap)])
    yield from (f"### {plain(backend)}", "")
    yield from table(["strategy", *result.oracles], rows)
    found = causes(result, backend)
    yield from (f"- ? {plain(cause)}" for cause in found)
    if found:
        yield ""


def _apart(result: Result, run: str) -> Iterator[str]:
    if not result.pairs:
        return
    yield from ("## What tells them apart", "", plain(matrix.LEGEND), "")
    yield from table(["", *(one.name for one in result.strategies)], matrix.cells(result))
    if rows := matrix.rows(result, run):
        yield from table(matrix.HEADERS, rows)
    if said := matrix.alike(result):
        yield from (*(f"- {plain(one)}" for one in said), "")


def _operations(result: Result) -> Iterator[str]:
    yield from ("## Operations", "")
    yield from (f"- {plain(reached.summary(result, backend))}" for backend in result.backends)
    yield ""
    yield from table(["operation", "came to", *result.backends], reached.rows(result, window=False))
    headers = ["in a window", "then the copy", *result.backends]
    yield from table(headers, reached.rows(result, window=True))


def _ruled_out(result: Result, strategy: StrategyResult, run: str) -> Iterator[str]:
    yield from (f"### {plain(strategy.name)}", "")
    for reason in (*strategy.ruled_out, strategy.against_base):
        if reason:
            yield f"- {plain(reason)}"
    yield ""
    least, others = leading(result, strategy.name)
    if least is None:
        return
    yield from _witness(least, run)
    for witness in others:
        if witness.number != least.number:
            yield f"{plain(witness.oracle)}, workload {witness.number}:"
            yield ""
            yield from fence("sh", command(witness, run))


def _witness(witness: Witness, run: str) -> Iterator[str]:
    where = listing(witness.backends)
    seen = f"{witness.oracle}, {origin(witness)}, seen on {where}: {witness.evidence}"
    yield from (plain(seen), "")
    if witness.culprit:
        yield from (plain(f"Who: {witness.culprit}"), "")
    yield from fence("text", steps(witness.text))
    yield from fence("sh", command(witness, run))


def _checks(title: str, checks: Sequence[Line]) -> Iterator[str]:
    if not checks:
        return
    yield from (f"## {title}", "")
    for line in checks:
        mark = line.mark if line.mark == "ok" else f"**{line.mark}**"
        yield f"- {mark} {plain(line.text)}"
        yield from (f"  - {plain(example)}" for example in line.examples)
    yield ""
