# SPDX-License-Identifier: GPL-2.0-only
"""What `difftest history` says: what oracles find, beside what history says of each proposal."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tabulate import tabulate

from difftest.rendering import introduction
from difftest.ruling import own
from difftest.verdict import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from difftest.result import Cell, Result
    from difftest.strategy import Strategy

AGREE, DIFFER, UNKNOWN = 0, 1, 2


class Finding(NamedTuple):
    """One strategy on one backend: the oracles that it fails there, and whether it should.

    `agrees` is None where too little was seen to say.
    """

    strategy: str
    backend: str
    fails: tuple[str, ...]
    agrees: bool | None


def findings(result: Result, strategies: Iterable[Strategy]) -> list[Finding]:
    """Hold what was found against `must_fail` and `gives_up`.

    A proposal that history calls wrong has to fail the oracles that are meant for it; one that it
    calls right must fail none that rules out.
    """
    return [
        _finding(result, strategy, backend, cells)
        for strategy in strategies
        for backend in result.backends
        if (cells := _cells(result, strategy.name, backend))
    ]


def _cells(result: Result, strategy: str, backend: str) -> list[Cell]:
    informing = result.informational
    return [
        cell
        for cell in result.cells
        if (cell.strategy, cell.backend) == (strategy, backend) and cell.oracle not in informing
    ]


def _finding(result: Result, strategy: Strategy, backend: str, cells: Sequence[Cell]) -> Finding:
    fails = {cell.oracle for cell in cells if own(cell)}
    due = {*strategy.must_fail, *strategy.gives_up}
    ruling = {cell.oracle for cell in cells} - {*result.ranking}
    wrong = () if strategy.must_fail else fails & ruling
    unseen = {
        cell.oracle
        for cell in cells
        if not cell.unseen and cell.verdict is Value.UNKNOWN and (cell.oracle in due or not wrong)
    }
    missing = due - fails
    agrees = not wrong and not missing
    if not wrong and (missing & unseen or (not strategy.must_fail and unseen)):
        return Finding(strategy.name, backend, tuple(sorted(fails)), None)
    return Finding(strategy.name, backend, tuple(sorted(fails)), agrees)


def status(result: Result, found: Sequence[Finding]) -> int:
    """Return whether all agree, one does not, or (2) that is not known of some."""
    if result.decision.void or any(one.agrees is False for one in found):
        return DIFFER
    return AGREE if found and all(one.agrees for one in found) else UNKNOWN


_WORDS = {True: "agrees", False: "DIFFERS", None: "not shown"}


def render(result: Result, strategies: Sequence[Strategy], found: Sequence[Finding]) -> str:
    """Return a row for each strategy and each way in which its backends differ, then a sum."""
    rows = []
    for strategy in strategies:
        its = [one for one in found if one.strategy == strategy.name]
        for fails, agrees in dict.fromkeys((one.fails, one.agrees) for one in its):
            where = [one.backend for one in its if (one.fails, one.agrees) == (fails, agrees)]
            everywhere = len(where) == len(its)
            rows.append(
                (
                    strategy.name,
                    strategy.history,
                    ", ".join([*strategy.must_fail, *strategy.gives_up]) or "nothing",
                    ", ".join(fails) or "nothing",
                    "everywhere" if everywhere else ", ".join(where),
                    _WORDS[agrees],
                )
            )
    headers = ("strategy", "history", "has to fail", "fails", "on", "")
    table = tabulate(rows, headers, tablefmt="simple", maxcolwidths=[None, 40, 18, 30, 20, None])
    agree = sum(one.agrees is True for one in found)
    lines = [introduction(result), "", table, ""]
    if result.decision.void:
        lines.append(f"The run is void: {result.decision.void}")
    lines.append(f"{agree} of {len(found)} verdicts are what history says.")
    return "\n".join(lines) + "\n"
