# SPDX-License-Identifier: GPL-2.0-only
"""Refreshing: files are written where they then apply, and left alone where they do not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from played import KNOWN

import strategies
from difftest import plugins
from difftest.backends.model import ModelBackend, load
from difftest.checking import State, refresh
from difftest.checking.target import Target
from difftest.errors import UsageError

HERE = Path(strategies.__file__).parent


def copied(into: Path, *names: str) -> Target:
    """Return a target of bundled strategies with their files in a directory of their own."""
    loaded = plugins.load()
    folders = {}
    for name in names:
        folders[name] = into / name
        shutil.copytree(HERE / name, into / name)
        for path in folders[name].glob("kernel-*.patch"):
            path.unlink()
    return Target(loaded, [loaded.strategies[name] for name in names], folders=folders)


def spoilt(target: Target, name: str, old: str, new: str) -> Path:
    path = target.folders[name] / "model.patch"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_a_model_patch_in_changed_context_is_written_and_applies(tmp_path: Path) -> None:
    target = copied(tmp_path, "release_page")
    before = KNOWN["release_page"].model_patch or ""
    path = spoilt(target, "release_page", "         return -ENOMEM", "         return -ENOSPC")
    (found,) = refresh.refresh(target)
    assert found.state is State.OK
    assert found.text == "refreshed: look at what changed around 1 of its hunks"
    assert path.read_text().splitlines()[3:] == before.splitlines()[3:]
    (one,) = target.strategies
    assert one.model_patch == path.read_text()
    assert target.plugins.strategies["release_page"] is one
    fixed, model = [KNOWN["release_page"]], ModelBackend()
    assert load(model.patches([one])).digest() == load(model.patches(fixed)).digest()
    (again,) = refresh.refresh(target)
    assert again.text == "is as it should be"


def test_a_patch_that_cannot_be_refreshed_is_left_as_it_is(tmp_path: Path) -> None:
    target = copied(tmp_path, "remove_bug_on")
    path = spoilt(target, "remove_bug_on", "-", "-no such line ")
    text = path.read_text()
    (found,) = refresh.refresh(target)
    assert found.state is State.WRONG
    assert found.about == "remove_bug_on, model.patch"
    assert path.read_text() == text


def test_what_a_strategy_stands_on_is_refreshed_before_it(tmp_path: Path) -> None:
    target = copied(tmp_path, "install_pte_v6", "release_page")
    names = [one.about.partition(",")[0] for one in refresh.refresh(target)]
    assert names == ["release_page", "install_pte_v6"]


def test_there_must_be_files_to_rewrite() -> None:
    loaded = plugins.load()
    with pytest.raises(UsageError, match="name a folder that has some"):
        list(refresh.refresh(Target(loaded, [loaded.strategies["release_page"]])))


@pytest.mark.kernel
@pytest.mark.parametrize("name", [one for one in KNOWN if one != "unpatched"])
def test_bundled_kernel_patches_are_as_they_should_be(name: str, tmp_path: Path) -> None:
    shutil.copytree(HERE / name, tmp_path / name)
    loaded = plugins.load()
    target = Target(loaded, [loaded.strategies[name]], folders={name: tmp_path / name})
    found = [one for one in refresh.refresh(target) if ", kernel-" in one.about]
    assert len(found) == len(KNOWN[name].kernel_patches)
    assert {one.text for one in found} <= {"is as it should be", "is empty"}
