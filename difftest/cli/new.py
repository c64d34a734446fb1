# SPDX-License-Identifier: GPL-2.0-only
"""`difftest new`."""

from __future__ import annotations

from pathlib import Path

import click

from difftest import plugins, scaffold
from difftest.cli import options


@click.command()
@click.argument("kind", type=click.Choice([str(one) for one in scaffold.Kind]))
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where the package's directory is made (default: here).",
)
@click.option("--like", metavar="NAME", help="A strategy whose patches a new one begins with.")
@options.skip
def new(kind: str, name: str, into: Path, like: str | None, skip: tuple[str, ...]) -> None:
    """Write a new package with a plugin that works, and a test of it.

    NAME is that of the package and of the plugin. Nothing is overwritten.
    """
    made = scaffold.create(plugins.load(skip), scaffold.Kind(kind), name, into, like)
    click.echo(
        f"{made} is ready. Its tests: cd {made} && pytest\n"
        f"What is wrong with it, if anything: difftest check {made}\n"
        f"For difftest to find it: pip install --editable {made}"
    )
