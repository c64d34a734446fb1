# SPDX-License-Identifier: GPL-2.0-only
"""What `difftest explore` prints: a table for each scenario, and what it does and does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from difftest.explore.violations import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from difftest.explore.exploring import Explored
    from difftest.explore.scenario import Scenario
    from difftest.explore.witness import Witness


def render(explored: Sequence[Explored], series: str) -> str:
    """Return a table for each scenario, with its closing lines."""
    scenarios = list(dict.fromkeys(one.scenario for one in explored))
    parts = [
        "\n".join(_scenario([one for one in explored if one.scenario == each], each, series))
        for each in scenarios
    ]
    return "\n\n".join(parts) + "\n"


def _scenario(explored: Sequence[Explored], scenario: Scenario, series: str) -> Iterator[str]:
    yield f"{scenario.name}: {scenario.about}" if scenario.about else scenario.name
    yield ""
    rows = [
        (
            one.strategy,
            one.result.states,
            one.result.schedules,
            *(_ends(one, kind) for kind in KINDS),
            "complete" if one.result.complete else "cut off",
        )
        for one in explored
    ]
    headers = (f"model:{series}", "states", "schedules", *KINDS, "")
    align = ("left", *["right"] * (len(headers) - 2), "left")
    table = tabulate(rows, headers, disable_numparse=True, colalign=align)
    yield from (line.rstrip() for line in table.splitlines())
    yield ""
    yield from _closing(explored, scenario)


def _ends(one: Explored, kind: str) -> int | str:
    return sum(found.ends for found in one.result.found if found.violation.kind == kind) or "-"


def _closing(explored: Sequence[Explored], scenario: Scenario) -> Iterator[str]:
    bounds = explored[0].bounds
    threads = _count(len(scenario.threads), "thread")
    ops = _count(sum(map(len, scenario.threads)), "operation")
    blocks = _count(scenario.blocks, "block") if scenario.blocks else "any number of blocks"
    preemptions = (
        "any number of preemptions"
        if bounds.preemptions is None
        else f"at most {_count(bounds.preemptions, 'preemption')} in a schedule"
    )
    reduction = (
        "equivalent orders left out" if bounds.reduced else "no order left out as equivalent"
    )
    yield f"Bounded: {threads} with {ops}, {blocks}; {preemptions}; {reduction}."
    yield (
        "A step goes from one point where the model may sleep, fault or take a lock to the next; "
        "inside it nothing is interleaved."
    )
    states = sum(one.result.states for one in explored)
    schedules = sum(one.result.schedules for one in explored)
    seconds = sum(one.result.seconds for one in explored)
    yield (
        f"{states} states, {schedules} schedules in {seconds:.1f} s of search; violations are "
        "counted by the final states that have them."
    )
    cut = [one.strategy for one in explored if not one.result.complete]
    if cut:
        yield (
            f"Cut off at {bounds.states} states: {', '.join(cut)}. What was not reached there may "
            "hold anything; --max-states N goes further."
        )
    else:
        yield "Complete: within these bounds no interleaving is left out."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _slug(witness: Witness) -> str:
    return witness.violation.kind.replace(" ", "_")


def files_of(explored: Sequence[Explored], folder: Path, series: str) -> Mapping[Path, str]:
    """Return the witness files, by path, each with a comment that says what it shows."""
    found: dict[Path, str] = {}
    for one in explored:
        for witness in one.witnesses:
            stem = f"{one.scenario.name}-{one.strategy}-{_slug(witness)}"
            path = folder / f"{stem}.{witness.kind}"
            number = 2
            while path in found:
                path = folder / f"{stem}-{number}.{witness.kind}"
                number += 1
            found[path] = (
                f"# {witness.violation.kind}: {witness.violation.detail}\n"
                f"# {one.strategy} on the model of {series}, scenario {one.scenario.name}\n"
                + _how(witness, path, one.strategy)
                + witness.text
            )
    return found


def _how(witness: Witness, path: Path, strategy: str) -> str:
    if witness.kind == "workload":
        return f"# difftest replay {path.name} --strategy {strategy}\n"
    many = _count(witness.preemptions, "preemption")
    return (
        f"# With {many}, so that no workload can play it: for the model alone\n"
        if witness.preemptions
        else "# No workload can play it: for the model alone\n"
    ) + f"# difftest explore --replay {path.name} --strategy {strategy}\n"
