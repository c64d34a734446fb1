# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from difftest import kernels
from difftest.errors import PatchError, ToolchainError
from difftest.kernels import Patch, apt, cache, config, source, tree

STRATEGIES = Path(__file__).parents[2] / "strategies"


def package(folder: Path, files: dict[str, bytes]) -> Path:
    """Make a Debian package that holds a source archive, as linux-source-6.1 does."""
    for name, content in files.items():
        path = folder / "linux-source-6.1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    root = folder / "root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "usr" / "src").mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text(
        "Package: linux-source-6.1\nVersion: 6.1.0-fake\nArchitecture: all\n"
        "Maintainer: nobody <nobody@example.org>\nDescription: a source\n"
    )
    archive = root / "usr" / "src" / "linux-source-6.1.tar.xz"
    subprocess.run(["tar", "-cJf", archive, "linux-source-6.1"], cwd=folder, check=True)
    deb = folder / "linux-source-6.1.deb"
    subprocess.run(["dpkg-deb", "-b", root, deb], check=True, capture_output=True)
    return deb


def serve(deb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let downloads bring this file."""

    def bring(_: str, release: str, work: Path) -> Path:
        assert release == "bookworm"
        return Path(shutil.copy2(deb, work))

    monkeypatch.setattr(apt, "download", bring)


@pytest.fixture
def one_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "--- a/mm/shmem.c\n+++ b/mm/shmem.c\n@@ -1 +1 @@\n-fixed\n+broken\n"
    monkeypatch.setattr(source, "_patches", lambda _: {"baseline.patch": text})


@pytest.mark.usefixtures("one_patch", "own_cache")
def test_the_source_is_unpacked_patched_and_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(package(tmp_path, {"mm/shmem.c": b"fixed\n"}), monkeypatch)
    assert (kernels.fetch("6.1") / "mm/shmem.c").read_text() == "broken\n"
    assert source.version("6.1") == "6.1.0-fake"
    monkeypatch.setattr(apt, "download", None)  # it is not fetched again
    assert kernels.fetch("6.1").is_dir()
    assert list((cache.root() / "tmp").iterdir()) == []


@pytest.mark.usefixtures("one_patch", "own_cache")
def test_a_source_that_the_baseline_does_not_fit_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(package(tmp_path, {"mm/shmem.c": b"other\n"}), monkeypatch)
    with pytest.raises(PatchError, match=r"baseline.patch of series 6\.1 \(6\.1\.0-fake\)"):
        kernels.fetch("6.1")
    assert not (cache.root() / "sources").exists()


@pytest.mark.usefixtures("one_patch", "own_cache")
def test_too_small_a_disk_is_told_before_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "DISK_NEEDED", 10**18)
    monkeypatch.setattr(apt, "download", None)
    with pytest.raises(ToolchainError, match="disk full"):
        kernels.fetch("6.1")


@pytest.mark.kernel  # mounts a file system, for which it must be root
@pytest.mark.usefixtures("one_patch")
def test_a_disk_that_fills_up_leaves_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deb = package(tmp_path, {"mm/shmem.c": b"fixed\n", "big": bytes(20_000_000)})
    serve(deb, monkeypatch)
    monkeypatch.setattr(source, "DISK_NEEDED", 0)
    small = tmp_path / "small"
    small.mkdir()
    monkeypatch.setenv("DIFFTEST_CACHE", str(small))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "difftest", small], check=True)
    try:
        with pytest.raises(ToolchainError, match=f"disk full: {small}"):
            kernels.fetch("6.1")
        assert not (small / "sources").exists()
        assert list((small / "tmp").iterdir()) == []
        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
        assert kernels.fetch("6.1").is_dir()
    finally:
        subprocess.run(["umount", small], check=True)


def test_options_that_did_not_take_are_named() -> None:
    wanted = config.fragment(kernels.UML)
    assert config.missing_options(wanted, wanted) == ()
    assert config.missing_options(wanted, wanted.replace("CONFIG_USERFAULTFD=y", "")) == (
        "CONFIG_USERFAULTFD=y",
    )


def test_of_two_fragments_the_later_one_holds() -> None:
    wanted = "CONFIG_A=1\nCONFIG_B=y\nCONFIG_A=2\n"
    assert config.missing_options(wanted, "CONFIG_A=2\nCONFIG_B=y\n") == ()
    assert config.missing_options(wanted, "CONFIG_A=1\nCONFIG_B=y\n") == ("CONFIG_A=2",)


def text_of(series: str, *strategies: str) -> list[Patch]:
    return [
        Patch(f"strategy {name}", (STRATEGIES / name / f"kernel-{series}.patch").read_text())
        for name in strategies
    ]


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("series", "code"),
    [
        ("5.10", "\tif (!shmem_inode_acct_block(inode, 1))\n\t\tgoto out;\n"),
        ("6.1", "\tif (!shmem_inode_acct_block(inode, 1))\n\t\treturn -ENOMEM;\n"),
        ("6.12", "\tif (shmem_inode_acct_blocks(inode, 1))\n\t\treturn -ENOMEM;\n"),
    ],
)
def test_the_baseline_is_without_the_fix(series: str, code: str) -> None:
    shmem = (kernels.fetch(series) / "mm/shmem.c").read_text()
    assert code in shmem
    assert "put_page(*pagep)" not in shmem
    assert "folio_put(*foliop)" not in shmem


@pytest.mark.kernel
@pytest.mark.parametrize("series", kernels.SERIES)
def test_the_strategies_are_different_kernels(series: str) -> None:
    """In 5.10 the baseline is literally naive_hold with cb658a453b93 on top."""
    stacks = (
        ("unpatched",),
        ("remove_bug_on",),
        ("release_page",),
        ("naive_hold",),
        ("naive_hold", "unacct_before_return"),
    )
    digests = {kernels.digest(series, text_of(series, *names), kernels.UML) for names in stacks}
    assert len(digests) == (4 if series == "5.10" else 5)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("series", "begin", "guard"),
    [
        ("5.10", b"ssize_t __mcopy_atomic(struct", b"BUG_ON(page);"),
        ("6.1", b"ssize_t __mcopy_atomic(struct", b"BUG_ON(page);"),
        ("6.12", b"ssize_t mfill_atomic(struct", b"BUG_ON(folio);"),
    ],
)
def test_remove_bug_on_leaves_the_guard_of_the_hugetlb_function(
    tmp_path: Path, series: str, begin: bytes, guard: bytes
) -> None:
    patches = text_of(series, "remove_bug_on")
    changed = tree.changed_files(kernels.fetch(series), patches, tmp_path, series)
    before, after = changed["mm/userfaultfd.c"].split(b"static __always_inline " + begin)
    assert before.count(guard) == 1
    assert after.count(guard) == 0


NOWHERE = 'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "/dev/null";\n'


@pytest.mark.usefixtures("own_cache")
def test_a_package_that_apt_does_not_know_says_where_it_is_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apt, "_CONFIG", apt._CONFIG + NOWHERE)
    with pytest.raises(ToolchainError) as caught:
        kernels.fetch("5.10")
    assert "apt cannot get the package linux-source-5.10" in str(caught.value)
    assert "E: Unable to locate package linux-source-5.10" in str(caught.value)
    assert "No source of the system's is Debian's" in str(caught.value)
    assert "Debian's bullseye and bullseye-security (main) have it" in str(caught.value)
    assert "a tarball or a tree" in str(caught.value)
    assert not (cache.root() / "sources").exists()
