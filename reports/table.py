# SPDX-License-Identifier: GPL-2.0-only
"""The result for a terminal, on one screen: what fails, what is out and why, the decision last."""

from __future__ import annotations

import shlex
import textwrap
from typing import TYPE_CHECKING

from difftest import digest
from difftest.rendering import (
    against_base,
    headline,
    introduction,
    leading,
    listing,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.result import Result

#: A mail or a terminal beside an editor still shows this much.
WIDTH = 100
#: So many remarks leave the decision on the screen.
_REMARKS = 3


class TableReport:
    name = "table"
    suffix = ".txt"

    def render(self, result: Result, run: str = "RUN") -> str:
        lines = [
            *_wrap(introduction(result)),
            "",
            *digest.table(result, WIDTH),
            *_notes(result),
            "",
        ]
        lines += _ruled_out(result, run)
        lines += _remarks(result)
        for text in digest.checks(result, run):
            lines += _wrap(text, "  ", "")
        lines += ["", *_decision(result)]
        return "\n".join(line.rstrip() for line in lines) + "\n"


def _wrap(text: str, indent: str = "", first: str | None = None) -> list[str]:
    return digest.wrapped(text, WIDTH, indent, first)


def _shortened(text: str, width: int = 2 * WIDTH) -> str:
    return textwrap.shorten(text, width, placeholder=" ...")


def _notes(result: Result) -> Iterator[str]:
    """Explain the table: what no strategy fails, what was not judged, what was not reached."""
    yield from _wrap(f"{digest.clean_oracles(result)} {digest.LEGEND}".strip())
    said = [*digest.twins(result), *digest.missed(result)]
    yield from _wrap(" ".join(map(_shortened, said)))


def _ruled_out(result: Result, run: str) -> Iterator[str]:
    """Say of each strategy that is out why, and how to see it."""
    out = [one for one in result.strategies if one.ruled_out]
    if not out:
        return
    width = max(len(one.name) for one in out)
    yield "Ruled out"
    lacking = digest.lacking(result)
    for one in out:
        head = f"  {one.name:<{width}}  "
        if one not in lacking:
            yield head + _shortened(digest.evidence(result, one), WIDTH - len(head))
            least, _ = leading(result, one.name)
            if least and least.culprit:
                who = f"who: {least.culprit}"
                yield " " * len(head) + _shortened(who, WIDTH - len(head))
        elif one is lacking[0]:
            text = digest.evidence(result, one)
            if others := [other.name for other in lacking[1:]]:
                text += f" The like holds for {listing(others)}."
            yield from _wrap(text, " " * len(head), head)
    if result.witnesses:
        file = shlex.quote(f"{run}/witnesses/STRATEGY-ORACLE.workload")
        yield f"One step by step: difftest replay {file} --strategy STRATEGY"
    yield f"All of it: difftest report {shlex.quote(run)} --format html"
    yield ""


def _remarks(result: Result) -> Iterator[str]:
    """Tell of bugs that no fix touches; of what oracles only inform about, that there is such."""
    found = digest.remarks(result)
    told = [text for text in found if text.startswith(digest.OTHER_BUG)][:_REMARKS]
    for text in told:
        yield from _wrap(text, "  ", "Besides: ")
    if more := len(found) - len(told):
        yield f"{'Besides' if not told else 'Also'}: {more} remarks, in the other formats."


def _decision(result: Result) -> Iterator[str]:
    decision = result.decision
    yield from (headline(decision), "=" * len(headline(decision)))
    for reason in (
        decision.void,
        *decision.reasons,
        *decision.severity,
        *against_base(result, ruled_out=False),
    ):
        yield from _wrap(reason, "  ", "- ")
