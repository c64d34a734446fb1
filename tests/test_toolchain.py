# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from difftest import toolchain
from difftest.errors import ToolchainError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_missing_program_names_itself_its_package_and_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError) as caught:
        toolchain.require("xz", "flex")
    assert "not installed here: xz, flex (Debian: xz-utils, flex)" in str(caught.value)
    assert str(caught.value).endswith("apt-get install --no-install-recommends xz-utils flex")


def test_output_comes_whole_and_line_by_line(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "echo one; echo two >&2"
    output = toolchain.run(["sh", "-c", script], where=tmp_path, each_line=lines.append)
    assert output == "one\ntwo\n"
    assert lines == ["one\n", "two\n"]


def test_a_failure_carries_status_and_output(tmp_path: Path) -> None:
    with pytest.raises(toolchain.CommandError, match="status 3:\nwhy") as caught:
        toolchain.run(["sh", "-c", "echo why; exit 3"], where=tmp_path)
    assert caught.value.status == 3


def test_a_program_that_finds_the_disk_full_is_no_failure_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="disk full"):
        toolchain.run(["sh", "-c", "LC_ALL=C dd if=/dev/zero of=/dev/full"], where=tmp_path)


def test_a_build_inherits_no_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KCFLAGS", "-O0")
    environment = toolchain.build_environment(tmp_path)
    assert "KCFLAGS" not in environment
    assert environment["TMPDIR"] == str(tmp_path)


def test_whatever_ends_the_call_ends_the_program(tmp_path: Path) -> None:
    def stop(_: str) -> None:
        raise KeyboardInterrupt

    script = "trap 'echo ended > ended; exit' TERM; echo begun; sleep 600 & wait"
    with pytest.raises(KeyboardInterrupt):
        toolchain.run(["sh", "-c", script], where=tmp_path, each_line=stop)
    assert (tmp_path / "ended").exists()
