# SPDX-License-Identifier: GPL-2.0-only
"""The directory of a run: one process writes it, and others can tell."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from difftest import directory
from difftest.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


def test_numbers_count_and_not_letters(tmp_path: Path) -> None:
    for name in ("0010", "0009", "10000", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "0011").touch()
    assert [path.name for path in directory.numbered(tmp_path)] == ["0009", "0010", "10000"]
    assert directory.following(tmp_path).name == "10001"


def test_who_writes_is_named_to_the_second_and_known_to_those_who_look(tmp_path: Path) -> None:
    assert not directory.is_written(tmp_path)
    with directory.locked(tmp_path):
        assert directory.is_written(tmp_path)
        with pytest.raises(StoreError, match=rf"another difftest \(process {os.getpid()}\)"):
            directory.locked(tmp_path)
    assert not directory.is_written(tmp_path)
    directory.locked(tmp_path).close()
