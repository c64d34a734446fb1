# SPDX-License-Identifier: GPL-2.0-only
"""A result: all that a run came to, as reports render it and `--format json` prints it.

`difftest/schema/result-1.json` is the JSON Schema of these records.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from difftest.outcome import Record
from difftest.parting import Difference  # noqa: TC001 - msgspec reads the annotations


class Full(Record, frozen=True, omit_defaults=False):
    """A record of which every field is printed."""


class PatchFacts(Full, frozen=True):
    """What the patches say, with those of the strategies that they stand on.

    `series` are the kernels, `model` the model that all of them fit. Files, lines and assertions
    are those of the newest series, or of the model patches if there is no kernel patch.
    """

    series: tuple[str, ...]
    model: bool
    files: tuple[str, ...]
    added: int
    removed: int
    assertions_removed: tuple[str, ...]
    """`BUG_ON(page)` and the like: lines that the patch takes out and does not put back."""
    refused: dict[str, str] = msgspec.field(default_factory=dict)
    """Why it was not run, by backend, where a backend said so."""


class StrategyResult(Full, frozen=True):
    """`ruled_out` says why it cannot be taken, a sentence a reason; empty if it can.

    `against_base` says what a stacked strategy mends, breaks and leaves of the one it stands on;
    `same_kernel_as` names strategies whose kernels were built from equal source.
    """

    name: str
    claim: str
    function: str
    reference: str
    weakness: str
    base: str | None
    patch: PatchFacts
    ruled_out: tuple[str, ...]
    against_base: str
    same_kernel_as: tuple[str, ...]


class Cell(Full, frozen=True, rename={"passed": "pass"}):
    """Verdicts of one oracle on one strategy and backend.

    `runs` = pass + fail + unknown, without workloads that the backend has no way to play.
    `reached` counts the runs that could be judged: pass + fail. `upper_bound` is the 95 % upper
    bound of the failure rate, for a cell without failures; None with failures or with nothing
    reached. `causes` are up to three different causes of UNKNOWN.
    """

    strategy: str
    backend: str
    oracle: str
    runs: int
    reached: int
    passed: int
    fail: int
    unknown: int
    upper_bound: float | None
    causes: tuple[str, ...]


class Witness(Full, frozen=True):
    """The smallest workload of the run on which a strategy fails an oracle.

    `number` is its place in the run, `text` its text form, `backends` where it failed,
    `evidence` the oracle's words on the first of them. `shrunk` says that the text is what was
    left of it when no more could be taken away without it passing on one of `backends`. `culprit`
    says who did it, where the kernel shows only the symptom and a debugging one was asked; else it
    is "".
    """

    strategy: str
    oracle: str
    backends: tuple[str, ...]
    number: int
    text: str
    shrunk: bool
    evidence: str
    culprit: str = ""


class Control(Full, frozen=True):
    """A check of the run itself. `holds` is None if it could not be made."""

    name: str
    holds: bool | None
    detail: str


class Disagreement(Full, frozen=True):
    """The smallest workload of the run whose outcomes differ.

    `number`, `text` and `shrunk` as of a witness; `differences` has every value that differs, in
    the order of the fields, the trace first: the model's is `one`.
    """

    number: int
    text: str
    shrunk: bool
    differences: tuple[Difference, ...]


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
    """`workloads` were asked for, `done` were run on every strategy and backend that it fits."""

    schema: Literal["difftest-result-1"] = "difftest-result-1"
    seed: int
    workloads: int
    done: int
    backends: tuple[str, ...]
    platforms: dict[str, tuple[str, ...]]
    """What a backend ran on, if that is not the same everywhere; two if the run was moved."""
    oracles: tuple[str, ...]
    strategies: tuple[StrategyResult, ...]
    cells: tuple[Cell, ...]
    witnesses: tuple[Witness, ...]
    controls: tuple[Control, ...]
    conformance: tuple[Conformance, ...]
    reached: tuple[Reached, ...]
    operations: tuple[Exercise, ...]
    attacks: tuple[Attack, ...]
    decision: Decision
    timings: dict[str, float]
    """Seconds, by phase: the only part that may differ between equal runs, but for `attacks`."""


def encode(result: Result) -> str:
    """Return a result as JSON, indented, keys in the order of the records."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
