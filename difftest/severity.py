# SPDX-License-Identifier: GPL-2.0-only
"""Severity: what attacks say of the bug and of its fixes, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.rendering import listing
from difftest.strategy import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from difftest.result import Attack


def sentences(attacks: Sequence[Attack]) -> tuple[str, ...]:
    """Say how severe the bug is in the baseline, and what the attacks did to the strategies."""
    return (*_severity(attacks), *_contrast(attacks))


def _severity(attacks: Iterable[Attack]) -> Iterator[str]:
    where: dict[str, list[Attack]] = {}
    for one in attacks:
        if one.strategy == BASELINE:
            where.setdefault(one.backend, []).append(one)
    words = {True: "yes", False: "no", None: "unknown"}
    for backend, own in where.items():
        can = "can" if any(one.crashed for one in own) else "was not seen to"
        cases = "; ".join(
            f"={one.setting}{' (the default)' * bool(one.default)}: {words[one.crashed]}, {one.how}"
            for one in own
        )
        yield (
            f"Severity: an unprivileged user {can} crash {BASELINE} on {backend}, "
            f"with vm.unprivileged_userfaultfd{cases}."
        )


def _contrast(attacks: Sequence[Attack]) -> Iterator[str]:
    """Say of the fixes which the attacks crash, which not, and for which that is not known."""
    fixes = dict.fromkeys(one.strategy for one in attacks if one.strategy != BASELINE)
    outcomes = {name: [one.crashed for one in attacks if one.strategy == name] for name in fixes}
    crashed = [name for name, seen in outcomes.items() if any(seen)]
    unknown = [name for name, seen in outcomes.items() if not any(seen) and None in seen]
    stood = [name for name in fixes if name not in {*crashed, *unknown}]
    if stood:
        yield f"The same attacks did not crash {listing(stood)}."
    if crashed:
        yield f"The same attacks crash {listing(crashed)}."
    if unknown:
        yield f"What the same attacks do to {listing(unknown)} is not known."
