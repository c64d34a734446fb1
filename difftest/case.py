# SPDX-License-Identifier: GPL-2.0-only
"""A case: one thing that a run judged, as systems that collect tests count them.

Such a system knows little more than passed and failed, and takes what is neither for harmless. So
only what a strategy could be taken for is a PASS here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from difftest.rendering import (
    Line,
    absence,
    cell_text,
    command,
    conformance_lines,
    control_lines,
    headline,
    listing,
    origin,
    steps,
)
from difftest.ruling import UNKNOWN_LIMIT
from difftest.verdict import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.result import Attack, Cell, Result, StrategyResult, Witness


class Status(StrEnum):
    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNKNOWN = "unknown"
    """It should have been judged and was not, or too little to say anything."""
    NOTHING = "nothing"
    """There is nothing to judge, for a reason that is known without running anything."""


class Weight(StrEnum):
    """What a failure does to a strategy."""

    DECIDES = "decides"
    RANKS = "ranks"
    INFORMS = "informs"


class Case(NamedTuple):
    """`message` says it in a line, `detail` in as many as it takes, a witness included.

    `strategy` and `backend` are "" for what is about the run as a whole. Text is as strangers
    wrote it.
    """

    strategy: str
    backend: str
    name: str
    status: Status
    message: str
    detail: str
    weight: Weight = Weight.DECIDES


def judged(result: Result, run: str) -> dict[tuple[str, str], list[Case]]:
    """Return the cases of each strategy on each backend: the oracles, then the attacks."""
    return {
        (strategy.name, backend): list(_judged(result, strategy, backend, run))
        for strategy in result.strategies
        for backend in result.backends
    }


def controls(result: Result, run: str) -> list[Case]:
    """Return a case for each control, and for each comparison of a model with a kernel."""
    lines = [("control", one) for one in control_lines(result)]
    lines += [("conformance", one) for one in conformance_lines(result, run)]
    return [_checked(what, line) for what, line in lines]


def decided(result: Result) -> Case:
    """Return the case that asks for the decision: it passes if a strategy is recommended."""
    decision = result.decision
    reasons = "\n".join(filter(None, [decision.void, *decision.reasons, *decision.severity]))
    status = Status.FAIL if decision.recommended is None else Status.PASS
    if decision.void:
        status = Status.UNKNOWN
    return Case("", "", "a strategy is recommended", status, headline(decision), reasons)


def _judged(result: Result, strategy: StrategyResult, backend: str, run: str) -> Iterator[Case]:
    cells = {
        one.oracle: one
        for one in result.cells
        if (one.strategy, one.backend) == (strategy.name, backend)
    }
    for oracle in result.oracles:
        weight = Weight.RANKS if oracle in result.ranking else Weight.DECIDES
        if oracle in result.informational:
            weight = Weight.INFORMS
        cell = cells.get(oracle)
        status, message = _status(result, strategy, backend, cell)
        detail = message
        if cell is not None and cell.runs:
            message = f"{cell_text(cell)}: {message}" if message else cell_text(cell)
            detail = _detail(result, cell, message, run)
        yield Case(strategy.name, backend, oracle, status, message, detail, weight)
    for attack in result.attacks:
        if (attack.strategy, attack.backend) == (strategy.name, backend):
            yield _attacked(attack)


def _status(
    result: Result, strategy: StrategyResult, backend: str, cell: Cell | None
) -> tuple[Status, str]:
    """Return what a cell comes to and why.

    A clean one of a run that is void, or of which too much could not be judged, is no PASS:
    nobody could take the strategy for it.
    """
    if cell is None or not cell.runs:
        why = absence(strategy, backend)
        return (Status.UNKNOWN if why == "not run" else Status.NOTHING), why
    if cell.unseen:
        return Status.NOTHING, cell.unseen
    if cell.verdict is Value.FAIL:
        return Status.FAIL, _evidence(result, cell)
    if cell.verdict is Value.UNKNOWN or cell.unknown > UNKNOWN_LIMIT * cell.runs:
        return Status.UNKNOWN, "; ".join(filter(None, cell.causes)) or "too few workloads"
    if result.decision.void:
        return Status.UNKNOWN, f"the run is void: {result.decision.void}"
    return Status.PASS, ""


def _witness(result: Result, cell: Cell) -> Witness | None:
    found = [
        one
        for one in result.witnesses
        if (one.strategy, one.oracle) == (cell.strategy, cell.oracle)
    ]
    return next((one for one in found if cell.backend in one.backends), next(iter(found), None))


def _evidence(result: Result, cell: Cell) -> str:
    witness = _witness(result, cell)
    return witness.evidence if witness else ""


def _detail(result: Result, cell: Cell, message: str, run: str) -> str:
    """Tell of a cell: what was counted, why it is unknown, the workload that shows it."""
    lines = [message]
    witness = _witness(result, cell) if cell.verdict is Value.FAIL else None
    if witness is not None:
        lines += ["", f"{origin(witness)}, seen on {listing(witness.backends)}"]
        lines += [f"{backend} says: {line}" for backend, line in witness.said.items()]
        lines += [f"Who: {witness.culprit}"] if witness.culprit else []
        lines += ["", *steps(witness.text), "", *command(witness, run)]
    return "\n".join(lines)


def _attacked(attack: Attack) -> Case:
    """Return the case of an attack. One that did not get through proves nothing: no PASS."""
    name = f"attack with vm.unprivileged_userfaultfd={attack.setting}"
    status = {True: Status.FAIL, False: Status.NOTHING, None: Status.UNKNOWN}[attack.crashed]
    how = f", {attack.how}" if attack.how else ""
    message = {
        True: f"an unprivileged user crashes it{how}",
        False: f"not reached, which is not safe{how}",
        None: f"not known{how}",
    }[attack.crashed]
    return Case(attack.strategy, attack.backend, name, status, message, message)


def _checked(what: str, line: Line) -> Case:
    status = {"ok": Status.PASS, "NOT MADE": Status.UNKNOWN}.get(line.mark, Status.FAIL)
    name = f"{what}: {line.text.partition(': ')[0]}"
    return Case("", "", name, status, line.text, "\n".join([line.text, *line.examples]))
