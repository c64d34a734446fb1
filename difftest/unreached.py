# SPDX-License-Identifier: GPL-2.0-only
"""Unreached: added lines that no workload can execute, and the reason, written beside the patch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from difftest.outcome import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

K = TypeVar("K")
"""What a line is told by: its number, or its file and number."""


class Unreached(Record, frozen=True, forbid_unknown_fields=True):
    """`lines` are consecutive ones that the file `patch` ("model.patch") adds, blanks left out."""

    patch: str
    lines: str
    reason: str


class Explained(NamedTuple, Generic[K]):
    """The lines that were not executed for a reason, and what does not hold of the reasons."""

    reasons: dict[K, str]
    stale: list[str]


def places(lines: str, here: Iterable[tuple[K, str]]) -> list[list[K]]:
    """Return all places where consecutive lines stand; how far they are indented is all the same.

    `here` has the texts of lines in their order.
    """
    want = [line.strip() for line in lines.splitlines() if line.strip()]
    have = [(key, text.strip()) for key, text in here if text.strip()]
    return [
        [key for key, _ in have[start : start + len(want)]]
        for start in range(len(have) - len(want) + 1)
        if [text for _, text in have[start : start + len(want)]] == want
    ]


def explained(
    entries: Iterable[Unreached],
    added: Sequence[tuple[K, str]],
    coded: Collection[K],
    never: Collection[K],
) -> Explained[K]:
    """Apply the reasons for one patch to the lines that it adds.

    `coded` are those that hold code, `never` those of them that were not executed. A reason is
    stale if one of its lines was executed, if none holds code, or if they are not in one place.
    """
    reasons: dict[K, str] = {}
    stale = []
    for one in entries:
        reason = " ".join(one.reason.split())
        head = f"mutants.toml: the reason {reason!r} is stale: "
        found = places(one.lines, added)
        if len(found) != 1:
            stale.append(f"{head}its lines are added {len(found)} times, expected once")
            continue
        texts = {key: text.strip() for key, text in added if key in found[0] and key in coded}
        ran = [text for key, text in texts.items() if key not in never]
        if ran:
            stale.append(f"{head}`{ran[0]}` is executed")
        elif not texts:
            stale.append(f"{head}its lines hold no code")
        reasons.update((key, reason) for key in texts if key in never)
    return Explained(reasons, stale)
