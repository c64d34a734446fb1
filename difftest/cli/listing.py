# SPDX-License-Identifier: GPL-2.0-only
"""`difftest list`, `difftest show` and `difftest doctor`: what there is."""

from __future__ import annotations

import sys

import click

from difftest import catalogue, plugins
from difftest import doctor as examining
from difftest.cli import options


@click.command("list")
@options.skip
def list_(skip: tuple[str, ...]) -> None:
    """List strategies, oracles, reports, backends, operations and kernels."""
    click.echo(catalogue.listing(plugins.load(skip)), nl=False)


@click.command()
@click.argument("name")
@options.skip
def show(name: str, skip: tuple[str, ...]) -> None:
    """Show one thing of `difftest list`: a strategy with its patches, an oracle, an operation."""
    click.echo(catalogue.description(plugins.load(skip), name), nl=False)


@click.command("doctor")
def doctor() -> None:
    """Say what this machine can run, and print the command that installs what is missing.

    Exit status: 0 all backends can run; 1 something is missing.
    """
    checks = examining.checks()
    click.echo(examining.render(checks), nl=False)
    sys.exit(0 if all(check.ok for check in checks) else 1)
