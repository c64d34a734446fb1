# SPDX-License-Identifier: GPL-2.0-only
"""A parting: where two outcomes of the same workload differ, in words."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import msgspec

from difftest.outcome import Outcome, Record, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.outcome import Window

#: The fields of an outcome, the trace first: what differs there explains what differs at the end.
FIELDS = ("trace", *(name for name in Outcome.__struct_fields__ if name != "trace"))


class Difference(Record, frozen=True):
    """One value that differs, in words: `one` and `other`.

    `field` is its path in the outcome, `trace.used` or `state.maps[0][1]`; `where` says it for
    readers: `step 2.0: used`.
    """

    field: str
    where: str
    one: str
    other: str


def differences(one: Outcome, other: Outcome) -> Iterator[Difference]:
    """Yield each value that differs, in the order of FIELDS. Traces part for good or go on."""
    for left, right in zip_longest(one.trace, other.trace):
        if left is None or right is None:
            seen = _name(left or right)
            yield Difference("trace", seen, _sight(left, one), _sight(right, other))
            break
        if _name(left) != _name(right):
            yield Difference("trace", "next is", _name(left), _name(right))
            break
        for path, a, b in _differences("", left, right):
            yield Difference(f"trace.{path}", f"{_name(left)}: {path}", _text(a), _text(b))
    for name in FIELDS[1:]:
        for path, a, b in _differences(name, getattr(one, name), getattr(other, name)):
            yield Difference(path, path, _text(a), _text(b))


def sentence(difference: Difference, here: str, there: str) -> str:
    """Return `step 2.0: used 3 on model, 4 on uml:6.1`."""
    return f"{difference.where} {difference.one} on {here}, {difference.other} on {there}"


def _sight(event: Step | Window | None, outcome: Outcome) -> str:
    return "seen" if event else f"not seen ({_ending(outcome)})"


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
