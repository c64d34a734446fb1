# SPDX-License-Identifier: GPL-2.0-only
"""Guests: the runners that campaigns use, and a boot of theirs alone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from unittest import mock

from difftest import facts, kernels
from difftest.backends import guest, qemu, uml
from strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UML = uml.UmlBackend(kernels.SERIES["6.1"])
QEMU = qemu.QemuBackend(kernels.SERIES["6.1"])


@contextlib.contextmanager
def runner(
    strategy: str, init: Path | None = None, backend: guest.GuestBackend = UML
) -> Iterator[guest.GuestRunner]:
    """Open a runner of a strategy's kernel; with `init`, that program is PID 1 in its guests."""
    known = {one.name: one for one in STRATEGIES}
    chain = facts.chain(known[strategy], known)
    backend.prepare(chain)
    with contextlib.ExitStack() as stack:
        if init:
            stack.enter_context(mock.patch.object(guest, "agent", return_value=init))
        yield stack.enter_context(backend.runner(chain))


def boot(opened: guest.GuestRunner) -> list[bytes]:
    """Boot a guest without workloads, wait for its end, and return the lines that it wrote."""
    with opened.machine.channel([]) as channel:
        opened.boot(channel, 0)
        return channel.lines()
