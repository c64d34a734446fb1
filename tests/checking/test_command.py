# SPDX-License-Identifier: GPL-2.0-only
"""`difftest check`: what it prints, and its exit status."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from difftest import plugins, scaffold
from difftest.scaffold import Kind

if TYPE_CHECKING:
    from pathlib import Path

#: What is looked at where no kernel source is: UNKNOWN, so the status is 2.
HERE = {"PATH": "/usr/bin:/bin"}


def check(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "difftest", "check", *words],
        cwd=cwd, env=HERE | {"DIFFTEST_CACHE": str(cwd / "cache")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_new_oracle_is_all_right(tmp_path: Path) -> None:
    scaffold.create(plugins.load(), Kind.ORACLE, "mine", tmp_path, None)
    done = check("mine", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "ok       mine.difftest_oracles: is a hook",
        "ok       oracle mine: has all that difftest asks for",
    ]


@pytest.mark.long
@pytest.mark.parametrize(("stray", "status"), [("", 2), ("kernel-6.2.patch", 1)])
def test_what_is_wrong_outweighs_what_cannot_be_looked_at(
    stray: str, status: int, tmp_path: Path
) -> None:
    folder = scaffold.create(plugins.load(), Kind.STRATEGY, "mine", tmp_path, None)
    if stray:
        (folder / "src" / "mine" / stray).touch()
    done = check("mine", "--workloads", "60", "--faults", "0", cwd=tmp_path)
    assert done.returncode == status, done.stdout
    states = {line.split()[0] for line in done.stdout.splitlines()}
    assert states == {"ok", "UNKNOWN", *(["WRONG"] if stray else [])}
    for part in ("model: applies", "types of model: mypy finds nothing", "lines of model: "):
        assert f"ok       mine, {part}" in done.stdout
    assert "UNKNOWN  mine, kernel 6.1: its source is not here" in done.stdout


@pytest.mark.parametrize("file", ["model.patch", "kernel-6.1.patch"])
def test_a_patch_that_is_none_is_wrong_and_no_traceback(file: str, tmp_path: Path) -> None:
    folder = scaffold.create(plugins.load(), Kind.STRATEGY, "mine", tmp_path, None)
    (folder / "src" / "mine" / file).write_text(
        "--- a/mm/shmem.c\n+++ b/mm/shmem.c\n@@ -1,9 +1 @@\n"
    )
    done = check("mine", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"WRONG    mine, {file}: it is not a patch that can be read" in done.stdout


def test_bad_usage_is_a_message(tmp_path: Path) -> None:
    done = check("nothing", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("difftest: there is no directory nothing")


@pytest.mark.long
def test_refresh_mends_the_file_before_it_is_checked(tmp_path: Path) -> None:
    folder = scaffold.create(plugins.load(), Kind.STRATEGY, "mine", tmp_path, None)
    path = folder / "src" / "mine" / "model.patch"
    path.write_text(path.read_text().replace("         return -ENOMEM", "         return -ENOSPC"))
    few = ("--workloads", "60", "--faults", "0")
    stale = check("mine", *few, cwd=tmp_path)
    assert stale.returncode == 1
    assert "WRONG    mine, model: strategy mine: model.patch does not apply:" in stale.stdout
    done = check("mine", "--refresh", *few, cwd=tmp_path)
    assert "ok       mine, model.patch: refreshed: look at what changed around 1" in done.stdout
    assert "ok       mine, model: applies, and is imported" in done.stdout
    assert "return -ENOMEM" in path.read_text()
    assert check("release_page", "--refresh", cwd=tmp_path).returncode == 2
