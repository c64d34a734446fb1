# SPDX-License-Identifier: GPL-2.0-only
"""Hooks: whether those of a module are ones that difftest calls."""

from __future__ import annotations

import difflib
import inspect
from typing import TYPE_CHECKING, Any

from difftest import hookspecs
from difftest.checking import ok, wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from difftest.checking import Finding

#: What `@hookimpl` leaves on a function.
_MARK = f"{hookspecs.PROJECT}_impl"
#: How alike a name must be to a hook's to be meant for one; "difftest_report" is, "reports" is not.
_ALIKE = 0.85


def hooks(module: ModuleType) -> dict[str, Callable[[], Any]]:
    """Return the hooks of a module that pluggy would take, by name."""
    return {
        name: thing
        for name, thing in _functions(module)
        if name in hookspecs.NAMES and hasattr(thing, _MARK) and not _needed(thing)
    }


def check(module: ModuleType) -> Iterator[Finding]:
    """Look at all functions of a module that are hooks, or seem to be meant for some."""
    for name, thing in _functions(module):
        about = f"{module.__name__}.{name}"
        marked = hasattr(thing, _MARK)
        if name in hookspecs.NAMES:
            if not marked:
                yield wrong(about, "is not called: put @hookimpl (from difftest) above it")
            elif needed := _needed(thing):
                yield wrong(about, f"asks for {', '.join(needed)}: hooks are given nothing")
            else:
                yield ok(about, "is a hook")
        elif near := nearest(name):
            yield wrong(about, f"is no hook: did you mean {near}?")
        elif marked or name.startswith(f"{hookspecs.PROJECT}_"):
            yield wrong(about, f"is no hook: there are {', '.join(hookspecs.NAMES)}")


def nearest(name: str) -> str:
    """Return the hook that a misspelt name is meant for, "" if it is like none."""
    return next(iter(difflib.get_close_matches(name, hookspecs.NAMES, n=1, cutoff=_ALIKE)), "")


def _functions(module: ModuleType) -> Iterator[tuple[str, Callable[[], Any]]]:
    return ((name, one) for name, one in vars(module).items() if inspect.isfunction(one))


def _needed(hook: Callable[[], Any]) -> list[str]:
    """Return the parameters without which a hook cannot be called."""
    named = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        name
        for name, one in inspect.signature(hook).parameters.items()
        if one.default is inspect.Parameter.empty and one.kind not in named
    ]
