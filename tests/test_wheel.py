# SPDX-License-Identifier: GPL-2.0-only
"""The wheel has everything that a run needs, and nothing that it does not."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("difftest", "strategies", "oracles", "reports")


def test_the_wheel_holds_the_four_packages_whole(tmp_path: Path) -> None:
    source = tmp_path / "source"
    ignore = shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=ignore)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, source],
        check=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ours = {
        path.relative_to(source).as_posix()
        for package in PACKAGES
        for path in (source / package).rglob("*")
        if path.is_file()
    }
    assert names == ours
    assert {
        "difftest/guest/agent.c",
        "difftest/kernels/configs/gcov-6.1.patch",
        "difftest/kernels/configs/uml.config",
        "difftest/kernels/patches/6.1/baseline.patch",
        "difftest/kernels/reach/6.1.toml",
        "difftest/py.typed",
        "difftest/scenarios/race.scenario",
        "difftest/schema/result-1.json",
        "reports/html.css",
        "reports/html.jinja",
        "strategies/release_page/kernel-6.1.patch",
        "strategies/release_page/model.patch",
    } <= names
