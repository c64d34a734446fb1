# SPDX-License-Identifier: GPL-2.0-only
"""`difftest runs` and `difftest compare`: what was run before."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from difftest import changes
from difftest import runs as kept
from difftest.cli import options
from difftest.store import Store

_RUN = click.Path(path_type=Path)


@click.command("runs")
@options.output
def runs(output: Path) -> None:
    """List the runs that are kept: when, what was compared, how far it came, what was decided."""
    click.echo(kept.listing(output), nl=False)


@click.command("compare")
@click.argument("before", type=_RUN, metavar="RUN")
@click.argument("after", type=_RUN, metavar="RUN")
def compare(before: Path, after: Path) -> None:
    """Say what changed from one stored run to another.

    What went in: kernel releases, patches of strategies, seed, versions. What came out: strategies
    added and gone, the decision, controls, counts of verdicts; and of the workloads that both have,
    those whose verdict or outcome is another.

    Exit status: 0 the same came out of both; 1 not, or one is not finished; 2 bad usage.
    """
    with Store.open(before) as one, Store.open(after) as other:
        found = changes.between(one, other)
    click.echo(changes.render(found, str(before), str(after)), nl=False)
    sys.exit(1 if found.differ else 0)
