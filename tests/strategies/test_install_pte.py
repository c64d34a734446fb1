# SPDX-License-Identifier: GPL-2.0-only
"""install_pte_v4, v5 and v6: what becomes of page and block where the page cannot be mapped.

No workload brings that about; here the file is truncated between the two looks at its size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from played import FITTING, KNOWN, outcomes

import oracles
from difftest import facts, kernels
from difftest.backends.model import Player, load
from difftest.backends.uml import UmlBackend
from difftest.model import code
from difftest.model.kernel import EFAULT
from difftest.outcome import Ending, Outcome, Step
from difftest.workload.codec import from_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.strategy import Strategy

COPY = from_text(
    "mount blocks=2\nfile pages=1\nmap file=0 offset=0 pages=1\ncopy map=0 page=0 source=M\n"
)
#: The page is there already: the copy fails before the page is counted.
TAKEN = from_text(
    "mount blocks=2\nfile pages=1\nmap file=0 offset=0 pages=1\n"
    "write file=0 page=0 pages=1\ncopy map=0 page=0 source=R\n"
)


def truncated_late(name: str, series: str, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Play a copy whose file is truncated when its page has just come into the cache."""
    own = code.ROOT / "series" / f"{series}.patch"
    links = facts.chain(KNOWN[name], KNOWN)
    fixes = [(link.name, link.model_patch_for(series) or "") for link in links]
    patched = load(((series, own.read_text() if own.exists() else ""), *fixes))
    player = Player(patched, COPY)
    add = patched.shmem.shmem_add_to_page_cache

    def add_and_truncate(*args: Any) -> Iterator[str]:
        ret = yield from add(*args)
        player._system.files[0].i_size = 0
        return ret

    with monkeypatch.context() as patch:
        patch.setattr(patched.shmem, "shmem_add_to_page_cache", add_and_truncate)
        return player.play()


@FITTING
def test_a_page_that_cannot_be_mapped_leaves_nothing_but_in_v5(
    strategy: Strategy, series: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = truncated_late(strategy.name, series, monkeypatch)
    copy = outcome.trace[-1]
    assert isinstance(copy, Step)
    assert (copy.ret, copy.used) == (-EFAULT, 0)
    assert outcome.state
    stays = strategy.name == "install_pte_v5"
    assert outcome.state.files[0].cached.startswith("1" if stays else "0")
    assert outcome.state.files[0].blocks == 0


def test_the_page_that_v5_leaves_is_on_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    patched = load(
        tuple(
            (one.name, one.model_patch or "") for one in facts.chain(KNOWN["install_pte_v5"], KNOWN)
        )
    )
    evict = patched.shmem.shmem_evict_inode

    def look(inode: Any, memory: Any) -> None:
        seen.extend(inode.i_mapping.i_pages.values())
        evict(inode, memory)

    monkeypatch.setattr(patched.shmem, "shmem_evict_inode", look)
    truncated_late("install_pte_v5", kernels.DEFAULT, monkeypatch)
    (page,) = seen
    assert (page.uptodate, page.lru, page.locked) == (True, False, False)


@pytest.mark.kernel
@pytest.mark.parametrize("series", kernels.SERIES)
def test_kernels_of_v4_come_up_and_lose_a_block_where_the_page_is_there(series: str) -> None:
    (outcome,) = outcomes(UmlBackend(kernels.SERIES[series]), KNOWN["install_pte_v4"], [TAKEN])
    assert outcome.ending in {Ending.FINISHED, Ending.CRASHED}
    (accounting,) = (one for one in oracles.ORACLES if one.name == "block_accounting")
    verdict = accounting.judge(TAKEN, outcome)
    assert verdict.evidence == (
        "after step 1 (copy) 2 blocks are in use, and the files have 1 pages"
    )
