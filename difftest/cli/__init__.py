# SPDX-License-Identifier: GPL-2.0-only
"""The command line: commands, options, exit statuses. What they do is done elsewhere."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import click

from difftest.cli.conform import conform
from difftest.cli.coverage import coverage
from difftest.cli.explore import explore
from difftest.cli.export import export
from difftest.cli.history import history
from difftest.cli.kernel import kernel
from difftest.cli.listing import doctor, list_, show
from difftest.cli.mutants import mutants
from difftest.cli.new import new
from difftest.cli.options import FAILED, INTERRUPTED
from difftest.cli.replay import replay
from difftest.cli.run import report, run
from difftest.cli.runs import compare, runs
from difftest.cli.selftest import selftest
from difftest.errors import DifftestError

if TYPE_CHECKING:
    from collections.abc import Callable


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("difftest"), message="difftest %(version)s")
def cli() -> None:
    """Compare competing fixes for one kernel bug, on a model and on real kernels.

    Each fix is a strategy. The same random workloads run on all of them; oracles judge what
    happened; a table and a decision say which fix to take, and why.

    \b
    difftest run                       compare the bundled fixes on the model and on Linux 6.1
    difftest run --patch my-fix.patch  put a fix of your own beside them
    difftest runs                      what was run, and how far; `run --resume` goes on
    difftest compare RUN RUN           what changed between two runs
    difftest replay FILE               see one workload step by step
    difftest doctor                    what this machine can run, and what to install
    """  # noqa: D301 - click takes the character for "do not wrap"


for _command in (
    run,
    report,
    runs,
    compare,
    replay,
    export,
    conform,
    history,
    mutants,
    explore,
    coverage,
    selftest,
    kernel,
    new,
    list_,
    show,
    doctor,
):
    cli.add_command(_command)


def main() -> None:
    """Run the command line; what can go wrong ends in a message, not in a traceback."""
    sys.exit(_guarded(lambda: cli(standalone_mode=False)))


def _guarded(command: Callable[[], Any]) -> int:
    status, message = FAILED, ""
    try:
        return int(command() or 0)
    except click.ClickException as error:
        error.show()
    except (click.Abort, KeyboardInterrupt):
        status, message = INTERRUPTED, "interrupted"
    except DifftestError as error:
        message = str(error)
    except OSError as error:
        message = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    if message:
        click.echo(f"difftest: {message}", err=True)
    return status
