# SPDX-License-Identifier: GPL-2.0-only
"""Drawing workloads: any that the vocabulary allows, clustered around a full mount."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import TYPE_CHECKING

from difftest.workload.choices import Choices
from difftest.workload.limits import MAX_BEGINS, MAX_BLOCKS, MAX_HUGE, MAX_PAGES
from difftest.workload.ops import (
    ENDS_WINDOW,
    OP_BYTES,
    OPS,
    Begin,
    Continue,
    Copy,
    CopyWp,
    Fill,
    Free,
    Mlock,
    Op,
    Pageout,
    Punch,
    RegisterWp,
    Remap,
    Resume,
    Shape,
    Swapon,
    Theme,
    Truncate,
    Zeropage,
)
from difftest.workload.workload import Kind, Map, Workload

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SHARD = 250
"""Workloads drawn together: large enough to be worth a worker's while, small enough that eight of
them, the default run, can be shared out."""

_MAX_OPS = 6
_MAX_ACTIONS = 2
MAX_WINDOWS = 3
_FEW = (1, 1, 1, 2, 2, 3)
"""Files, and mappings: each costs a kernel as much as an operation, and finds less."""
_KINDS = (*(Kind.SHARED for _ in range(9)), *(kind for kind in Kind if not kind.huge))
_HUGE = (Kind.HUGETLB, Kind.HUGETLB, Kind.HUGETLB_NORESERVE)
_THEMES = (*(None for _ in range(22)), *Theme)
_OF_THEME = 4
"""How much more often a workload's theme comes up than the weights of its operations say."""
_COMMON_PAGES = 6
_COMMON_BLOCKS = 8

# The layout: a head, then a place for each operation, with a place in it for each window.
_HEAD_BYTES = 48
_ACTION_BYTES = 1 + OP_BYTES
WINDOW_BYTES = _MAX_ACTIONS * _ACTION_BYTES + 2
_STEP_BYTES = 2 + OP_BYTES + MAX_WINDOWS * WINDOW_BYTES
LAYOUT = (_HEAD_BYTES, *(_STEP_BYTES for _ in range(_MAX_OPS)))
BYTES = sum(LAYOUT)


@cache
def _kinds(theme: Theme | None, *, window: bool) -> tuple[type[Op], ...]:
    """Kinds of operations, each as often as its weight says."""
    weights = {op: op.weight_in_window if window else op.weight for op in OPS}
    about = {None: 1, theme: _OF_THEME if theme else 1}
    if theme is Theme.HUGE:
        about[Theme.PROTECT] = 1
    kinds = (op for op, weight in weights.items() for _ in range(weight * about.get(op.theme, 0)))
    # Where something is protected, mostly that is what is copied to.
    protecting = theme is Theme.PROTECT and not window
    return (*kinds, *(CopyWp for _ in range(Copy.weight if protecting else 0)))


@cache
def _kinds_or_none(theme: Theme | None, *, window: bool) -> tuple[type[Op] | None, ...]:
    """The same, and None: for 2 of 5 operations, for 3 of 5 actions in a window."""
    kinds = _kinds(theme, window=window)
    return (*(None for _ in range(len(kinds) * 3 // 2 if window else len(kinds) * 2 // 3)), *kinds)


def _actions(choose: Choices, shape: Shape) -> tuple[Op, ...]:
    actions: list[Op] = []
    for _ in range(_MAX_ACTIONS):
        part = choose.part(_ACTION_BYTES)
        kind = part.pick(_kinds_or_none(shape.theme, window=True))
        if kind:
            actions.append(kind.draw(part, shape))
            if isinstance(actions[-1], ENDS_WINDOW):
                return tuple(actions)
    # A mount that is full when the copy comes back is what most of this is about; the weights
    # alone do not get there often enough.
    if choose.chance(1, 2):
        actions.append(Fill.draw(choose, shape))
    return tuple(actions)


def windows(choose: Choices, shape: Shape, copy: Copy) -> tuple[tuple[Op, ...], ...]:
    """Choose what happens in the windows of a copy: one for each missing page, up to a few."""
    mapping = shape.maps[copy.map]
    missing = [page for page, letter in enumerate(copy.source) if letter == "M"]
    found = []
    for page in missing[:MAX_WINDOWS]:
        index = min(mapping.offset + copy.page + page, MAX_PAGES - 1)
        target = (mapping.file, index) if mapping.kind.of_file else None
        aimed = dataclasses.replace(shape, target=target)
        found.append(_actions(choose.part(WINDOW_BYTES), aimed))
    return tuple(found)


def _step(choose: Choices, shape: Shape, *, needed: bool) -> Op | None:
    # What was begun is mostly gone on with: that is what it was begun for.
    again = choose.chance(1, 3)
    kind = choose.pick(_kinds_or_none(shape.theme, window=False)) or (Copy if needed else None)
    if shape.begins and again:
        kind = Resume
    if kind is None:
        return None
    if kind is Resume and not shape.begins:
        kind = Begin
    if kind is Begin and shape.begins == MAX_BEGINS:
        kind = Copy
    op = kind.draw(choose.part(OP_BYTES), shape)
    if isinstance(op, Copy):
        return dataclasses.replace(op, actions=windows(choose, shape, op))
    return op


def _again(choose: Choices, shape: Shape) -> list[Op]:
    """A copy of a page that a file lacks with no block left, space, and the same copy.

    In a fresh mapping of the whole file: what came before leaves it too often in no state for one.
    """
    number, file = choose.below(len(shape.maps)), choose.below(len(shape.files))
    page = choose.below(shape.maps[number].pages)
    ready = [Remap(number, file, 0), Truncate(file, MAX_PAGES), Punch(file, page, 1)]
    space = Free(choose.between(1, 3))
    if choose.chance(1, 4):
        return [*ready, Copy(number, page, "M", ((Fill(0),),)), space, Copy(number, page, "M")]
    return [*ready, Fill(0), Copy(number, page, "R"), space, Copy(number, page, "R")]


def _reclaimed(choose: Choices, shape: Shape) -> list[Op]:
    """Pages that were copied, and the reclaim of all that is mapped there."""
    number = choose.below(len(shape.maps))
    return [Copy(number, 0, choose.pick("MR")), Pageout(number, 0, shape.maps[number].pages)]


def _locked(choose: Choices, shape: Shape) -> list[Op]:
    """A copy to memory that is locked."""
    number = choose.below(len(shape.maps))
    page = choose.below(shape.maps[number].pages)
    return [Mlock(number), Copy(number, page, choose.pick("MR"))]


def _others(choose: Choices, shape: Shape) -> list[Op]:
    """Those that fill a page and never stop, with no block left."""
    number = choose.below(len(shape.maps))
    page = choose.below(shape.maps[number].pages)
    return [Fill(0), choose.pick((Zeropage, Continue))(number, page, 1)]


#: How a workload may go on, in place of nothing: what is otherwise drawn too seldom to judge it.
_TAILS = (
    *(None for _ in range(9)),
    *(_again, _again, _reclaimed, _reclaimed, _locked, _others, _others),
)


def _file(choose: Choices) -> int:
    common = not choose.chance(1, 3)
    return choose.between(1, _COMMON_PAGES) if common else choose.between(0, MAX_PAGES)


def _map(choose: Choices, files: tuple[int, ...]) -> Map:
    """A mapping: half of those of files end where the file does, the others anywhere."""
    kind = choose.pick(_KINDS)
    file = choose.below(len(files))
    offset = choose.pick((0, 0, 0, 1, files[file]))
    anywhere = choose.chance(1, 2)
    few = choose.between(1, _COMMON_PAGES)
    if not kind.of_file:
        return Map(0, 0, few, kind)
    return Map(file, offset, few if anywhere else max(1, files[file] - offset), kind)


def _maps(choose: Choices, files: tuple[int, ...]) -> tuple[Map, ...]:
    return tuple(_map(choose, files) for _ in range(choose.pick(_FEW)))


def _with_huge(choose: Choices, maps: tuple[Map, ...]) -> tuple[Map, ...]:
    """Make one of the mappings huge, mostly: all of them can be mapped over."""
    if choose.chance(1, 4):
        return maps
    number = choose.below(len(maps))
    huge = Map(0, 0, choose.between(1, MAX_HUGE), choose.pick(_HUGE))
    return (*maps[:number], huge, *maps[number + 1 :])


def _protected(choose: Choices, shape: Shape) -> list[Op]:
    """Something protected to begin with: what is drawn seldom comes to that by itself."""
    number = choose.below(len(shape.maps))
    return [RegisterWp(number), CopyWp(number, 0, choose.between(1, 2))]


def decode(piece: bytes) -> Workload:
    """Return the workload that a piece of BYTES bytes stands for."""
    choose = Choices(piece)
    head = choose.part(_HEAD_BYTES)
    common = not head.chance(1, 3)
    limited = not head.chance(1, 16)
    blocks = head.between(1, _COMMON_BLOCKS if common else MAX_BLOCKS) if limited else 0
    files = tuple(_file(head) for _ in range(head.pick(_FEW)))
    memfds = (_file(head),) if head.chance(1, 6) else ()
    maps = _maps(head, files + memfds)
    swap = head.chance(1, 2)
    theme = head.pick(_THEMES)
    if theme is Theme.HUGE:
        maps = _with_huge(head, maps)
    tail = head.pick(_TAILS)
    shape = Shape(blocks, files + memfds, maps, theme=theme)
    steps: list[Op] = _protected(head, shape) if theme is Theme.PROTECT else []
    for number in range(_MAX_OPS):
        needed = number == _MAX_OPS - 1 and not steps
        step = _step(choose.part(_STEP_BYTES), shape, needed=needed)
        if step:
            steps.append(step)
        if isinstance(step, Begin):
            shape = dataclasses.replace(shape, begins=shape.begins + 1)
    if tail:
        steps += tail(head, shape)
    workload = Workload(blocks, files, maps, tuple(steps), memfds)
    # With swap from the start: that it comes on first, and a page goes later, is seldom drawn.
    if swap and any(isinstance(op, Pageout) for _, op in workload.places()):
        return dataclasses.replace(workload, steps=(Swapon(), *workload.steps))
    return workload


def workloads() -> SearchStrategy[Workload]:
    """Draw a workload."""
    from hypothesis import strategies as st  # noqa: PLC0415 - a third of the start of a command

    return st.binary(min_size=BYTES, max_size=BYTES).map(decode)


def shard(campaign_seed: int, number: int, count: int) -> list[Workload]:
    """Draw the first `count` workloads of shard `number` of a campaign.

    The same arguments give the same workloads with the same version of Hypothesis.
    """
    return drawn_with(campaign_seed * 1_000_003 + number, workloads(), count, first=number == 0)


def drawn_with(
    number: int, strategy: SearchStrategy[Workload], count: int, *, first: bool
) -> list[Workload]:
    """Draw `count` workloads with a seed; the simplest of all is among the `first` ones alone."""
    from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: PLC0415 - as above

    drawn: list[Workload] = []

    @seed(number)
    @settings(
        # Hypothesis begins with the simplest of all: that one belongs to the first shard alone.
        max_examples=count + 1,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(workload: Workload) -> None:
        drawn.append(workload)

    collect()
    return drawn[:count] if first else drawn[1 : count + 1]
