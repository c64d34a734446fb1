# SPDX-License-Identifier: GPL-2.0-only
"""The deciding lines: which change of its own patches makes a strategy fail, found by trying."""

from __future__ import annotations

import contextlib
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
from difftest.functions import functions_by_line
from difftest.kernels.series import DEFAULT, SERIES, name_in, patches_for
from difftest.replay import baseline_of
from difftest.result import Deciding
from difftest.settings import StoredStrategy
from difftest.verdict import Value, judge_safely
from difftest.workload.codec import from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
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
) -> dict[tuple[str, str], tuple[Deciding, ...]]:
    """Return the deciding lines of witnesses, by strategy and oracle, where there are any.

    A change is one run of added and removed lines in a patch. It decides if the oracle passes
    without it, the rest of the patch in place. A failure that takes several changes has none, and
    so has one that is the base's.

    The model patch is tried first, change by change. Then so is the patch of the first kernel on
    which the witness failed: as each change takes a build, only those in the functions in which
    the model's lines are, where there are such.
    """
    found = {}
    for witness in witnesses:
        decided: list[Deciding] = []
        if (on_model := next(filter(is_model, witness.backends), "")) and (
            lines := _on_a_model(plugins, known, witness, on_model)
        ):
            decided.append(lines)
            places = _functions(_model_patch(known[witness.strategy], on_model), lines.lines)
            kernels = [one for one in witness.backends if not is_model(one) and patches_for(one)]
            if kernels and (more := _on_a_kernel(plugins, known, witness, kernels[0], places)):
                decided.append(more)
            found[witness.strategy, witness.oracle] = tuple(decided)
    return found


def _on_a_model(
    plugins: Plugins, known: Mapping[str, Strategy], witness: Witness, backend: str
) -> Deciding | None:
    strategy, series = known[witness.strategy], name_in(backend)
    text = _model_patch(strategy, backend)

    def passes(left: str) -> bool:
        one = replace(StoredStrategy.of(strategy), model_patch=left, series_model_patches={})
        return _bounded(lambda: _passes(plugins, known, witness, backend, one.strategy()))

    lines = _lines(text, changes(text), passes)
    own = series in strategy.series_model_patches
    return Deciding(model_of(series) if own else MODEL, lines) if lines else None


def _on_a_kernel(
    plugins: Plugins,
    known: Mapping[str, Strategy],
    witness: Witness,
    backend: str,
    functions: set[str],
) -> Deciding | None:
    """Try the changes in `functions`, which are the model's names without leading underscores."""
    strategy, series = known[witness.strategy], patches_for(backend)
    text = strategy.kernel_patches.get(series, "")
    names = {old: new for (_, old), new in SERIES[series].renamed.items()}

    def passes(left: str) -> bool:
        one = replace(StoredStrategy.of(strategy), kernel_patches={series: left})
        return _passes(plugins, known, witness, backend, one.strategy())

    every = changes(text)
    near = [
        change
        for change in every
        if {names.get(one, one) for one in _functions(text, change)} & functions
    ]
    lines = _lines(text, near or every, passes)
    return Deciding(series, lines) if lines else None


def _model_patch(strategy: Strategy, backend: str) -> str:
    return strategy.model_patch_for(name_in(backend) or DEFAULT) or ""


def _functions(text: str, lines: Iterable[int]) -> set[str]:
    """Return the functions in which lines of a patch are, without leading underscores."""
    within = functions_by_line(PatchSet(text))
    return {within[line].lstrip("_") for line in lines if line in within}


def _lines(
    text: str, candidates: Iterable[Sequence[int]], passes: Callable[[str], bool]
) -> tuple[int, ...]:
    """Return the lines of those changes without which the patch passes."""
    lines: list[int] = []
    for change in candidates:
        with contextlib.suppress(DifftestError, _RunawayError):  # half a patch need be no code
            if passes(without(text, change)):
                lines += change
    return tuple(lines)


def _passes(
    plugins: Plugins,
    known: Mapping[str, Strategy],
    witness: Witness,
    name: str,
    trial: Strategy,
) -> bool:
    """Play a witness with a trial in the place of its strategy; say whether its oracle passes."""
    workload, oracle = from_text(witness.text), plugins.oracle(witness.oracle)
    backend = plugins.backend(name)
    chain = (*facts.chain(known[witness.strategy], known)[:-1], trial)
    if not is_model(name):
        backend.prepare(chain)
    with running(backend, chain) as runner:
        (outcome,) = runner.run([workload])
    base = baseline_of(plugins, workload, backend, [oracle])
    return judge_safely(oracle, workload, outcome, base).value is Value.PASS


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


def _bounded(call: Callable[[], bool]) -> bool:
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
        return call()
    finally:
        sys.settrace(before)
