# SPDX-License-Identifier: GPL-2.0-only
"""`difftest coverage`."""

from __future__ import annotations

import sys

import click

from difftest import coverage as covering
from difftest import plugins, session
from difftest.cli import options
from difftest.errors import UsageError
from difftest.strategy import BASELINE


@click.command("coverage")
@options.strategy
@click.option("--backend", default="uml:6.1", show_default=True, help="On which kernels.")
@options.workloads
@options.seed
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="What to print.",
)  # fmt: skip
@options.skip
def coverage(
    strategies: tuple[str, ...],
    backend: str,
    workloads: int,
    seed: int,
    form: str,
    skip: tuple[str, ...],
) -> None:
    """Say which lines of the kernel functions under test workloads execute.

    On kernels that count lines, of the baseline and of strategies (all, without --strategy).
    Lines that no workload can execute are named with the reason, and are not expected.

    Exit status: 0 at least 95 % of the other lines and all lines that strategies add were
    executed; 1 fewer were; 2 bad usage, or the rig failed.
    """
    loaded = plugins.load(skip)
    names = [BASELINE, *strategies] if strategies else ()
    chosen = session.strategies_of(loaded, names, ())
    if backend in loaded.backends:
        place = loaded.backend(backend)
        refused = {one.name: session.unsupported(place, one, loaded) for one in chosen}
        for name in filter(refused.get, refused):
            said = f"{name} is left out on {backend}: {refused[name]}"
            if strategies:
                raise UsageError(f"--strategy {said}")
            click.echo(f"difftest: {said}", err=True)
        chosen = [one for one in chosen if not refused[one.name]]
    found = covering.measure(loaded, backend, chosen, workloads, seed)
    click.echo(covering.encode(found) if form == "json" else covering.render(found), nl=False)
    sys.exit(0 if found.enough else 1)
