# SPDX-License-Identifier: GPL-2.0-only
"""`difftest export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from difftest import plugins, witness
from difftest.cli import options
from difftest.errors import UsageError
from difftest.reproducer.program import exported


@click.command()
@click.argument("workload", type=click.File(encoding="utf-8"), metavar="WITNESS")
@click.option("--c", "plain", is_flag=True, help="As a C program: exit status 0, 1 or 77.")
@click.option(
    "--kselftest", is_flag=True,
    help="As a self-test of the kernel's: the same program, TAP, and 4 for 77.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Where to write it; by default to standard output.",
)  # fmt: skip
@options.skip
def export(
    workload: Any,
    plain: bool,  # noqa: FBT001 - click passes it by keyword
    kselftest: bool,  # noqa: FBT001 - as above
    output: Path | None,
    skip: tuple[str, ...],
) -> None:
    """Write a witness as a C program that needs nothing of difftest.

    WITNESS is a file that a run left in RUN/witnesses (- for standard input). The program needs a
    C library, kernel headers and root; it shows what the witness shows each time it runs.

    Exit status: 0, or 2 for a witness that no program can show (one with faults, say).
    """
    if plain == kselftest:
        raise click.UsageError("name the form: --c or --kselftest")
    loaded = plugins.load(skip)
    head, parsed = witness.from_text(workload.read(), workload.name)
    try:
        text = exported(head, parsed, loaded, kselftest=kselftest)
    except UsageError as error:
        raise UsageError(f"{workload.name}: {error}") from error
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)
