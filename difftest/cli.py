# SPDX-License-Identifier: GPL-2.0-only
"""The command line: commands, options, exit statuses. What they do is done elsewhere."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from difftest import (
    catalogue,
    conform,
    coverage,
    criteria,
    doctor,
    history,
    kernels,
    kills,
    plugins,
    session,
)
from difftest import replay as replaying
from difftest import selftest as selftesting
from difftest.errors import DifftestError, PluginError
from difftest.explore import command as exploring
from difftest.facts import MODEL
from difftest.kernels import trees
from difftest.settings import Mutants
from difftest.strategy import BASELINE
from difftest.workload import codec

if TYPE_CHECKING:
    from collections.abc import Callable

    from difftest.result import Result

RECOMMENDED, NOT_RECOMMENDED, FAILED, INTERRUPTED = 0, 1, 2, 130


class _Number(click.ParamType[int]):
    """A number of at least `least`, or `word`, which stands for the one that `found` gives."""

    def __init__(self, least: int, word: str, found: Callable[[], int]) -> None:
        self.name = f"N|{word}"
        self._least = least
        self._word = word
        self._found = found

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == self._word:
            return self._found()
        if str(value).isdecimal() and int(value) >= self._least:
            return int(value)
        return self._refuse(value, param, ctx)

    def _refuse(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> NoReturn:
        expected = f"neither `{self._word}` nor a number of at least {self._least}"
        self.fail(f"{value!r} is {expected}", param, ctx)


_skip = click.option(
    "--no-plugin", "skip", multiple=True, metavar="NAME", help="Leave a plugin out (repeatable)."
)
_strategy = click.option(
    "--strategy", "strategies", multiple=True, metavar="NAME", help="A strategy (repeatable)."
)
_backend = click.option(
    "--backend",
    "backends",
    multiple=True,
    metavar="NAME",
    help="A backend (repeatable): model, uml:5.10, uml:6.1, uml:6.12 or a plugin's.",
)
_oracle = click.option(
    "--oracle", "oracles", multiple=True, metavar="NAME", help="An oracle (repeatable)."
)
_patch = click.option(
    "--patch",
    "patches",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A kernel patch to compare as a strategy of its own, named after the file (repeatable).",
)
_format = click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="NAME",
    default=("table",),
    help="What to print: table, markdown, html, lkml (a mail), json (repeatable).",
)


_workloads = click.option(
    "--workloads", type=click.IntRange(min=1), default=2000, show_default=True,
    help="How many random workloads each strategy meets on each backend.",
)  # fmt: skip
_faults = click.option(
    "--faults", type=click.IntRange(min=0), default=1000, show_default=True,
    help="How many workloads with faults besides: calls inside the kernel that fail.",
)  # fmt: skip
_preferences = click.option(
    "--preferences", "preferred", type=click.Path(path_type=Path), metavar="FILE",
    help='TOML, criteria = ["guard", …]: what decides among those that failed nothing.',
)  # fmt: skip
_seed = click.option(
    "--seed", type=_Number(0, "random", lambda: secrets.randbelow(1_000_000)),
    default=1, show_default=True,
    help="Which workloads: the same seed, the same workloads, the same result.",
)  # fmt: skip
_jobs = click.option(
    "--jobs", type=_Number(1, "auto", lambda: len(os.sched_getaffinity(0))),
    default="auto", show_default=True,
    help="Processes; auto: one for each processor. The result is the same for any number.",
)  # fmt: skip
_output = click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("runs"),
    show_default=True, help="Where to keep the run: a numbered directory below this one.",
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("difftest"), message="difftest %(version)s")
def cli() -> None:
    r"""Compare competing fixes for one kernel bug, on a model and on real kernels.

    Each fix is a strategy. The same random workloads run on all of them; oracles judge what
    happened; a table and a decision say which fix to take, and why.

    \b
    difftest run                       compare the bundled fixes on the model and on Linux 6.1
    difftest run --patch my-fix.patch  put a fix of your own beside them
    difftest replay FILE               see one workload step by step
    difftest doctor                    what this machine can run, and what to install
    """


@cli.command()
@_strategy
@_patch
@_backend
@_oracle
@_workloads
@_faults
@_seed
@_jobs
@_format
@_output
@_preferences
@click.option("--mutants", is_flag=True, help="Try mutants of the strategies, and say how many.")
@_skip
def run(
    strategies: tuple[str, ...],
    patches: tuple[Path, ...],
    backends: tuple[str, ...],
    oracles: tuple[str, ...],
    workloads: int,
    faults: int,
    seed: int,
    jobs: int,
    formats: tuple[str, ...],
    output: Path,
    preferred: Path | None,
    mutants: bool,  # noqa: FBT001 - click passes it by keyword
    skip: tuple[str, ...],
) -> None:
    """Compare strategies, and decide.

    Without options: all bundled strategies, on the model and on Linux 6.1 under User-mode Linux
    (built on first use), judged by all oracles. Prints the comparison to standard output and
    leaves the run with a Markdown and an HTML report and the failing workloads in the output
    directory.

    Ctrl-C keeps what is done and reports it; the same command goes on from there.

    Exit status: 0 a strategy is recommended; 1 none is; 2 bad usage, or the rig failed;
    130 interrupted.
    """
    loaded = plugins.load(skip)
    reports = [loaded.report(name) for name in formats]
    wanted = Mutants.TOO if mutants else Mutants.NONE
    first = criteria.read(preferred) if preferred else ()
    asked = session.Request(
        strategies, patches, backends, oracles, workloads, seed, faults, wanted, first
    )
    with session.begin(loaded, asked, output, skip) as running:
        interrupted = running.run(jobs)
        result = running.report()
    for report in reports:
        click.echo(session.rendered(report, result, running.directory), nl=False)
    _say_where(running, result, interrupted=interrupted)
    sys.exit(RECOMMENDED if result.decision.recommended else NOT_RECOMMENDED)


@cli.command("conform")
@_strategy
@_backend
@_workloads
@_faults
@_seed
@_jobs
@_output
@click.option("--reached", is_flag=True, help="Print how often each operation came to what.")
@_skip
def conform_(
    strategies: tuple[str, ...],
    backends: tuple[str, ...],
    workloads: int,
    faults: int,
    seed: int,
    jobs: int,
    output: Path,
    reached: bool,  # noqa: FBT001 - click passes it by keyword
    skip: tuple[str, ...],
) -> None:
    """Compare the model with kernels, field by field.

    The same random workloads run on the model and on each backend, with each strategy. Of those
    whose outcomes disagree the smallest is shrunk as far as it goes, told step by step, and left
    in the output directory. The last lines say for each backend how much was compared.

    Exit status: 0 all agree; 1 some disagree; 2 bad usage, or some could not be compared;
    130 interrupted.
    """
    loaded = plugins.load(skip)
    places = (MODEL, *backends) if backends else ()
    asked = session.Request(strategies, (), places, None, workloads, seed, faults)
    with session.begin(loaded, asked, output, skip) as running:
        interrupted = running.run(jobs)
        result = running.report()
        if reached:
            click.echo(conform.reached_tables(result), nl=False)
        click.echo(running.conformance(result), nl=False)
    _say_where(running, result, interrupted=interrupted)
    sys.exit(conform.status(result))


@cli.command("mutants")
@_strategy
@_patch
@_backend
@_oracle
@_workloads
@_faults
@_seed
@_jobs
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="What to print.",
)  # fmt: skip
@_output
@_skip
def mutants_(
    strategies: tuple[str, ...],
    patches: tuple[Path, ...],
    backends: tuple[str, ...],
    oracles: tuple[str, ...],
    workloads: int,
    faults: int,
    seed: int,
    jobs: int,
    form: str,
    output: Path,
    skip: tuple[str, ...],
) -> None:
    """Weaken the patches of strategies, and see whether the oracles notice.

    Each mutant is a patch with one edit: an added line left out, a removed one kept, two added
    lines swapped, an added condition negated. It meets the same workloads as its original, on the
    model and on each backend that is named, until an oracle tells it from that: it is killed.
    A survivor is equivalent, for which mutants.toml in the strategy's folder can give the reason,
    or shows what the oracles do not see.

    Exit status: 0 all were killed, or are explained; 1 some survived; 2 bad usage, a reason that
    does not hold, the rig failed, or some are unknown; 130 interrupted.
    """
    loaded = plugins.load(skip)
    names = [BASELINE, *strategies] if strategies or patches else ()
    asked = session.Request(
        tuple(names), patches, (MODEL, *backends), oracles, workloads, seed, faults, Mutants.ONLY
    )
    with session.begin(loaded, asked, output, skip) as running:
        interrupted = running.run(jobs)
        result = running.report()
    click.echo(kills.encode(result) if form == "json" else kills.render(result), nl=False)
    _say_where(running, result, interrupted=interrupted)
    if wrong := kills.stale(result.mutants):
        raise PluginError("\n".join(wrong))
    sys.exit(kills.status(result.mutants))


def _say_where(running: session.Session, result: Result, *, interrupted: bool) -> None:
    """Say where the run is kept; after Ctrl-C, that it can go on, and leave."""
    click.echo(f"Kept in {running.directory}", err=True)
    if not shutil.which("difftest"):
        click.echo(f"`difftest` is {Path(sys.argv[0]).absolute()}", err=True)
    if interrupted:
        click.echo(
            f"Interrupted after {result.done} of {result.workloads} workloads; the same command "
            f"goes on from there (with --seed {result.seed}).",
            err=True,
        )
        sys.exit(INTERRUPTED)


@cli.command("history")
@_backend
@click.option(
    "--workloads", type=click.IntRange(min=1), default=1000, show_default=True,
    help="How many random workloads each strategy meets on each backend.",
)  # fmt: skip
@click.option(
    "--faults", type=click.IntRange(min=0), default=500, show_default=True,
    help="How many workloads with faults besides.",
)  # fmt: skip
@_seed
@_jobs
@_output
@_skip
def history_(
    backends: tuple[str, ...],
    workloads: int,
    faults: int,
    seed: int,
    jobs: int,
    output: Path,
    skip: tuple[str, ...],
) -> None:
    """Hold what the oracles find against what history says of each proposal.

    All strategies of which that is told, on random workloads, on the models and kernels of all
    series under User-mode Linux (without --backend).

    Exit status: 0 all agree; 1 one does not; 2 bad usage, the rig failed, or too little was seen;
    130 interrupted.
    """
    loaded = plugins.load(skip)
    told = [one for one in loaded.strategies.values() if one.history]
    places = (MODEL, *(backends or (f"uml:{series}" for series in kernels.SERIES)))
    names = tuple(one.name for one in told)
    asked = session.Request(names, (), places, (), workloads, seed, faults)
    with session.begin(loaded, asked, output, skip) as running:
        interrupted = running.run(jobs)
        result = running.report()
    found = history.findings(result, told)
    click.echo(history.render(result, told, found), nl=False)
    _say_where(running, result, interrupted=interrupted)
    sys.exit(history.status(result, found))


@cli.command()
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@_format
@_preferences
@_skip
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
    sys.exit(RECOMMENDED if result.decision.recommended else NOT_RECOMMENDED)


@cli.command()
@click.argument("workload", type=click.File(encoding="utf-8"), metavar="FILE")
@_strategy
@_patch
@_backend
@_oracle
@click.option("--console", is_flag=True, help="Print the console of a guest that did not finish.")
@_skip
def replay(
    workload: Any,
    strategies: tuple[str, ...],
    patches: tuple[Path, ...],
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
    chosen = session.strategies_of(loaded, strategies, patches, places, default=(BASELINE,))
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


@cli.command("explore")
@click.argument("names", metavar="[SCENARIO|FILE]...", nargs=-1)
@_strategy
@click.option(
    "--series", default=kernels.DEFAULT, show_default=True, help="The kernel series of the model."
)
@click.option(
    "--preemptions", type=click.IntRange(min=0), metavar="K",
    help="At most K switches away from a thread that could go on in its operation; without it, any "
    "number. With it, no order is left out as equivalent.",
)  # fmt: skip
@click.option(
    "--max-states", "states", type=click.IntRange(min=1), default=200_000, show_default=True,
    help="Where to cut off.",
)  # fmt: skip
@click.option(
    "--no-reduction", is_flag=True, help="Leave no order out: slower, the same final states."
)
@click.option(
    "--replay", "schedules", multiple=True, type=click.File(encoding="utf-8"), metavar="FILE",
    help="Play a schedule that was left as a witness, step by step (repeatable).",
)  # fmt: skip
@_jobs
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/explore"),
    show_default=True, help="Where to leave a witness of each violation.",
)  # fmt: skip
@_skip
def explore_(
    names: tuple[str, ...],
    strategies: tuple[str, ...],
    series: str,
    preemptions: int | None,
    states: int,
    no_reduction: bool,  # noqa: FBT001 - click passes it by keyword
    schedules: tuple[Any, ...],
    jobs: int,
    output: Path,
    skip: tuple[str, ...],
) -> None:
    """Try every interleaving of small scenarios on the model.

    A scenario has threads that run operations side by side. Bundled ones are named in `difftest
    list`; a file has the text of one. Without any: all bundled ones. Without --strategy: all. A
    violation leaves a witness: a workload that `difftest replay` plays on kernels, too, or, where
    it takes a preemption that no workload can make, a schedule for --replay.

    Exit status: 0 no strategy violates anything; 1 one does; 2 bad usage, or the rig failed;
    130 interrupted. What was cut off is no violation, and no proof either.
    """
    asked = exploring.Request(
        names, strategies, series, preemptions, states, not no_reduction, jobs, output
    )
    loaded = plugins.load(skip)
    if schedules:
        read = [(one.name, one.read()) for one in schedules]
        outcome = exploring.replay(loaded, asked, read)
    else:
        outcome = exploring.run(loaded, asked)
    click.echo(outcome.text, nl=False)
    if outcome.interrupted:
        sys.exit(INTERRUPTED)
    sys.exit(int(outcome.violated))


@cli.command()
@_strategy
@_patch
@_backend
@_skip
def selftest(
    strategies: tuple[str, ...],
    patches: tuple[Path, ...],
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
    chosen = session.strategies_of(loaded, strategies, patches, places, default=right)
    reports = selftesting.selftests(loaded, places, chosen)
    click.echo(selftesting.render(reports), nl=False)
    if selftesting.failed(reports):
        sys.exit(1)
    sys.exit(0 if selftesting.complete(reports) else FAILED)


@cli.command("coverage")
@_strategy
@click.option("--backend", default="uml:6.1", show_default=True, help="On which kernels.")
@_workloads
@_seed
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="What to print.",
)  # fmt: skip
@_skip
def coverage_(
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
    found = coverage.measure(loaded, backend, chosen, workloads, seed)
    click.echo(coverage.encode(found) if form == "json" else coverage.render(found), nl=False)
    sys.exit(0 if found.enough else 1)


@cli.command("list")
@_skip
def list_(skip: tuple[str, ...]) -> None:
    """List strategies, oracles, reports, backends, operations and kernels."""
    click.echo(catalogue.listing(plugins.load(skip)), nl=False)


@cli.command()
@click.argument("name")
@_skip
def show(name: str, skip: tuple[str, ...]) -> None:
    """Show one thing of `difftest list`: a strategy with its patches, an oracle, an operation."""
    click.echo(catalogue.description(plugins.load(skip), name), nl=False)


@cli.group()
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
@_strategy
@_skip
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


@cli.command("doctor")
def doctor_() -> None:
    """Say what this machine can run, and print the command that installs what is missing.

    Exit status: 0 all backends can run; 1 something is missing.
    """
    checks = doctor.checks()
    click.echo(doctor.render(checks), nl=False)
    sys.exit(0 if all(check.ok for check in checks) else 1)


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
