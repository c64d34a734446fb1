# SPDX-License-Identifier: GPL-2.0-only
"""Pairs: strategies that differ by an oracle, where no witness of the one shows that yet.

The smallest workload on which a strategy fails is mostly one that the others pass: then nothing
smaller could tell them apart. Where another one fails on it as well, and passes on some other
workload on which the first one fails, that one is a finding of its own. Two that no oracle tells
apart at all may still come to other outcomes: then the smallest workload on which they do is one.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from difftest import likeness
from difftest.findings import Finding, parting_file, telling_file
from difftest.rendering import witness_file
from difftest.result import Likeness, Pair, Telling
from difftest.verdict import Value
from difftest.workload import codec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from difftest.findings import Shrunk
    from difftest.likeness import Compared, Marks
    from difftest.result import Witness
    from difftest.store import Store
    from difftest.tally import Tally


class _Judged(NamedTuple):
    """The numbers of the workloads that fail; and by number a 1 for those that pass as they should.

    Those could have failed. Both by backend and place of the oracle. A byte for each workload: a
    run may have millions of verdicts, and most of them pass.
    """

    failed: Mapping[tuple[str, int], set[int]]
    passed: Mapping[tuple[str, int], bytearray]

    @classmethod
    def of(cls, tallies: Iterable[Tally], count: int) -> _Judged:
        failed: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
        passed: defaultdict[tuple[str, int], bytearray] = defaultdict(lambda: bytearray(count))
        for tally in tallies:
            for run in tally.runs:
                for column, verdict in enumerate(run.verdicts):
                    if verdict.value is Value.FAIL:
                        failed[tally.backend, column].add(run.number)
                    elif verdict.value is Value.PASS and verdict.reached:
                        passed[tally.backend, column][run.number] = 1
        return cls(failed, passed)


class Apart(NamedTuple):
    """What a run knows of where strategies differ: verdicts by strategy, texts by number."""

    oracles: Sequence[str]
    judged: Mapping[str, _Judged]
    marks: Mapping[str, Marks]
    texts: Mapping[int, str]

    @classmethod
    def of(cls, store: Store) -> Apart:
        texts = store.workloads()
        count = max(texts, default=-1) + 1
        names = [one.name for one in store.settings.compared()] if store.settings.oracles else []
        judged, marks = {}, {}
        for name in names:
            tallies = list(store.tallies(name))
            judged[name] = _Judged.of(tallies, count)
            marks[name] = likeness.marks(tallies, count)
        return cls(store.settings.oracles, judged, marks, texts)

    def left(self, shrunk: Sequence[Shrunk]) -> list[Finding]:
        """Return what tells a strategy from one that passes none of what is shrunk.

        One for each strategy and oracle: what it is shrunk to may well tell of others, too.
        """
        found = []
        for one in shrunk:
            if one.finding.oracle and not one.finding.against:
                its = [other for other in shrunk if _same(one.finding, other.finding)]
                told = {name for other in its for name in (*other.passes, other.finding.against)}
                pairs = (self._pair(one.finding, other) for other in self.judged
                         if other not in {*told, one.finding.strategy})  # fmt: skip
                found += [pair for pair in pairs if pair][:1]
        return found

    def _pair(self, finding: Finding, other: str) -> Finding | None:
        """Return the smallest workload that fails as a finding does, and that another passes."""
        where = [(backend, self.oracles.index(finding.oracle)) for backend in finding.backends]
        failed, passed = self.judged[finding.strategy].failed, self.judged[other].passed
        if not all(place in failed and place in passed for place in where):
            return None
        everywhere = set.intersection(*(failed[place] for place in where))
        differ = [number for number in everywhere if all(passed[place][number] for place in where)]
        if not differ:
            return None
        least = min(differ, key=lambda number: (*codec.size(self.texts[number]), number))
        return replace(finding, text=self.texts[least], against=other, number=least)

    def unlike(self, shrunk: Iterable[Shrunk]) -> list[Finding]:
        """Return the workloads on which two come to other outcomes that nothing tells apart yet."""
        told = {
            frozenset((one.finding.strategy, other))
            for one in shrunk
            for other in (*one.passes, one.finding.against)
        }
        pairs = (pair for pair in combinations(self.marks, 2) if frozenset(pair) not in told)
        return [found for pair in pairs if (found := self._parting(*pair))]

    def _parting(self, one: str, other: str) -> Finding | None:
        """Return the smallest workload whose outcomes differ, best on all backends that tell."""
        where: defaultdict[int, list[str]] = defaultdict(list)
        for backend, found in likeness.compared(self.marks[one], self.marks[other]).items():
            for number in found.differ:
                where[number].append(backend)
        if not where:
            return None
        most = max(map(len, where.values()))
        everywhere = (number for number, backends in where.items() if len(backends) == most)
        least = min(everywhere, key=lambda number: (*codec.size(self.texts[number]), number))
        return Finding(one, "", tuple(where[least]), self.texts[least], other, least)


def pairs_of(
    names: Iterable[str],
    witnesses: Sequence[Witness],
    shrunk: Iterable[Shrunk],
    marks: Mapping[str, Marks],
    independent: int,
) -> tuple[Pair, ...]:
    """Return each two of the strategies, with what tells them apart of what was shrunk so far.

    The first `independent` workloads are those that were drawn independently.
    """
    drawn = {name: likeness.first(its, independent) for name, its in marks.items()}
    own = {(one.strategy, one.oracle, one.text): one for one in witnesses if one.shrunk}
    told: defaultdict[frozenset[str], list[Telling]] = defaultdict(list)
    for one in shrunk:
        found = one.finding
        for other in dict.fromkeys((*one.passes, *filter(None, [found.against]))):
            telling = Telling(
                fails=found.strategy if found.oracle else "",
                oracle=found.oracle,
                backends=found.backends,
                number=found.number,
                text=one.text,
                evidence=one.evidence,
                file=telling_file(found) if found.oracle else parting_file(found),
                caveat=one.caveat,
            )
            if not found.against:
                witness = own.get((found.strategy, found.oracle, one.text))
                if witness is None:
                    continue
                telling = replace(telling, number=witness.number, file=witness_file(witness))
            told[frozenset((found.strategy, other))].append(telling)
    return tuple(
        Pair(
            one,
            other,
            tuple(sorted(told[frozenset((one, other))], key=_order)),
            _likeness(
                likeness.compared(marks[one], marks[other]),
                likeness.compared(drawn[one], drawn[other]),
            ),
        )
        for one, other in combinations(names, 2)
    )


def _likeness(whole: Mapping[str, Compared], drawn: Mapping[str, Compared]) -> tuple[Likeness, ...]:
    return tuple(
        Likeness(backend, found.compared, len(found.differ), drawn[backend].compared)
        for backend, found in whole.items()
    )


def _order(telling: Telling) -> tuple[tuple[int, int], str]:
    """The smallest first; of equal ones by name, as they are shrunk in no order."""
    return codec.size(telling.text), telling.file


def _same(one: Finding, other: Finding) -> bool:
    """Whether two findings are of one strategy and oracle, on the same backends."""
    return replace(one, text="", against="", number=0) == replace(
        other, text="", against="", number=0
    )
