# SPDX-License-Identifier: GPL-2.0-only
"""The target of a check: a plugin that is installed, or a folder that may not be."""

from __future__ import annotations

import difflib
import importlib
import sys
import tomllib
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from difftest import hookspecs, plugins
from difftest.checking import hooks, wrong
from difftest.errors import PluginError, UsageError
from difftest.strategy import Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from difftest.checking import Finding
    from difftest.plugins import Plugins


GROUP = hookspecs.PROJECT
"""Of entry points."""
T = TypeVar("T")


@dataclass(slots=True)
class Target:
    """What is to be checked, beside all that is installed.

    `findings` are those of the way there. `folders` are where strategies have their patches, as
    far as that is known, by the name of the strategy.
    """

    plugins: Plugins
    strategies: list[Strategy] = field(default_factory=list)
    others: list[tuple[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    folders: dict[str, Path] = field(default_factory=dict)


def find(named: str, skip: Sequence[str]) -> Target:
    """Find a plugin: in the directory of that name, else what is installed under it.

    Code below the directory is imported. Raises UsageError if there is neither.
    """
    path = Path(named)
    if path.is_dir():
        return _below(path.resolve(), skip)
    loaded = plugins.load(skip)
    if named in loaded.strategies:
        return Target(loaded, [loaded.strategies[named]])
    kinds: dict[str, Mapping[str, Any]] = {
        "oracle": loaded.oracles,
        "report": loaded.reports,
        "backend": loaded.backends,
    }
    for kind, things in kinds.items():
        if named in things:
            return Target(loaded, others=[(kind, things[named])])
    names = [*loaded.strategies, *(name for things in kinds.values() for name in things)]
    near = difflib.get_close_matches(named, names, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(
        f"there is no directory {named}, and nothing of that name is installed: {hint}"
        "expected a plugin's folder, or a name of `difftest list`"
    )


def _below(folder: Path, skip: Sequence[str]) -> Target:
    findings: list[Finding] = []
    entries = _entries(folder, findings)
    modules = {
        entry.name: module for entry in entries if (module := _module(entry, folder, findings))
    }
    for module in modules.values():
        findings += hooks.check(module)
    ours = {entry.module for entry in entries}
    left_out = [*skip, *(one.name for one in plugins.installed() if one.module in ours)]
    before = plugins.load(left_out)
    #: Not under their own names: those may just have been left out.
    also = {
        f"{folder} ({name})": SimpleNamespace(**hooks.hooks(module))
        for name, module in modules.items()
    }
    try:
        loaded = plugins.load(left_out, also)
    except PluginError as error:
        findings.append(wrong(folder.name, str(error)))
        return Target(before, findings=findings)
    target = Target(loaded, findings=findings)
    target.strategies += _new(before.strategies, loaded.strategies)
    for kind, old, new in (
        ("oracle", before.oracles, loaded.oracles),
        ("report", before.reports, loaded.reports),
        ("backend", before.backends, loaded.backends),
    ):
        target.others += [(kind, one) for one in _new(old, new)]
    for module in modules.values():
        _take(target, module)
    if modules and not target.strategies and not target.others:
        findings.append(
            wrong(folder.name, f"brings nothing: expected {' or '.join(hookspecs.NAMES)}")
        )
    return target


def _new(before: Mapping[str, T], after: Mapping[str, T]) -> list[T]:
    return [one for name, one in after.items() if name not in before]


def _entries(folder: Path, findings: list[Finding]) -> list[EntryPoint]:
    """Return what a project says that its plugins are, or the package that the folder is."""
    project = folder / "pyproject.toml"
    if project.is_file():
        return _declared(project, findings)
    if (folder / "__init__.py").is_file():
        names = [folder.name]
        while (folder.parent / "__init__.py").is_file():
            folder = folder.parent
            names.insert(0, folder.name)
        return [EntryPoint(names[-1], ".".join(names), GROUP)]
    raise UsageError(
        f"{folder} is no plugin: expected a project (pyproject.toml) or a package (__init__.py); "
        "`difftest new` writes one"
    )


def _declared(project: Path, findings: list[Finding]) -> list[EntryPoint]:
    try:
        text = tomllib.loads(project.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{project} is no TOML: {error}") from error
    groups = text.get("project", {}).get("entry-points", {})
    if declared := groups.get(GROUP, {}):
        return [EntryPoint(name, value, GROUP) for name, value in declared.items()]
    near = difflib.get_close_matches(GROUP, groups, n=1)
    hint = f": did you mean that by {near[0]}?" if near else ': expected NAME = "package"'
    findings.append(
        wrong(project.name, f"has no [project.entry-points.{GROUP}], so nothing finds it{hint}")
    )
    return []


def _module(entry: EntryPoint, folder: Path, findings: list[Finding]) -> ModuleType | None:
    """Import the module of an entry point from below a folder, or above it for a package."""
    depth = entry.module.count(".") + 1
    root = next(
        (
            place
            for place in (folder / "src", folder, *list(folder.parents)[:depth])
            if _has(place, entry.module)
        ),
        None,
    )
    about = f"entry point {entry.name}"
    if root is None:
        findings.append(wrong(about, f"there is no module {entry.module} in {folder} or its src"))
        return None
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(entry.module)
    except Exception as error:  # noqa: BLE001 - a plugin is anybody's code
        findings.append(wrong(about, f"cannot be imported: {type(error).__name__}: {error}"))
        return None
    finally:
        sys.path.remove(str(root))
    if not Path(module.__file__ or "").resolve().is_relative_to(root):
        raise UsageError(
            f"the module {entry.module} is that of {module.__file__}, not the one below {root}: "
            "rename one of them"
        )
    return module


def _has(place: Path, module: str) -> bool:
    path = place.joinpath(*module.split("."))
    return (path / "__init__.py").is_file() or path.with_suffix(".py").is_file()


def _take(target: Target, module: ModuleType) -> None:
    """Note where strategies have their patches, and those that no hook of the module brings."""
    place = Path(module.__file__ or "").parent
    for one in [thing for thing in vars(module).values() if isinstance(thing, Strategy)]:
        if one.name not in {known.name for known in target.strategies}:
            if target.plugins.strategies.get(one.name) != one:
                text = "no hook brings it: expected @hookimpl difftest_strategies()"
                target.findings.append(wrong(one.name, text))
                target.plugins.strategies[one.name] = one
            target.strategies.append(one)
    for one in target.strategies:
        for folder in (place, place / one.name):
            if folder.name == one.name and any(folder.glob("*.patch")):
                target.folders[one.name] = folder
