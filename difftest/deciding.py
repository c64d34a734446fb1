# SPDX-License-Identifier: GPL-2.0-only
"""The deciding lines: which change of its own patch makes a strategy fail, tried on the model."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from unidiff.constants import LINE_TYPE_CONTEXT
from unidiff.patch import Line, PatchSet

from difftest import facts
from difftest.backends import running
from difftest.errors import DifftestError
from difftest.facts import MODEL, is_model, model_of
from difftest.kernels.series import DEFAULT, name_in
from difftest.replay import baseline_of
from difftest.result import Deciding
from difftest.settings import StoredStrategy
from difftest.verdict import Value, judge_safely
from difftest.workload.codec import from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import FrameType

    from difftest.plugins import Plugins
    from difftest.result import Witness
    from difftest.strategy import Strategy

#: How many lines of Python a trial may take: a witness takes a few thousand, and half a patch may
#: well leave a loop without its end. Counted, not timed, so that the answer is the same everywhere.
MOST_LINES = 300_000


class _RunawayError(BaseException):
    """The trial does not end. No handler of a backend or of the model should take it."""


def deciding(
    plugins: Plugins, known: Mapping[str, Strategy], witnesses: Iterable[Witness]
) -> dict[tuple[str, str], Deciding]:
    """Return the deciding lines of witnesses, by strategy and oracle, where there are any.

    A change is one run of added and removed lines in the model patch. It decides if the oracle
    passes without it, the rest of the patch in place. A failure that takes several changes has
    none, and so has one that is the base's.
    """
    found = {}
    for witness in witnesses:
        backend = next(filter(is_model, witness.backends), "")
        if backend and (lines := _lines(plugins, known, witness, backend)):
            own = name_in(backend) in known[witness.strategy].series_model_patches
            target = model_of(name_in(backend)) if own else MODEL
            found[witness.strategy, witness.oracle] = Deciding(target, tuple(lines))
    return found


def _lines(
    plugins: Plugins, known: Mapping[str, Strategy], witness: Witness, backend: str
) -> list[int]:
    strategy = known[witness.strategy]
    text = strategy.model_patch_for(name_in(backend) or DEFAULT) or ""
    below = facts.chain(strategy, known)[:-1]
    workload, oracle = from_text(witness.text), plugins.oracle(witness.oracle)

    def passes(trial: Strategy) -> bool:
        with running(plugins.backend(backend), (*below, trial)) as runner:
            (outcome,) = runner.run([workload])
        base = baseline_of(plugins, workload, plugins.backend(backend), [oracle])
        return judge_safely(oracle, workload, outcome, base).value is Value.PASS

    lines = []
    for change in changes(text):
        stored = replace(
            StoredStrategy.of(strategy), model_patch=without(text, change), series_model_patches={}
        )
        try:
            if _bounded(passes, stored.strategy()):
                lines += change
        except (DifftestError, _RunawayError):
            continue  # half a patch need be no code
    return lines


def changes(text: str) -> list[list[int]]:
    """Return the runs of added and removed lines of a patch, by their numbers in it, from 1."""
    numbers = [
        line.diff_line_no or 0
        for file in PatchSet(text)
        for hunk in file
        for line in hunk
        if line.is_added or line.is_removed
    ]
    runs = groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    return [[number for _, number in run] for _, run in runs]


def without(text: str, change: Iterable[int]) -> str:
    """Return a patch without a change: what it removed stays, what it added does not come."""
    undone = set(change)
    patch = PatchSet(text)
    for file in patch:
        for hunk in file:
            hunk[:] = [
                line if line.diff_line_no not in undone else Line(line.value, LINE_TYPE_CONTEXT)
                for line in hunk
                if not (line.is_added and line.diff_line_no in undone)
            ]
            hunk.target_length = sum(1 for _ in hunk.target_lines())
        file[:] = [hunk for hunk in file if not all(line.is_context for line in hunk)]
    return "".join(str(file) for file in patch if len(file))


def _bounded(call: Callable[[Strategy], bool], trial: Strategy) -> bool:
    """Call; raises _RunawayError after MOST_LINES lines."""
    left = MOST_LINES

    def count(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _RunawayError
        del frame, event
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        return call(trial)
    finally:
        sys.settrace(before)
