# SPDX-License-Identifier: GPL-2.0-only
"""`difftest replay`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from difftest import plugins, session
from difftest import replay as replaying
from difftest import witness as witnesses
from difftest.cli import options
from difftest.errors import UsageError
from difftest.strategy import BASELINE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from difftest.backends import Backend
    from difftest.plugins import Plugins
    from difftest.replay import Replay
    from difftest.strategy import Strategy
    from difftest.witness import Head


@click.command()
@click.argument("workload", type=click.File(encoding="utf-8"), metavar="FILE")
@options.strategy
@options.patch
@options.trust
@options.backend
@options.oracle
@click.option(
    "--expect/--no-expect", default=None,
    help="Say whether the strategies that the head of the witness names still show what it says: "
    "the default if there are any; with --expect, others shall show the same.",
)  # fmt: skip
@click.option("--console", is_flag=True, help="Print the console of a guest that did not finish.")
@options.skip
def replay(
    workload: Any,
    strategies: tuple[str, ...],
    patches: tuple[Path, ...],
    trust: bool,  # noqa: FBT001 - click passes it by keyword
    backends: tuple[str, ...],
    oracles: tuple[str, ...],
    expect: bool | None,  # noqa: FBT001 - click passes it by keyword
    console: bool,  # noqa: FBT001 - as above
    skip: tuple[str, ...],
) -> None:
    """Run one workload and tell it step by step.

    FILE holds the text of a workload (- for standard input), as runs leave them in
    RUN/witnesses. Without --strategy and --backend: those that its head says it is about, or,
    where it has none, the baseline, and the model and Linux 6.1.

    Exit status: 0 no oracle fails, or the witness still shows what its head says; 1 one does, or
    it does not; 2 bad usage, or the rig failed.
    """
    loaded = plugins.load(skip)
    head, parsed = witnesses.from_text(workload.read(), workload.name)
    places, left_out = session.backends_of(loaded, backends or (head.backends if head else ()))
    default = _default(head, loaded, workload.name) if not (strategies or patches) else (BASELINE,)
    chosen = session.strategies_of(loaded, strategies, patches, places, default, trust=trust)
    judges = session.oracles_of(loaded, oracles)
    expected = _expected(head, expect, chosen, [one.name for one in judges], workload.name)
    for name, reason in left_out.items():
        click.echo(f"difftest: {name} is left out: {reason}", err=True)
    replays: list[Replay] = []
    for strategy in chosen:
        for backend in places:
            if reason := session.unsupported(backend, strategy, loaded):
                _not_run(strategy, backend, reason, expected)
            else:
                replays.append(replaying.replay(loaded, parsed, strategy, backend, judges))
    click.echo(replaying.render(parsed, replays), nl=False)
    if console:
        for one in replays:
            click.echo(f"\nConsole of {one.strategy} on {one.backend}:\n{one.console}", nl=False)
    if expected:
        shown = list(witnesses.compared(expected, replays, others=bool(expect)))
        click.echo("\n" + "\n".join(sentence for _, sentence in shown))
        sys.exit(int(not shown or not all(as_said for as_said, _ in shown)))
    sys.exit(int(any(one.failed for one in replays)))


def _default(head: Head | None, loaded: Plugins, source: str) -> tuple[str, ...]:
    """Return the strategies that are replayed if none is named."""
    if head is None:
        return (BASELINE,)
    if head.strategy not in loaded.strategies:
        raise UsageError(
            f"{source}: the witness is of a strategy {head.strategy!r}, which is not known here: "
            f"give its patch (--patch {head.strategy}.patch), install its plugin, or name another "
            "one (--strategy)"
        )
    return (head.strategy,)


def _expected(
    head: Head | None,
    expect: bool | None,  # noqa: FBT001 - as the option
    chosen: Sequence[Strategy],
    asked: Sequence[str],
    source: str,
) -> Head | None:
    """Return the head if the replays are to be compared with it."""
    if expect and head is None:
        raise UsageError(
            f"{source}: --expect: the file has no head that says what to expect: its first line "
            f"would be `# difftest witness {witnesses.VERSION}`"
        )
    if expect and head and head.oracle not in asked:
        raise UsageError(
            f"{source}: --expect: the witness is about the oracle {head.oracle}, which is not "
            f"asked: there are {', '.join(asked)}"
        )
    told = head and head.oracle in asked and any(head.tells_of(one.name) for one in chosen)
    return head if (told if expect is None else expect) else None


def _not_run(strategy: Strategy, backend: Backend, reason: str, expected: Head | None) -> None:
    """Say so; what a witness says of it is then not shown."""
    words = f"{strategy.name} cannot run on {backend.name}: {reason}"
    if expected and expected.tells_of(strategy.name) and backend.name in expected.backends:
        raise UsageError(f"{words}; name the backends (--backend) where it can")
    click.echo(f"difftest: {words}", err=True)
