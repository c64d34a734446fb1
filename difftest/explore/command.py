# SPDX-License-Identifier: GPL-2.0-only
"""The command `difftest explore`: from what was asked for to what it prints and leaves."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from difftest import session
from difftest.backends.model import ModelBackend, load
from difftest.errors import UsageError
from difftest.explore import scenario as scenarios
from difftest.explore import schedule
from difftest.explore.exploring import Task, explore_all
from difftest.explore.rendering import files_of, render
from difftest.explore.search import Bounds
from difftest.kernels import SERIES
from difftest.strategy import BASELINE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from difftest.plugins import Plugins
    from difftest.strategy import Strategy


class Request(NamedTuple):
    """What the command line asks for; empty tuples mean all there is."""

    names: tuple[str, ...]
    strategies: tuple[str, ...]
    series: str
    preemptions: int | None
    states: int
    reduction: bool
    jobs: int
    output: Path


class Outcome(NamedTuple):
    """What to print; whether some strategy violates something; whether Ctrl-C came first."""

    text: str
    violated: bool
    interrupted: bool = False


def run(plugins: Plugins, asked: Request) -> Outcome:
    """Explore what was asked for; leave a witness file for each violation."""
    bounds = Bounds(asked.preemptions, asked.states, asked.reduction)
    chosen = [scenarios.find(name) for name in dict.fromkeys(asked.names)]
    chosen = chosen or list(scenarios.bundled().values())
    models = _models(plugins, asked)
    tasks = [Task(one, name, patches, bounds) for one in chosen for name, patches in models]
    explored, interrupted = explore_all(tasks, asked.jobs)
    text = render(explored, asked.series) if explored else ""
    written = files_of(explored, asked.output, asked.series)
    for path, content in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    if written:
        text += "\nWitnesses:\n" + "".join(f"  {path}\n" for path in written)
    if interrupted:
        text += f"\nInterrupted: {len(tasks) - len(explored)} of {len(tasks)} were not done.\n"
    return Outcome(text, any(one.result.found for one in explored), interrupted)


def replay(plugins: Plugins, asked: Request, files: Sequence[tuple[str, str]]) -> Outcome:
    """Play schedules, (name, text), with each strategy that was asked for: the baseline if none."""
    if asked.names:
        raise UsageError(f"--replay plays files alone, and {asked.names[0]!r} is a scenario")
    lines: list[str] = []
    violated = False
    for name, text in files:
        one = schedule.from_text(text, name)
        for strategy, patches in _models(plugins, asked, default=(BASELINE,)):
            found = schedule.replay(one, load(patches))
            lines += [f"{strategy} on the model of {asked.series}:", *found.lines, ""]
            violated = violated or bool(found.violations)
    return Outcome("\n".join(lines), violated)


def _models(
    plugins: Plugins, asked: Request, default: Sequence[str] = ()
) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Return the strategies that have a model, each with the patches that make it.

    Those that have none are named. Patches are tried before any work is done.
    """
    if asked.series not in SERIES:
        raise UsageError(
            f"--series {asked.series}: there is no model of it; there are {', '.join(SERIES)}"
        )
    backend = ModelBackend(asked.series)
    found = []
    for strategy in session.strategies_of(plugins, asked.strategies, (), default=default):
        if reason := session.unsupported(backend, strategy, plugins):
            _left_out(strategy, reason)
            continue
        patches = backend.patches(plugins.chain(strategy))
        load(patches)
        found.append((strategy.name, patches))
    if not found:
        raise UsageError("none of the strategies has a model patch: there is nothing to explore")
    return found


def _left_out(strategy: Strategy, reason: str) -> None:
    print(f"difftest: {strategy.name} is left out: {reason}", file=sys.stderr)  # noqa: T201
