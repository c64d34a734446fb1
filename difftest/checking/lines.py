# SPDX-License-Identifier: GPL-2.0-only
"""The lines that a strategy adds: whether any workload executes them."""

from __future__ import annotations

import contextlib
import itertools
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unidiff.patch import PatchSet

from difftest import coverage, patching, unreached
from difftest.backends import running
from difftest.backends.model import ModelBackend, copy, load
from difftest.checking import ok, wrong
from difftest.equivalent import FILE
from difftest.errors import PatchError, RigError
from difftest.facts import model_of
from difftest.kernels.series import SERIES
from difftest.shards import drawn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import CodeType, FrameType

    from difftest.checking import Finding
    from difftest.plugins import Plugins
    from difftest.shards import Shard
    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload


class Line(NamedTuple):
    """A line of the model: `file` is the path below the model's directory."""

    file: str
    number: int


def on_models(chain: Sequence[Strategy], shards: Sequence[Shard], seed: int) -> Iterator[Finding]:
    """Play workloads on the model of each series until all that a strategy adds was executed.

    They are drawn as for a campaign, and no more of them than it takes: those with faults by
    turns with the others, because some lines take a fault.
    """
    by_turns = sorted(shards, key=lambda shard: (shard.number, shard.faults))
    for series in SERIES:
        model, about = ModelBackend(series), f"{chain[-1].name}, lines of {model_of(series)}"
        if any(map(model.supports, chain)):
            continue
        try:
            added, coded = _added(chain, model)
            changed = model.prepare(chain) != model.prepare(chain[:-1])
        except PatchError:
            continue
        if not changed:
            empty = not (chain[-1].model_patch_for(series) or "").strip()
            text = "the patch changes nothing that is executed"
            yield ok(about, "the patch is empty") if empty else wrong(about, text)
            continue
        never = {line: text for line, text in added.items() if line in coded}
        try:
            played = _play(chain, model, (drawn(shard, seed) for shard in by_turns), never)
        except RigError as error:  # there is no rig around a model but the patch
            yield wrong(about, str(error))
            continue
        file = chain[-1].model_file_for(series)
        entries = [one for one in chain[-1].unreached if one.patch == file]
        told = unreached.explained(entries, list(added.items()), coded, never)
        idle = [
            (f"{line.file}:{line.number}: {text}", told.reasons.get(line, ""))
            for line, text in sorted(never.items())
        ]
        if coded:
            yield _told(about, len(coded), idle, told.stale, played)
        else:
            yield ok(about, "none is added, and what is taken out changes the code")


def _told(
    about: str, lines: int, idle: Sequence[tuple[str, str]], stale: Sequence[str], played: int
) -> Finding:
    """Say which lines were not executed, each with its reason or "", and which reasons are stale.

    `lines` counts all with code that are added.
    """
    bare = [line for line, reason in idle if not reason]
    if bare:
        head = f"{len(bare)} of {lines} added lines were not executed by {played} workloads:"
        where = (
            "if no workload can, mutants.toml beside the patch can say why: [[unreached]] with "
            "`patch`, `lines` and `reason`"
        )
        return wrong(about, "\n".join([head, *bare, *stale, where]))
    if stale:
        return wrong(about, "\n".join(stale))
    if idle:
        head = (
            f"{played} workloads execute {lines - len(idle)} of the {lines} that are added; "
            "the others none can, for a reason:"
        )
        told = [f"{line}    [{' '.join(reason.split())}]" for line, reason in idle]
        return ok(about, "\n".join([head, *told]))
    return ok(about, f"{played} workloads execute all {lines} that are added")


def reasons(strategy: Strategy) -> Iterator[Finding]:
    """Find reasons for lines that no patch of a strategy adds, before any is executed."""
    files = strategy.files()
    for one in strategy.unreached:
        about = f"{strategy.name}, {FILE}"
        head = f"the reason for lines that {one.patch} adds"
        if one.patch not in files:
            yield wrong(about, f"{head}: the patches are {', '.join(files)}")
            continue
        lines = [
            (number, line.value)
            for number, line in enumerate(
                line for file in PatchSet(files[one.patch]) for hunk in file for line in hunk
            )
            if line.is_added
        ]
        if len(found := unreached.places(one.lines, lines)) != 1:
            told = one.lines.strip()
            yield wrong(about, f"{head}: they are there {len(found)} times, expected once\n{told}")


def on_kernel(
    plugins: Plugins, strategy: Strategy, backend: str, workloads: int, seed: int
) -> Finding:
    """Build a kernel that counts, and play workloads on it. Raises UsageError if none can."""
    added = coverage.added_by(plugins, backend, strategy, workloads, seed)
    about = f"{strategy.name}, lines on {backend}"
    idle = [(f"{line.number}: {line.text}", line.reason) for line in added.not_executed]
    if not added.lines:
        return ok(about, "none is added")
    return _told(about, added.lines, idle, added.stale, workloads)


def _added(
    chain: Sequence[Strategy], model: ModelBackend
) -> tuple[dict[Line, str], frozenset[Line]]:
    """Return the lines that the last patch of a chain adds, with their texts; those with code."""
    with tempfile.TemporaryDirectory(prefix="difftest-check-") as folder:
        before, after = Path(folder) / "before", Path(folder) / "after"
        copy(model.patches(chain[:-1]), before)
        copy(model.patches(chain), after)
        found: dict[Line, str] = {}
        coded: set[Line] = set()
        for file in PatchSet(patching.difference(before, after)):
            path = Path(folder) / "after" / file.path.partition("after/")[2]
            text = path.read_text(encoding="utf-8")
            name = str(path.relative_to(after))
            numbers = {*_coded(compile(text, str(path), "exec", dont_inherit=True))}
            for line in (line for hunk in file for line in hunk if line.is_added):
                one = Line(name, line.target_line_no or 0)  # what is added has one
                found[one] = line.value.strip()
                if one.number in numbers:
                    coded.add(one)
    return found, frozenset(coded)


def _coded(code: CodeType) -> Iterator[int]:
    """Yield the lines of functions that have code; a module's own run when it is imported."""
    for one in code.co_consts:
        if hasattr(one, "co_lines"):
            yield from (line for *_, line in one.co_lines() if line and line != one.co_firstlineno)
            yield from _coded(one)


def _play(
    chain: Sequence[Strategy],
    model: ModelBackend,
    shares: Iterable[Sequence[Workload]],
    never: dict[Line, str],
) -> int:
    """Take what workloads execute out of `never`; return how many were played until it is empty."""
    played = 0
    with running(model, chain) as runner, _watching(chain, model, never):
        for workload in itertools.chain.from_iterable(shares):
            if not never:
                break
            list(runner.run([workload]))
            played += 1
    return played


@contextlib.contextmanager
def _watching(
    chain: Sequence[Strategy], model: ModelBackend, never: dict[Line, str]
) -> Iterator[None]:
    """Take lines out of `never` when they are executed, with fault knobs or without."""
    patches = model.patches(chain)
    roots = [Path(load(patches, knobs=knobs).shmem.__file__).parents[1] for knobs in (False, True)]
    files = {str(root / line.file): line.file for root in roots for line in never}

    def see(frame: FrameType, event: str, _: Any) -> Any:
        if (file := files.get(frame.f_code.co_filename)) is None:
            return None
        if event == "line":
            never.pop(Line(file, frame.f_lineno), None)
        return see

    before = sys.gettrace()
    sys.settrace(see)
    try:
        yield
        if sys.gettrace() is not see:
            raise RigError("somebody else traced the model meanwhile, so lines were not all seen")
    finally:
        sys.settrace(before)
