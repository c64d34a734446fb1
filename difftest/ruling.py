# SPDX-License-Identifier: GPL-2.0-only
"""A ruling: why one strategy is out, and what it does to the strategy it stands on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from difftest.rendering import listing
from difftest.result import ENOUGH
from difftest.strategy import BASELINE
from difftest.verdict import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest.result import Attack, Cell, PatchFacts, Witness
    from difftest.strategy import Strategy

#: The share of runs that an oracle may leave unjudged on a strategy that is to be recommended.
#: The rig does fail now and then, but it must not hide more than a rare failure.
UNKNOWN_LIMIT = 0.01
#: How reasons begin that no failure, but only silence, is behind.
MISSING = "Evidence is missing"


def own(cell: Cell) -> int:
    """Return the failures of a cell that are not those of the baseline and every fix alike."""
    return cell.fail - cell.shared


def fails(strategy: str, cells: Sequence[Cell]) -> bool:
    return any(own(cell) for cell in cells if cell.strategy == strategy)


def crashes(strategy: str, attacks: Sequence[Attack]) -> list[Attack]:
    return [one for one in attacks if one.strategy == strategy and one.crashed]


def ruled_out(
    strategy: str,
    facts: PatchFacts,
    cells: Sequence[Cell],
    witnesses: Sequence[Witness],
    attacks: Sequence[Attack],
) -> tuple[str, ...]:
    """Say why a strategy cannot be taken, a sentence for each reason; () if it can.

    What could not be judged counts only where nothing failed. A kernel that crashed leaves most
    oracles without an answer, but then one of them has said FAIL; if none has, because the one
    that judges crashes is not part of the run, the crash is missing evidence like any other.
    What the baseline and every fix fail alike is no reason, nor is what cannot be seen anywhere
    on a backend: the decision names both.
    """
    its = [cell for cell in cells if cell.strategy == strategy]
    reasons = [
        f"It {failure(cells, witness)}." for witness in witnesses if witness.strategy == strategy
    ]
    reasons += [
        f"An unprivileged user crashes it on {one.backend}, {one.how} "
        f"(vm.unprivileged_userfaultfd={one.setting})."
        for one in crashes(strategy, attacks)
    ]
    if not reasons:
        reasons = _missing(facts, its)
    if strategy == BASELINE:
        reasons.insert(0, "It is the code before any fix.")
    return tuple(reasons)


def failure(cells: Sequence[Cell], witness: Witness) -> str:
    """Say what a strategy fails, how often and where, and which workload shows it."""
    key = (witness.strategy, witness.oracle)
    failing = [cell for cell in cells if (cell.strategy, cell.oracle) == key and own(cell)]
    counts = listing(f"{own(cell)} of {cell.reached} on {cell.backend}" for cell in failing)
    counts = counts.replace(" on ", " workloads on ", 1)
    least = f"the smallest is workload {witness.number}"
    if len(witness.backends) < len(failing):
        least += f", which fails on {listing(witness.backends)} only"
    return f"fails {witness.oracle} in {counts}; {least}"


def _missing(facts: PatchFacts, its: Sequence[Cell]) -> list[str]:
    """Say what stands in the way of judging a strategy that failed nothing."""
    if not its:
        series = f"for {listing(facts.series)}" if facts.series else "for no kernel"
        return [f"{MISSING}: it fits no backend of this run (its patches are {series})."]
    reasons = [
        f"{MISSING}: it was not run on {backend}."
        for backend in dict.fromkeys(cell.backend for cell in its if not cell.runs)
    ]
    for cell in its:
        if cell.unseen:
            continue
        if cell.unknown > UNKNOWN_LIMIT * cell.runs:
            cause = f" ({cell.causes[0]})" if cell.causes and cell.causes[0] else ""
            reasons.append(
                f"{MISSING}: {cell.oracle} could not judge {cell.unknown} of {cell.runs} "
                f"workloads on {cell.backend}{cause}."
            )
        elif cell.verdict is Value.UNKNOWN and cell.runs:
            reasons.append(
                f"{MISSING}: {cell.bounding} of {cell.drawn} workloads on {cell.backend} "
                f"reached what {cell.oracle} judges; {_more(cell)}."
            )
    return reasons


def _more(cell: Cell) -> str:
    """Say how many workloads would do, at the rate so far, to two digits."""
    if not cell.bounding:
        return f"at least {ENOUGH} have to"
    count = math.ceil(ENOUGH * cell.drawn / cell.bounding)
    scale = 10 ** max(0, len(str(count)) - 2)
    return f"at least {ENOUGH} have to, of about {math.ceil(count / scale) * scale}"


def against_base(strategy: Strategy, cells: Sequence[Cell]) -> str:
    """Say what a stacked strategy mends, brings and leaves of the failures of its base.

    An oracle counts as mended only if it could judge the strategy wherever it fails the base.
    """
    if strategy.base in {None, BASELINE}:
        return ""
    name, base = strategy.name, strategy.base
    below = [cell for cell in cells if cell.strategy == base]
    above = [cell for cell in cells if cell.strategy == name]
    if not any(cell.runs for cell in below):
        return f"{name} stands on {base}, which was not run."
    judged = {(cell.oracle, cell.backend) for cell in above if cell.reached}
    unseen = {one.oracle for one in below if own(one) and (one.oracle, one.backend) not in judged}
    before = list(dict.fromkeys(cell.oracle for cell in below if own(cell)))
    after = list(dict.fromkeys(cell.oracle for cell in above if own(cell)))
    parts = []
    if mended := [oracle for oracle in before if oracle not in after and oracle not in unseen]:
        parts.append(f"mends {listing(mended)}")
    if left := [oracle for oracle in before if oracle in after]:
        parts.append(f"leaves {listing(left)} failing")
    if brought := [oracle for oracle in after if oracle not in before]:
        parts.append(f"brings {listing(brought)} failures")
    if parts:
        return f"Against its base {base}, {name} {listing(parts)}."
    if unseen:
        return f"Whether {name} mends {listing(sorted(unseen))} of its base {base} was not seen."
    return f"{name} and its base {base} fail the same oracles: none."
