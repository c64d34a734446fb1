# SPDX-License-Identifier: GPL-2.0-only
"""`difftest conform`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from difftest import conform as conforming
from difftest import plugins, session
from difftest.cli import options
from difftest.cli.kept import kept
from difftest.facts import MODEL

if TYPE_CHECKING:
    from pathlib import Path


@click.command("conform")
@options.strategy
@options.backend
@options.workloads
@options.faults
@options.seed
@options.jobs
@options.output
@click.option("--reached", is_flag=True, help="Print how often each operation came to what.")
@options.skip
def conform(
    strategies: tuple[str, ...],
    backends: tuple[str, ...],
    workloads: int,
    faults: int,
    seed: int,
    jobs: int,
    output: Path,
    reached: bool,  # noqa: FBT001 - click passes it by keyword
    skip: tuple[str, ...],
) -> None:
    """Compare the model with kernels, field by field.

    The same random workloads run on the model and on each backend, with each strategy. Of those
    whose outcomes disagree the smallest is shrunk as far as it goes, told step by step, and left
    in the output directory. The last lines say for each backend how much was compared.

    Exit status: 0 all agree; 1 some disagree; 2 bad usage, or some could not be compared;
    130 interrupted.
    """
    loaded = plugins.load(skip)
    places = (MODEL, *backends) if backends else ()
    asked = session.Request(strategies, (), places, None, workloads, seed, faults)
    with session.begin(loaded, asked, output, skip) as running:
        interrupted = running.run(jobs)
        result = running.report()
        if reached:
            click.echo(conforming.reached_tables(result), nl=False)
        click.echo(running.conformance(result), nl=False)
    kept(running, result, interrupted=interrupted)
    sys.exit(conforming.status(result))
