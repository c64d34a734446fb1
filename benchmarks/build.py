# SPDX-License-Identifier: GPL-2.0-only
"""Building a strategy's kernel, beside a plain `make` after a change to one file."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import mock

from benchmarks.measure import Row, medians, seconds
from difftest import kernels
from difftest.kernels import cache, source, tree
from difftest.kernels.build import base
from strategies import release_page

SERIES = "6.1"
CHANGED = "mm/shmem.c"


def rows(*, quick: bool) -> list[Row]:
    original, ready = source.fetch(SERIES), base(SERIES, kernels.UML)
    patch = kernels.Patch("release_page", release_page.STRATEGY.kernel_patches[SERIES])
    # Beside the cache: hard links do not cross file systems.
    with tempfile.TemporaryDirectory(prefix="difftest-bench-", dir=cache.root().parent) as folder:
        work = Path(folder)
        tree.make(original, (), work / "tree", SERIES)
        subprocess.run(["cp", "-a", ready, work / "tree"], check=True)
        # A file of its own: the other name of a hard link is in the user's cache.
        changed = work / "tree" / CHANGED
        changed.unlink()
        shutil.copy2(original / CHANGED, changed)
        _make(work)

        def ours(repeat: int) -> float:
            fresh = _cache(work / f"cache-{repeat}")
            with mock.patch.dict(os.environ, {"DIFFTEST_CACHE": str(fresh)}):
                return seconds(lambda: kernels.build(SERIES, [patch], kernels.UML, "benchmark"))

        def touched(_: int) -> float:
            changed.touch()
            return seconds(lambda: _make(work))

        strategy, plain, null = medians(
            "build", 1 if quick else 3, ours, touched, lambda _: seconds(lambda: _make(work))
        )
    return [
        Row("build", "kernels.build", strategy, f"make after touch {CHANGED}", plain, "s"),
        Row("build", "kernels.build", strategy, "make with nothing to do", null, "s"),
    ]


def _cache(fresh: Path) -> Path:
    """Make a cache without kernels; source and base build are the usual cache's own."""
    for kind in ("sources", "bases"):
        (fresh / kind).mkdir(parents=True)
        for path in (cache.root() / kind).iterdir():
            (fresh / kind / path.name).symlink_to(path)
    return fresh


def _make(work: Path) -> None:
    jobs = len(os.sched_getaffinity(0))
    command = ["make", f"-j{jobs}", "ARCH=um", "SUBARCH=x86_64", f"O={tree.BUILD}", "linux"]
    subprocess.run(
        command,
        cwd=work / "tree",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
