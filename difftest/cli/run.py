# SPDX-License-Identifier: GPL-2.0-only
"""`difftest run` and `difftest report`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from click.core import ParameterSource

from difftest import criteria, plugins, session
from difftest.cli import options
from difftest.cli.kept import kept
from difftest.settings import Mutants


@click.command()
@options.strategy
@options.patch
@options.trust
@options.backend
@options.oracle
@options.workloads
@options.faults
@options.guided
@options.seed
@options.jobs
@options.cluster
@options.form
@options.output
@options.preferences
@click.option("--mutants", is_flag=True, help="Try mutants of the strategies, and say how many.")
@click.option(
    "--resume", is_flag=False, flag_value="", metavar="[RUN]",
    help="Go on with a run that was interrupted: RUN, or the last one, with its own options.",
)  # fmt: skip
@options.skip
def run(
    strategies: tuple[str, ...],
    patches: tuple[Path, ...],
    trust: bool,  # noqa: FBT001 - click passes it by keyword
    backends: tuple[str, ...],
    oracles: tuple[str, ...],
    workloads: int,
    faults: int,
    guided: int,
    seed: int,
    jobs: int,
    cluster: str,
    formats: tuple[str, ...],
    output: Path,
    preferred: Path | None,
    mutants: bool,  # noqa: FBT001 - click passes it by keyword
    resume: str | None,
    skip: tuple[str, ...],
) -> None:
    """Compare strategies, and decide.

    Without options: all bundled strategies, on the model and on Linux 6.1 under User-mode Linux
    (built on first use), judged by all oracles. Prints the comparison to standard output and
    leaves the run with a Markdown and an HTML report and the failing workloads in the output
    directory.

    Ctrl-C keeps what is done and reports it; the same command goes on from there, and so does
    --resume.

    Exit status: 0 a strategy is recommended; 1 none is; 2 bad usage, or the rig failed;
    130 interrupted.
    """
    loaded = plugins.load(skip)
    reports = [loaded.report(name) for name in formats]
    if resume is None:
        wanted = Mutants.TOO if mutants else Mutants.NONE
        first = criteria.read(preferred) if preferred else ()
        asked = session.Request(
            strategies,
            patches,
            backends,
            oracles,
            workloads,
            seed,
            faults,
            wanted,
            first,
            trust,
            guided,
        )
        opened = session.begin(loaded, asked, output, skip)
    else:
        _refuse_more(click.get_current_context())
        opened = session.resume(loaded, Path(resume) if resume else None, output, skip)
    with opened as running:
        interrupted = running.run(jobs, cluster)
        result = running.report()
    for report in reports:
        click.echo(session.rendered(report, result, running.directory), nl=False)
    kept(running, result, interrupted=interrupted)
    sys.exit(options.RECOMMENDED if result.decision.recommended else options.NOT_RECOMMENDED)


#: What does not decide what a run comes to may be given again.
_FREE = frozenset({"resume", "jobs", "cluster", "formats", "output", "skip"})


def _refuse_more(context: click.Context) -> None:
    """Refuse options that a run was begun with: it goes on with those."""
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "")
        if given is ParameterSource.COMMANDLINE and option.name not in _FREE:
            raise click.UsageError(
                f"{option.opts[0]} cannot stand beside --resume: a run goes on with the options "
                "that it was begun with; leave it out, or start a new run without --resume"
            )


@click.command()
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@options.form
@options.preferences
@options.skip
def report(
    run: Path, formats: tuple[str, ...], preferred: Path | None, skip: tuple[str, ...]
) -> None:
    """Render a stored run again, in any format, and decide by other preferences if some are given.

    RUN is a run's directory, runs/0001 for the first. Exit status as of `difftest run`.
    """
    loaded = plugins.load(skip)
    reports = [loaded.report(name) for name in formats]
    result = session.stored(run, criteria.read(preferred) if preferred else None)
    for one in reports:
        click.echo(session.rendered(one, result, run), nl=False)
    sys.exit(options.RECOMMENDED if result.decision.recommended else options.NOT_RECOMMENDED)
