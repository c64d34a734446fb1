# SPDX-License-Identifier: GPL-2.0-only
"""The result as a mail to a kernel list: plain ASCII, 72 columns, the decision first."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from tabulate import tabulate

from difftest import digest
from difftest.rendering import (
    against_base,
    code,
    ground,
    leading,
    listing,
    origin,
    percent,
    replay_command,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.result import Result, StrategyResult, Witness

#: What leaves room for the marks of two who quote it.
WIDTH = 72
#: The name in a tag: whose word it is, no report can know.
_PLACE = "YOUR NAME <YOUR@ADDRESS>"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class LkmlReport:
    name = "lkml"
    suffix = ".mail.txt"

    def render(self, result: Result, run: str = "RUN") -> str:
        lines = [*_decision(result), *_table(result)]
        for strategy in result.strategies:
            if strategy.ruled_out:
                lines += _ruled_out(result, strategy)
        lines += [*_remarks(result), *_tested(result, run), *_tag(result)]
        return _ascii("\n".join(line.rstrip() for line in lines).rstrip("\n") + "\n")


def _ascii(text: str) -> str:
    """Return text in which nothing but ASCII is left: without accents, or as an escape.

    A line that begins with "From " would begin a new mail in a mailbox file.
    """
    plain = "".join(
        one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one)
    )
    plain = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", plain)
    return re.sub(
        r"^From ", " From ", plain.encode("ascii", "backslashreplace").decode(), flags=re.MULTILINE
    )


def _wrap(text: str, indent: str = "", first: str | None = None) -> list[str]:
    return digest.wrapped(_ascii(text), WIDTH, indent, first)


def _decision(result: Result) -> Iterator[str]:
    """Say it in two sentences; what else speaks for it comes as a list."""
    decision = result.decision
    fixes = len(result.strategies)
    first, *others = (*([decision.void] if decision.void else []), *decision.reasons, "")
    if decision.void:
        yield from _wrap(f"This run is void and decides nothing. {first}")
    elif decision.recommended is None:
        yield from _wrap(f"Of {fixes} strategies compared, none can be recommended. {first}")
    else:
        yield from _wrap(f"Of {fixes} strategies compared, take {decision.recommended}. {first}")
    yield ""
    rest = [*others, *decision.severity, *against_base(result, ruled_out=False)]
    for reason in filter(None, rest):
        yield from _wrap(reason, "  ", "- ")
    if any(rest):
        yield ""


def _table(result: Result) -> Iterator[str]:
    yield from digest.table(result, WIDTH, columns=4)
    yield ""
    yield from _wrap(f"{digest.LEGEND} {digest.clean_oracles(result)}")
    yield ""
    for text in [*digest.twins(result), *digest.missed(result)]:
        yield from _wrap(text, "  ", "- ")
    yield ""


def _ruled_out(result: Result, strategy: StrategyResult) -> Iterator[str]:
    yield from (strategy.name, "-" * len(strategy.name), "")
    for reason in (*strategy.ruled_out, strategy.against_base):
        if reason:
            yield from _wrap(reason, "  ", "- ")
    yield ""
    least, others = leading(result, strategy.name)
    for witness in [least, *others] if least else []:
        yield from _witness(witness)


def _witness(witness: Witness) -> Iterator[str]:
    where = listing(witness.backends)
    yield from _wrap(f"{witness.oracle}, {origin(witness)}, on {where}: {witness.evidence}")
    for backend, line in witness.said.items():
        yield from (f"{backend} says:", f"    {line}")
    if witness.culprit:
        yield from _wrap(f"Who: {witness.culprit}")
    yield from ("", *(f"    {line}" for line in witness.text.splitlines()), "")
    # The reader of a mail has no run; the lines above are a file as they stand.
    again = replay_command("FILE", witness.strategy, witness.backends)
    yield from (*(f"    {line}" for line in again), "")


def _remarks(result: Result) -> Iterator[str]:
    found = digest.remarks(result)
    if found:
        yield from ("Besides", "-------", "")
        for text in found:
            yield from _wrap(text, "  ", "- ")
        yield ""


def _tested(result: Result, run: str) -> Iterator[str]:
    yield from ("How it was tested", "-----------------", "")
    workloads = f"{result.workloads} random workloads, seed {result.seed}"
    if result.done < result.workloads:
        workloads += f"; {result.done} of them were run everywhere"
    yield from _wrap(f"{workloads}; oracles: {listing(result.oracles) if result.oracles else '-'}.")
    yield ""
    rows = [(backend, ground(result, backend)) for backend in result.backends]
    rows.append(("difftest", code(result)))
    yield from tabulate(rows, tablefmt="plain", disable_numparse=True).splitlines()
    yield ""
    for text in digest.checks(result, run):
        yield from _wrap(text, "  ", "")
    yield ""


def _tag(result: Result) -> Iterator[str]:
    """Offer the tag that is due, or say why none is."""
    name = result.decision.recommended
    missing = digest.untested(result)
    limit = f"below {percent(digest.TESTED_BOUND)} on every kernel"
    if name is None:
        return
    if missing:
        yield from _wrap(f"No Tested-by for {name}, which asks for every failure rate {limit}:")
        for one in missing:
            yield from _wrap(one, "  ", "- ")
        return
    yield from _wrap(
        f"For {name}: every failure rate is shown to be {limit}, and all controls hold. A tag is "
        "the word of a person, so the name is yours to put in:"
    )
    yield from ("", f"Tested-by: {_PLACE} # {name}")
