# SPDX-License-Identifier: GPL-2.0-only
"""Options that several commands have, and the exit statuses."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Callable

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


skip = click.option(
    "--no-plugin", "skip", multiple=True, metavar="NAME", help="Leave a plugin out (repeatable)."
)
strategy = click.option(
    "--strategy", "strategies", multiple=True, metavar="NAME", help="A strategy (repeatable)."
)
backend = click.option(
    "--backend",
    "backends",
    multiple=True,
    metavar="NAME",
    help="A backend (repeatable): model, uml:5.10, uml:6.1, uml:6.12 or a plugin's.",
)
oracle = click.option(
    "--oracle", "oracles", multiple=True, metavar="NAME", help="An oracle (repeatable)."
)
patch = click.option(
    "--patch",
    "patches",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="A kernel patch to compare as a strategy of its own: a diff, a mail, an mbox with a "
    "series; - is standard input (repeatable).",
)
trust = click.option(
    "--trust-patch", "trust", is_flag=True,
    help="Let --patch touch any file of the tree. It can run programs on this machine then.",
)  # fmt: skip
form = click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="NAME",
    default=("table",),
    help="What to print: table, markdown, github (a summary), html, lkml (a mail), json, junit, "
    "kcidb (repeatable).",
)


workloads = click.option(
    "--workloads", type=click.IntRange(min=1), default=2000, show_default=True,
    help="How many random workloads each strategy meets on each backend.",
)  # fmt: skip
faults = click.option(
    "--faults", type=click.IntRange(min=0), default=1000, show_default=True,
    help="How many workloads with faults besides: calls inside the kernel that fail.",
)  # fmt: skip
guided = click.option(
    "--guided", type=click.IntRange(min=0), default=0, show_default=True,
    help="How many more that are steered to what is rare, half of them with faults, if there are "
    "any. They find things; bounds do not count them.",
)  # fmt: skip
preferences = click.option(
    "--preferences", "preferred", type=click.Path(path_type=Path), metavar="FILE",
    help='TOML, criteria = ["guard", …]: what decides among those that failed nothing.',
)  # fmt: skip
seed = click.option(
    "--seed", type=_Number(0, "random", lambda: secrets.randbelow(1_000_000)),
    default=1, show_default=True,
    help="Which workloads: the same seed, the same workloads, the same result.",
)  # fmt: skip
jobs = click.option(
    "--jobs", type=_Number(1, "auto", lambda: len(os.sched_getaffinity(0))),
    default="auto", show_default=True,
    help="Processes; auto: one for each processor. The result is the same for any number.",
)  # fmt: skip
cluster = click.option(
    "--cluster", default="", metavar="ADDRESS",
    help="Run on a Dask cluster, not in --jobs: tcp://HOST:PORT, or local:N for N workers here.",
)  # fmt: skip
output = click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("runs"),
    show_default=True, help="Where to keep the run: a numbered directory below this one.",
)  # fmt: skip
