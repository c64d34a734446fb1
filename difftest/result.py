# SPDX-License-Identifier: GPL-2.0-only
"""A result: all that a run came to, as reports render it and `--format json` prints it.

`difftest/schema/result-1.json` is the JSON Schema of these records.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from difftest.outcome import Outcome, Record
from difftest.parting import Difference  # noqa: TC001 - msgspec reads the annotations
from difftest.verdict import Value  # noqa: TC001

ENOUGH = 59
"""Workloads that a clean cell must have reached to say anything: the fewest that bound the failure
rate below 5 %. Below that a failure in every twentieth would pass unseen once in twenty runs."""


def upper_bound(n: int) -> float:
    """Return the exact 95 % upper bound of a rate that gave nothing in `n` > 0 trials."""
    return float(1 - 0.05 ** (1 / n))


class Full(Record, frozen=True, omit_defaults=False):
    """A record of which every field is printed."""


class PatchFacts(Full, frozen=True):
    """What the patches say, with those of the strategies that they stand on.

    `series` are the kernels, `model` the model that all of them fit. Files, lines, functions and
    assertions are those of the newest series, or of the model patches if there is no kernel patch.
    """

    series: tuple[str, ...]
    model: bool
    files: tuple[str, ...]
    added: int
    removed: int
    assertions_removed: tuple[str, ...]
    """`BUG_ON(page)` and the like: lines that the patch takes out and does not put back."""
    functions: tuple[str, ...]
    """Those that have lines added or removed, in the order of the patch."""
    locking: tuple[str, ...]
    """Those of them that have lines added or removed which take or give back a lock."""
    returns: tuple[str, ...]
    """Those of them that have lines added or removed which return, jump to where they do, or set
    what is returned."""
    nameless: int
    """Lines in functions that the patch does not name: not counted in the three above."""
    does_not_apply: dict[str, str] = msgspec.field(default_factory=dict)
    """Why there is no patch for a series, where the strategy says so."""
    applied: tuple[str, ...] = ()
    """The series, or trees of a user's own, whose source took the patches in this run, without
    fuzz."""
    refused: dict[str, str] = msgspec.field(default_factory=dict)
    """Why it was not run, by backend, where a backend said so."""


class Patch(Full, frozen=True):
    """The text of a patch: whose it is, and what it is for, "6.1" or "model"."""

    strategy: str
    target: str
    text: str


class StrategyResult(Full, frozen=True):
    """`ruled_out` says why it cannot be taken, a sentence a reason; empty if it can.

    `history` says what became of the proposal, outside of this run; "" if that is not told.
    `against_base` says what a stacked strategy mends, breaks and leaves of the one it stands on;
    `same_kernel_as` names strategies whose kernels were built from equal source. `patches` are
    those that make it up, target by target, for each in the order of application: those of the
    strategies that it stands on come first.
    """

    name: str
    claim: str
    function: str
    reference: str
    weakness: str
    history: str
    base: str | None
    patch: PatchFacts
    ruled_out: tuple[str, ...]
    against_base: str
    same_kernel_as: tuple[str, ...]
    patches: tuple[Patch, ...]


class Cell(Full, frozen=True, rename={"passed": "pass"}):
    """Verdicts of one oracle on one strategy and backend.

    `runs` = pass + fail + unknown, without workloads that the backend has no way to play, and
    those that were not judged because they crash the baseline and every fix alike.
    `reached` counts the runs that were judged and could have shown the failure: fail, and those
    of pass that came to where it shows. `shared` counts the failures that the baseline and every
    fix have alike (difftest/shared.py): what follows is said without those. `drawn` of the runs,
    and `bounding` of those reached, are of workloads drawn independently: the others are guided,
    and no bound rests on them. `upper_bound` is the 95 % upper bound of the failure rate among
    `bounding`, for a cell without failures; None with failures or if that is 0. `verdict` is that
    of the cell: UNKNOWN without failures, too, if fewer than ENOUGH were `bounding`. `causes` are
    up to three different causes of UNKNOWN; `unseen` says why there is nothing to judge in this
    cell at all, or is "".
    """

    strategy: str
    backend: str
    oracle: str
    verdict: Value
    runs: int
    reached: int
    passed: int
    fail: int
    shared: int
    drawn: int
    bounding: int
    unknown: int
    upper_bound: float | None
    causes: tuple[str, ...]
    unseen: str


class Deciding(Full, frozen=True):
    """Lines of a strategy's own patch for `target`, by number from 1: without them it passes."""

    target: str
    lines: tuple[int, ...]


class Witness(Full, frozen=True):
    """The smallest workload of the run on which a strategy fails an oracle.

    `number` is its place in the run, `text` its text form, `backends` where it failed,
    `evidence` the oracle's words on the first of them. `shrunk` says that the text is what was
    left of it when no more could be taken away without it passing on one of `backends`. `culprit`
    says who did it, where the kernel shows only the symptom and a debugging one was asked; else it
    is "". `outcomes` has by backend what was seen of the text, if it is shrunk; `said` the line in
    which the kernel complained of the workload `number`, if it did. `deciding` has the
    lines of the model patch and of a kernel's; it is empty where no one change by itself makes it
    fail, or where that was not tried. `caveat` says that there may be a smaller one, or that it
    did not fail when it was played once more; it is "" for most.
    """

    strategy: str
    oracle: str
    backends: tuple[str, ...]
    number: int
    text: str
    shrunk: bool
    evidence: str
    culprit: str = ""
    outcomes: dict[str, Outcome] = msgspec.field(default_factory=dict)
    said: dict[str, str] = msgspec.field(default_factory=dict)
    deciding: tuple[Deciding, ...] = ()
    caveat: str = ""


class Telling(Full, frozen=True):
    """A workload that tells two strategies apart, as small as it can be.

    `fails` is the one that fails `oracle` on it; the other passes it on all of `backends`, and
    could have failed there. Both are "" where no oracle tells them apart, and only their outcomes
    differ: then `evidence` has the first value that does. `number`, `text` and `caveat` as of a
    witness; `file` is where the run keeps it, below its directory.
    """

    fails: str
    oracle: str
    backends: tuple[str, ...]
    number: int
    text: str
    evidence: str
    file: str
    caveat: str = ""


class Likeness(Full, frozen=True):
    """Of `compared` workloads with a known outcome of both strategies `differ` came to another.

    `bounding` of those compared were drawn independently.
    """

    backend: str
    compared: int
    differ: int
    bounding: int


class Pair(Full, frozen=True):
    """Two strategies of the run, what tells them apart, the smallest first, and how alike they are.

    `told` is empty for two that differ in nothing that was seen; `likeness` has the backends that
    both were run on.
    """

    one: str
    other: str
    told: tuple[Telling, ...]
    likeness: tuple[Likeness, ...]


class OtherBug(Full, frozen=True):
    """A failure that the baseline and every fix of the run show alike, on one backend.

    `strategies` have it. `count` is the number of workloads on which the baseline does, `hidden`
    of those on which the baseline crashes before and the fixes agree. The smallest of the former
    is `number`, with its `text` and the oracle's `evidence`.
    """

    oracle: str
    backend: str
    strategies: tuple[str, ...]
    count: int
    hidden: int
    number: int
    text: str
    evidence: str


class Kind(Full, frozen=True):
    """Workloads on which an oracle that tells several things apart spoke of one of them.

    `reached` counts those that passed or failed, `fail` the latter; for what shows in failures
    alone they are equal. `bounding` are those reached that were drawn independently.
    """

    strategy: str
    backend: str
    oracle: str
    kind: str
    reached: int
    fail: int
    bounding: int


class Control(Full, frozen=True):
    """A check of the run itself. `holds` is None if it could not be made."""

    name: str
    holds: bool | None
    detail: str


class Disagreement(Full, frozen=True):
    """The smallest workload of the run whose outcomes differ.

    `number`, `text`, `shrunk` and `caveat` as of a witness; `differences` has every value that
    differs, in the order of the fields, the trace first: the model's is `one`.
    """

    number: int
    text: str
    shrunk: bool
    differences: tuple[Difference, ...]
    caveat: str = ""


class Conformance(Full, frozen=True):
    """Outcomes of one strategy on the model and on another backend, field by field.

    `compared` workloads had a known outcome on both; `differ` of them differ in any field;
    `first` describes up to three of those. `unknown` had none on one of them, for `causes`, of
    which there are up to three. `unplayed` counts, by the reason, those that a backend has no way
    to play. `unseen` are fields that a backend cannot see, with the reason: they were not compared.
    """

    strategy: str
    backend: str
    compared: int
    differ: int
    unknown: int
    causes: tuple[str, ...]
    unseen: dict[str, str]
    first: tuple[str, ...]
    smallest: Disagreement | None
    unplayed: dict[str, int] = msgspec.field(default_factory=dict)


class Reached(Full, frozen=True):
    """How many of a backend's baseline runs came through an interesting state."""

    backend: str
    state: str
    count: int
    runs: int


class Attack(Full, frozen=True):
    """What a user without privileges came to who tried to crash a strategy's kernel.

    `setting` is that of vm.unprivileged_userfaultfd, `default` whether the kernel comes with it.
    `crashed` and `default` are None if not known; `how` has the way, or what was in the way.
    A race that can be won need not be won in every run.
    """

    strategy: str
    backend: str
    setting: int
    default: bool | None
    crashed: bool | None
    how: str


class Exercise(Full, frozen=True):
    """How often an operation came to a result on a backend, all strategies together.

    `result` is "done", "partial" if it filled some of its pages, an errno, or "crashed". With
    `window` the operation stood in a window, and the result is that of the copy it stopped.
    """

    backend: str
    name: str
    window: bool
    result: str
    count: int


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    """An oracle passes either the mutant or its original, and fails the other."""
    SURVIVED = "survived"
    """No oracle told them apart on any workload."""
    UNKNOWN = "unknown"
    """It hung, or the rig lost it: nobody can tell."""
    SAME = "same"
    """The code is that of the original or of an earlier mutant of it: nothing to try."""
    STILLBORN = "stillborn"
    """It does not apply, it is no code, or its kernel crashes before any workload: not tried."""


class MutantResult(Full, frozen=True):
    """What became of a mutant: `strategy` with one edit to its file `patch`.

    `edit` is the edit's name ("drop+3"), `line` the line that it is made to. If it was killed,
    `by` names the oracles that did it on the first workload on which any did, `number`. `evidence`
    says why it is taken for what it is. `same_as` names what has the same code on this backend, if
    anything of the run has. `runs` counts the workloads played, `differ` those on which its
    outcome was another than the original's; `outcomes` is the SHA-256 of all of a survivor's.
    `reason` is what the strategy's folder says of why it is equivalent to the original.
    """

    strategy: str
    backend: str
    patch: str
    name: str
    edit: str
    line: str
    claim: str
    fate: Fate
    by: tuple[str, ...]
    number: int | None
    evidence: str
    same_as: str
    runs: int
    differ: int
    outcomes: str
    reason: str = ""


class KillRate(Full, frozen=True):
    """How many of a strategy's mutants on a backend were killed; of all of them if it is "".

    `tried` = killed + explained + survived + unknown, `made` those that were stillborn or the same
    as another one as well. `explained` counts survivors with a reason, which are no less alive:
    `rate` is killed / tried, None where none was tried.
    """

    strategy: str
    backend: str
    made: int
    stillborn: int
    same: int
    tried: int
    killed: int
    explained: int
    survived: int
    unknown: int
    rate: float | None


class Decision(Full, frozen=True):
    """`recommended` is a strategy or None; `void` says why nothing of this run counts, or is "".

    `reasons` are sentences; `order` has the strategies that are not ruled out, the best first,
    and none in a run that is void. `severity` says in sentences what `Result.attacks` came to.
    """

    recommended: str | None
    void: str
    reasons: tuple[str, ...]
    order: tuple[str, ...]
    severity: tuple[str, ...] = ()


class Result(Full, frozen=True, kw_only=True):
    """`workloads` were asked for, `faults` of them with faults, `guided` of them guided.

    `done` were run on every strategy and backend that it fits.
    """

    schema: Literal["difftest-result-1"] = "difftest-result-1"
    seed: int
    workloads: int
    faults: int
    guided: int
    done: int
    backends: tuple[str, ...]
    platforms: dict[str, tuple[str, ...]]
    """What a backend ran on, if that is not the same everywhere; two if the run was moved."""
    releases: dict[str, str]
    """The version of the kernel source by backend, as its package or tree names it."""
    version: str
    """What stands for all code that decided: versions of difftest and Hypothesis, and a hash."""
    oracles: tuple[str, ...]
    strategies: tuple[StrategyResult, ...]
    informational: tuple[str, ...]
    """Oracles whose failures are reported, and nothing else."""
    ranking: tuple[str, ...]
    """Oracles whose failures put a strategy behind others, and do not rule it out."""
    cells: tuple[Cell, ...]
    kinds: tuple[Kind, ...]
    other_bugs: tuple[OtherBug, ...]
    witnesses: tuple[Witness, ...]
    pairs: tuple[Pair, ...]
    """Each two strategies, in their order; none in a run without oracles."""
    controls: tuple[Control, ...]
    conformance: tuple[Conformance, ...]
    reached: tuple[Reached, ...]
    operations: tuple[Exercise, ...]
    attacks: tuple[Attack, ...]
    mutants: tuple[MutantResult, ...]
    kill_rates: tuple[KillRate, ...]
    """Of each strategy and backend, then of each backend as a whole; none without mutants."""
    decision: Decision
    timings: dict[str, float]
    """Seconds, by phase: the only part that may differ between equal runs, but for `attacks`."""


def encode(result: Result) -> str:
    """Return a result as JSON, indented, keys in the order of the records."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
