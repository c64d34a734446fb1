# SPDX-License-Identifier: GPL-2.0-only
"""The result as one HTML page that needs nothing else: no network, no script, light and dark."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from difftest import digest, matrix, reached, rendering
from difftest.characters import printable
from difftest.facts import is_model
from difftest.kernels.series import patches_for
from difftest.timeline import Event, Row, threads, timelines
from difftest.verdict import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.result import Cell, Patch, Result, StrategyResult, Witness

#: Where evidence points to: "after step 0.1".
_STEP = re.compile(r"\bstep (\d+(?:\.\d+)*)")
#: The mount of a workload, if it has a limit.
_MOUNT = re.compile(r"mount blocks=([1-9]\d*)$", re.MULTILINE)
#: What a row is marked as besides what its threads do.
_KINDS = {Event.CRASH: "crash", Event.LOST: "lost"}


class HtmlReport:
    name = "html"
    suffix = ".html"

    def render(self, result: Result, run: str = "RUN") -> str:
        page = (
            _environment()
            .get_template("html.jinja")
            .render(
                result=result,
                run=run,
                sections=[_section(result, one) for one in _best_first(result)],
            )
        )
        return page.rstrip("\n") + "\n"


class Line(NamedTuple):
    """A row of a timeline, for the page.

    `kind` is "crash", "lost", "leak" or "". `pointed` says that evidence names this step,
    `opens` and `closes` that a window does with this row.
    """

    row: Row
    kind: str
    pointed: bool
    opens: bool
    closes: bool


class Timeline(NamedTuple):
    """A timeline of a workload on `backends`: a column for each of `threads`."""

    backends: tuple[str, ...]
    threads: list[str]
    lines: list[Line]


class Shown(NamedTuple):
    """A witness as the page shows it. `blocks` is the limit of its mount, "" if it has none."""

    witness: Witness
    blocks: str
    timelines: list[Timeline]


class Section(NamedTuple):
    """All that the page says of a strategy. `verdict`: recommended, passed or out.

    `patches` are those for what was run, `others` names the rest.
    """

    strategy: StrategyResult
    verdict: str
    witnesses: list[Shown]
    patches: list[Patch]
    others: list[str]


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"matrix": matrix, "reached": reached, "rendering": rendering}
    made.filters |= {"breaking": _breaking, "diff": _diff, "mark": _mark, "told": _told}
    return made


def _clean(value: object) -> object:
    """Put a sign in the place of what the page may not hold."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value


def _best_first(result: Result) -> list[StrategyResult]:
    order = result.decision.order
    places = {name: place for place, name in enumerate(order)}
    return sorted(result.strategies, key=lambda one: places.get(one.name, len(order)))


def _section(result: Result, strategy: StrategyResult) -> Section:
    least, others = rendering.leading(result, strategy.name)
    verdict = "out" if strategy.ruled_out else "passed"
    if strategy in digest.lacking(result):
        verdict = "unknown"
    if strategy.name == result.decision.recommended:
        verdict = "recommended"
    run = {one if is_model(one) else patches_for(one) for one in result.backends} | {"model"}
    patches = [one for one in strategy.patches if one.target in run]
    rest = dict.fromkeys(one.target for one in strategy.patches if one.target not in run)
    return Section(
        strategy,
        verdict,
        [
            Shown(one, _blocks(one.text), _timelines(one))
            for one in ([least, *others] if least else [])
        ],
        patches,
        list(rest),
    )


def _blocks(text: str) -> str:
    found = _MOUNT.match(text)
    return found[1] if found else ""


def _timelines(witness: Witness) -> list[Timeline]:
    pointed = set(_STEP.findall(witness.evidence))
    return [
        Timeline(backends, threads(rows), list(_lines(rows, pointed)))
        for backends, rows in timelines(witness.text, witness.outcomes)
    ]


def _lines(rows: Sequence[Row], pointed: set[str]) -> Iterator[Line]:
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        kind = _KINDS.get(row.event, "leak" if row.leaks else "")
        ends = following is not None and row.thread not in following.stopped
        yield Line(row, kind, row.at in pointed, row.event is Event.STOP, ends)


def _told(line: Line) -> str:
    """Return what came of a row, with the locks of a copy that stops or goes on."""
    row = line.row
    if row.event is Event.STEP:
        return f"= {row.result}"
    return row.result


def _diff(patch: Patch, section: Section) -> Iterator[tuple[str, str]]:
    """Return the lines of a patch, each with its class; those that decide have one more."""
    classes = {"+": "added", "-": "removed", "@": "hunk"}
    own = patch.strategy == section.strategy.name
    decide = {
        line
        for shown in section.witnesses
        for found in shown.witness.deciding
        if own and found.target == patch.target
        for line in found.lines
    }
    for number, line in enumerate(patch.text.expandtabs(8).splitlines(), 1):
        head = line.startswith(("--- ", "+++ "))
        kind = "file" if head else classes.get(line[:1], "context")
        yield f"{kind} decides" if number in decide else kind, line


def _breaking(name: str) -> Markup:
    """Return a name that a narrow column may break after each underscore."""
    return Markup("_<wbr>").join(str(_clean(name)).split("_"))


def _mark(cell: Cell) -> str:
    """Return the class of a cell."""
    return {Value.FAIL: "fail", Value.PASS: "clean", Value.UNKNOWN: "unknown"}[cell.verdict]
