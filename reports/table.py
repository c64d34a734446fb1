# SPDX-License-Identifier: GPL-2.0-only
"""The result for a terminal: a table for each backend, what is out and why, the decision last."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tabulate import tabulate

from difftest import kills, reached
from difftest.rendering import (
    LEGEND,
    Line,
    absence,
    against_base,
    causes,
    cell_parts,
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
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from difftest.result import Cell, Result, StrategyResult, Witness

#: A mail or a terminal beside an editor still shows this much.
WIDTH = 100


class TableReport:
    name = "table"
    suffix = ".txt"

    def render(self, result: Result, run: str = "RUN") -> str:
        lines = [*_wrap(introduction(result)), ""]
        for name, text in strategy_lines(result):
            lines += _wrap(f"{name}: {text}", "    ", "  ")
        lines.append("")
        for backend in result.backends:
            lines += [*_backend(result, backend), ""]
        lines += [*_wrap(LEGEND), ""]
        out = [one for one in result.strategies if one.ruled_out]
        if out:
            lines += [*_title("Ruled out")]
        for strategy in out:
            lines += [*_ruled_out(result, strategy, run), ""]
        rows = reached_rows(result)
        if rows:
            lines += [*_title("States reached by the baseline")]
            lines += [*tabulate(rows, headers=["", *result.backends]).splitlines(), ""]
        for backend in result.backends:
            lines += _wrap(reached.summary(result, backend))
        lines.append("")
        lines += _remarks(result)
        lines += [*_checks("Controls", control_lines(result))]
        lines += [*_checks("Model against kernels", conformance_lines(result, run))]
        lines += [*_checks("Mutants", kills.lines(result))]
        lines += [*_decision(result)]
        return "\n".join(line.rstrip() for line in lines) + "\n"


def _wrap(text: str, indent: str = "", first: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _title(text: str) -> list[str]:
    return [text, "=" * len(text), ""]


def _backend(result: Result, backend: str) -> Iterator[str]:
    """Make a backend's table: each cell in one line if that fits, else with the bound below."""
    headers = [backend, *result.oracles]
    lines = _grid(headers, _rows(result, backend, cell_text))
    yield from lines if _fits(lines) else _in_parts(headers, _rows(result, backend, _stacked))
    for cause in causes(result, backend):
        yield from _wrap(cause, "   ", " ? ")


def _rows(result: Result, backend: str, text: Callable[[Cell], str]) -> list[list[str]]:
    rows = []
    for one in result.strategies:
        cells = [text(cell) for cell in cells_of(result, one, backend)]
        gap = [absence(one, backend), *[""] * (len(result.oracles) - 1)]
        rows.append([one.name, *(cells or gap)])
    return rows


def _stacked(cell: Cell) -> str:
    count, bound, unknown = cell_parts(cell)
    return f"{count} {unknown}".rstrip() + (f"\n{bound}" if bound else "")


def _grid(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return tabulate(rows, headers=headers, disable_numparse=True).splitlines()


def _fits(lines: Sequence[str]) -> bool:
    return max(map(len, lines)) <= WIDTH


def _in_parts(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Make a table in as few parts as fit one below the other, each with the names again."""
    start = 1
    while start < len(headers):
        for end in range(len(headers), start, -1):
            part = [[row[0], *row[start:end]] for row in rows]
            lines = _grid([headers[0], *headers[start:end]], part)
            # A single column stands, however wide.
            if end == start + 1 or _fits(lines):
                break
        yield from (lines if start == 1 else ["", *lines])
        start = end


def _ruled_out(result: Result, strategy: StrategyResult, run: str) -> Iterator[str]:
    yield strategy.name
    for reason in (*strategy.ruled_out, strategy.against_base):
        yield from _wrap(reason, "    ", "  - ")
    least, others = leading(result, strategy.name)
    if least is None:
        return
    yield ""
    yield from _witness(least, run)
    for witness in others:
        if witness.number != least.number:
            yield from _wrap(f"{witness.oracle}, workload {witness.number}:", "  ")
            yield from (f"    {line}" for line in command(witness, run))


def _witness(witness: Witness, run: str) -> Iterator[str]:
    where = listing(witness.backends)
    yield from _wrap(f"{witness.oracle}, {origin(witness)}, seen on {where}:", "  ")
    yield from _wrap(witness.evidence, "    ")
    if witness.culprit:
        yield from _wrap(f"who: {witness.culprit}", "      ", "    ")
    yield ""
    yield from (f"      {line}" for line in steps(witness.text))
    yield ""
    yield from (f"    {line}" for line in command(witness, run))


def _checks(title: str, checks: Iterable[Line]) -> Iterator[str]:
    checks = list(checks)
    if not checks:
        return
    yield from _title(title)
    width = max(len(line.mark) for line in checks)
    for line in checks:
        indent = " " * (width + 2)
        yield from _wrap(line.text, indent, f"{line.mark:<{width}}  ")
        for example in line.examples:
            yield from _wrap(example, f"{indent}  ")
    yield ""


def _remarks(result: Result) -> Iterator[str]:
    found = remarks(result)
    if found:
        yield from _title("Besides")
    for remark in found:
        yield from _wrap(remark, "  ", "- ")
    if found:
        yield ""


def _decision(result: Result) -> Iterator[str]:
    decision = result.decision
    yield from _title(headline(decision))
    for reason in (
        decision.void,
        *decision.reasons,
        *decision.severity,
        *against_base(result, ruled_out=False),
    ):
        yield from _wrap(reason, "  ", "- ")
