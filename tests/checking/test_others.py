# SPDX-License-Identifier: GPL-2.0-only
"""Oracles, reports and backends: what lacks a part of its protocol is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from difftest import plugins
from difftest.checking import State, others


def text_of(kind: str, thing: Any) -> str:
    (found,) = others.check(kind, thing)
    assert found.state is State.WRONG
    return found.text


def test_all_that_is_bundled_has_its_parts() -> None:
    loaded = plugins.load()
    found = [
        *(one for thing in loaded.oracles.values() for one in others.check("oracle", thing)),
        *(one for thing in loaded.reports.values() for one in others.check("report", thing)),
        *(one for thing in loaded.backends.values() for one in others.check("backend", thing)),
    ]
    assert [one for one in found if one.state is not State.OK] == []
    assert len(found) > 20


@pytest.mark.parametrize(
    ("kind", "parts", "message"),
    [
        ("oracle", {"question": "?"}, "has no judge"),
        ("oracle", {"compare": lambda w, b, o: (w, b, o)}, "has no question"),
        ("report", {}, "has no suffix, render"),
        ("backend", {"default": False, "unseen": {}}, "has no missing, supports, prepare"),
    ],
)
def test_parts_that_are_missing_are_named(
    kind: str, parts: dict[str, object], message: str
) -> None:
    assert message in text_of(kind, SimpleNamespace(name="mine", **parts))


@pytest.mark.parametrize(
    ("kind", "parts", "message"),
    [
        ("oracle", {"question": "?", "judge": lambda outcome: outcome},
         "judge(workload, outcome) cannot be called: too many positional arguments"),
        ("oracle", {"question": "?", "judge": True}, "judge is no method"),
        ("report", {"suffix": ".txt", "render": lambda result: result},
         "render(result, run) cannot be called"),
    ],
)  # fmt: skip
def test_methods_that_take_something_else_are_told(
    kind: str, parts: dict[str, object], message: str
) -> None:
    assert message in text_of(kind, SimpleNamespace(name="mine", **parts))
