# SPDX-License-Identifier: GPL-2.0-only
"""Runs: those that are kept below a directory; which of them to go on with, and a list of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from difftest import directory, shards
from difftest.assemble import result_of
from difftest.errors import StoreError, UsageError
from difftest.settings import Mutants
from difftest.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from difftest.result import Decision
    from difftest.settings import Settings


def find_unfinished(runs: Path, fingerprint: str) -> Store | None:
    """Return the newest run with these settings that is not finished, to go on with.

    Runs that cannot be read are passed over. Raises StoreError if another process is at it.
    """
    return _newest_unfinished(runs, lambda settings: settings.fingerprint() == fingerprint)


def reopened(path: Path | None, runs: Path) -> Store:
    """Return a run to go on with: that at `path`, else the newest below `runs` not finished.

    One at `path` may be finished. Raises UsageError for a run that `difftest run` did not begin,
    StoreError if there is none, or if another process is at it.
    """
    if path is None:
        store = _newest_unfinished(runs, lambda settings: not command_of(settings))
        if store is None:
            raise UsageError(
                f"no run below {runs} was interrupted: `difftest runs` lists what there is"
            )
        return store
    with Store.open(path) as one:
        place, other = one.directory, command_of(one.settings)
    if other:
        raise UsageError(
            f"{path} was begun by `difftest {other}`: the same command goes on with it"
        )
    return Store.reopen(place)


def command_of(settings: Settings) -> str:
    """Return the command that makes such runs where that is not `run`, or another with oracles."""
    if settings.mutants is Mutants.ONLY:
        return "mutants"
    return "" if settings.oracles else "conform"


def listing(runs: Path) -> str:
    """Return a table of the runs below a directory, the oldest first."""
    places = directory.numbered(runs)
    if not places:
        return f"There is no run below {runs}.\n"
    heads = ("run", "begun", "strategies", "backends", "workloads", "seed", "state", "decision")
    return tabulate(map(_row, places), heads, disable_numparse=True) + "\n"


def _newest_unfinished(runs: Path, wanted: Callable[[Settings], bool]) -> Store | None:
    for place in reversed(directory.numbered(runs)):
        try:
            with Store(place / FILE) as store:
                found = not store.finished and wanted(store.settings)
        except StoreError:
            continue
        if found:
            return Store.reopen(place)
    return None


def _row(place: Path) -> tuple[str, ...]:
    try:
        with Store.open(place) as store:
            return (str(place), *_told(store))
    except StoreError as error:
        return (str(place), "", "", "", "", "", " ".join(str(error).split(":")[0].split()), "")


def _told(store: Store) -> tuple[str, ...]:
    settings = store.settings
    names = [one.name for one in settings.strategies]
    return (
        f"{store.begun.astimezone():%Y-%m-%d %H:%M}",
        ", ".join(names) if len(names) < 3 else str(len(names)),  # noqa: PLR2004 - room for two
        ", ".join(settings.backends),
        _counts(settings),
        str(settings.seed),
        _state(store),
        _decided(store),
    )


def _counts(settings: Settings) -> str:
    """Return how many workloads there are, those with faults, and guided ones: `2000+1000+500g`."""
    faults = f"+{settings.faults}" if settings.faults else ""
    return f"{settings.workloads}{faults}" + (f"+{settings.guided}g" if settings.guided else "")


def _state(store: Store) -> str:
    if store.finished:
        return "finished"
    settings = store.settings
    pairs = len(settings.strategies) * len(settings.backends) - len(store.refusals())
    whole = pairs * len(shards.planned(settings))
    how = "running," if directory.is_written(store.directory) else "interrupted after"
    return f"{how} {store.shards()} of {whole} shards"


def _decided(store: Store) -> str:
    if other := command_of(store.settings):
        return f"({other})"
    if not store.finished:
        return ""
    # What a run that was killed while it was reported did not come to note.
    return store.decision if store.decision is not None else in_short(result_of(store).decision)


def in_short(decision: Decision) -> str:
    """Return the strategy that is recommended, or "none", or "void"."""
    return "void" if decision.void else decision.recommended or "none"
