# SPDX-License-Identifier: GPL-2.0-only
"""`difftest mutants`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from difftest import kills, plugins, session
from difftest.cli import options
from difftest.cli.kept import kept
from difftest.errors import PluginError
from difftest.facts import MODEL
from difftest.settings import Mutants
from difftest.strategy import BASELINE

if TYPE_CHECKING:
    from pathlib import Path


@click.command("mutants")
@options.strategy
@options.patch
@options.trust
@options.backend
@options.oracle
@options.workloads
@options.faults
@options.seed
@options.jobs
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="What to print.",
)  # fmt: skip
@options.output
@options.skip
def mutants(
    strategies: tuple[str, ...],
    patches: tuple[Path, ...],
    trust: bool,  # noqa: FBT001 - click passes it by keyword
    backends: tuple[str, ...],
    oracles: tuple[str, ...],
    workloads: int,
    faults: int,
    seed: int,
    jobs: int,
    form: str,
    output: Path,
    skip: tuple[str, ...],
) -> None:
    """Weaken the patches of strategies, and see whether the oracles notice.

    Each mutant is a patch with one edit: an added line left out, a removed one kept, two added
    lines swapped, an added condition negated. It meets the same workloads as its original, on the
    model and on each backend that is named, until an oracle tells it from that: it is killed.
    A survivor is equivalent, for which mutants.toml in the strategy's folder can give the reason,
    or shows what the oracles do not see.

    Exit status: 0 all were killed, or are explained; 1 some survived; 2 bad usage, a reason that
    does not hold, the rig failed, or some are unknown; 130 interrupted.
    """
    loaded = plugins.load(skip)
    names = [BASELINE, *strategies] if strategies or patches else ()
    asked = session.Request(
        tuple(names),
        patches,
        (MODEL, *backends),
        oracles,
        workloads,
        seed,
        faults,
        Mutants.ONLY,
        trust=trust,
    )
    with session.begin(loaded, asked, output, skip) as running:
        interrupted = running.run(jobs)
        result = running.report()
    click.echo(kills.encode(result) if form == "json" else kills.render(result), nl=False)
    kept(running, result, interrupted=interrupted)
    if wrong := kills.stale(result.mutants):
        raise PluginError("\n".join(wrong))
    sys.exit(kills.status(result.mutants))
