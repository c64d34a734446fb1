# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from difftest.errors import ToolchainError, UsageError
from difftest.kernels import cache

KILLED_AT_WORK = """
import sys, time
from difftest.kernels import cache
with cache.workdir("victim") as work:
    (work / "half").write_text("made")
    print(work, flush=True)
    time.sleep(600)
"""


def test_the_environment_names_the_directory(own_cache: Path) -> None:
    assert cache.root() == own_cache


def test_a_directory_that_kbuild_refuses_is_refused_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DIFFTEST_CACHE", str(tmp_path / "my cache"))
    with pytest.raises(UsageError, match=r"space or a colon.*DIFFTEST_CACHE"):
        cache.root()


def fail_at_work(error: BaseException) -> None:
    with cache.workdir("work") as work:
        (work / "half").write_text("made")
        raise error


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_work_that_fails_leaves_nothing(error: type[BaseException]) -> None:
    with pytest.raises(error):
        fail_at_work(error())
    assert list((cache.root() / "tmp").iterdir()) == []


@pytest.mark.usefixtures("own_cache")
def test_what_a_killed_process_left_is_swept_and_what_a_living_one_has_is_not() -> None:
    with (
        subprocess.Popen(
            [sys.executable, "-c", KILLED_AT_WORK], stdout=subprocess.PIPE, text=True
        ) as process,
        cache.workdir("mine") as mine,
    ):
        assert process.stdout
        theirs = Path(process.stdout.readline().strip())
        with cache.workdir("another"):
            assert theirs.exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert theirs.exists()
        with cache.workdir("another"):
            assert not theirs.exists()
        assert mine.exists()
    assert list((cache.root() / "tmp").iterdir()) == []


@pytest.mark.usefixtures("own_cache")
def test_a_directory_without_its_note_is_not_finished() -> None:
    (cache.root() / "kernels" / "0123").mkdir(parents=True)
    assert cache.finished("kernels", "0123") is None
    assert cache.lookup("0123") is None
    assert cache.list_kernels() == []


@pytest.mark.usefixtures("own_cache")
def test_a_kernel_of_another_version_is_not_listed() -> None:
    """Its digest is made of other things, so that nobody will find it."""
    folder = cache.root() / "kernels" / "0123"
    folder.mkdir(parents=True)
    (folder / "linux").touch()
    cache.note(folder, series="6.1", labels=["unpatched"])
    assert cache.list_kernels() == []
    cache.clean()
    assert not folder.exists()


def write_to_a_full_disk() -> None:
    with cache.workdir("work"), Path("/dev/full").open("w") as full:
        full.write("x")
        full.flush()


@pytest.mark.usefixtures("own_cache")
def test_a_full_disk_is_told_as_such() -> None:
    with pytest.raises(ToolchainError, match=r"disk full: .*cache.* about 2 GB.*DIFFTEST_CACHE"):
        write_to_a_full_disk()


@pytest.mark.usefixtures("own_cache")
def test_nothing_is_cleaned_while_somebody_builds() -> None:
    with cache.lock("kernel-1"), pytest.raises(UsageError, match="another difftest is at work"):
        cache.clean()


@pytest.mark.usefixtures("own_cache")
def test_cleaning_keeps_what_is_named_and_counts_what_is_freed() -> None:
    for kind, name in (("kernels", "a"), ("kernels", "b"), ("sources", "s")):
        folder = cache.root() / kind / name
        folder.mkdir(parents=True)
        (folder / "linux").write_bytes(bytes(100_000))
        cache.note(folder, series="6.1", flavour="uml", labels=[])
    freed = cache.clean(keep=frozenset({"b", "s"}))
    assert freed >= 100_000
    assert [kernel.digest for kernel in cache.list_kernels()] == ["b"]
    assert cache.finished("sources", "s")
