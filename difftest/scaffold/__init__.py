# SPDX-License-Identifier: GPL-2.0-only
"""Scaffolds: a new package with a plugin that works, and a test of it."""

from __future__ import annotations

import json
import keyword
import re
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from difftest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    from difftest.plugins import Plugins
    from difftest.strategy import Strategy

#: Packages that a plugin of the same name would hide.
_TAKEN = {"difftest", "strategies", "oracles", "reports", "test", "tests", "conftest"}
_LIKE = "release_page"
"""Whose patches a strategy begins with, unless another one is named."""


class Kind(StrEnum):
    STRATEGY = "strategy"
    ORACLE = "oracle"
    REPORT = "report"
    BACKEND = "backend"


def create(plugins: Plugins, kind: Kind, name: str, into: Path, like: str | None) -> Path:
    """Write the package `name` below a directory, and return where it is.

    A strategy begins with the patches of the strategy `like`. All of it is written, or nothing.
    Raises UsageError for a name that cannot be one, and for a target that exists.
    """
    _check_name(plugins, kind, name)
    if like and kind is not Kind.STRATEGY:
        raise UsageError(f"--like {like} is for a new strategy: a new {kind} takes no patches")
    target = into / name
    if target.exists() or target.is_symlink():
        raise UsageError(
            f"{target} exists: nothing is overwritten. Take another name, or --into another place"
        )
    model = plugins.strategy(like or _LIKE) if kind is Kind.STRATEGY else None
    files = _files(kind, name, model)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=into) as folder:
        made = Path(folder) / name
        for path, text in files.items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_text(text, encoding="utf-8")
        made.rename(target)
    return target


def _check_name(plugins: Plugins, kind: Kind, name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} cannot be the name of a plugin, which is a Python package: expected a "
            "letter, then letters, digits and underscores, all small (my_fix)"
        )
    if name in _TAKEN or name in sys.stdlib_module_names:
        raise UsageError(f"{name!r} would hide the Python module {name}: take another name")
    there: dict[Kind, Collection[str]] = {
        Kind.STRATEGY: plugins.strategies,
        Kind.ORACLE: plugins.oracles,
        Kind.REPORT: plugins.reports,
        Kind.BACKEND: plugins.backends,
    }
    if name in there[kind]:
        raise UsageError(f"there is a {kind} {name!r} already: take another name")


def _files(kind: Kind, name: str, like: Strategy | None) -> dict[str, str]:
    """Return the texts of all files by their paths below the package's directory."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("difftest.scaffold"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - this is Python and TOML, not HTML
    )
    environment.filters["literal"] = lambda text: json.dumps(text, ensure_ascii=False)
    camel = "".join(word.capitalize() for word in name.split("_"))

    def text(template: str) -> str:
        return environment.get_template(f"{template}.jinja").render(
            name=name, camel=camel, like=like
        )

    source = f"src/{name}"
    files = {
        "pyproject.toml": text("pyproject.toml"),
        f"{source}/__init__.py": text(f"{kind}.py"),
        f"tests/test_{name}.py": text(f"{kind}.test"),
    }
    if like:
        patches = {f"kernel-{series}": patch for series, patch in like.kernel_patches.items()}
        patches |= {f"model-{one}": patch for one, patch in like.series_model_patches.items()}
        if like.model_patch is not None:
            patches["model"] = like.model_patch
        files |= {f"{source}/{file}.patch": patch for file, patch in patches.items()}
    return files
