# SPDX-License-Identifier: GPL-2.0-only
"""Plugins: a third party's package is found like the bundled ones; a broken one is named."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import pytest

import difftest
from difftest import hookspecs, plugins, session
from difftest.errors import PluginError, UsageError


def with_plugin(monkeypatch: pytest.MonkeyPatch, name: str, **hooks: object) -> None:
    """Register a module with these attributes as a plugin, beside the bundled ones."""
    module = ModuleType(name)
    vars(module).update(hooks)
    monkeypatch.setitem(sys.modules, name, module)
    found = [*entry_points(group="difftest"), EntryPoint(name, name, "difftest")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: found)  # noqa: ARG005


def test_the_bundled_plugins_come_by_entry_points() -> None:
    names = {entry.name for entry in entry_points(group="difftest")}
    assert names >= {"strategies", "oracles", "reports", "backends"}


def test_everything_bundled_is_there_in_order() -> None:
    loaded = plugins.load()
    assert list(loaded.strategies)[:2] == ["unpatched", "remove_bug_on"]
    assert next(iter(loaded.oracles)) == "no_kernel_bug"
    assert list(loaded.reports) == [
        "table",
        "markdown",
        "github",
        "html",
        "lkml",
        "json",
        "junit",
        "kcidb",
    ]
    models = ["model:5.10", "model", "model:6.12"]
    kernels = ["uml:5.10", "uml:6.1", "uml:6.12", "uml:6.1+debug", "uml:6.12+debug"]
    emulated = ["qemu:5.10", "qemu:6.1", "qemu:6.12"]
    assert list(loaded.backends) == [*models, *kernels, *emulated]


def test_a_run_that_names_no_backend_needs_one_kernel() -> None:
    loaded = plugins.load()
    default = [one.name for one in loaded.backends.values() if one.default]
    assert default == ["model", "uml:6.1"]
    chosen, left_out = session.backends_of(loaded, [])
    assert [one.name for one in chosen] + list(left_out) == default
    named, _ = session.backends_of(loaded, ["model"])
    assert [one.name for one in named] == ["model"]


def test_a_plugin_that_raises_while_loading_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with_plugin(monkeypatch, "broken_one")
    found = EntryPoint("broken_one", "no_such_module_at_all", "difftest")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [found])  # noqa: ARG005
    with pytest.raises(PluginError, match=r"plugin broken_one .* cannot be loaded") as error:
        plugins.load()
    assert "--no-plugin broken_one" in str(error.value)
    assert plugins.load(skip=["broken_one"]).strategies == {}


def test_a_hook_that_raises_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    @difftest.hookimpl
    def difftest_oracles() -> list[object]:
        raise ZeroDivisionError("by what?")

    with_plugin(monkeypatch, "raising_one", difftest_oracles=difftest_oracles)
    with pytest.raises(PluginError, match="raising_one raises in difftest_oracles: ZeroDivision"):
        plugins.load()


def test_a_misspelt_hook_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    @difftest.hookimpl
    def difftest_oracels() -> list[object]:
        return []

    with_plugin(monkeypatch, "misspelt_one", difftest_oracels=difftest_oracels)
    with pytest.raises(PluginError, match="difftest_oracels") as error:
        plugins.load()
    assert "The hooks are: difftest_strategies, difftest_oracles" in str(error.value)


@pytest.mark.parametrize("thing", [None, 7, difftest.PASS])
def test_a_thing_that_is_no_strategy_is_refused(
    monkeypatch: pytest.MonkeyPatch, thing: object
) -> None:
    @difftest.hookimpl
    def difftest_strategies() -> list[object]:
        return [thing]

    with_plugin(monkeypatch, "odd_one", difftest_strategies=difftest_strategies)
    with pytest.raises(PluginError, match=r"plugin odd_one returns .*, which is no strategy"):
        plugins.load()


def test_a_name_that_is_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    @difftest.hookimpl
    def difftest_strategies() -> list[difftest.Strategy]:
        return [difftest.Strategy(name="release_page", claim="")]

    with_plugin(monkeypatch, "second_one", difftest_strategies=difftest_strategies)
    with pytest.raises(PluginError, match="second_one brings a strategy 'release_page'"):
        plugins.load()


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [
        ("strategy", "relese_page", "release_page"),
        ("oracle", "page_leek", "page_leak"),
        ("backend", "uml:6.2", "uml:6.1"),
        ("report", "markdwon", "markdown"),
    ],
)
def test_an_unknown_name_gets_the_nearest_and_all_valid_ones(
    kind: str, name: str, near: str
) -> None:
    with pytest.raises(UsageError) as error:
        getattr(plugins.load(), kind)(name)
    assert f"unknown {kind} {name!r}: did you mean {near}" in str(error.value)
    assert "There are: " in str(error.value)


def test_every_hook_is_documented_and_used() -> None:
    source = Path(plugins.__file__).read_text(encoding="utf-8")
    hooks = [name for name in vars(hookspecs) if name.startswith("difftest_")]
    assert len(hooks) == 4
    for name in hooks:
        assert getattr(hookspecs, name).__doc__, name
        assert f"hook.{name}" in source, name
