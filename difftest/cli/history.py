# SPDX-License-Identifier: GPL-2.0-only
"""`difftest history`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from difftest import history as histories
from difftest import kernels, plugins, session
from difftest.cli import options
from difftest.cli.kept import kept
from difftest.facts import MODEL

if TYPE_CHECKING:
    from pathlib import Path


@click.command("history")
@options.backend
@click.option(
    "--workloads", type=click.IntRange(min=1), default=1000, show_default=True,
    help="How many random workloads each strategy meets on each backend.",
)  # fmt: skip
@click.option(
    "--faults", type=click.IntRange(min=0), default=500, show_default=True,
    help="How many workloads with faults besides.",
)  # fmt: skip
@options.seed
@options.jobs
@options.output
@options.skip
def history(
    backends: tuple[str, ...],
    workloads: int,
    faults: int,
    seed: int,
    jobs: int,
    output: Path,
    skip: tuple[str, ...],
) -> None:
    """Hold what the oracles find against what history says of each proposal.

    All strategies of which that is told, on random workloads, on the models and kernels of all
    series under User-mode Linux (without --backend).

    Exit status: 0 all agree; 1 one does not; 2 bad usage, the rig failed, or too little was seen;
    130 interrupted.
    """
    loaded = plugins.load(skip)
    told = [one for one in loaded.strategies.values() if one.history]
    places = (MODEL, *(backends or (f"uml:{series}" for series in kernels.SERIES)))
    names = tuple(one.name for one in told)
    asked = session.Request(names, (), places, (), workloads, seed, faults)
    with session.begin(loaded, asked, output, skip) as running:
        interrupted = running.run(jobs)
        result = running.report()
    found = histories.findings(result, told)
    click.echo(histories.render(result, told, found), nl=False)
    kept(running, result, interrupted=interrupted)
    sys.exit(histories.status(result, found))
