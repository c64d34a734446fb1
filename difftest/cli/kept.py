# SPDX-License-Identifier: GPL-2.0-only
"""What every command that runs a campaign says at its end."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from difftest.cli import options

if TYPE_CHECKING:
    from difftest.result import Result
    from difftest.session import Session


def kept(running: Session, result: Result, *, interrupted: bool) -> None:
    """Say where the run is kept; after Ctrl-C, that it can go on, and leave."""
    click.echo(f"Kept in {running.directory}", err=True)
    if not shutil.which("difftest"):
        click.echo(f"`difftest` is {Path(sys.argv[0]).absolute()}", err=True)
    if interrupted:
        resume = "" if running.command else f", or `difftest run --resume {running.directory}`"
        click.echo(
            f"Interrupted after {result.done} of {result.workloads} workloads; the same command "
            f"goes on from there (with --seed {result.seed}){resume}.",
            err=True,
        )
        sys.exit(options.INTERRUPTED)
