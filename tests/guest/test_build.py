# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from difftest.errors import BuildError, ToolchainError
from difftest.guest import agent
from difftest.kernels import cache

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFTEST_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "agent.h").write_text("#define STATUS 7\n")
    (folder / "agent.c").write_text('#include "agent.h"\nint main(void) { return STATUS; }\n')
    return folder


def test_the_agent_of_this_tree_compiles_and_is_static(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFTEST_CACHE", str(tmp_path / "cache"))
    path = agent()
    assert (
        b"interpreter"
        not in subprocess.run(
            ["readelf", "--program-headers", path], capture_output=True, check=True
        ).stdout
    )


def test_equal_sources_are_compiled_once(sources: Path) -> None:
    first = agent(sources)
    made = first.stat().st_mtime_ns
    assert agent(sources) == first
    assert first.stat().st_mtime_ns == made
    assert subprocess.run([first], check=False).returncode == 7


def test_a_changed_header_makes_another_agent(sources: Path) -> None:
    first = agent(sources)
    (sources / "agent.h").write_text("#define STATUS 8\n")
    second = agent(sources)
    assert first != second
    assert subprocess.run([second], check=False).returncode == 8


def test_a_warning_is_an_error_and_is_shown(sources: Path) -> None:
    (sources / "agent.c").write_text("int main(void) { int unused; return 0; }\n")
    with pytest.raises(BuildError, match=r"agent\.c:1:.*unused variable"):
        agent(sources)
    assert not (cache.root() / "agents").exists()


def test_a_missing_compiler_is_named(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolchainError, match=r"gcc .*apt-get install .*gcc"):
        agent(sources)


@pytest.mark.kernel  # mounts a file system, for which it must be root
def test_a_full_disk_is_told_as_such(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    monkeypatch.setenv("DIFFTEST_CACHE", str(small))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "difftest", small], check=True)
    try:
        with pytest.raises(ToolchainError, match=f"disk full: {small}"):
            agent(sources)
        assert not (small / "agents").exists()
        assert list((small / "tmp").iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)
