# SPDX-License-Identifier: GPL-2.0-only
"""Kernels with debugging options: as exact as the others, and they name who did it."""

from __future__ import annotations

import pytest
from drawn import seed_of
from wrong import wrong

import strategies
from difftest import kernels
from difftest.backends.model import ModelBackend
from difftest.backends.uml import UmlBackend
from difftest.outcome import Ending
from difftest.workload import generate
from difftest.workload.codec import from_text

pytestmark = pytest.mark.kernel

BACKEND = UmlBackend(kernels.SERIES[kernels.DEFAULT], kernels.DEBUG)
(RELEASE_PAGE,) = (one for one in strategies.STRATEGIES if one.name == "release_page")
FULL = from_text(
    "mount blocks=2\nfile pages=4\nmap file=0 offset=0 pages=4\n"
    "copy map=0 page=0 source=RM\n  window\n    fill leave=0\n"
)
CALM = from_text(
    "mount blocks=4\nfile pages=4\nmap file=0 offset=0 pages=4\n"
    "copy map=0 page=0 source=RM\n  window\n    write file=0 page=3 pages=1\n"
)


def test_it_agrees_with_the_model_in_every_field(request: pytest.FixtureRequest) -> None:
    """Pages held, too: what debugging itself allocates does not show."""
    seed = seed_of(request.config)
    workloads = generate.shard(seed, 0, generate.SHARD)
    BACKEND.prepare([RELEASE_PAGE])
    with ModelBackend().runner([RELEASE_PAGE]) as ours, BACKEND.runner([RELEASE_PAGE]) as theirs:
        pairs = zip(ours.run(workloads), theirs.run(workloads), strict=True)
        played = [pair for pair in pairs if pair[1].ending is not Ending.UNPLAYED]
        assert len(played) > len(workloads) / 2
        assert all(mine == its for mine, its in played), f"seed {seed}"
        assert theirs.culprits == {}


def test_a_leaked_page_has_an_owner() -> None:
    strategy = wrong("forgets_page")
    BACKEND.prepare([strategy])
    with BACKEND.runner([strategy]) as runner:
        seen = list(runner.run([CALM, FULL, CALM]))
        culprits = runner.culprits
    assert [one.held for one in seen] == [0, 1, 0]
    assert culprits == {
        1: "1 left page allocated by shmem_alloc_folio < shmem_mfill_atomic_pte < mcopy_atomic"
    }


def test_a_page_that_is_put_twice_tells_who_freed_it() -> None:
    strategy = wrong("double_put")
    BACKEND.prepare([strategy])
    with BACKEND.runner([strategy]) as runner:
        seen = list(runner.run([FULL, CALM]))
        culprits = runner.culprits
    assert [one.ending for one in seen] == [Ending.CRASHED, Ending.FINISHED]
    assert list(culprits) == [0]
    assert "freed by __folio_put < shmem_mfill_atomic_pte < mcopy_atomic" in culprits[0]
