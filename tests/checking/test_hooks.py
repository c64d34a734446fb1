# SPDX-License-Identifier: GPL-2.0-only
"""Hooks: what difftest would not call is found, and said what it was meant for."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from difftest import hookimpl, hookspecs
from difftest.checking import State, hooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from difftest.checking import Finding


def found(name: str, function: Callable[..., object]) -> list[Finding]:
    module = ModuleType("mine")
    vars(module)[name] = function
    return list(hooks.check(module))


# Made anew for each test, because a mark stays.
def returns_nothing() -> Callable[..., object]:
    return lambda *args: [*args]


def needs_more() -> Callable[..., object]:
    return lambda config: [config]


def needs_nothing() -> Callable[..., object]:
    return lambda config=None, *more: [config, more]


@pytest.mark.parametrize("name", hookspecs.NAMES)
@pytest.mark.parametrize("function", [returns_nothing, needs_nothing])
def test_a_hook_is_one(name: str, function: Callable[..., object]) -> None:
    (finding,) = found(name, hookimpl(function()))
    assert (finding.state, finding.about) == (State.OK, f"mine.{name}")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("difftest_strategy", "difftest_strategies"),
        ("difftest_oracels", "difftest_oracles"),
        ("diftest_reports", "difftest_reports"),
        ("difftest_backend", "difftest_backends"),
    ],
)
@pytest.mark.parametrize("mark", [hookimpl, lambda one: one])
def test_a_near_miss_is_told_what_it_is_meant_for(
    name: str, near: str, mark: Callable[..., Callable[..., object]]
) -> None:
    (finding,) = found(name, mark(returns_nothing()))
    assert (finding.state, finding.text) == (State.WRONG, f"is no hook: did you mean {near}?")


def test_what_is_like_no_hook_is_told_all_of_them() -> None:
    for name, function in (
        ("difftest_kernels", returns_nothing()),
        ("mine", hookimpl(needs_more())),
    ):
        (finding,) = found(name, function)
        assert finding.state is State.WRONG
        assert all(hook in finding.text for hook in hookspecs.NAMES)


def test_a_hook_without_its_mark_is_not_called() -> None:
    (finding,) = found("difftest_oracles", returns_nothing())
    assert finding.state is State.WRONG
    assert "put @hookimpl" in finding.text


def test_a_hook_that_asks_for_something_gets_nothing() -> None:
    (finding,) = found("difftest_oracles", hookimpl(needs_more()))
    assert (finding.state, finding.text) == (
        State.WRONG,
        "asks for config: hooks are given nothing",
    )


def test_other_functions_are_nobodys_business() -> None:
    assert not found("reports", returns_nothing())
    assert not found("judge", needs_more())
