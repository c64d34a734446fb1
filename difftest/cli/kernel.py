# SPDX-License-Identifier: GPL-2.0-only
"""`difftest kernel`: kernels in the cache, and trees of the user."""

from __future__ import annotations

from pathlib import Path

import click

from difftest import catalogue, kernels, plugins, session
from difftest.cli import options
from difftest.kernels import trees


@click.group()
def kernel() -> None:
    """Fetch, build, list and remove the kernels that strategies run on."""


_series = click.argument("series", default=kernels.DEFAULT)


@kernel.command()
@_series
def fetch(series: str) -> None:
    """Fetch and unpack the source of a series; prints where it is."""
    click.echo(kernels.fetch(series))


@kernel.command()
@_series
@options.strategy
@options.skip
def build(series: str, strategies: tuple[str, ...], skip: tuple[str, ...]) -> None:
    """Build the kernels of strategies (all, without --strategy); prints where they are."""
    loaded = plugins.load(skip)
    backend = loaded.backend(f"uml:{series}")
    for strategy in session.strategies_of(loaded, strategies, ()):
        if not session.unsupported(backend, strategy, loaded):
            click.echo(f"{strategy.name}: {backend.prepare(loaded.chain(strategy))}")


@kernel.command()
@click.option(
    "--tree", "path", required=True, metavar="PATH", type=click.Path(path_type=Path),
    help="A git repository with a kernel; it is only read from.",
)  # fmt: skip
@click.option("--rev", default="HEAD", show_default=True, help="The commit, branch or tag of it.")
@click.option("--name", default="", help="What to call it; the directory's name if not given.")
def add(path: Path, rev: str, name: str) -> None:
    """Make a kernel tree of your own a backend: uml:NAME.

    What counts is the commit: changes that are not committed are not in it. Strategies take the
    patch of the nearest series that is known, and "does not apply" is told of each that does not.
    """
    click.echo(trees.add(path, rev, name))


@kernel.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget a tree of your own; the repository is not touched."""
    trees.remove(name)


@kernel.command("list")
def list_kernels() -> None:
    """List the kernels that are built."""
    click.echo(catalogue.kernels_listing(), nl=False)


@kernel.command()
@click.option("--all", "everything", is_flag=True, help="The sources and base builds as well.")
def clean(everything: bool) -> None:  # noqa: FBT001 - click passes it by keyword
    """Remove built kernels from the cache."""
    click.echo(f"{kernels.clean(everything=everything) / 1e6:.0f} MB freed")
