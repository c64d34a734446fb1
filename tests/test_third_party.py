# SPDX-License-Identifier: GPL-2.0-only
"""A third party's package, in an environment of its own, is everywhere that a bundled one is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from installed import environment, source_of

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.long

PACKAGE = Path(__file__).parent / "data" / "plugin"
BRINGS = ("lockfix", "few_errors", "verdicts", "twice")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("third-party")
    shutil.copytree(PACKAGE, folder / "lockfix")
    return environment(folder, source_of(folder), folder / "lockfix")


@pytest.fixture
def says(programs: Path, tmp_path: Path) -> Callable[..., str]:
    """Return what runs a module of that environment, and gives what it prints."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}

    def says(name: str, *words: str, status: int = 0) -> str:
        done = subprocess.run(
            [programs / "python", "-m", name, *words],
            cwd=tmp_path, env=clean, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == status, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    return says


def test_all_four_kinds_are_listed_and_shown(programs: Path, says: Callable[..., str]) -> None:
    assert str(programs.parent) in says("inspect", "--details", "difftest")  # not the checkout
    listed = says("difftest", "list")
    sections = dict(part.split(":\n", 1) for part in listed.split("\n\n") if ":\n" in part)
    for kind, name in zip(("strategies", "oracles", "reports", "backends"), BRINGS, strict=True):
        assert f"\n  {name} " in f"\n{sections[kind]}", kind
        assert name in says("difftest", "show", name)
    without = says("difftest", "list", "--no-plugin", "lockfix")
    assert not [name for name in BRINGS if f"\n  {name} " in without]


def test_an_unknown_name_is_told_theirs(says: Callable[..., str]) -> None:
    for option, near, right in (
        ("--strategy", "lockfx", "lockfix"),
        ("--oracle", "few_error", "few_errors"),
        ("--format", "verdict", "verdicts"),
        ("--backend", "twic", "twice"),
    ):
        assert f"did you mean {right}" in says("difftest", "run", option, near, status=2)


def test_all_four_are_in_a_run_and_what_it_leaves(says: Callable[..., str]) -> None:
    table = says(
        "difftest", "run", "--backend", "model", "--backend", "twice", "--workloads", "300",
        "--strategy", "unpatched", "--strategy", "lockfix", "--strategy", "naive_hold",
        "--oracle", "no_kernel_bug", "--oracle", "page_leak", "--oracle", "few_errors",
        "--faults", "0", "--format", "table", "--format", "verdicts", "--jobs", "1", status=1,
    )  # fmt: skip
    assert "3 strategies, 300 workloads on model and twice, seed 1" in table
    row = next(line for line in table.splitlines() if line.startswith("lockfix "))
    assert " ruled out  few_errors " in row
    cells = [line.split("\t") for line in table.splitlines() if line.count("\t") == 4]
    found = {(strategy, oracle, backend): fail for strategy, oracle, backend, fail, _ in cells}
    assert int(found["lockfix", "few_errors", "twice"]) > 0
    assert found["lockfix", "few_errors", "twice"] == found["lockfix", "few_errors", "model"]
    assert found["lockfix", "page_leak", "twice"] == "0"
    for form in ("markdown", "html", "json", "junit", "lkml", "github"):
        text = says("difftest", "report", "runs/0001", "--format", form, status=1)
        assert {"lockfix", "few_errors", "twice"} <= {name for name in BRINGS if name in text}, form
    assert "lockfix\tfew_errors\ttwice\t" in says(
        "difftest", "report", "runs/0001", "--format", "verdicts", status=1
    )
    told = says(
        "difftest", "replay", "runs/0001/witnesses/lockfix-few_errors.workload",
        "--strategy", "lockfix", "--backend", "twice", "--oracle", "few_errors",
    )  # fmt: skip
    assert "lockfix on twice:" in told
    assert "few_errors: FAIL" in told


def test_their_backend_is_compared_with_the_model(says: Callable[..., str]) -> None:
    said = says(
        "difftest", "conform", "--backend", "twice", "--strategy", "lockfix",
        "--workloads", "60", "--faults", "20", "--jobs", "1",
    )  # fmt: skip
    assert "twice: 0 of " in said


def test_their_strategy_is_explored_and_weakened(says: Callable[..., str]) -> None:
    assert "lockfix" in says("difftest", "explore", "private", "--strategy", "lockfix")
    weakened = says(
        "difftest", "mutants", "--strategy", "lockfix", "--backend", "model",
        "--workloads", "200", "--faults", "0", "--jobs", "1",
    )  # fmt: skip
    assert "model      lockfix~drop+2    killed     page_leak " in weakened


def test_their_oracle_judges_test_items(says: Callable[..., str]) -> None:
    """It fails the code without a fix and every fix alike: that is another bug, and named so."""
    told = says(
        "pytest", "--difftest", "-p", "no:randomly", "--difftest-strategy", "lockfix",
        "--difftest-backend", "twice", "--difftest-workloads", "60", "--difftest-faults", "0",
    )  # fmt: skip
    assert "another bug, which unpatched and every fix have, twice: few_errors, on workload" in told
    assert "(not counted for difftest::lockfix[twice-0])" in told


def test_what_is_installed_is_checked_by_name(says: Callable[..., str]) -> None:
    for kind, name in (("oracle", "few_errors"), ("report", "verdicts"), ("backend", "twice")):
        assert says("difftest", "check", name) == (
            f"ok       {kind} {name}: has all that difftest asks for\n"
        )


@pytest.mark.kernel
@pytest.mark.parametrize("named", ["lockfix", str(PACKAGE)])
def test_their_strategy_is_checked_by_name_and_by_folder(
    named: str, says: Callable[..., str]
) -> None:
    said = says("difftest", "check", named)
    # Their patches have no headings.
    assert "functions of 6.1: kernel and model change shmem_mfill_atomic_pte" in said
    assert "lockfix, lines of model:6.12: " in said
