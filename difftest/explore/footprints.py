# SPDX-License-Identifier: GPL-2.0-only
"""Footprints: what threads were seen to do from where they stand. The search says why they do."""

from __future__ import annotations

from difftest.explore.tracing import Effects

_NOTHING = Effects()


class Footprints:
    """What is known of what threads do from where they stand."""

    def __init__(self) -> None:
        self.next: list[Effects] = []
        """By place: of the next step."""
        self.future: list[Effects] = []
        """By place: of that step and all after it."""
        self._before: list[set[int]] = []
        self._places: dict[tuple[object, ...], int] = {}
        self.version = 0

    def place(self, standing: tuple[object, ...]) -> int:
        number = self._places.setdefault(standing, len(self._places))
        if number == len(self.next):
            self.next.append(_NOTHING)
            self.future.append(_NOTHING)
            self._before.append(set())
        return number

    def learn(self, place: int, effects: Effects, then: int) -> None:
        """Note a step from a place to the place `then` (-1: to its end)."""
        known = self.next[place] | effects
        if known != self.next[place]:
            self.next[place] = known
            self.version += 1
        if then >= 0 and place not in self._before[then]:
            self._before[then].add(place)
            self.version += 1
        self._spread(place, known | (self.future[then] if then >= 0 else _NOTHING))

    def _spread(self, place: int, more: Effects) -> None:
        todo = [(place, more)]
        while todo:
            at, effects = todo.pop()
            known = self.future[at] | effects
            if known != self.future[at]:
                self.future[at] = known
                todo += [(before, known) for before in self._before[at]]
