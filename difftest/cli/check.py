# SPDX-License-Identifier: GPL-2.0-only
"""`difftest check`."""

from __future__ import annotations

import sys
from itertools import chain

import click

from difftest import shards
from difftest.checking import State, command, render, target
from difftest.checking import refresh as refreshing
from difftest.cli import options

_STATUS = {State.OK: 0, State.WRONG: 1, State.UNKNOWN: options.FAILED}


@click.command("check")
@click.argument("named", metavar="FOLDER|NAME")
@click.option(
    "--backend", "backends", multiple=True, metavar="NAME",
    help="A kernel on which added lines are counted, too: uml:6.1 (repeatable; takes a build).",
)  # fmt: skip
@click.option(
    "--refresh",
    is_flag=True,
    help="First rewrite the patch files of strategies so that they apply to the model and kernels "
    "as they are now.",
)
@options.workloads
@options.faults
@options.seed
@options.skip
def check(
    named: str,
    backends: tuple[str, ...],
    refresh: bool,  # noqa: FBT001 - click passes it by keyword
    workloads: int,
    faults: int,
    seed: int,
    skip: tuple[str, ...],
) -> None:
    """Check a plugin: a folder with a package or a project, or something of `difftest list`.

    Are its hooks spelt right? Of a strategy also: do its patches apply, to each series? Do model
    and kernel patch change the same functions? Does the patched model pass mypy? Does some
    workload execute every line that is added? Python code below the folder is imported.

    --refresh gives hunks the numbers of their lines; where the code around one has changed, the
    two are merged. A file is written only if it then applies strictly, and adds and removes the
    same lines as before.

    Exit status: 0 all is well; 1 something is wrong; 2 bad usage, the rig failed, or something
    could not be looked at.
    """
    chosen = target.find(named, skip)
    states = set()
    found = command.check(chosen, backends, shards.plan(workloads, faults), seed)
    for finding in chain(refreshing.refresh(chosen) if refresh else (), found):
        states.add(finding.state)
        for line in render([finding]):
            click.echo(line)
    worst = next((one for one in (State.WRONG, State.UNKNOWN) if one in states), State.OK)
    sys.exit(_STATUS[worst])
