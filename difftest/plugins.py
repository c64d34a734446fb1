# SPDX-License-Identifier: GPL-2.0-only
"""The plugin manager, behind typed methods: all that is installed."""

from __future__ import annotations

import difflib
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeVar

import pluggy

from difftest import facts, hookspecs
from difftest.errors import PluginError, UsageError
from difftest.strategy import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from difftest.backends import Backend
    from difftest.report import Report
    from difftest.verdict import AnyOracle


class _Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_Named)
NONE: Mapping[str, object] = MappingProxyType({})


class Plugins:
    """What is installed, by name, in the order of registration: the bundled ones first."""

    def __init__(self, manager: pluggy.PluginManager) -> None:
        hook = manager.hook
        self.strategies = _collect("strategy", Strategy, hook.difftest_strategies, manager)
        self.oracles: dict[str, AnyOracle] = _collect(
            "oracle", None, hook.difftest_oracles, manager
        )
        self.reports: dict[str, Report] = _collect("report", None, hook.difftest_reports, manager)
        self.backends: dict[str, Backend] = _collect(
            "backend", None, hook.difftest_backends, manager
        )

    def strategy(self, name: str) -> Strategy:
        return _pick(self.strategies, "strategy", name)

    def oracle(self, name: str) -> AnyOracle:
        return _pick(self.oracles, "oracle", name)

    def report(self, name: str) -> Report:
        return _pick(self.reports, "report", name)

    def backend(self, name: str) -> Backend:
        return _pick(self.backends, "backend", name)

    def chain(self, strategy: Strategy) -> tuple[Strategy, ...]:
        """Return the strategy with all that it stands on, the lowest first."""
        return facts.chain(strategy, self.strategies)


def load(skip: Sequence[str] = (), also: Mapping[str, object] = NONE) -> Plugins:
    """Find the plugins by the entry points of all installed packages, except those in `skip`.

    `also` are others, by name: objects with hooks. Raises PluginError for one that cannot be
    imported, has a misspelt hook or raises in one.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for name in skip:
        manager.set_blocked(name)
    for entry in installed():
        if manager.is_blocked(entry.name) or manager.has_plugin(entry.name):
            continue
        try:
            manager.register(entry.load(), name=entry.name)
        except Exception as error:
            raise PluginError(
                f"plugin {entry.name} ({entry.value}) cannot be loaded: "
                f"{type(error).__name__}: {error}\n"
                f"Mend it, uninstall it, or leave it out with --no-plugin {entry.name}."
            ) from error
    for name, plugin in also.items():
        manager.register(plugin, name=name)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"{error}\nThe hooks are: {', '.join(hookspecs.NAMES)}.") from error
    return Plugins(manager)


def installed() -> list[EntryPoint]:
    """Return the entry points of plugins, those of difftest itself first."""
    found = entry_points(group=hookspecs.PROJECT)
    return sorted(found, key=lambda entry: not (entry.dist and entry.dist.name == "difftest"))


def _collect(
    what: str,
    kind: type[T] | None,
    hook: Callable[[], Iterable[Iterable[T]]],
    manager: pluggy.PluginManager,
) -> dict[str, T]:
    """Call a hook of every plugin and put what they return under its name."""
    found: dict[str, T] = {}
    for implementation in hook.get_hookimpls():  # type: ignore[attr-defined]
        plugin = manager.get_name(implementation.plugin)
        try:
            things = tuple(implementation.function())
        except Exception as error:
            raise PluginError(
                f"plugin {plugin} raises in {implementation.function.__name__}: "
                f"{type(error).__name__}: {error}\n"
                f"Mend it, uninstall it, or leave it out with --no-plugin {plugin}."
            ) from error
        for thing in things:
            name = getattr(thing, "name", None)
            if not isinstance(name, str) or not name or (kind and not isinstance(thing, kind)):
                raise PluginError(f"plugin {plugin} returns {thing!r}, which is no {what}")
            if name in found:
                raise PluginError(
                    f"plugin {plugin} brings a {what} {name!r}, and there is one of that name; "
                    f"rename it, or leave the plugin out with --no-plugin {plugin}"
                )
            found[name] = thing
    return found


def _pick(known: dict[str, T], what: str, name: str) -> T:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(f"unknown {what} {name!r}: {hint}There are: {', '.join(known)}.")
