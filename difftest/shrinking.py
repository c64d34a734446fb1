# SPDX-License-Identifier: GPL-2.0-only
"""Shrinking: the smallest workload that still fails, found by trying smaller ones.

It works on the lines of the text form and knows no operation, so that it shrinks whatever can be
written down: a line with what is indented below it can go, what stands in a window can be done
before it, a line or a word can be plainer, a number smaller. `codec` says which results are
workloads. Hypothesis could shrink only what it drew itself, one at a time; a boot takes as long as
many tries.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, islice
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from difftest.errors import UsageError
from difftest.workload import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from difftest.workload.workload import Workload

#: Says of each of some workloads, in their order, whether it fails.
Fails: TypeAlias = "Callable[[Sequence[Workload]], Sequence[bool]]"

TRIES = 2000
"""Workloads that are tried at most: no clock, so that the result depends on nothing else. Five
times what any of 200 drawn workloads that fail took."""

MOST_LOST = 12
"""Guests that may hang or vanish: each takes ten seconds, so this is two minutes, where all that
else is tried takes less than one. No clock either, for the same reason."""

_FIRST_BATCH, _LAST_BATCH = 8, 128
"""Tried at a time. Where one in eight still fails, more would be in vain; where hardly any does,
they share one boot."""

_PLAIN = "R"
"""The letter of a source that stops nothing."""


class SpentError(Exception):
    """More was lost than a budget allows: what was tried says nothing."""


@dataclass
class Budget:
    """What shrinking may take: workloads that are tried, and guests that are lost over them.

    `cut` says why it ended before there was nothing more to take away; "" if it did not.
    """

    tries: int = TRIES
    lost: int = MOST_LOST
    cut: str = ""

    def lose(self) -> None:
        """Count a guest that was lost. Raises SpentError if that was the last."""
        self.lost -= 1
        if not self.lost:
            raise SpentError


class _Line(NamedTuple):
    """A line of the text form, and how many of those that follow are indented below it."""

    depth: int
    name: str
    fields: tuple[tuple[str, str], ...]
    below: int

    def text(self) -> str:
        words = (f"{field}={value}" for field, value in self.fields)
        return " ".join(["  " * self.depth + self.name, *words])


_Lines: TypeAlias = "Sequence[_Line]"


def smallest(workload: Workload, fails: Fails, budget: Budget | None = None) -> Workload:
    """Return a workload that fails, from which nothing can be taken without it failing no more.

    `workload` itself is known to fail. The same arguments give the same result; where the budget
    is spent it is the smallest that was found so far. `fails` may raise SpentError.
    """
    budget = budget or Budget()
    passed: set[Workload] = set()
    batch = _FIRST_BATCH
    smaller = _smaller(workload, passed)
    while some := list(islice(smaller, batch)):
        some = some[: budget.tries]
        budget.tries -= len(some)
        if not some:
            budget.cut = "no more workloads are tried"
            break
        try:
            failed = [one for one, fail in zip(some, fails(some), strict=True) if fail]
        except SpentError:
            budget.cut = "too many guests hung or were lost"
            break
        passed.update(set(some).difference(failed))
        if failed:
            workload = failed[0]
            batch = _FIRST_BATCH
            smaller = _smaller(workload, passed)
        else:
            batch = min(2 * batch, _LAST_BATCH)
    return workload


def _smaller(workload: Workload, passed: Collection[Workload]) -> Iterator[Workload]:
    """Yield the workloads that are a step smaller, each once, but for those that passed."""
    lines = _parsed(codec.to_text(workload).splitlines())
    known = {workload, *passed}
    for kind in (_cut, _lifted, _plainer, _shortened, _lowered, _lowered_together):
        for candidate in kind(lines):
            try:
                one = codec.from_text("\n".join(line.text() for line in candidate))
            except UsageError:
                continue
            if one not in known:
                known.add(one)
                yield one


def _parsed(texts: Sequence[str]) -> list[_Line]:
    depths = [(len(text) - len(text.lstrip(" "))) // 2 for text in texts]
    lines = []
    for number, text in enumerate(texts):
        name, *words = text.split()
        below = 0
        while number + below + 1 < len(texts) and depths[number + below + 1] > depths[number]:
            below += 1
        pairs = (word.partition("=") for word in words)
        fields = tuple((field, value) for field, _, value in pairs)
        lines.append(_Line(depths[number], name, fields, below))
    return lines


def _cut(lines: _Lines) -> Iterator[_Lines]:
    """Leave out lines that stand beside each other, with what is below them: many, then few."""
    rows: dict[int, list[int]] = {}
    above: list[int] = []
    for number, line in enumerate(lines):
        above = [*above[: line.depth], number]
        rows.setdefault(above[-2] if line.depth else -1, []).append(number)
    width = max(map(len, rows.values()))
    while width:
        for row in rows.values():
            for first in range(0, len(row), width) if width <= len(row) else ():
                yield _without(lines, row[first : first + width])
        width //= 2


def _without(lines: _Lines, gone: Iterable[int]) -> _Lines:
    """Leave out lines with all that is below them or refers to them; number the rest anew."""
    meant = {}
    for number, field, value in _values(lines):
        names = codec.COUNTED.get(lines[number].fields[field][0], ())
        counted = [at for at, line in enumerate(lines) if line.name in names]
        if counted:
            meant[number, field] = counted[: int(value) + 1]
    out: set[int] = set()
    more = set(gone)
    while more:
        out |= {below for one in more for below in range(one, one + lines[one].below + 1)}
        more = {at for (at, _), them in meant.items() if at not in out and them[-1] in out}
    left = {place: str(sum(at not in out for at in them[:-1])) for place, them in meant.items()}
    return [line for at, line in enumerate(_with(lines, left)) if at not in out]


def _lifted(lines: _Lines) -> Iterator[_Lines]:
    """Do what stands in a window before the operation that has it."""
    start = 0
    for number, line in enumerate(lines):
        if line.depth == 0:
            start = number
        if line.depth == 1:
            end = number + line.below + 1
            inner = [one._replace(depth=one.depth - 2) for one in lines[number + 1 : end]]
            yield [*lines[:start], *inner, *lines[start:number], *lines[end:]]


def _plainer(lines: _Lines) -> Iterator[_Lines]:
    """Take the plainer of two lines that are alike, as it is or with a word of it shorter.

    A copy from an unaligned source has a letter more than it fills pages.
    """
    for number, line in enumerate(lines):
        if line.name in codec.PLAINER:
            plain = line._replace(name=codec.PLAINER[line.name])
            found = [*lines[:number], plain, *lines[number + 1 :]]
            yield found
            yield from _shortened(found, number)


def _shortened(lines: _Lines, only: int | None = None) -> Iterator[_Lines]:
    """Make a word shorter by a letter, or a letter of it plain: in any line, or in one only."""
    for number, field, value in _values(lines):
        if not value.isdecimal() and only in (None, number):
            for at, letter in enumerate(value):
                yield _with(lines, {(number, field): value[:at] + value[at + 1 :]})
                if letter != _PLAIN:
                    yield _with(lines, {(number, field): value[:at] + _PLAIN + value[at + 1 :]})


def _lowered(lines: _Lines) -> Iterator[_Lines]:
    """Make one number smaller: 0, 1, half of it, one less."""
    for place, value in _numbers(lines).items():
        for less in dict.fromkeys((0, 1, value // 2, value - 1)):
            if 0 <= less < value:
                yield _with(lines, {place: str(less)})


def _lowered_together(lines: _Lines) -> Iterator[_Lines]:
    """Make several numbers smaller by one: all from a size on, with or without a field; any two.

    A copy to the last page of a mapping is still one in a shorter mapping of a shorter file.
    """
    numbers = {place: value for place, value in _numbers(lines).items() if value}
    called = {(number, field): lines[number].fields[field][0] for number, field in numbers}
    for least in sorted(set(numbers.values())):
        for but in ("", *dict.fromkeys(called.values())):
            yield _less(lines, [at for at in numbers if numbers[at] >= least and called[at] != but])
    for two in combinations(numbers, 2):
        yield _less(lines, two)


def _less(lines: _Lines, places: Iterable[tuple[int, int]]) -> _Lines:
    numbers = _numbers(lines)
    return _with(lines, {place: str(numbers[place] - 1) for place in places})


def _numbers(lines: _Lines) -> dict[tuple[int, int], int]:
    """Return all numbers by the places of their lines and fields."""
    return {
        (number, field): int(value) for number, field, value in _values(lines) if value.isdecimal()
    }


def _values(lines: _Lines) -> Iterator[tuple[int, int, str]]:
    for number, line in enumerate(lines):
        for field, (_, value) in enumerate(line.fields):
            yield number, field, value


def _with(lines: _Lines, values: dict[tuple[int, int], str]) -> _Lines:
    return [
        line._replace(
            fields=tuple(
                (name, values.get((number, field), value))
                for field, (name, value) in enumerate(line.fields)
            )
        )
        for number, line in enumerate(lines)
    ]
