# SPDX-License-Identifier: GPL-2.0-only
"""Changes: what is another in a stored run than in an earlier one: what went in, what came out."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tabulate import tabulate

from difftest.assemble import result_of
from difftest.facts import patches_of
from difftest.parting import differences
from difftest.runs import in_short

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from difftest.result import Cell, Result
    from difftest.store import Store
    from difftest.tally import Run

    K = TypeVar("K", bound=Hashable)
    V = TypeVar("V")

#: Strategy, backend, oracle.
Key: TypeAlias = tuple[str, str, str]
Counts: TypeAlias = "tuple[int, int, int, int] | None"

_CALLED = {"version": "difftest, Hypothesis, and a hash of all code that judges"}


@dataclass(frozen=True, slots=True)
class Changes:
    """`inputs` and `outputs` are sentences; `cells` have their counts before and after.

    Counts are pass, fail, unknown, reached; None where a run has no such cell. `common` is how
    many texts of workloads both runs have, `compared` how often one of them was executed in both,
    by strategy and backend: `workloads` has what is another there.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    cells: tuple[tuple[Key, Counts, Counts], ...]
    common: int
    compared: int
    workloads: tuple[str, ...]

    @property
    def differ(self) -> bool:
        """Whether anything else came out."""
        return bool(self.outputs or self.cells or self.workloads)


def between(before: Store, after: Store) -> Changes:
    """Compare two runs, finished or not. Raises StoreError if one is damaged."""
    one, other = result_of(before), result_of(after)
    had = before.workloads()
    # Those with faults, and guided ones, are numbered after the others: the same one may have
    # another number.
    texts = {text: number for number, text in had.items()}
    numbers = {
        number: number if had.get(number) == text else texts[text]
        for number, text in after.workloads().items()
        if text in texts
    }
    compared, told = 0, list[str]()
    for where, pairs in _pairs(before, after, numbers):
        compared += len(pairs)
        told += _told(where, pairs, before.settings.oracles, after.settings.oracles)
    return Changes(
        tuple(_inputs(before, after, one, other)),
        tuple(_outputs(before, after, one, other)),
        tuple(_changed(_counts(one.cells), _counts(other.cells))),
        len(numbers),
        compared,
        tuple(told),
    )


def render(found: Changes, before: str, after: str) -> str:
    """Return the changes as text for a terminal."""
    parts = [f"{before} -> {after}"]
    if found.inputs:
        parts.append("\n".join(["What went in:", *(f"- {line}" for line in found.inputs)]))
    if found.outputs:
        parts.append("\n".join(["What came out:", *(f"- {line}" for line in found.outputs)]))
    if found.cells:
        rows = [(*key, _numbers(one), _numbers(other)) for key, one, other in found.cells]
        heads = ("strategy", "backend", "oracle", "before", "after")
        told = "Verdicts (pass/fail/unknown, and how many were reached):"
        parts.append(f"{told}\n{tabulate(rows, heads, disable_numparse=True)}")
    share = f"{found.common} workloads are in both runs, executed {found.compared} times in each"
    if found.workloads:
        lines = (f"- {line}" for line in found.workloads)
        parts.append("\n".join([f"{share}; numbered as in {after}:", *lines]))
    elif found.compared:
        parts.append(f"{share}: each has the same outcomes and verdicts.")
    else:
        parts.append("No workload was executed in both runs.")
    parts.append("What came out differs." if found.differ else "The same came out of both.")
    return "\n\n".join(parts) + "\n"


def _inputs(before: Store, after: Store, one: Result, other: Result) -> Iterator[str]:
    first, second = before.settings, after.settings
    for name in ("version", "seed", "workloads", "faults", "guided"):
        a, b = getattr(first, name), getattr(second, name)
        if a != b:
            yield f"{_CALLED.get(name, name)}: {a} -> {b}"
    for backend, a, b in _changed(one.releases, other.releases):
        if a and b:
            yield f"{backend}: kernel source {a} -> {b}"
    for backend, here, there in _changed(one.platforms, other.platforms):
        yield f"{backend}: ran on {_names(here)} -> {_names(there)}"
    old, new = _patches(before), _patches(after)
    common = {name for name, _ in old} & {name for name, _ in new}
    for (name, target), was, now in _changed(old, new):
        if name in common:
            yield f"{name}: another patch for {target}, {_hash(was)} -> {_hash(now)}"
    for (name, backend), was, now in _changed(before.kernels(), after.kernels()):
        same = one.releases.get(backend) == other.releases.get(backend) and all(
            old[key] == new.get(key) for key in old if key[0] == name
        )
        if was and now and same:
            yield (
                f"{name} on {backend}: {was} -> {now}, of the same patches and release: another "
                "difftest, configuration or compiler"
            )


def _outputs(before: Store, after: Store, one: Result, other: Result) -> Iterator[str]:
    for store in (before, after):
        if not store.finished:
            yield f"{store.directory} is not finished: what it would come to is not known"
    for what, first, second in (
        ("strategy", [_.name for _ in one.strategies], [_.name for _ in other.strategies]),
        ("backend", one.backends, other.backends),
        ("oracle", one.oracles, other.oracles),
    ):
        yield from (f"{what} {name} is gone" for name in first if name not in second)
        yield from (f"{what} {name} is new" for name in second if name not in first)
    yield from _judged(one, other)
    for attack, a, b in _changed(*(_attacks(result) for result in (one, other))):
        name, backend, setting = attack
        words = f"{a or 'not tried'} -> {b or 'not tried'}"
        yield f"{name}: a user crashes {backend} (unprivileged_userfaultfd={setting}): {words}"
    fates = [{(_.backend, _.name): str(_.fate) for _ in x.mutants} for x in (one, other)]
    for (backend, name), was, fate in _changed(*fates):
        yield f"mutant {name} on {backend}: {was or 'not tried'} -> {fate or 'not tried'}"


def _judged(one: Result, other: Result) -> Iterator[str]:
    decided, now = in_short(one.decision), in_short(other.decision)
    if decided != now:
        yield f"recommended: {decided} -> {now}"
    out = [{_.name: _.ruled_out for _ in result.strategies} for result in (one, other)]
    for name in out[1]:
        if name in out[0] and bool(out[0][name]) != bool(out[1][name]):
            yield (
                f"{name} is ruled out now: {out[1][name][0]}"
                if out[1][name]
                else f"{name} is not ruled out any more"
            )
    held = [{_.name: _.holds for _ in result.controls} for result in (one, other)]
    for name, a, b in _changed(*held):
        if name in held[0] and name in held[1]:
            yield f"control: {name}: {_holds(a)} -> {_holds(b)}"
    agreed = [{(_.strategy, _.backend): _.differ for _ in x.conformance} for x in (one, other)]
    for (name, backend), c, d in _changed(*agreed):
        if c is not None and d is not None:
            yield f"{name}: outcomes on {backend} and its model that differ: {c} -> {d}"


def _attacks(result: Result) -> dict[tuple[str, str, int], str]:
    return {(_.strategy, _.backend, _.setting): _holds(_.crashed) for _ in result.attacks}


def _pairs(
    before: Store, after: Store, numbers: Mapping[int, int]
) -> Iterator[tuple[str, list[tuple[Run, Run]]]]:
    """Yield by place what both executed there: `numbers` are those of `before` by ours."""
    for strategy in after.settings.compared():
        old, new = _runs(before, strategy.name), _runs(after, strategy.name)
        for backend in after.settings.backends:
            yield (
                f"{strategy.name} on {backend}",
                [
                    (was, run)
                    for number, run in new.get(backend, {}).items()
                    if (was := old.get(backend, {}).get(numbers.get(number, -1)))
                ],
            )


def _told(
    where: str, pairs: Sequence[tuple[Run, Run]], first: Sequence[str], second: Sequence[str]
) -> Iterator[str]:
    """Tell of which workloads the verdict is another, then the outcome alone.

    `first` and `second` are the oracles of the two runs, in the order of their verdicts.
    """
    oracles = [(name, first.index(name), second.index(name)) for name in second if name in first]
    changed: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    quiet = []
    for was, run in pairs:
        seen = [
            (name, was.verdicts[i].value, run.verdicts[j].value)
            for name, i, j in oracles
            if was.verdicts[i].value is not run.verdicts[j].value
        ]
        for key in seen:
            changed[key].append(run.number)
        if was.outcome != run.outcome and not seen:
            quiet.append((was, run))
    for (name, value, now), numbers in changed.items():
        yield (
            f"{where}: {name} {value.upper()} -> {now.upper()} in {len(numbers)}, "
            f"the first is workload {min(numbers)}"
        )
    if quiet:
        was, run = min(quiet, key=lambda pair: pair[1].number)
        found = next(differences(was.outcome, run.outcome), None)
        part = f": {found.where} {found.one} before, {found.other} now" if found else ""
        yield (
            f"{where}: another outcome and the same verdicts in {len(quiet)}, "
            f"the first is workload {run.number}{part}"
        )


def _runs(store: Store, strategy: str) -> dict[str, dict[int, Run]]:
    """Return the runs of a strategy by backend and number."""
    found: dict[str, dict[int, Run]] = {}
    for tally in store.tallies(strategy):
        found.setdefault(tally.backend, {}).update((run.number, run) for run in tally.runs)
    return found


def _patches(store: Store) -> dict[tuple[str, str], str]:
    """Return what is applied for each strategy and target, those that it stands on included."""
    known = store.settings.known()
    found: dict[tuple[str, str], str] = {}
    for one in store.settings.compared():
        for patch in patches_of(one, known):
            key = (one.name, patch.target)
            found[key] = found.get(key, "") + patch.text
    return found


def _counts(cells: Sequence[Cell]) -> dict[Key, tuple[int, int, int, int]]:
    return {
        (one.strategy, one.backend, one.oracle): (one.passed, one.fail, one.unknown, one.reached)
        for one in cells
    }


def _changed(before: Mapping[K, V], after: Mapping[K, V]) -> Iterator[tuple[K, V | None, V | None]]:
    """Yield key, value before and value after (None if there is none) of what is not the same."""
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) != after.get(key) or (key in before) != (key in after):
            yield key, before.get(key), after.get(key)


def _numbers(counts: Counts) -> str:
    return f"{counts[0]}/{counts[1]}/{counts[2]}, {counts[3]}" if counts else "none"


def _names(names: Sequence[str] | None) -> str:
    return ", ".join(names or ()) or "the usual"


def _hash(text: str | None) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text is not None else "none"


def _holds(value: bool | None) -> str:  # noqa: FBT001 - three values
    return "not known" if value is None else "yes" if value else "no"
