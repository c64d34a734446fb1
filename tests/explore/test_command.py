# SPDX-License-Identifier: GPL-2.0-only
"""`difftest explore`: what it prints, what it leaves, how it exits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from difftest.cli import cli
from difftest.errors import RigError
from difftest.explore import exploring

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from click.testing import Result


def explore(*args: str, output: Path) -> Result:
    return CliRunner().invoke(cli, ["explore", *args, "--output", str(output)])


def row(result: Result, strategy: str) -> list[str]:
    return next(line.split() for line in result.stdout.splitlines() if line.startswith(strategy))


def test_the_race_tells_the_fixes_apart(tmp_path: Path) -> None:
    result = explore("race", "--jobs", "1", output=tmp_path)
    assert result.exit_code == 1
    assert row(result, "unpatched") == [
        "unpatched", "44", "8", "1", "-", "-", "-", "-", "-", "-", "complete",
    ]  # fmt: skip
    assert row(result, "release_page")[3] == "-"
    assert (
        "Bounded: 2 threads with 2 operations, 1 block; any number of preemptions" in result.stdout
    )
    assert "Complete: within these bounds no interleaving is left out." in result.stdout
    left = tmp_path / "race-unpatched-BUG.workload"
    assert f"  {left}\n" in result.stdout
    assert "    fill leave=0\n" in left.read_text(encoding="utf-8")


def test_a_strategy_that_violates_nothing_exits_with_zero(tmp_path: Path) -> None:
    result = explore("race", "--strategy", "release_page", "--jobs", "1", output=tmp_path / "new")
    assert result.exit_code == 0
    assert not (tmp_path / "new").exists()


def test_any_number_of_processes_finds_the_same(tmp_path: Path) -> None:
    args = ("race", "unmapper", "--strategy", "unpatched", "--strategy", "naive_hold")
    one, two = (explore(*args, "--jobs", jobs, output=tmp_path) for jobs in ("1", "2"))
    without_times = [line for line in one.stdout.splitlines() if " s of search" not in line]
    assert without_times == [line for line in two.stdout.splitlines() if " s of search" not in line]


def test_what_is_cut_off_is_told(tmp_path: Path) -> None:
    args = ("race", "--strategy", "release_page", "--max-states", "10", "--jobs", "1")
    result = explore(*args, output=tmp_path)
    assert row(result, "release_page")[-2:] == ["cut", "off"]
    assert "Cut off at 10 states: release_page." in result.stdout
    assert "Complete" not in result.stdout


def test_a_bound_of_preemptions_is_told_and_leaves_no_order_out(tmp_path: Path) -> None:
    args = ("race", "--strategy", "unpatched", "--preemptions", "0", "--jobs", "1")
    result = explore(*args, output=tmp_path)
    assert "at most 0 preemptions in a schedule; no order left out as equivalent." in result.stdout
    assert row(result, "unpatched")[3] == "1"


def test_a_witness_schedule_is_replayed(tmp_path: Path) -> None:
    path = tmp_path / "mine.schedule"
    path.write_text(
        "mount blocks=1\nfile pages=1\nmap file=0 offset=0 pages=1\n"
        "thread\n  copy map=0 page=0 source=M\nthread\n  fill leave=0\n"
        "schedule\n" + "  0 x\n" * 5 + "  1 x\n" * 4 + "  0 x\n" * 9,
        encoding="utf-8",
    )
    result = explore("--replay", str(path), output=tmp_path)
    assert result.exit_code == 1
    assert "unpatched on the model of 6.1:" in result.stdout
    assert "*** BUG: BUG at mm/userfaultfd.c mcopy_atomic" in result.stdout
    fixed = explore("--replay", str(path), "--strategy", "release_page", output=tmp_path)
    assert fixed.exit_code == 0


def test_the_models_of_other_series_are_explored(tmp_path: Path) -> None:
    args = ("race", "--strategy", "unpatched", "--series", "5.10", "--jobs", "1")
    result = explore(*args, output=tmp_path)
    assert "model:5.10" in result.stdout
    assert row(result, "unpatched")[3] == "1"


def test_unknown_series_are_refused(tmp_path: Path) -> None:
    result = explore("race", "--series", "4.19", output=tmp_path)
    assert "there are 5.10, 6.1, 6.12" in str(result.exception)


def test_a_fix_that_raises_is_named_and_no_traceback_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(exploring, "witness", broken)
    result = explore("race", "--strategy", "unpatched", "--jobs", "1", output=tmp_path)
    assert isinstance(result.exception, RigError)
    assert str(result.exception) == "race with unpatched: the model raised KeyError: 'lost'"
