# SPDX-License-Identifier: GPL-2.0-only
"""Drawing workloads with faults: such as any, mostly with a copy first that faults can hit."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from difftest.workload import generate
from difftest.workload.choices import Choices
from difftest.workload.faults import KEEPS_PAGE, SITES, Fault
from difftest.workload.limits import MAX_STEPS
from difftest.workload.ops import Copy, Shape

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from difftest.workload.workload import Workload

_SEEDS = 500_000
"""Between the seed of a campaign's first shard without faults and of its first one with them."""

_HEAD_BYTES = 24
_AIMED_BYTES = 8 + generate.MAX_WINDOWS * generate.WINDOW_BYTES
_BYTES = _HEAD_BYTES + _AIMED_BYTES
LAYOUT = (_HEAD_BYTES, _AIMED_BYTES, *generate.LAYOUT)

_MOST = 2
_CALLS = (1, 1, 1, 2, 2, 3, 4)
_AIMED_PAGES = 4
_NAMES = (*SITES, KEEPS_PAGE)
"""The sites, with that which needs a copy that stopped twice."""


def _fault(choose: Choices) -> Fault:
    site = SITES[choose.pick(_NAMES)]
    # That the callee says that all is well is the worst it can do.
    errors = (site.errors[0], *site.errors)
    return Fault(site.name, choose.pick(_CALLS), choose.pick(errors))


def _faults(choose: Choices) -> tuple[Fault, ...]:
    some = [_fault(choose)]
    if choose.chance(1, 4):
        some.append(_fault(choose))
    return tuple({(one.site, one.call): one for one in some}.values())


def _aimed(choose: Choices, workload: Workload) -> Copy:
    """A copy that stops at once, and mostly has more pages to go: what is forgotten meets them."""
    shape = Shape(workload.blocks, workload.files + workload.memfds, workload.maps)
    number = choose.below(len(workload.maps))
    pages = choose.between(1, min(_AIMED_PAGES, workload.maps[number].pages))
    rest = "".join(choose.pick("RRM") for _ in range(pages - 1))
    copy = Copy(number, 0, "M" + rest)
    return dataclasses.replace(copy, actions=generate.windows(choose, shape, copy))


def decode(piece: bytes) -> Workload:
    """Return the workload with faults that a piece of bytes stands for."""
    choose = Choices(piece)
    head, aimed = choose.part(_HEAD_BYTES), choose.part(_AIMED_BYTES)
    workload = generate.decode(piece[_BYTES:])
    faults = _faults(head)
    if not head.chance(1, 4):
        steps = (_aimed(aimed, workload), *workload.steps)
        workload = dataclasses.replace(workload, steps=steps)
    workload = dataclasses.replace(workload, faults=faults)
    if _lines(workload) > MAX_STEPS:
        return dataclasses.replace(workload, steps=workload.steps[1:])
    return workload


def _lines(workload: Workload) -> int:
    """Return how many lines the text of a workload has."""
    set_up = 1 + sum(map(len, (workload.files, workload.memfds, workload.maps, workload.faults)))
    return set_up + sum(1 + sum(1 + len(some) for some in op.windows) for op in workload.steps)


def workloads() -> SearchStrategy[Workload]:
    """Draw a workload with faults."""
    from hypothesis import strategies as st  # noqa: PLC0415 - as in generate.py

    size = _BYTES + generate.BYTES
    return st.binary(min_size=size, max_size=size).map(decode)


def shard(campaign_seed: int, number: int, count: int) -> list[Workload]:
    """Draw the first `count` workloads with faults of shard `number` of a campaign."""
    seed = campaign_seed * 1_000_003 + _SEEDS + number
    return generate.drawn_with(seed, workloads(), count, first=number == 0)
