# SPDX-License-Identifier: GPL-2.0-only
"""An equivalent: a mutant that no oracle can kill, and the reason, written beside the strategy.

Its file has room for lines that no workload can execute, too (difftest/unreached.py).
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import msgspec

from difftest.errors import PluginError
from difftest.outcome import Record
from difftest.unreached import Unreached  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from pathlib import Path

FILE = "mutants.toml"


class Equivalent(Record, frozen=True, forbid_unknown_fields=True):
    """`mutant` is the name of an edit ("drop+3") of the file `patch` ("model.patch").

    `line` is the line that it is made to, so that a reason cannot wander off to another edit when
    the patch changes.
    """

    patch: str
    mutant: str
    line: str
    reason: str


class Reasons(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `mutants.toml` has."""

    equivalent: tuple[Equivalent, ...] = ()
    unreached: tuple[Unreached, ...] = ()


def reasons(folder: Path) -> Reasons:
    """Read `mutants.toml` in a strategy's folder; nothing if there is none.

    Raises PluginError for a file that is not of that form, or says two things of one mutant.
    """
    file = folder / FILE
    if not file.exists():
        return Reasons()
    try:
        read = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Reasons)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PluginError(
            f"{file}: {error}. Expected are tables [[equivalent]] with `patch` (a file's name), "
            "`mutant` (its name after the ~), `line` and `reason`, and [[unreached]] with `patch`, "
            "`lines` and `reason`"
        ) from error
    keys = [(one.patch, one.mutant) for one in read.equivalent]
    for number, (key, one) in enumerate(zip(keys, read.equivalent, strict=True)):
        if key in keys[:number]:
            raise PluginError(f"{file}: two reasons for {one.mutant} of {one.patch}")
        if not one.reason.strip():
            raise PluginError(f"{file}: the reason for {one.mutant} of {one.patch} is empty")
    for line in read.unreached:
        if not line.lines.strip() or not line.reason.strip():
            raise PluginError(f"{file}: lines or reason of an unreached of {line.patch} are empty")
    return read
