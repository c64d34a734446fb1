# SPDX-License-Identifier: GPL-2.0-only
"""`difftest new`: every kind of package works as it is written, and nothing is overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from called import difftest
from installed import enter

from difftest import plugins, scaffold
from difftest.errors import UsageError
from difftest.scaffold import Kind

if TYPE_CHECKING:
    from pathlib import Path


def made(kind: Kind, name: str, into: Path, like: str | None = None) -> Path:
    return scaffold.create(plugins.load(), kind, name, into, like)


def python(*arguments: str, cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd, env=os.environ | {"PYTHONPATH": str(path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("kind", Kind)
def test_a_new_package_passes_its_own_tests_and_is_found(kind: Kind, tmp_path: Path) -> None:
    target = made(kind, "my_own", tmp_path / "deep" / "down")
    source = target / "src"
    tested = python("pytest", "-q", "-p", "no:randomly", "-W", "error", cwd=target, path=source)
    assert tested.returncode == 0, tested.stdout
    assert " passed" in tested.stdout
    assert "skipped" not in tested.stdout
    enter(source, "my_own")
    listed = python("difftest", "list", cwd=tmp_path, path=source)
    assert "my_own" in listed.stdout, listed.stderr


@pytest.mark.long
def test_the_tests_of_a_new_strategy_fail_without_its_patch(tmp_path: Path) -> None:
    target = made(Kind.STRATEGY, "my_own", tmp_path)
    (target / "src" / "my_own" / "model.patch").write_text("")
    tested = python("pytest", "-q", "-p", "no:randomly", cwd=target, path=target / "src")
    assert tested.returncode == 1
    assert "no_kernel_bug" in tested.stdout


def test_a_strategy_begins_with_all_patches_of_another(tmp_path: Path) -> None:
    loaded = plugins.load()
    for name, like in loaded.strategies.items():
        target = scaffold.create(loaded, Kind.STRATEGY, f"my_{name}", tmp_path, name)
        namespace = {"__file__": str(target / "src" / f"my_{name}" / "__init__.py")}
        exec((target / "src" / f"my_{name}" / "__init__.py").read_text(), namespace)  # noqa: S102
        mine = namespace["STRATEGY"]
        for field in ("kernel_patches", "model_patch", "series_model_patches", "does_not_apply",
                      "base", "function"):  # fmt: skip
            assert getattr(mine, field) == getattr(like, field), (name, field)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "theirs").symlink_to("nowhere")
    for name in ("mine", "theirs"):
        with pytest.raises(UsageError, match=f"{name} exists: nothing is overwritten"):
            made(Kind.ORACLE, name, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "theirs"]
    assert not list((tmp_path / "mine").iterdir())


@pytest.mark.parametrize("name", ["", "My", "1st", "a-b", "a.b", "../up", "a/b", "class", "fix "])
def test_a_name_that_is_no_package_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be the name of a plugin.*expected a letter"):
        made(Kind.REPORT, name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (Kind.ORACLE, "json", "would hide the Python module json"),
        (Kind.BACKEND, "difftest", "would hide the Python module difftest"),
        (Kind.STRATEGY, "release_page", "there is a strategy 'release_page' already"),
        (Kind.BACKEND, "model", "there is a backend 'model' already"),
    ],
)
def test_a_name_that_is_taken_is_refused(
    kind: Kind, name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        made(kind, name, tmp_path)


def test_only_a_strategy_is_like_another(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--like release_page is for a new strategy"):
        made(Kind.ORACLE, "mine", tmp_path, "release_page")
    with pytest.raises(UsageError, match="did you mean release_page"):
        made(Kind.STRATEGY, "mine", tmp_path, "relese_page")


def test_the_command_says_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = difftest("new", "oracle", "mine")
    assert done.returncode == 0, done.stderr
    assert "difftest check mine" in done.stdout
    assert "pip install --editable mine" in done.stdout
    again = difftest("new", "oracle", "mine")
    assert again.returncode == 2
    assert again.stderr.startswith("difftest: mine exists")
