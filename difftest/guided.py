# SPDX-License-Identifier: GPL-2.0-only
"""Guided workloads: of several candidates the one that comes to the rarest things on the model.

A candidate is drawn afresh, or is one that was kept before with some of its parts drawn anew. It
is played on the model of one strategy, all strategies of the run in turn, so that what it costs
does not depend on how many there are; what it comes to there are its features. Each feature weighs
the less the more workloads have it that were kept, and the candidate that weighs most is kept.

What is kept depends on what was kept before, so guided workloads are no independent draws: they
find things, and no bound on a failure rate may count them.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from random import Random
from typing import TYPE_CHECKING

from difftest import facts
from difftest.backends import played, running
from difftest.backends.model import ModelBackend, load
from difftest.features import LINE, Lines, features
from difftest.kernels.series import DEFAULT, patches_for
from difftest.outcome import Ending
from difftest.workload import faulty, generate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from difftest.settings import Settings
    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload

CANDIDATES = 8
"""Of so many one is kept: more of them find little more, and take as much longer."""

LINE_WEIGHT = 0.2
"""A new line of the model, beside a new result: there are some in each branch."""

_RAREST = 20
"""Features among whose workloads the next candidate's parent is: the rarest alone is mostly one
that only one workload has, and all would descend from that."""

_MOST_CHANGED = 4


class Search:
    """Chooses workloads one after the other, the next by what the ones before came to.

    `layout` has the lengths of the parts of a piece that `decode` makes a workload of; `look` says
    what a workload comes to, `kept` is told of each that is kept.
    """

    def __init__(
        self,
        layout: Sequence[int],
        decode: Callable[[bytes], Workload],
        look: Callable[[Workload], set[str]],
        chance: Random,
    ) -> None:
        self._layout = layout
        self._decode = decode
        self._look = look
        self._chance = chance
        self._counts: Counter[str] = Counter()
        self._pieces: list[bytes] = []
        self._having: defaultdict[str, list[int]] = defaultdict(list)
        """Which of the pieces come to a feature."""

    def next(self) -> tuple[Workload, set[str]]:
        """Return the workload that is kept of the next candidates, and its features."""
        best: tuple[float, bytes, Workload, set[str]] | None = None
        rarest = sorted(self._having, key=lambda one: (self._counts[one], one))[:_RAREST]
        for _ in range(CANDIDATES):
            piece = self._candidate(rarest)
            workload = self._decode(piece)
            found = self._look(workload)
            weight = math.fsum(map(self._weight, found))
            if best is None or weight > best[0]:
                best = weight, piece, workload, found
        assert best is not None  # noqa: S101 - there is a candidate
        _, piece, workload, found = best
        for one in sorted(found):
            self._counts[one] += 1
            self._having[one].append(len(self._pieces))
        self._pieces.append(piece)
        return workload, found

    def _weight(self, feature: str) -> float:
        whole = LINE_WEIGHT if feature.startswith(LINE) else 1
        return whole / (1 + self._counts[feature])

    def _candidate(self, rarest: Sequence[str]) -> bytes:
        fresh = self._chance.randbytes(sum(self._layout))
        if not rarest or self._chance.random() < _FRESH:
            return fresh
        parent = self._pieces[self._chance.choice(self._having[self._chance.choice(rarest)])]
        return self._mixed(parent, fresh)

    def _mixed(self, parent: bytes, fresh: bytes) -> bytes:
        """Return the parent's piece with some of its parts, and a few bytes, from the fresh one."""
        mixed = bytearray(parent)
        at = 0
        for size in self._layout:
            if self._chance.random() < _REDRAWN:
                mixed[at : at + size] = fresh[at : at + size]
            at += size
        for _ in range(self._chance.randrange(_MOST_CHANGED)):
            place = self._chance.randrange(len(mixed))
            mixed[place] = fresh[place]
        return bytes(mixed)


_FRESH = 0.7
"""Candidates that are drawn afresh: what is only varied stays near to what is known."""
_REDRAWN = 0.25
"""Parts of a parent that are drawn anew."""


class Models:
    """The models of strategies, played in turn: equal ones once."""

    def __init__(self, backend: ModelBackend, chains: Sequence[Sequence[Strategy]]) -> None:
        self._backend = backend
        self._chains = list({backend.prepare(chain): chain for chain in chains}.values())
        self._turn = 0
        self._lines = Lines()

    def look(self, workload: Workload) -> set[str]:
        """Return what a workload comes to on the model whose turn it is."""
        if not self._chains:
            return set()
        chain = self._chains[self._turn % len(self._chains)]
        found: set[str] = set()
        # Now, not when it runs: what is executed when code is imported is executed once a process.
        load(self._backend.patches(chain), knobs=bool(workload.faults))
        with running(self._backend, chain) as runner, self._lines.traced(found):
            (outcome,) = played(self._backend, runner, [workload])
        if outcome.ending is Ending.HUNG:
            # It takes seconds each time, and says the same.
            self._chains.remove(chain)
        return found | features(workload, outcome)

    def keep(self, found: set[str]) -> None:
        """Take what a workload came to for known; it is the next model's turn."""
        self._lines.keep(found)
        self._turn += 1


def search(models: Models, seed: int, number: int, *, faults: bool) -> Iterator[Workload]:
    """Yield the workloads of shard `number`, without end: the same for the same seed and models."""
    kind = faulty if faults else generate
    # No secret, and none of the kinds of chance that another version of Python would change.
    chance = Random(f"{seed} {number} {faults}")  # noqa: S311
    found = Search(kind.LAYOUT, kind.decode, models.look, chance)
    while True:
        workload, seen = found.next()
        models.keep(seen)
        yield workload


def models_of(settings: Settings) -> Models:
    """Return the models of a run's strategies, of the series of the first of its backends."""
    backend = ModelBackend(patches_for(settings.backends[0]) or DEFAULT)
    known = settings.known()
    return Models(backend, list(_chains(settings.compared(), known, backend)))


def _chains(
    strategies: Sequence[Strategy], known: Mapping[str, Strategy], backend: ModelBackend
) -> Iterator[tuple[Strategy, ...]]:
    for one in strategies:
        chain = facts.chain(one, known)
        if not any(map(backend.supports, chain)):
            yield chain
