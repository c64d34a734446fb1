# SPDX-License-Identifier: GPL-2.0-only
"""A program other than the agent, alone in a boot of its own: what goes in, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from difftest.backends.console import Complaint
    from difftest.strategy import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """`init` is PID 1, and powers the guest off; what it writes to its standard output is kept.

    It may be given more arguments than these, behind them. `files` are others that the guest
    has, by their paths there. `memory` is the guest's, in MiB; `patience` the seconds it gets.
    """

    init: Path
    arguments: tuple[str, ...] = ()
    files: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))
    memory: int = 64
    patience: float = 10.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A boot that is over: all of its console, what that complains of, the guest's exit status.

    `given_up` says that it did not end by itself.
    """

    console: str
    complaint: Complaint | None
    status: int
    given_up: bool


@runtime_checkable
class Boots(Protocol):
    """A backend that boots kernels, and can boot a strategy's with a program of ours."""

    name: str

    def boot(self, chain: Sequence[Strategy], program: Program) -> Ended:
        """Boot, wait for the end, say what was seen; called after `prepare`, in any process."""
        ...
