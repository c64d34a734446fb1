# SPDX-License-Identifier: GPL-2.0-only
"""Coverage: which lines of the kernel functions under test the workloads execute."""

from __future__ import annotations

import re
import tempfile
import tomllib
from difflib import SequenceMatcher
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from tabulate import tabulate

from difftest import kernels, shards, unreached
from difftest.errors import BuildError, UsageError
from difftest.gcov import FILES, CountingBackend
from difftest.kernels import tree
from difftest.kernels.series import known, patches_for
from difftest.outcome import Record
from difftest.progress import progress
from difftest.result import Full
from difftest.strategy import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from difftest.gcov import Counts
    from difftest.plugins import Plugins
    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload

AIM = 0.95
"""Of the lines that can be reached. All of them would make every new kernel line a failure."""


class Unreached(Record, frozen=True, forbid_unknown_fields=True):
    """Lines of a function that no workload can execute: consecutive ones, blanks left out."""

    function: str
    lines: str
    reason: str


class Reach(Record, frozen=True, forbid_unknown_fields=True):
    """`reach/SERIES.toml`: the functions to look at, by file, and what of them is out of reach."""

    functions: dict[str, tuple[str, ...]]
    unreached: tuple[Unreached, ...] = ()


class Line(Full, frozen=True):
    """A line that was not executed; `reason` says why none could, "" if nothing is known."""

    number: int
    text: str
    reason: str = ""


class Function(Full, frozen=True):
    """`reachable` counts the lines with code but those that are out of reach for a reason."""

    name: str
    file: str
    reachable: int
    executed: int
    not_executed: tuple[Line, ...]


class Added(Full, frozen=True):
    """The lines with code that a strategy's patches add, in counted files.

    `stale` says what does not hold of the reasons for lines that no workload can execute.
    """

    strategy: str
    lines: int
    executed: int
    not_executed: tuple[Line, ...]
    stale: tuple[str, ...] = ()

    @property
    def enough(self) -> bool:
        return all(line.reason for line in self.not_executed) and not self.stale


class Coverage(Full, frozen=True):
    """Lines executed by all strategies together, and of each what it adds."""

    backend: str
    seed: int
    workloads: int
    functions: tuple[Function, ...]
    added: tuple[Added, ...]

    @property
    def share(self) -> float:
        """Return the part of the lines within reach that was executed."""
        reachable = sum(one.reachable for one in self.functions)
        return sum(one.executed for one in self.functions) / reachable if reachable else 0.0

    @property
    def enough(self) -> bool:
        return self.share >= AIM and all(one.enough for one in self.added)


class _Bench(NamedTuple):
    """What lines are counted with: kernels of a series, and workloads to play on them."""

    backend: str
    series: kernels.Series
    original: Mapping[str, list[str]]
    drawn: Sequence[Workload]

    @classmethod
    def of(cls, backend: str, workloads: int, seed: int) -> _Bench:
        """Raise UsageError for a backend on which lines cannot be counted."""
        able = {f"uml:{name}": one for name, one in known().items() if kernels.GCOV.fits(name)}
        series = able.get(backend)
        if series is None:
            raise UsageError(f"coverage cannot be measured on {backend}: only on {', '.join(able)}")
        source = kernels.fetch(series.name)
        texts = {file: (source / file).read_text(encoding="utf-8").splitlines() for file in FILES}
        drawn = [one for shard in shards.plan(workloads, 0) for one in shards.drawn(shard, seed)]
        return cls(backend, series, texts, drawn)

    def counted(self, chain: Sequence[Strategy]) -> tuple[Counts, dict[str, list[str]]]:
        """Return how often lines of the patched files ran, and the lines.

        Raises UsageError for a strategy that this series does not take.
        """
        with tempfile.TemporaryDirectory(prefix="difftest-gcov-") as folder:
            ready = CountingBackend(self.series, Path(folder))
            for link in chain:
                if reason := ready.supports(link):
                    raise UsageError(f"{link.name} cannot run on {self.backend}: {reason}")
            ready.prepare(chain)
            counts = ready.count(chain, self.drawn)
        return counts, _patched(self.original, chain, self.series.name)

    def added(
        self, chain: Sequence[Strategy], counts: Counts, patched: Mapping[str, list[str]]
    ) -> Added:
        file = f"kernel-{patches_for(self.backend)}.patch"
        return _added(chain, file, counts, self.original, patched)


def measure(
    plugins: Plugins, backend: str, strategies: Sequence[Strategy], workloads: int, seed: int
) -> Coverage:
    """Count lines while workloads run on strategies. Raises UsageError for a stale reason."""
    bench = _Bench.of(backend, workloads, seed)
    reach = _reach(bench.series.name)
    total: Counts = {file: {} for file in FILES}
    unpatched: Counts | None = None
    added = []
    with progress("counting lines", workloads * len(strategies), "run") as shown:
        for strategy in strategies:
            chain = plugins.chain(strategy)
            counts, patched = bench.counted(chain)
            shown.add(len(bench.drawn))
            for file in FILES:
                _add(total[file], counts[file], bench.original[file], patched[file])
            if strategy.name == BASELINE:
                unpatched = counts
            else:
                added.append(bench.added(chain, counts, patched))
    functions = _functions(reach, bench.original, total, unpatched)
    return Coverage(backend, seed, workloads, functions, tuple(added))


def added_by(
    plugins: Plugins, backend: str, strategy: Strategy, workloads: int, seed: int
) -> Added:
    """Count the lines alone that a strategy adds, while workloads run on it."""
    bench = _Bench.of(backend, workloads, seed)
    chain = plugins.chain(strategy)
    return bench.added(chain, *bench.counted(chain))


def _reach(series: str) -> Reach:
    file = resources.files("difftest.kernels") / "reach" / f"{series}.toml"
    return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Reach)


def _patched(
    original: Mapping[str, list[str]], chain: Sequence[Strategy], series: str
) -> dict[str, list[str]]:
    """Return the lines of the counted files with the patches of a strategy."""
    patches = [
        kernels.Patch(f"strategy {one.name}", one.kernel_patches[patches_for(f"uml:{series}")])
        for one in chain
    ]
    with tempfile.TemporaryDirectory(prefix="difftest-gcov-") as folder:
        changed = tree.changed_files(kernels.fetch(series), patches, Path(folder), series)
    return {
        # The first byte says whether the file may be executed.
        file: changed[file][1:].decode().splitlines() if file in changed else lines
        for file, lines in original.items()
    }


def _add(
    total: dict[int, int], counts: Mapping[int, int], before: list[str], after: list[str]
) -> None:
    """Add the counts of a patched file's lines to those of the same lines of the original."""
    for old, new, size in SequenceMatcher(
        None, before, after, autojunk=False
    ).get_matching_blocks():
        for offset in range(1, size + 1):
            if (count := counts.get(new + offset)) is not None:
                total[old + offset] = total.get(old + offset, 0) + count


def _added(
    chain: Sequence[Strategy],
    patch: str,
    counts: Counts,
    original: Mapping[str, list[str]],
    patched: Mapping[str, list[str]],
) -> Added:
    """Return what became of the lines that a strategy adds, whose patches are files `patch`."""
    new: list[tuple[tuple[str, int], str]] = []
    coded: dict[tuple[str, int], int] = {}
    for file in FILES:
        before, after = original[file], patched[file]
        same = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
        kept = {new + offset for _, new, size in same for offset in range(1, size + 1)}
        added = {number: text for number, text in enumerate(after, 1) if number not in kept}
        new += [((file, number), text) for number, text in added.items()]
        coded |= {(file, one): count for one, count in counts[file].items() if one in added}
    never = {key for key, count in coded.items() if not count}
    reasons: dict[tuple[str, int], str] = {}
    stale: list[str] = []
    for link in chain:  # what is stale in a base is its own affair: this may have replaced it
        entries = [one for one in link.unreached if one.patch == patch]
        found, stale = unreached.explained(entries, new, coded, never)
        reasons |= found
    missing = tuple(
        Line(key[1], text.strip(), reasons.get(key, "")) for key, text in new if key in never
    )
    lines = len(coded)
    return Added(chain[-1].name, lines, lines - len(missing), missing, tuple(stale))


class _Place(NamedTuple):
    """Where a function is: its first and last line, counted from 1."""

    file: str
    first: int
    last: int


def _functions(
    reach: Reach, original: Mapping[str, list[str]], counts: Counts, unpatched: Counts | None
) -> tuple[Function, ...]:
    """Return what became of the functions. Reasons are for the code as it is without a fix.

    So they are stale by the counts of that, if it was run: a fix may come to more of its lines.
    """
    places = {
        name: _compiled(name, file, original[file], counts[file])
        for file, names in reach.functions.items()
        for name in names
    }
    reasons: dict[tuple[str, int], str] = {}
    for entry in reach.unreached:
        if entry.function not in places:
            raise UsageError(f"reach: {entry.function} is none of the functions looked at")
        place = places[entry.function]
        block = _block(entry, place, original[place.file])
        idle = [number for number in block if counts[place.file].get(number) == 0]
        if unpatched and all(unpatched[place.file].get(number) != 0 for number in block):
            raise UsageError(
                f"reach: the reason {entry.reason!r} in {entry.function} is stale: every line of "
                f"it was executed, or holds no code:\n{entry.lines.strip()}"
            )
        reasons.update(((place.file, number), entry.reason) for number in idle)
    return tuple(
        _function(name, place, original[place.file], counts[place.file], reasons)
        for name, place in places.items()
    )


def _function(
    name: str,
    place: _Place,
    lines: list[str],
    counts: Mapping[int, int],
    reasons: Mapping[tuple[str, int], str],
) -> Function:
    own = {number: counts[number] for number in sorted(counts) if _holds(place, number)}
    missing = tuple(
        Line(number, lines[number - 1].strip(), reasons.get((place.file, number), ""))
        for number, count in own.items()
        if not count
    )
    executed = sum(1 for count in own.values() if count)
    unexplained = sum(1 for line in missing if not line.reason)
    return Function(name, place.file, executed + unexplained, executed, missing)


def _holds(place: _Place, number: int) -> bool:
    return place.first <= number <= place.last


def _compiled(name: str, file: str, lines: list[str], counts: Mapping[int, int]) -> _Place:
    """Return the definition that was compiled: a configuration may choose among several."""
    found = list(_definitions(name, file, lines))
    if not found:
        raise UsageError(f"reach: there is no function {name} in {file} of this series")
    compiled = [place for place in found if any(_holds(place, number) for number in counts)]
    if len(compiled) != 1:
        raise BuildError(
            f"the compiler left code for {len(compiled)} definitions of {name} in {file}: "
            "expected one"
        )
    return compiled[0]


def _definitions(name: str, file: str, lines: list[str]) -> Iterator[_Place]:
    """Find definitions as kernel style has them: they begin and end in the first column."""
    head = re.compile(rf"^\w.*\b{re.escape(name)}\(")
    for first, line in enumerate(lines):
        if head.match(line):
            opened = next(i for i in range(first, len(lines)) if lines[i].endswith((";", "{")))
            if lines[opened] == "{":  # else a declaration
                yield _Place(file, first + 1, lines.index("}", opened) + 1)


def _block(entry: Unreached, place: _Place, lines: list[str]) -> list[int]:
    """Return the numbers of the lines of an entry; it must be found in one place."""
    here = [(number, lines[number - 1]) for number in range(place.first, place.last + 1)]
    found = unreached.places(entry.lines, here)
    if len(found) != 1:
        raise UsageError(
            f"reach: the lines of {entry.reason!r} are {len(found)} times in {entry.function}, "
            f"expected once:\n{entry.lines.strip()}"
        )
    return found[0]


def render(coverage: Coverage) -> str:
    """Return coverage as text."""
    rows = [
        (one.name, f"{one.executed}/{one.reachable}", _percent(one.executed, one.reachable))
        for one in coverage.functions
    ]
    blocks = [
        tabulate(rows, ("function", "lines", "executed"), colalign=("left",) + ("right",) * 2)
    ]
    for one in coverage.functions:
        blocks += _missing(f"{one.name} ({one.file}):", one.not_executed)
    rows = [
        (one.strategy, f"{one.executed}/{one.lines}", _percent(one.executed, one.lines))
        for one in coverage.added
    ]
    if rows:
        headers = ("added by", "lines", "executed")
        blocks.append(tabulate(rows, headers, colalign=("left",) + ("right",) * 2))
    for added in coverage.added:
        blocks += _missing(f"added by {added.strategy}:", added.not_executed)
        blocks += [f"{added.strategy}: {text}" for text in added.stale]
    verdict = "enough" if coverage.enough else "not enough"
    blocks.append(
        f"{coverage.share:.1%} of the lines within reach on {coverage.backend}, "
        f"{coverage.workloads} workloads a strategy, seed {coverage.seed}: {verdict} "
        f"({AIM:.0%} of these, and every added line, is the aim)"
    )
    return "\n\n".join(blocks) + "\n"


def _missing(title: str, lines: Sequence[Line]) -> Iterator[str]:
    if lines:
        shown = [
            f"  {line.number}: {line.text}" + (f"    [{line.reason}]" if line.reason else "")
            for line in lines
        ]
        yield "\n".join([f"not executed, {title}", *shown])


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def encode(coverage: Coverage) -> str:
    """Return coverage as JSON, indented."""
    return msgspec.json.format(msgspec.json.encode(coverage), indent=2).decode() + "\n"
