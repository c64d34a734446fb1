# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import os
from typing import TYPE_CHECKING

from difftest import doctor
from difftest.doctor import Check
from difftest.toolchain import PACKAGES

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_every_program_that_is_started_is_looked_for() -> None:
    assert set(PACKAGES) <= set(by_name(doctor.checks()))


def test_a_machine_that_runs_these_tests_can_run_the_model() -> None:
    for check in doctor.checks():
        if "model" in check.needed_for:
            assert check.ok, check


def test_an_empty_machine_gets_one_command_with_all_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = doctor.checks()
    text = doctor.render(found)
    assert "model: cannot run here yet (git)" in text
    assert "uml: cannot run here yet (git, gcc, make" in text
    assert "qemu: cannot run here yet (git, gcc, make" in text
    last = text.rstrip().splitlines()[-1]
    packages = doctor.missing_packages(found)
    assert last.endswith(f"apt-get install --no-install-recommends {' '.join(packages)}")
    assert {"git", "gcc", "flex", "bison", "bc", "xz-utils", "libc6-dev"} <= set(packages)
    assert {"qemu-system-x86", "libelf-dev"} <= set(packages)


def test_what_no_package_mends_gets_a_sentence() -> None:
    text = doctor.render(
        [
            Check("git", ok=True, found="/usr/bin/git", needed_for=("model", "uml")),
            Check("ptrace", ok=False, found="denied", needed_for=("uml",), fix="allow it"),
        ]
    )
    assert text.splitlines() == [
        "ok       git     /usr/bin/git",
        "MISSING  ptrace  denied",
        "",
        "model: can run now",
        "uml: cannot run here yet (ptrace)",
        "qemu: can run now",
        "ptrace: allow it",
    ]


def test_nothing_is_missing_on_a_whole_machine() -> None:
    whole = [Check("git", ok=True, found="", needed_for=("model", "uml"), package="git")]
    assert doctor.missing_packages(whole) == ()
    assert "apt-get" not in doctor.render(whole)


def test_the_memory_of_guests_is_where_uml_looks_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TMPDIR", "TMP", "TEMP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMP", str(tmp_path))
    assert doctor.memory_directory() == tmp_path


def test_a_directory_that_forbids_execution_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    check = by_name(doctor.checks())["executable memory"]
    assert not check.ok
    assert "TMPDIR" in check.fix


def test_a_cache_that_cannot_be_used_is_a_finding_and_no_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIFFTEST_CACHE", "/no such place")
    found = by_name(doctor.checks())
    assert not found["room on disk"].ok
    assert "space or a colon" in found["room on disk"].fix
    assert found["kernels"].ok


def test_looking_makes_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFTEST_CACHE", str(tmp_path / "cache"))
    assert by_name(doctor.checks())["processors"].found.startswith(str(os.cpu_count())[0])
    assert not (tmp_path / "cache").exists()
