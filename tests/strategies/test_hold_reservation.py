# SPDX-License-Identifier: GPL-2.0-only
"""hold_reservation: the block is kept while a copy waits, and given back on every way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from played import KNOWN, outcomes

import oracles
from difftest import kernels
from difftest.backends.model import ModelBackend
from difftest.backends.uml import UmlBackend
from difftest.outcome import Ending, Outcome, Step, Window
from difftest.verdict import compares
from difftest.workload.codec import from_text

if TYPE_CHECKING:
    from difftest.workload.workload import Workload

HOLD = KNOWN["hold_reservation"]

#: What may come into the place of the mapping, or keep the copy from coming back, in its window.
WAYS_OUT = (
    "write file=0 page=0 pages=1",
    "truncate file=0 pages=0",
    "munmap map=0",
    "remap map=0 file=0 offset=1",
    "remap map=0 file=1 offset=0",
    "remap map=0 file=2 offset=0",
    "remap_private map=0 file=0 offset=0",
    "remap_anonymous map=0",
    "mremap map=0",
    "unregister map=0",
    "remove_begin map=0 page=0 pages=1",
    "close_destination",
    "munmap_source",
    "close_source",
    "kill_copier",
)


def workload(action: str, first: str) -> Workload:
    return from_text(
        f"mount blocks=4\nfile pages=2\nfile pages=2\nmemfd pages=2\n{first}\n"
        f"copy map=0 page=0 source=M\n  window\n    fill leave=0\n    {action}\n"
    )


WORKLOADS = [
    workload(action, first)
    for action in WAYS_OUT
    for first in ("map file=0 offset=0 pages=2", "map_shared_anonymous pages=2")
]


def right(one: Workload, outcome: Outcome) -> None:
    assert outcome.ending is Ending.FINISHED
    for oracle in oracles.ORACLES:
        if not compares(oracle):
            assert oracle.judge(one, outcome).value == "pass", oracle.name


@pytest.mark.parametrize("series", kernels.SERIES)
def test_the_block_is_given_back_on_every_way_out(series: str) -> None:
    for one, outcome in zip(
        WORKLOADS, outcomes(ModelBackend(series), HOLD, WORKLOADS), strict=True
    ):
        right(one, outcome)


def test_the_block_is_kept_in_the_window_and_the_retry_gets_through() -> None:
    one = workload("fill leave=0", "map file=0 offset=0 pages=2")
    (outcome,) = outcomes(ModelBackend(), HOLD, [one])
    window, *_, copy = outcome.trace
    assert isinstance(window, Window)
    assert isinstance(copy, Step)
    assert (window.used, copy.ret, copy.used) == (1, 0, 4)


def test_the_file_outlives_its_mapping_as_long_as_a_copy_waits() -> None:
    """6.12 warns where a file goes whose blocks are not given back: naive_hold has that."""
    one = workload("munmap map=0", "map_shared_anonymous pages=2")
    backend = ModelBackend("6.12")
    assert outcomes(backend, HOLD, [one])[0].ending is Ending.FINISHED
    (naive,) = outcomes(backend, KNOWN["naive_hold"], [one])
    assert naive.title == "WARNING at mm/shmem.c shmem_evict_inode"


@pytest.mark.kernel
@pytest.mark.parametrize("series", kernels.SERIES)
def test_kernels_give_it_back_too(series: str) -> None:
    seen = outcomes(UmlBackend(kernels.SERIES[series]), HOLD, WORKLOADS)
    for one, outcome in zip(WORKLOADS, seen, strict=True):
        right(one, outcome)
    assert seen == outcomes(ModelBackend(series), HOLD, WORKLOADS)


@pytest.mark.kernel
@pytest.mark.parametrize("series", kernels.SERIES)
def test_what_a_killed_copier_held_does_not_move_the_limit_of_memory(series: str) -> None:
    one = from_text(
        "mount blocks=0\nfile pages=1\nmap file=0 offset=0 pages=1\novercommit leave=1\n"
        "copy map=0 page=0 source=M\n  window\n    kill_copier\ncopy map=0 page=0 source=R\n"
    )
    (ours,) = outcomes(ModelBackend(series), HOLD, [one])
    (theirs,) = outcomes(UmlBackend(kernels.SERIES[series]), HOLD, [one])
    assert [step.ret for step in theirs.trace if isinstance(step, Step)][-1] == 0
    assert theirs.trace == ours.trace


@pytest.mark.kernel
@pytest.mark.parametrize("series", kernels.SERIES)
def test_a_file_that_a_copy_held_gives_its_memory_back_when_the_copy_returns(series: str) -> None:
    one = from_text(
        "mount blocks=0\nfile pages=1\nmap file=0 offset=0 pages=1\n"
        "map_shared_anonymous pages=2\ncopy map=1 page=0 source=M\n  window\n"
        "    overcommit leave=0\n    munmap map=1\n"
        "copy map=0 page=0 source=R\nwrite file=0 page=1 pages=2\n"
    )
    (ours,) = outcomes(ModelBackend(series), HOLD, [one])
    (theirs,) = outcomes(UmlBackend(kernels.SERIES[series]), HOLD, [one])
    assert [step.ret for step in theirs.trace if isinstance(step, Step)][-2:] == [0, 4096]
    assert theirs == ours
