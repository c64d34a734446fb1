# SPDX-License-Identifier: GPL-2.0-only
"""`difftest selftest`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from difftest import plugins, session
from difftest import selftest as selftesting
from difftest.cli import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@options.strategy
@options.patch
@options.trust
@options.backend
@options.skip
def selftest(
    strategies: tuple[str, ...],
    patches: tuple[Path, ...],
    trust: bool,  # noqa: FBT001 - click passes it by keyword
    backends: tuple[str, ...],
    skip: tuple[str, ...],
) -> None:
    """Run the kernel's own self-tests of userfaultfd on the kernels of strategies.

    They are compiled from the kernel's source. Without --strategy: all that are not known to be
    wrong. Without --backend: Linux 6.1.

    Exit status: 0 all pass; 1 one fails; 2 bad usage, or the rig failed.
    """
    loaded = plugins.load(skip)
    places, left_out = session.backends_of(loaded, backends)
    for name, reason in left_out.items():
        click.echo(f"difftest: {name} is left out: {reason}", err=True)
    right = [name for name, one in loaded.strategies.items() if not one.must_fail]
    chosen = session.strategies_of(loaded, strategies, patches, places, default=right, trust=trust)
    reports = selftesting.selftests(loaded, places, chosen)
    click.echo(selftesting.render(reports), nl=False)
    if selftesting.failed(reports):
        sys.exit(1)
    sys.exit(0 if selftesting.complete(reports) else options.FAILED)
