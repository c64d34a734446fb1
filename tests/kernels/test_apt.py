# SPDX-License-Identifier: GPL-2.0-only
"""apt with a state of its own, on an archive of our own in a directory."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING

import pytest

from difftest.errors import ToolchainError
from difftest.kernels import apt

if TYPE_CHECKING:
    from pathlib import Path


def archive(folder: Path, release: str, package: str = "nothing") -> None:
    """Add a release to an archive, with one package in it."""
    root = folder / release / package
    (root / "DEBIAN").mkdir(parents=True)
    text = (
        f"Package: {package}\nVersion: 1\nArchitecture: all\n"
        "Maintainer: nobody <nobody@example.org>\nDescription: a source\n"
    )
    (root / "DEBIAN" / "control").write_text(text)
    deb = folder / release / f"{package}.deb"
    subprocess.run(["dpkg-deb", "-b", root, deb], check=True, capture_output=True)
    content = deb.read_bytes()
    packages = (
        f"{text}Filename: {release}/{deb.name}\nSize: {len(content)}\n"
        f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
    )
    index = folder / "dists" / release / "main" / "binary-amd64" / "Packages"
    index.parent.mkdir(parents=True)
    index.write_text(packages)
    (folder / "dists" / release / "Release").write_text(
        f"Origin: Debian\nLabel: Debian\nSuite: old\nCodename: {release}\n"
        "Date: Thu, 01 Jan 2026 00:00:00 UTC\nArchitectures: amd64\nComponents: main\n"
        f"SHA256:\n {hashlib.sha256(packages.encode()).hexdigest()} {len(packages)} "
        "main/binary-amd64/Packages\n"
    )


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the system's sources name an archive in a directory, which nobody signed."""
    folder = tmp_path / "mirror"
    for release in ("bookworm", "bookworm-updates", "bookworm-security"):
        archive(folder, release)
    sources = tmp_path / "system.list"
    option = "[trusted=yes arch=amd64]"
    sources.write_text(
        f"deb {option} file:{folder} bookworm main\n"
        f"deb {option} file:{folder} bookworm-updates main\n"
        f"deb {option} file:{folder} bookworm-security main\n"
    )
    trust = 'APT::Architecture "amd64";\nAPT::Get::AllowUnauthenticated "1";\n'
    own = f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "/dev/null";\n'
    monkeypatch.setattr(apt, "_CONFIG", apt._CONFIG + own + trust)
    return folder


def work(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    return path


def test_the_systems_own_sources_come_first(mirror: Path, tmp_path: Path) -> None:
    archive(mirror, "trixie", "a-source")
    system = tmp_path / "system.list"
    line = f"deb [trusted=yes arch=amd64] file:{mirror} trixie main\n"
    system.write_text(system.read_text() + line)
    assert apt.download("a-source", "bullseye", work(tmp_path)).exists()


def test_another_release_is_looked_for_on_the_same_mirrors(mirror: Path, tmp_path: Path) -> None:
    system = apt.Apt(work(tmp_path) / "state")
    assert "Unable to locate package" in system.fetch("a-source")
    lines = system.sources_of("bullseye")
    option = f" [signed-by={apt.KEYRING}]" if apt.KEYRING.exists() else ""
    assert lines == [
        f"deb{option} file:{mirror}/ bullseye main",
        f"deb{option} file:{mirror}/ bullseye-security main",
    ]


def test_a_release_that_nobody_signed_is_not_taken(mirror: Path, tmp_path: Path) -> None:
    archive(mirror, "bullseye")
    archive(mirror, "bullseye-security", "a-source")
    with pytest.raises(ToolchainError, match="is not signed"):
        apt.download("a-source", "bullseye", work(tmp_path))


@pytest.mark.usefixtures("mirror")
def test_a_release_that_has_left_the_mirrors_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="bullseye Release' does not have") as caught:
        apt.download("a-source", "bullseye", work(tmp_path))
    assert "If the mirrors have dropped that release, a tarball or a tree" in str(caught.value)
