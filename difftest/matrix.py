# SPDX-License-Identifier: GPL-2.0-only
"""A matrix: for each two strategies of a run the witness that tells them apart, for reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.rendering import listing, percent
from difftest.result import upper_bound

if TYPE_CHECKING:
    from difftest.result import Pair, Result, Telling

LEGEND = (
    "A number is that of the witness below that tells the two apart; =: no outcome of the two "
    "differs; ≠: outcomes differ, and no witness was shrunk; ?: nothing could be compared."
)
HEADERS = ("", "who fails", "oracle", "seen on", "evidence", "witness")


def tellings(result: Result) -> list[Telling]:
    """Return the tellings that rows and cells are about, each once, in the order of the pairs."""
    told = (_told(result, pair) for pair in result.pairs)
    return list({one.file: one for one in told if one}.values())


def _told(result: Result, pair: Pair) -> Telling | None:
    """Return what tells a pair apart best.

    That is what rules one of them out, if anything does; then what was seen on most backends.
    """
    less = ("", *result.ranking, *result.informational)
    ordered = sorted(pair.told, key=lambda one: (one.oracle in less, -len(one.backends)))
    return ordered[0] if ordered else None


def cells(result: Result) -> list[list[str]]:
    """Return a row for each strategy: its name, and a cell for each."""
    names = [one.name for one in result.strategies]
    numbers = {one.file: str(number) for number, one in enumerate(tellings(result), 1)}
    signs = {}
    for pair in result.pairs:
        told = _told(result, pair)
        sign = numbers[told.file] if told else _sign(pair)
        signs[pair.one, pair.other] = signs[pair.other, pair.one] = sign
    return [[one, *(signs.get((one, other), "") for other in names)] for one in names]


def _sign(pair: Pair) -> str:
    if any(one.differ for one in pair.likeness):
        return "≠"
    return "=" if any(one.compared for one in pair.likeness) else "?"


def rows(result: Result, run: str) -> list[list[str]]:
    """Return a row for each telling, under HEADERS."""
    return [
        [
            str(number),
            one.fails or "neither: their outcomes differ",
            one.oracle,
            listing(one.backends),
            f"{one.evidence} ({one.caveat})" if one.caveat else one.evidence,
            f"{run}/{one.file}",
        ]
        for number, one in enumerate(tellings(result), 1)
    ]


def alike(result: Result) -> list[str]:
    """Say of each two strategies that nothing tells apart what that rests on."""
    return [
        f"{pair.one} and {pair.other}: {'; '.join(said)}"
        for pair in result.pairs
        if not pair.told
        for said in [
            [
                f"{one.differ} of {one.compared} outcomes differ on {one.backend}"
                + (
                    f" (<{percent(upper_bound(one.bounding))})"
                    if one.bounding and not one.differ
                    else ""
                )
                for one in pair.likeness
                if one.compared
            ]
        ]
        if said
    ]
