# SPDX-License-Identifier: GPL-2.0-only
"""Guests: the runners that campaigns use, and a boot of theirs alone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from unittest import mock

from difftest import facts, kernels
from difftest.backends import guest, uml
from difftest.backends.channel import Channel
from strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BACKEND = uml.UmlBackend(kernels.SERIES["6.1"])


@contextlib.contextmanager
def runner(strategy: str, init: Path | None = None) -> Iterator[guest.GuestRunner]:
    """Open a runner of a strategy's kernel; with `init`, that program is PID 1 in its guests."""
    known = {one.name: one for one in STRATEGIES}
    chain = facts.chain(known[strategy], known)
    BACKEND.prepare(chain)
    with contextlib.ExitStack() as stack:
        if init:
            stack.enter_context(mock.patch.object(guest, "agent", return_value=init))
        yield stack.enter_context(BACKEND.runner(chain))


def boot(opened: guest.GuestRunner) -> list[bytes]:
    """Boot a guest without workloads, wait for its end, and return the lines that it wrote."""
    with Channel([]) as channel:
        opened._boot(channel, 0)  # noqa: SLF001 - a boot alone is nothing that anybody else needs
        return channel.lines()
