# SPDX-License-Identifier: GPL-2.0-only
"""Runs: the list of them, and which one to go on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner
from made import BUNDLED, campaign, settings

from difftest import runs
from difftest.cli import cli
from difftest.errors import StoreError, UsageError
from difftest.settings import Mutants
from difftest.store import FILE, Store

if TYPE_CHECKING:
    from pathlib import Path

    from difftest.settings import Settings

SETTINGS = settings()


def make(below: Path, settings: Settings = SETTINGS, *, finished: bool = False) -> str:
    with Store.create(below, settings) as store:
        if finished:
            store.finish({})
        return store.directory.name


def rows(below: Path) -> list[list[str]]:
    """Return the cells of the list, without its head."""
    return [
        [cell for cell in map(str.strip, line.split("  ")) if cell]
        for line in runs.listing(below).splitlines()[2:]
    ]


def test_an_empty_place_is_no_error(tmp_path: Path) -> None:
    assert runs.listing(tmp_path / "runs") == f"There is no run below {tmp_path}/runs.\n"


def test_a_list_says_how_far_each_run_came_and_what_was_decided(tmp_path: Path) -> None:
    parts = campaign()
    with Store.create(tmp_path, SETTINGS) as store:
        store.add_workloads(0, list(parts.texts.values()))
        for tally in parts.every:
            store.add_tally(tally)
        store.finish({})
    with Store.create(tmp_path, settings(BUNDLED[:2], backends=["model"])) as store:
        store.add_tally(parts.every[0])
        running = rows(tmp_path)[1]
    make(tmp_path, settings(oracles=()))
    make(tmp_path, msgspec.structs.replace(SETTINGS, mutants=Mutants.ONLY))
    with Store.open(tmp_path / "0001") as store:
        begun = f"{store.begun.astimezone():%Y-%m-%d %H:%M}"
    first, second, third, fourth = rows(tmp_path)
    place = str(tmp_path / "0001")
    assert first[:2] == [place, begun]
    assert first[2:] == ["5", "model, uml:6.1", "100", "7", "finished", "release_page"]
    names = "unpatched, remove_bug_on"
    assert running[2:] == [names, "model", "100", "7", "running, 1 of 2 shards"]
    assert second[6] == "interrupted after 1 of 2 shards"
    assert third[-1] == "(conform)"
    assert fourth[-1] == "(mutants)"


def test_what_was_noted_is_not_worked_out_again(tmp_path: Path) -> None:
    with Store.create(tmp_path, SETTINGS) as store:
        store.finish({})
        store.add_decision("a_word")
    assert rows(tmp_path)[0][-1] == "a_word"


def test_a_run_that_cannot_be_read_is_listed_as_such(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / make(tmp_path) / FILE).write_text("no database")
    assert len(rows(tmp_path)) == 2
    assert rows(tmp_path)[1][1].startswith("cannot read ")


def test_the_newest_that_run_began_and_did_not_finish_is_gone_on_with(tmp_path: Path) -> None:
    make(tmp_path)
    make(tmp_path)
    make(tmp_path, finished=True)
    make(tmp_path, settings(oracles=()))
    with runs.reopened(None, tmp_path) as store:
        assert store.directory.name == "0002"
        store.finish({})


def test_where_nothing_was_interrupted_that_is_said(tmp_path: Path) -> None:
    make(tmp_path, finished=True)
    with pytest.raises(UsageError, match=f"no run below {tmp_path} was interrupted"):
        runs.reopened(None, tmp_path)


def test_a_run_of_another_command_is_named_with_that(tmp_path: Path) -> None:
    place = tmp_path / make(tmp_path, settings(oracles=()))
    with pytest.raises(UsageError, match="was begun by `difftest conform`"):
        runs.reopened(place, tmp_path)


def test_two_processes_do_not_go_on_with_one_run(tmp_path: Path) -> None:
    place = tmp_path / make(tmp_path)
    with runs.reopened(place, tmp_path):
        for path in (place, place / FILE, None):
            with pytest.raises(StoreError, match="is being written by another difftest"):
                runs.reopened(path, tmp_path)


def test_a_run_with_guided_workloads_says_so_and_is_listed_with_them(tmp_path: Path) -> None:
    asked = "--strategy unpatched --workloads 3 --faults 0 --guided 2 --jobs 1"
    made = CliRunner().invoke(
        cli, ["run", "--backend", "model", *asked.split(), "--output", str(tmp_path)]
    )
    said = "1 strategy, 5 workloads, 2 of them guided (no bound counts those), on model, seed 1"
    assert said in made.stdout
    assert " 3+2g " in runs.listing(tmp_path)
