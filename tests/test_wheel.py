# SPDX-License-Identifier: GPL-2.0-only
"""The wheel has everything that a run needs, and nothing that it does not."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from installed import PACKAGES, source_of, wheels

if TYPE_CHECKING:
    from pathlib import Path


def test_the_wheel_holds_the_four_packages_whole(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    (wheel,) = wheels(tmp_path, source)
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
