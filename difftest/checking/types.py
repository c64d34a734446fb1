# SPDX-License-Identifier: GPL-2.0-only
"""The types of a patched model, as mypy sees them."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from difftest.backends.model import ModelBackend, copy
from difftest.checking import ok, unknown, wrong
from difftest.errors import PatchError, RigError
from difftest.facts import model_of
from difftest.kernels.series import SERIES
from difftest.model import code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.checking import Finding
    from difftest.strategy import Strategy

_ERROR = re.compile(r"difftest/model/(?P<place>[^:]+):(?P<line>\d+): error: (?P<text>.*)")
INSTALL = "`pip install 'mypy>=1.11'`, or difftest with its extra `check`"
#: Statuses of mypy: nothing found, something found. Anything else is its own failure.
_RAN = (0, 1)


def check(chain: Sequence[Strategy]) -> Iterator[Finding]:
    """Run mypy on the model of each series that a strategy's patches apply to.

    What it finds in the model without them, being perhaps another mypy than ours, is left out.
    """
    models = {series: ModelBackend(series) for series in SERIES}
    # One for all of them: most of the time goes into the standard library.
    with tempfile.TemporaryDirectory(prefix="difftest-types-") as cache:
        for series, model in models.items():
            if any(map(model.supports, chain)):
                continue
            about = f"{chain[-1].name}, types of {model_of(series)}"
            if importlib.util.find_spec("mypy") is None:
                yield unknown(about, f"mypy is not installed: {INSTALL}")
                return
            try:
                found = _errors(model.patches(chain), cache)
            except PatchError:
                continue
            if found:
                found = _without(found, _errors(model.patches(()), cache))
            if found:
                yield wrong(about, "\n".join([f"mypy finds {len(found)}:", *found]))
            else:
                yield ok(about, "mypy finds nothing")


def _errors(patches: Sequence[tuple[str, str]], cache: str) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="difftest-types-") as folder:
        package = Path(folder) / "difftest"
        package.mkdir()
        (package / "__init__.py").touch()
        ignored = shutil.ignore_patterns("*.pyc", *code.PATCHABLE)
        shutil.copytree(code.ROOT, package / "model", ignore=ignored)
        copy(patches, package / "model")
        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary",
             "--cache-dir", cache, "-p", "difftest.model"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode not in _RAN:
        raise RigError(f"mypy failed: {(done.stderr or done.stdout).strip()}")
    found = [
        f"{match['place']}:{match['line']}: {match['text']}"
        for match in map(_ERROR.fullmatch, done.stdout.splitlines())
        if match
    ]
    if done.returncode and not found:  # it found something, and not where we look
        raise RigError(f"mypy says what cannot be read: {done.stdout.strip()}")
    return found


def _without(found: list[str], known: list[str]) -> list[str]:
    """Return the errors that are not also known, wherever in the file those are."""
    left = Counter(map(_anywhere, known))
    new = []
    for error in found:
        if left[_anywhere(error)]:
            left[_anywhere(error)] -= 1
        else:
            new.append(error)
    return new


def _anywhere(error: str) -> str:
    return re.sub(r":\d+:", ":", error, count=1)
