# SPDX-License-Identifier: GPL-2.0-only
"""Drawing workloads: any that the vocabulary allows, clustered around a full mount."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from difftest.workload.limits import MAX_BLOCKS, MAX_PAGES
from difftest.workload.ops import OPS, Copy, Fill, Op, Shape
from difftest.workload.workload import Map, Workload

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

SHARD = 250
"""Workloads drawn together. A smaller number repeats the simple ones that each draw begins with;
a larger one gives workers less to share: 8 shards in the default run."""

_MAX_OPS = 5
_MAX_ACTIONS = 2
_MAX_WINDOWS = 3
_COMMON_PAGES = 6
_COMMON_BLOCKS = 8

# One draw each, half of them small: a draw costs Hypothesis 50 µs, and a choice of two
# strategies is a draw more.
_BLOCKS = st.sampled_from((*range(1, _COMMON_BLOCKS + 1), *range(1, MAX_BLOCKS + 1, 7)))
_PAGES = st.sampled_from((*range(1, _COMMON_PAGES + 1), *range(0, MAX_PAGES + 1, 4)))


@cache
def _kinds(*, window: bool) -> SearchStrategy[type[Op]]:
    """Kinds of operations, each as often as its weight says."""
    weights = {op: op.weight_in_window if window else op.weight for op in OPS}
    return st.sampled_from([op for op, weight in weights.items() for _ in range(weight)])


@st.composite
def _actions(draw: DrawFn, shape: Shape) -> tuple[Op, ...]:
    kinds = [draw(_kinds(window=True)) for _ in range(draw(st.integers(0, _MAX_ACTIONS)))]
    # A mount that is full when the copy comes back is what most of this is about; drawing
    # actions alone gets there in 8 % of the workloads, this in one of five.
    if draw(st.integers(0, 4)) == 0:
        kinds.append(Fill)
    return tuple(kind.draw(draw, shape) for kind in kinds)


@st.composite
def _windows(draw: DrawFn, shape: Shape, copy: Copy) -> tuple[tuple[Op, ...], ...]:
    """Draw what happens in the windows of a copy: one for each missing page, up to a few."""
    mapping = shape.maps[copy.map]
    missing = [page for page, letter in enumerate(copy.source) if letter == "M"]
    windows = []
    for page in missing[:_MAX_WINDOWS]:
        index = min(mapping.offset + copy.page + page, MAX_PAGES - 1)
        aimed = dataclasses.replace(shape, target=(mapping.file, index))
        windows.append(draw(_actions(aimed)))
    return tuple(windows)


@st.composite
def workloads(draw: DrawFn) -> Workload:
    """Draw a workload."""
    blocks = draw(_BLOCKS)
    files = tuple(draw(_PAGES) for _ in range(draw(st.integers(1, 3))))
    maps = []
    for _ in range(draw(st.integers(1, 3))):
        file = draw(st.integers(0, len(files) - 1))
        offset = draw(st.sampled_from((0, 0, 0, 1, files[file])))
        # Half of them end where the file does, the others anywhere.
        rest = max(1, files[file] - offset)
        pages = draw(st.integers(1 - _COMMON_PAGES, _COMMON_PAGES))
        maps.append(Map(file, offset, pages if pages > 0 else rest))
    shape = Shape(blocks, files, tuple(maps))
    steps = []
    for _ in range(draw(st.integers(1, _MAX_OPS))):
        op = draw(_kinds(window=False)).draw(draw, shape)
        if isinstance(op, Copy):
            op = dataclasses.replace(op, actions=draw(_windows(shape, op)))
        steps.append(op)
    return Workload(blocks, files, tuple(maps), tuple(steps))


def shard(campaign_seed: int, number: int, count: int) -> list[Workload]:
    """Draw the first `count` workloads of shard `number` of a campaign.

    The same arguments give the same workloads with the same version of Hypothesis.
    """
    drawn: list[Workload] = []

    @seed(campaign_seed * 1_000_003 + number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(workloads())
    def collect(workload: Workload) -> None:
        drawn.append(workload)

    collect()
    return drawn[:count]
