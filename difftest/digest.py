# SPDX-License-Identifier: GPL-2.0-only
"""A digest: a result in as few lines as a screen or a mail has room for."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from tabulate import tabulate

from difftest import kills, reached, rendering
from difftest.comparison import EXAMPLES
from difftest.facts import is_model
from difftest.rendering import (
    absence,
    causes,
    cell_parts,
    cells_of,
    conformance_lines,
    control_lines,
    leading,
    listing,
    percent,
)
from difftest.ruling import MISSING
from difftest.verdict import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from difftest.result import Cell, Result, StrategyResult

#: What the columns of `rows` are called.
HEADERS = ("strategy", "", "fails", "bound", "unknown")

LEGEND = (
    "Failures are of the workloads that could have shown one; where none was seen, the failure "
    "rate is below the bound (95 %)."
)

#: So many gaps are named; more are counted where a failure decides anyway.
FEW = 2

#: How remarks on bugs begin that no strategy touches.
OTHER_BUG = "another bug"

#: No column of failures is narrower than this: most entries fit.
_NARROW = 20

#: Below this a failure rate must be shown to be, for a strategy to be called tested. It takes 1,500
#: workloads that all came to where the oracle could have failed.
TESTED_BOUND = 0.002


class Row(NamedTuple):
    """What one strategy came to on all backends together.

    `fails` has an entry for each oracle that it fails, for each that is UNKNOWN, and for what was
    not run. `bound` is the largest of the bounds of all clean cells, `unjudged` the largest
    number of workloads that an oracle could not judge; "" if there is none.
    """

    name: str
    verdict: str
    fails: tuple[str, ...]
    bound: str
    unjudged: str

    @property
    def below(self) -> str:
        return f"<{self.bound}" if self.bound else ""


def wrapped(text: str, width: int, indent: str = "", first: str | None = None) -> list[str]:
    """Return text in lines of at most `width`, the first with an indent of its own.

    A word that is too long for a line stands on one of its own: names and paths stay whole.
    """
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def rows(result: Result) -> list[Row]:
    """Return a row for each strategy, the best first, those that are ruled out last."""
    order = {name: place for place, name in enumerate(result.decision.order)}
    ranked = sorted(result.strategies, key=lambda one: order.get(one.name, len(order)))
    return [_row(result, one) for one in ranked]


def _row(result: Result, strategy: StrategyResult) -> Row:
    own = {backend: cells_of(result, strategy, backend) for backend in result.backends}
    cells = [cell for some in own.values() for cell in some]
    clean = [cell for cell in cells if cell.verdict is Value.PASS]
    bounds = [cell.upper_bound for cell in clean if cell.upper_bound is not None]
    unjudged = max((cell.unknown for cell in cells if not cell.unseen), default=0)
    verdict = "ruled out" if strategy.ruled_out else "passed"
    if strategy in lacking(result):
        verdict = "unknown"
    if strategy.name == result.decision.recommended:
        verdict = "recommended"
    return Row(
        strategy.name,
        verdict,
        _told(_failures(result, own), _gaps(result, strategy, own), fails=_fails(result, cells)),
        percent(max(bounds)) if bounds else "",
        str(unjudged or ""),
    )


def _failures(result: Result, own: Mapping[str, Sequence[Cell]]) -> list[str]:
    """Say how often each oracle fails: once, if that is the same on all backends that ran.

    Those that only inform have no place here, see `remarks`.
    """
    found = []
    for oracle in result.oracles:
        cells = _of(oracle, own)
        counts = {one.backend: cell_parts(one)[0] for one in cells if one.verdict is Value.FAIL}
        if not counts or oracle in result.informational:
            continue
        if len(counts) == len(cells) and len(set(counts.values())) == 1:
            text = f"{oracle} {next(iter(counts.values()))}"
        else:
            text = f"{oracle} {listing(f'{count} on {name}' for name, count in counts.items())}"
        found.append(f"{text} (ranks it)" if oracle in result.ranking else text)
    return found


def _fails(result: Result, cells: Iterable[Cell]) -> bool:
    """Whether a failure rules the strategy out, whatever else there is."""
    apart = (*result.informational, *result.ranking)
    return any(one.verdict is Value.FAIL and one.oracle not in apart for one in cells)


def _told(failures: list[str], gaps: list[str], *, fails: bool) -> tuple[str, ...]:
    """Put failures and gaps together; of one that fails anyway, gaps are only counted."""
    unknown = [one for one in gaps if " UNKNOWN" in one]
    if not fails or len(unknown) < FEW:
        return (*failures, *gaps)
    rest = [one for one in gaps if one not in unknown]
    return (*failures, f"{len(unknown)} UNKNOWN", *rest)


def _of(oracle: str, own: Mapping[str, Sequence[Cell]]) -> list[Cell]:
    """Return the cells in which there is something to judge for an oracle."""
    return [
        cell for some in own.values() for cell in some if cell.oracle == oracle and not cell.unseen
    ]


def _gaps(result: Result, strategy: StrategyResult, own: Mapping[str, Sequence[Cell]]) -> list[str]:
    """Say what was not run, and which cells are UNKNOWN; none may look clean for that."""
    gaps = [f"{backend}: {absence(strategy, backend)}" for backend in own if not own[backend]]
    for oracle in result.oracles:
        cells = _of(oracle, own)
        if oracle in result.informational:
            continue
        if blind := [cell.backend for cell in cells if cell.verdict is Value.UNKNOWN]:
            where = "" if len(blind) == len(cells) else f" on {listing(blind)}"
            gaps.append(f"{oracle} UNKNOWN{where}")
    return gaps


def table(result: Result, width: int, columns: int = len(HEADERS)) -> list[str]:
    """Return the first columns of the rows, that of failures as wide as `width` leaves room."""
    made = rows(result)
    room = width
    while True:
        cells = [
            (one.name, one.verdict, _column(one.fails, room), one.below, one.unjudged)[:columns]
            for one in made
        ]
        lines = tabulate(cells, HEADERS[:columns], disable_numparse=True).splitlines()
        over = max(map(len, lines)) - width
        if over <= 0 or room <= _NARROW:
            return lines
        room = max(_NARROW, room - over)


def _column(fails: Iterable[str], width: int) -> str:
    """Put entries one after another into lines of at most `width`, or one too wide by itself."""
    lines: list[str] = []
    for entry in fails:
        joined = f"{lines[-1]}; {entry}" if lines else entry
        if lines and len(joined) <= width:
            lines[-1] = joined
        else:
            lines += wrapped(entry, width)
    return "\n".join(lines) or "nothing"


def clean_oracles(result: Result) -> str:
    """Say in a sentence which oracles passed some strategy and failed none, "" if none did."""
    seen = {
        oracle: {one.verdict for one in result.cells if one.oracle == oracle}
        for oracle in result.oracles
    }
    clean = [one for one in seen if Value.PASS in seen[one] and Value.FAIL not in seen[one]]
    return f"No strategy fails {listing(clean, 'or')}." if clean else ""


def remarks(result: Result) -> list[str]:
    """Return what was seen besides, other bugs first; backends that show the same share a line."""
    said: dict[str, list[str]] = {}
    for text in rendering.remarks(result):
        named = [
            one for one in result.backends if re.search(rf" on {re.escape(one)}(?![\w.+])", text)
        ]
        backend = max(named, key=len, default="")
        key = text.replace(f" on {backend}", " on {}", 1) if backend else text
        said.setdefault(key, []).append(backend)
    merged = [text.replace("{}", listing(names), 1) for text, names in said.items()]
    return sorted(merged, key=lambda text: not text.startswith(OTHER_BUG))


def evidence(result: Result, strategy: StrategyResult) -> str:
    """Say in a sentence why a strategy is out: by its smallest workload, or the first reason."""
    least, _ = leading(result, strategy.name)
    if least is None:
        return next(iter(strategy.ruled_out), "")
    return f"{least.oracle}: {least.evidence}"


def lacking(result: Result) -> list[StrategyResult]:
    """Return the strategies that are out only because evidence is missing."""
    return [
        one
        for one in result.strategies
        if one.ruled_out and all(reason.startswith(MISSING) for reason in one.ruled_out)
    ]


def twins(result: Result) -> list[str]:
    """Say which strategies turned out to be the same kernel."""
    groups = {
        tuple(sorted([one.name, *one.same_kernel_as]))
        for one in result.strategies
        if one.same_kernel_as
    }
    return [f"The kernels of {listing(names)} are the same." for names in sorted(groups)]


def missed(result: Result) -> list[str]:
    """Say what was not judged, which states were not reached and how many operations were.

    Backends of which the same is to be said share a sentence.
    """
    said: dict[str, list[str]] = {}
    for backend in result.backends:
        for cause in causes(result, backend):
            said.setdefault(f"Not judged on {{}}: {cause}.", []).append(backend)
    for backend in result.backends:
        rows = [one for one in result.reached if one.backend == backend]
        if states := [one.state for one in rows if not one.count]:
            said.setdefault(f"Never reached on {{}}: {listing(states)}.", []).append(backend)
    for backend in result.backends:
        text = reached.summary(result, backend).removeprefix(f"{backend}: ")
        said.setdefault(f"On {{}} {text}.", []).append(backend)
    return [text.replace("{}", listing(backends), 1) for text, backends in said.items()]


def checks(result: Result, run: str) -> list[str]:
    """Say of controls and of conformance in a sentence that all hold, and what that leaves open.

    Those that do not hold have a sentence each, with examples.
    """
    found = []
    for title, lines in (
        ("Controls", control_lines(result)),
        ("Model against kernels", conformance_lines(result, run)),
        ("Mutants", kills.lines(result)),
    ):
        bad = [line for line in lines if line.mark != "ok"]
        # What failed comes before what was not made.
        bad.sort(key=lambda line: line.mark == "NOT MADE")
        if lines and not bad:
            found.append(f"{title}: all {len(lines)} hold.")
        for line in bad[:EXAMPLES]:
            found += [f"{title}: {line.mark}: {line.text}", *line.examples]
        if more := bad[EXAMPLES:]:
            found.append(f"{title}: {len(more)} more do not hold or were not made.")
    unknown = {one.backend: 0 for one in result.conformance if one.unknown}
    for one in result.conformance:
        if one.unknown:
            unknown[one.backend] += one.unknown
    found += [
        f"{count} pairs of outcomes on {name} are unknown." for name, count in unknown.items()
    ]
    unseen = {
        f"Not compared on {one.backend}: {field} ({why})."
        for one in result.conformance
        for field, why in one.unseen.items()
    }
    return found + sorted(unseen)


def untested(result: Result) -> list[str]:
    """Say what is missing for the recommended strategy to be called tested; [] if nothing is."""
    name = result.decision.recommended
    chosen = next((one for one in result.strategies if one.name == name), None)
    if chosen is None:
        return ["no strategy is recommended"]
    missing = [
        f"the control does not hold: {one.name}" for one in result.controls if one.holds is not True
    ]
    if result.done < result.workloads:
        missing.append(f"{result.done} of {result.workloads} workloads were run everywhere")
    kernels = [backend for backend in result.backends if not is_model(backend)]
    if not kernels:
        missing.append("no real kernel was run")
    for backend in kernels:
        cells = cells_of(result, chosen, backend)
        if not cells:
            missing.append(f"it was not run on {backend}: {absence(chosen, backend)}")
        missing += _weak(one for one in cells if one.oracle not in result.informational)
    return missing


def _weak(cells: Iterable[Cell]) -> list[str]:
    """Name the cells that show less than TESTED_BOUND."""
    return [
        f"{cell.oracle} on {cell.backend} shows "
        + ("nothing" if cell.upper_bound is None else f"<{percent(cell.upper_bound)}")
        for cell in cells
        if cell.verdict is not Value.PASS
        or cell.upper_bound is None
        or cell.upper_bound > TESTED_BOUND
    ]
