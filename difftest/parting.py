# SPDX-License-Identifier: GPL-2.0-only
"""A parting: the first place where two outcomes of the same workload differ, in words."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import msgspec

from difftest.outcome import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.outcome import Outcome, Window


def parting(one: Outcome, other: Outcome, here: str, there: str) -> str:
    """Say where `one`, seen on `here`, and `other`, seen on `there`, part first.

    `step 2.0: used 3 on model, 4 on uml:6.1`. The trace comes first, in order: what differs there
    explains what differs at the end. Returns "" for outcomes that are equal.
    """
    for left, right in zip_longest(one.trace, other.trace):
        if right is None:
            return f"{_name(left)} seen on {here}, not on {there} ({_ending(other)})"
        if left is None:
            return f"{_name(right)} seen on {there}, not on {here} ({_ending(one)})"
        if _name(left) != _name(right):
            return f"{_name(left)} on {here}, {_name(right)} on {there}"
        for path, a, b in _differences("", left, right):
            return f"{_name(left)}: {path} {_text(a)} on {here}, {_text(b)} on {there}"
    for name in ("ending", "title", "state", "left", "held"):
        for path, a, b in _differences(name, getattr(one, name), getattr(other, name)):
            return f"{path} {_text(a)} on {here}, {_text(b)} on {there}"
    return ""


def _name(event: Step | Window) -> str:
    return f"{'step' if isinstance(event, Step) else 'window'} {event.at}"


def _ending(outcome: Outcome) -> str:
    return f"{outcome.ending}: {outcome.title}" if outcome.title else f"{outcome.ending}"


def _differences(path: str, a: Any, b: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield each place where two values differ: its path and both values, fields in order."""
    if isinstance(a, msgspec.Struct) and type(a) is type(b):
        for name in a.__struct_fields__:
            below = f"{path}.{name}".lstrip(".")
            yield from _differences(below, getattr(a, name), getattr(b, name))
    elif isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        for index, (left, right) in enumerate(zip(a, b, strict=True)):
            yield from _differences(f"{path}[{index}]", left, right)
    elif a != b:
        yield path, a, b


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return f"{len(value)} long"
    if isinstance(value, msgspec.Struct):
        return "seen"
    return str(value) or '""'
