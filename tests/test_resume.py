# SPDX-License-Identifier: GPL-2.0-only
"""Going on with a run that was interrupted, without the options that it was begun with."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner
from interrupting import Interrupting
from wrong import DATA

from difftest import campaign, plugins, session
from difftest.backends.model import ModelBackend
from difftest.cli import cli
from difftest.errors import StoreError, ToolchainError, UsageError
from difftest.result import encode
from difftest.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from difftest.session import Session

ASKED = session.Request(("unpatched", "release_page"), (), ("model",), (), 260, 5)
PATCHED = DATA / "wrong" / "half_copy" / "kernel-6.1.patch"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a run that Ctrl-C ended after three of four shards."""
    loaded = plugins.load()
    loaded.backends["model"] = Interrupting(3)
    with session.begin(loaded, ASKED, tmp_path_factory.mktemp("begun"), ()) as running:
        assert running.run(1)
        return running.directory


@pytest.fixture
def interrupted(begun: Path, tmp_path: Path) -> Path:
    """Return a copy of that run, to go on with."""
    return shutil.copytree(begun, tmp_path / "runs" / begun.name)


def outcome(running: Session) -> str:
    assert not running.run(1)
    return encode(msgspec.structs.replace(running.report(), timings={}))


def test_it_comes_to_the_same_as_a_run_that_nobody_disturbed(interrupted: Path) -> None:
    with session.begin(plugins.load(), ASKED, interrupted.parents[1] / "whole", ()) as running:
        whole = outcome(running)
    with session.resume(plugins.load(), None, interrupted.parent, ()) as running:
        assert running.directory == interrupted
        assert outcome(running) == whole
    with Store.open(interrupted) as store:
        assert (store.finished, store.shards(), store.decision) == (True, 4, "none")


def test_a_finished_run_is_reported_again_and_nothing_is_run(
    interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been killed between its last shard and its report."""
    with session.resume(plugins.load(), interrupted, interrupted.parent, ()) as running:
        first = outcome(running)
    (interrupted / "report.md").unlink()
    monkeypatch.setattr(campaign, "run", None)
    with session.resume(plugins.load(), interrupted, interrupted.parent, ()) as running:
        assert outcome(running) == first
    assert (interrupted / "report.md").exists()


def test_a_strategy_that_is_gone_from_here_goes_on_from_what_is_kept(interrupted: Path) -> None:
    loaded = plugins.load()
    del loaded.strategies["release_page"]
    with session.resume(loaded, interrupted, interrupted.parent, ()) as running:
        assert '"release_page"' in outcome(running)


def test_what_another_difftest_began_is_refused(
    interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "version_of", lambda _: "0.2.0 x")
    with (
        pytest.raises(StoreError, match=r"was begun by difftest 0\.1\.0 .*this is 0\.2\.0 x"),
        session.resume(plugins.load(), interrupted, interrupted.parent, ()),
    ):
        pass
    monkeypatch.undo()
    with session.resume(plugins.load(), None, interrupted.parent, ()):  # the lock is free again
        pass


def test_a_backend_that_cannot_run_any_more_is_named(
    interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelBackend, "missing", lambda _: "no tools")
    with (
        pytest.raises(ToolchainError, match="backend model cannot run here: no tools"),
        session.resume(plugins.load(), interrupted, interrupted.parent, ()),
    ):
        pass


def test_a_plugin_that_is_gone_is_named(interrupted: Path) -> None:
    loaded = plugins.load()
    del loaded.oracles["content"]
    with (
        pytest.raises(UsageError, match="unknown oracle 'content'"),
        session.resume(loaded, interrupted, interrupted.parent, ()),
    ):
        pass


def command(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, list(map(str, words)), standalone_mode=False)
    if done.exception and not isinstance(done.exception, SystemExit):
        return 2, "", str(done.exception)
    return done.exit_code, done.stdout, done.stderr


def test_the_command_line_goes_on_and_lists_and_compares(interrupted: Path) -> None:
    runs = interrupted.parent
    assert "interrupted after 3 of 4 shards" in command("runs", "--output", runs)[1]
    status, _, said = command("run", "--resume", "--jobs", 1, "--output", runs)
    assert status == 1
    assert f"difftest: going on with {interrupted}" in said
    assert "finished" in command("runs", "--output", runs)[1]
    status, told, _ = command("compare", interrupted, interrupted)
    assert (status, told.splitlines()[-1]) == (0, "The same came out of both.")
    with session.begin(plugins.load(), ASKED, runs, ()) as running:
        other = running.directory
    status, told, _ = command("compare", interrupted, other)
    assert (status, told.splitlines()[-1]) == (1, "What came out differs.")
    assert f"{other} is not finished" in told


@pytest.mark.parametrize(
    "words",
    [("--seed", 3), ("--strategy", "unpatched"), ("--patch", PATCHED), ("--mutants",)],
    ids=lambda words: words[0],
)
def test_what_a_run_was_begun_with_cannot_be_given_again(
    interrupted: Path, words: tuple[object, ...]
) -> None:
    status, _, said = command("run", "--output", interrupted.parent, *words, "--resume")
    assert status == 2
    assert said.startswith(f"{words[0]} cannot stand beside --resume")


def test_a_place_without_a_run_is_named(tmp_path: Path) -> None:
    for words in (("run", "--resume"), ("compare", tmp_path)):
        status, _, said = command(*words, tmp_path / "0007")
        assert (status, str(tmp_path) in said, "there is no run at" in said) == (2, True, True)
    assert command("compare", tmp_path)[0] == 2
