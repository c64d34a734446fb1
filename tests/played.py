# SPDX-License-Identifier: GPL-2.0-only
"""Playing workloads: on any backend, and with an agent that is not quite ours."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

import pytest

import strategies
from difftest import facts, kernels
from difftest.backends import guest
from difftest.backends.model import ModelBackend
from difftest.guest import build
from difftest.workload.codec import from_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from difftest.backends import Backend
    from difftest.backends.guest import GuestBackend
    from difftest.outcome import Outcome
    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload

KNOWN = {one.name: one for one in strategies.STRATEGIES}
MODEL = ModelBackend()

#: Every bundled strategy with every series that it makes sense for.
FITTING = pytest.mark.parametrize(
    ("strategy", "series"),
    [
        pytest.param(one, series, id=f"{one.name}-{series}")
        for one in strategies.STRATEGIES
        for series in kernels.SERIES
        if series not in one.does_not_apply
    ],
)

CRASH = from_text(
    "mount blocks=2\nfile pages=4\nmap file=0 offset=0 pages=4\n"
    "copy map=0 page=0 source=RM\n  window\n    fill leave=0\n"
)
CALM = from_text(
    "mount blocks=4\nfile pages=4\nmap file=0 offset=0 pages=4\n"
    "copy map=0 page=0 source=RM\n  window\n    write file=0 page=3 pages=1\n"
)


def outcomes(backend: Backend, strategy: Strategy, workloads: Sequence[Workload]) -> list[Outcome]:
    chain = facts.chain(strategy, KNOWN)
    backend.prepare(chain)
    with backend.runner(chain) as runner:
        return list(runner.run(workloads))


@contextlib.contextmanager
def guest_with(backend: GuestBackend, agent: Path) -> Iterator[guest.GuestRunner]:
    """Open a runner on the baseline kernel with another agent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guest, "agent", lambda: agent)
        with backend.runner([KNOWN["unpatched"]]) as runner:
            yield runner


def changed_agent(folder: Path, file: str, old: str, new: str) -> Path:
    """Build the agent with a line of it changed."""
    sources = folder / "guest"
    shutil.copytree(build.SOURCES, sources, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    text = (sources / file).read_text(encoding="utf-8")
    assert old in text
    (sources / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    return build.agent(sources)
