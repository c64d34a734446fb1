# SPDX-License-Identifier: GPL-2.0-only
"""Checking a plugin before it is run: what `difftest check` finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class State(StrEnum):
    """UNKNOWN: it could not be looked at here, which is no OK."""

    OK = "ok"
    WRONG = "WRONG"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one thing: `about` names it ("lockfix, kernel 6.1")."""

    state: State
    about: str
    text: str


def ok(about: str, text: str) -> Finding:
    return Finding(State.OK, about, text)


def wrong(about: str, text: str) -> Finding:
    return Finding(State.WRONG, about, text)


def unknown(about: str, text: str) -> Finding:
    return Finding(State.UNKNOWN, about, text)


def render(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield a line for each finding, and more where its text has more."""
    for one in findings:
        first, *more = one.text.splitlines() or [""]
        yield f"{one.state:<7}  {one.about}: {first}"
        yield from (f"         {line}" for line in more)
