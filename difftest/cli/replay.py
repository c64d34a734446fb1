# SPDX-License-Identifier: GPL-2.0-only
"""`difftest replay`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from difftest import plugins, session
from difftest import replay as replaying
from difftest.cli import options
from difftest.strategy import BASELINE
from difftest.workload import codec

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("workload", type=click.File(encoding="utf-8"), metavar="FILE")
@options.strategy
@options.patch
@options.trust
@options.backend
@options.oracle
@click.option("--console", is_flag=True, help="Print the console of a guest that did not finish.")
@options.skip
def replay(
    workload: Any,
    strategies: tuple[str, ...],
    patches: tuple[Path, ...],
    trust: bool,  # noqa: FBT001 - click passes it by keyword
    backends: tuple[str, ...],
    oracles: tuple[str, ...],
    console: bool,  # noqa: FBT001 - click passes it by keyword
    skip: tuple[str, ...],
) -> None:
    """Run one workload and tell it step by step.

    FILE holds the text of a workload (- for standard input), as runs leave them in
    RUN/witnesses. Without --strategy: the baseline. Without --backend: the model and Linux 6.1.

    Exit status: 0 no oracle fails; 1 one does; 2 bad usage, or the rig failed.
    """
    loaded = plugins.load(skip)
    places, left_out = session.backends_of(loaded, backends)
    chosen = session.strategies_of(
        loaded, strategies, patches, places, default=(BASELINE,), trust=trust
    )
    judges = session.oracles_of(loaded, oracles)
    parsed = codec.from_text(workload.read(), workload.name)
    for name, reason in left_out.items():
        click.echo(f"difftest: {name} is left out: {reason}", err=True)
    replays = [
        replaying.replay(loaded, parsed, strategy, backend, judges)
        for strategy in chosen
        for backend in places
        if not session.unsupported(backend, strategy, loaded)
    ]
    click.echo(replaying.render(parsed, replays), nl=False)
    if console:
        for one in replays:
            click.echo(f"\nConsole of {one.strategy} on {one.backend}:\n{one.console}", nl=False)
    sys.exit(int(any(one.failed for one in replays)))
