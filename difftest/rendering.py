# SPDX-License-Identifier: GPL-2.0-only
"""What every report says in the same words: cells, bounds, workloads, commands, marks."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, NamedTuple

from difftest.facts import is_model, misfit, model_for
from difftest.parting import sentence
from difftest.result import ENOUGH, upper_bound
from difftest.strategy import BASELINE
from difftest.verdict import Value
from difftest.workload.codec import SETUP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from difftest.result import (
        Cell,
        Conformance,
        Decision,
        Disagreement,
        Kind,
        PatchFacts,
        Result,
        StrategyResult,
        Witness,
    )

#: One line that explains the cells.
LEGEND = (
    "Cells: failures / workloads that could have shown one (95 % upper bound of the failure rate); "
    f"?n could not be judged. UNKNOWN (n of m): only n of m reached it, and {ENOUGH} are the least "
    "that say anything. +n more fail as the baseline and every fix do: another bug. "
    "-: nothing to judge there."
)


class Line(NamedTuple):
    """A check in one line: a `mark`, loud unless all is well, what it is about, and examples."""

    mark: str
    text: str
    examples: tuple[str, ...] = ()


def percent(bound: float) -> str:
    """Write a bound with two digits, rounded up so that it stays one: 0.001497 is "0.15 %"."""
    value = bound * 100
    places = max(0, 1 - math.floor(math.log10(value)))
    # The last digits of a float are noise: what is 3.0000000000000004 is 3.
    scaled = math.ceil(round(value * 10**places, 6))
    return f"{scaled / 10**places:.{places}f} %"


def listing(names: Iterable[str], word: str = "and") -> str:
    """Join names as a sentence does: "a", "a and b", "a, b and c"."""
    *most, last = names
    return f"{', '.join(most)} {word} {last}" if most else last


def cell_parts(cell: Cell) -> tuple[str, str, str]:
    """Return the count, the bound and the unknown of a cell; a part that says nothing is ""."""
    if cell.unseen:
        return "-", "", ""
    rest = f"?{cell.unknown}" if cell.unknown else ""
    rest += f" +{cell.shared}" if cell.shared else ""
    if cell.verdict is Value.UNKNOWN:
        count = f"({cell.bounding} of {cell.drawn})"
        return "UNKNOWN", count, rest.strip()
    bound = "" if cell.upper_bound is None else f"(<{percent(cell.upper_bound)})"
    return f"{cell.fail - cell.shared}/{cell.reached - cell.shared}", bound, rest.strip()


def cell_text(cell: Cell) -> str:
    """Return a cell in one line: `0/1788 (<0.17 %) ?212`."""
    return " ".join(part for part in cell_parts(cell) if part)


def cells_of(result: Result, strategy: StrategyResult, backend: str) -> list[Cell]:
    """Return the cells of a row in the order of the columns; none where it was not run."""
    return [
        cell
        for cell in result.cells
        if (cell.strategy, cell.backend) == (strategy.name, backend) and cell.runs
    ]


def absence(strategy: StrategyResult, backend: str) -> str:
    """Say why a strategy has no cells on a backend."""
    return misfit(strategy.name, strategy.patch, backend) or "not run"


def causes(result: Result, backend: str) -> list[str]:
    """Return the causes of UNKNOWN on a backend, each with the strategies that have it."""
    where: dict[str, dict[str, None]] = {}
    for cell in result.cells:
        if cell.unseen and cell.backend == backend and cell.runs:
            where.setdefault(f"{cell.oracle}: {cell.unseen}", {})[cell.strategy] = None
        for cause in cell.causes if cell.backend == backend else ():
            where.setdefault(cause or "no cause given", {})[cell.strategy] = None
    return [f"{cause} ({', '.join(names)})" for cause, names in where.items()]


def introduction(result: Result) -> str:
    fixes = f"{len(result.strategies)} strategies" if len(result.strategies) != 1 else "1 strategy"
    done = "" if result.done == result.workloads else f" ({result.done} done everywhere)"
    where = [
        f"{name} ({listing(result.platforms[name])})" if name in result.platforms else name
        for name in result.backends
    ]
    faults = f"{result.faults} of them with faults" if result.faults else ""
    guided = f"{result.guided} of them guided (no bound counts those)" if result.guided else ""
    some = ", ".join(["", *filter(None, (faults, guided)), ""]).rstrip() if faults or guided else ""
    return (
        f"{fixes}, {result.workloads} workloads{some}{done} on {listing(where)}, seed {result.seed}"
    )


def ground(result: Result, backend: str) -> str:
    """Return what a backend stands on: its kernel's version, and what it ran on."""
    if is_model(backend):
        return "simulated"
    parts = [f"Linux {result.releases.get(backend, '(version not known)')}"]
    return "; ".join([*parts, *result.platforms.get(backend, ())])


def code(result: Result) -> str:
    """Return the versions of the code that decided."""
    words = result.version.split()
    if len(words) != len(("difftest", "Hypothesis", "hash")):
        return result.version
    return f"{words[0]} (code {words[2]}), Hypothesis {words[1]}"


def strategy_lines(result: Result) -> list[tuple[str, str]]:
    """Return what each strategy claims and how large it is, by its name."""
    lines = []
    for one in result.strategies:
        facts = [line] if (line := patch_line(one.patch)) else []
        if one.base:
            facts.append(f"on top of {one.base}")
        if one.same_kernel_as:
            facts.append(f"the same kernel as {listing(one.same_kernel_as)}")
        lines.append((one.name, f"{one.claim} ({'; '.join(facts)})" if facts else one.claim))
    return lines


def patch_line(facts: PatchFacts) -> str:
    """Return how large a patch is, what it changes, and what it fits; "" if it changes nothing."""
    if not facts.files:
        return ""
    size = f"+{facts.added} -{facts.removed} lines"
    if facts.functions:
        size += f" in {listing(facts.functions)}"
    parts = [size]
    changed = {"locking": facts.locking, "return values": facts.returns}
    for what, functions in changed.items():
        if functions:
            where = "" if functions == facts.functions else f" of {listing(functions)}"
            parts.append(f"changes {what}{where}")
    if facts.nameless:
        parts.append(f"{facts.nameless} lines in functions that it does not name")
    if facts.series:
        parts.append(f"for {listing(facts.series)}")
    if facts.applied:
        parts.append(f"applied without fuzz to {listing(facts.applied)}")
    return "; ".join(parts)


def headline(decision: Decision) -> str:
    """Return the decision in a few words."""
    if decision.void:
        return "VOID: this run proves nothing"
    if decision.recommended is None:
        return "No recommendation"
    return f"Recommended: {decision.recommended}"


def numbered(text: str) -> list[tuple[str, str]]:
    """Return each line of a workload with its number: ("0.0.0", "    fill leave=0").

    Set-up lines have none. Operations count from 0 at the top, windows within their operation
    and actions within their window, as steps and windows are called in evidence.
    """
    lines = []
    count: list[int] = []
    for line in text.splitlines():
        depth = (len(line) - len(line.lstrip(" "))) // 2
        if depth == 0 and line.split(" ")[0] in SETUP:
            lines.append(("", line))
            continue
        count = count[: depth + 1]
        count += [-1] * (depth + 1 - len(count))
        count[depth] += 1
        lines.append((".".join(map(str, count)), line))
    return lines


def steps(text: str) -> list[str]:
    """Return a workload for reading: numbered, what runs inside a window behind a bar."""
    lines = numbered(text)
    width = max((len(number) for number, _ in lines), default=0)
    return [
        f"{number:<{width}} {'|' if line.startswith(' ') else ' '} {line}" for number, line in lines
    ]


def origin(found: Witness | Disagreement) -> str:
    """Return which workload of the run a text is or comes from."""
    caveat = f" ({found.caveat})" if found.caveat else ""
    return f"{'what is left of ' if found.shrunk else ''}workload {found.number}{caveat}"


def witness_file(witness: Witness) -> str:
    """Return where a run keeps a witness, below its directory."""
    return f"witnesses/{witness.strategy}-{witness.oracle}.workload"


def disagreement_file(one: Conformance, suffix: str = ".workload") -> str:
    """Return where a run keeps the smallest workload on which model and kernel disagree."""
    return f"disagreements/{one.strategy}-{one.backend}{suffix}"


def command(witness: Witness, run: str) -> list[str]:
    """Return the command that replays a witness, in lines that a shell takes as one."""
    return replay_command(f"{run}/{witness_file(witness)}", witness.strategy, witness.backends)


def disagreement_command(one: Conformance, run: str) -> list[str]:
    """Return the command that replays a disagreement, in lines that a shell takes as one."""
    return replay_command(
        f"{run}/{disagreement_file(one)}", one.strategy, (model_for(one.backend), one.backend)
    )


def replay_command(file: str, strategy: str, backends: Iterable[str]) -> list[str]:
    """Return the command that replays a workload from a file, in lines as above."""
    options = ["--strategy", strategy]
    for backend in backends:
        options += ["--backend", backend]
    return [f"difftest replay {shlex.quote(file)} \\", f"    {shlex.join(options)}"]


def leading(result: Result, strategy: str) -> tuple[Witness | None, list[Witness]]:
    """Return the smallest of a strategy's witnesses, and those of other oracles."""
    found = [
        witness
        for witness in result.witnesses
        if witness.strategy == strategy
        and witness.oracle not in (*result.informational, *result.ranking)
    ]
    if not found:
        return None, []
    least = min(found, key=lambda one: (len(one.text.splitlines()), len(one.text), one.number))
    return least, [witness for witness in found if witness is not least]


def remarks(result: Result) -> list[str]:
    """Return what was seen besides: failures that rule nothing out, and what oracles tell apart."""
    lines = [
        f"{cell.oracle} (for information): {cell.strategy} fails it on {cell.backend} in "
        f"{cell.fail - cell.shared} of {cell.reached} workloads"
        for cell in result.cells
        if cell.oracle in result.informational and cell.fail > cell.shared
    ]
    for bug in result.other_bugs:
        hidden = f", and {bug.hidden} that crash {BASELINE} before it shows" if bug.hidden else ""
        lines.append(
            f"another bug of the kernel that no fix here touches: {BASELINE} and every fix fail "
            f"{bug.oracle} on {bug.backend} alike, in {bug.count} workloads{hidden}; the smallest "
            f"is workload {bug.number}: {bug.evidence}"
        )
    return lines + _told_apart(result)


def _told_apart(result: Result) -> list[str]:
    """Say what oracles tell apart: of the first strategy all, of the others what they fail.

    The most frequent first; backends that say the same share a line.
    """
    groups: dict[tuple[str, str, str], list[Kind]] = {}
    for kind in result.kinds:
        if kind.fail or kind.strategy == result.strategies[0].name:
            key = kind.oracle, kind.strategy, kind.backend
            groups.setdefault(key, []).append(kind)
    where: dict[tuple[str, str, str], list[str]] = {}
    for (oracle, strategy, backend), kinds in groups.items():
        most = sorted(kinds, key=lambda kind: (-kind.fail, -kind.reached))
        said = "; ".join(_kind(result, kind) for kind in most)
        where.setdefault((oracle, strategy, said), []).append(backend)
    return [
        f"{oracle}: {strategy} on {listing(backends)}: {said}"
        for (oracle, strategy, said), backends in where.items()
    ]


def _kind(result: Result, kind: Kind) -> str:
    """Say how often one of the things that an oracle tells apart was seen, and how often bad."""
    if kind.oracle in result.ranking:
        return f"{kind.kind} ({kind.fail} workloads)"
    if not kind.fail and kind.bounding < ENOUGH:
        return f"{kind.kind}: UNKNOWN, {kind.bounding} workloads reached it"
    bound = "" if kind.fail else f" (<{percent(upper_bound(kind.bounding))})"
    return f"{kind.kind}: {kind.fail} of {kind.reached}{bound}"


def control_lines(result: Result) -> list[Line]:
    marks = {True: "ok", False: "FAILED", None: "NOT MADE"}
    return [Line(marks[one.holds], f"{one.name}: {one.detail}") for one in result.controls]


def conformance_lines(result: Result, run: str) -> list[Line]:
    lines = []
    for one in result.conformance:
        mark = ("DIFFER" if one.differ else "ok") if one.compared else "NOT MADE"
        text = f"{one.strategy} on {one.backend}: {one.differ} of {one.compared} outcomes differ"
        if one.unknown:
            text += f", {one.unknown} unknown: {listing(one.causes)}"
        text += "".join(f", {count} not played: {why}" for why, count in one.unplayed.items())
        examples = [*one.first, *(f"not seen: {name} ({why})" for name, why in one.unseen.items())]
        if one.smallest:
            first = sentence(one.smallest.differences[0], model_for(one.backend), one.backend)
            examples.append(f"{run}/{disagreement_file(one)}: {first}")
        lines.append(Line(mark, text, tuple(examples)))
    return lines


def reached_rows(result: Result) -> list[list[str]]:
    """Return a row for each state: its name, and how many runs reached it on each backend."""
    count = {(one.state, one.backend): one for one in result.reached}
    rows = []
    for state in dict.fromkeys(one.state for one in result.reached):
        row = [count.get((state, backend)) for backend in result.backends]
        rows.append(
            [state, *("-" if one is None else f"{one.count or 'NONE'}/{one.runs}" for one in row)]
        )
    return rows


def against_base(result: Result, *, ruled_out: bool) -> list[str]:
    """Return what stacked strategies do to their bases, of those ruled out or of the others."""
    return [
        one.against_base
        for one in result.strategies
        if one.against_base and bool(one.ruled_out) is ruled_out
    ]
