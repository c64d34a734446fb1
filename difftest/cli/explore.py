# SPDX-License-Identifier: GPL-2.0-only
"""`difftest explore`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from difftest import kernels, plugins
from difftest.cli import options
from difftest.explore import command


@click.command("explore")
@click.argument("names", metavar="[SCENARIO|FILE]...", nargs=-1)
@options.strategy
@click.option(
    "--series", default=kernels.DEFAULT, show_default=True, help="The kernel series of the model."
)
@click.option(
    "--preemptions", type=click.IntRange(min=0), metavar="K",
    help="At most K switches away from a thread that could go on in its operation; without it, any "
    "number. With it, no order is left out as equivalent.",
)  # fmt: skip
@click.option(
    "--max-states", "states", type=click.IntRange(min=1), default=200_000, show_default=True,
    help="Where to cut off.",
)  # fmt: skip
@click.option(
    "--no-reduction", is_flag=True, help="Leave no order out: slower, the same final states."
)
@click.option(
    "--replay", "schedules", multiple=True, type=click.File(encoding="utf-8"), metavar="FILE",
    help="Play a schedule that was left as a witness, step by step (repeatable).",
)  # fmt: skip
@options.jobs
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/explore"),
    show_default=True, help="Where to leave a witness of each violation.",
)  # fmt: skip
@options.skip
def explore(
    names: tuple[str, ...],
    strategies: tuple[str, ...],
    series: str,
    preemptions: int | None,
    states: int,
    no_reduction: bool,  # noqa: FBT001 - click passes it by keyword
    schedules: tuple[Any, ...],
    jobs: int,
    output: Path,
    skip: tuple[str, ...],
) -> None:
    """Try every interleaving of small scenarios on the model.

    A scenario has threads that run operations side by side. Bundled ones are named in `difftest
    list`; a file has the text of one. Without any: all bundled ones. Without --strategy: all. A
    violation leaves a witness: a workload that `difftest replay` plays on kernels, too, or, where
    it takes a preemption that no workload can make, a schedule for --replay.

    Exit status: 0 no strategy violates anything; 1 one does; 2 bad usage, or the rig failed;
    130 interrupted. What was cut off is no violation, and no proof either.
    """
    asked = command.Request(
        names, strategies, series, preemptions, states, not no_reduction, jobs, output
    )
    loaded = plugins.load(skip)
    if schedules:
        read = [(one.name, one.read()) for one in schedules]
        outcome = command.replay(loaded, asked, read)
    else:
        outcome = command.run(loaded, asked)
    click.echo(outcome.text, nl=False)
    if outcome.interrupted:
        sys.exit(options.INTERRUPTED)
    sys.exit(int(outcome.violated))
