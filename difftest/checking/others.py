# SPDX-License-Identifier: GPL-2.0-only
"""Oracles, reports and backends: whether they have what their protocols ask for."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from difftest.backends import Backend
from difftest.checking import ok, wrong
from difftest.report import Report
from difftest.verdict import Oracle, Pairwise, compares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.checking import Finding

_PROTOCOLS: dict[str, type] = {"report": Report, "backend": Backend}


def check(kind: str, thing: Any) -> Iterator[Finding]:
    """Compare a thing with the protocol of its kind: its members, and what its methods take."""
    about = f"{kind} {thing.name}"
    protocol = _PROTOCOLS.get(kind) or (Pairwise if compares(thing) else Oracle)
    lacking = [
        name
        for name in (*inspect.get_annotations(protocol), *_methods(protocol))
        if not hasattr(thing, name)
    ]
    if lacking:
        yield wrong(about, f"has no {', '.join(lacking)}")
        return
    odd = [text for name in _methods(protocol) if (text := _odd(protocol, thing, name))]
    yield wrong(about, "; ".join(odd)) if odd else ok(about, "has all that difftest asks for")


def _methods(protocol: type) -> list[str]:
    return [
        name for name, one in vars(protocol).items() if inspect.isfunction(one) and name[0] != "_"
    ]


def _odd(protocol: type, thing: Any, name: str) -> str:
    """Say why a method cannot be called as the protocol's is, "" if it can."""
    method = getattr(thing, name)
    if not callable(method):
        return f"{name} is no method"
    asked = list(inspect.signature(getattr(protocol, name)).parameters)[1:]
    try:
        inspect.signature(method).bind(*asked)
    except TypeError as error:
        return f"{name}({', '.join(asked)}) cannot be called: {error}"
    return ""
