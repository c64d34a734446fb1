# SPDX-License-Identifier: GPL-2.0-only
"""Checks: how a program sees by itself what an oracle sees in an outcome.

What is due comes from `reference`, which is the outcome of the same workload on the model with a
strategy that the oracle passes.
"""

from __future__ import annotations

from itertools import zip_longest
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from msgspec.structs import replace

from difftest.errors import UsageError
from difftest.outcome import Step
from difftest.workload.workload import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from difftest.outcome import Outcome, State, Window
    from difftest.reproducer.statements import Body


T = TypeVar("T")

UNKNOWN = -1
"""What a page is said to hold, and how many blocks a file has, if that is not to be looked at."""
UNSEEN = "?"
"""Stands for a page of which it is not known whether it is in the page cache."""


class Check(NamedTuple):
    """How an oracle's property is checked: statements that follow the workload.

    With `by_results` what operations return is checked as they do.
    """

    add: Callable[[Body, Outcome], None]
    by_results: bool = False


def of(oracle: str) -> Check:
    """Return the check for an oracle. Raises UsageError if a program cannot see what it does."""
    if oracle not in CHECKS:
        raise UsageError(
            f"a witness for the oracle {oracle} cannot be exported: no program sees from outside "
            f"what it judges; there is C for {', '.join(CHECKS)}"
        )
    return CHECKS[oracle]


def due(reference: Outcome) -> Mapping[str, Step]:
    """Return what operations return, by place."""
    return {one.at: one for one in reference.trace if isinstance(one, Step)}


def agreed(references: Sequence[Outcome]) -> Outcome:
    """Return what several outcomes have in common; what they differ in is as if not seen."""
    first, *others = references
    same = {_event(one) for one in first.trace}
    same.intersection_update(*({_event(one) for one in other.trace} for other in others))
    trace = tuple(one for one in first.trace if _event(one) in same)
    states = [one.state for one in references]
    state = states[0]
    for other in states[1:]:
        state = _common(state, other) if state and other else None
    return replace(first, trace=trace, state=state)


def _event(one: Step | Window) -> tuple[str, int, int | None]:
    """Return what is compared of an event: not the blocks in use, which no result tells."""
    return (one.at, one.ret, one.copy) if isinstance(one, Step) else (one.at, 0, None)


def _common(one: State, other: State) -> State:
    files = tuple(
        replace(
            file,
            blocks=_one(file.blocks, beside.blocks),
            content=_equal(file.content, beside.content, UNKNOWN),
            cached="".join(_equal(tuple(file.cached), tuple(beside.cached), UNSEEN)),
        )
        for file, beside in zip(one.files, other.files, strict=True)
    )
    maps = tuple(
        _equal(tags, beside, None) if tags and beside else None
        for tags, beside in zip(one.maps, other.maps, strict=True)
    )
    filler = replace(one.filler, blocks=_one(one.filler.blocks, other.filler.blocks))
    return replace(one, files=files, filler=filler, maps=maps)


def _one(blocks: int, others: int) -> int:
    return blocks if blocks == others else UNKNOWN


def _equal(one: Sequence[T], other: Sequence[T], differs: T) -> tuple[T, ...]:
    return tuple(a if a == b else differs for a, b in zip_longest(one, other, fillvalue=differs))


def _survives(body: Body, reference: Outcome) -> None:  # noqa: ARG001 - as all of them
    body.uses.add("taint")
    body.add("/* A kernel that panics does not come here. */")
    body.add('check(taint() == before, "the kernel complains of nothing");')


def _blocks(body: Body, reference: Outcome) -> None:
    workload = body.workload
    if not workload.blocks:
        raise UsageError(
            "a witness for the oracle block_accounting cannot be exported if its mount has no "
            "limit (`mount blocks=0`): such a mount counts no blocks"
        )
    body.uses |= {"blocks", "blocks_of"}
    files = [f"file[{number}]" for number in range(len(workload.files))]
    files += ["filler"] if "filler" in body.uses else []
    terms = [f"blocks_of({one})" for one in files] or ["0"]
    body.add("used = blocks_in_use();")
    body.add(
        *(f"{'files =' if not number else 'files +='} {term};" for number, term in enumerate(terms))
    )
    body.add('printf("# %ld blocks in use, %ld of files\\n", used, files);')
    body.add('check(used == files, "the blocks in use are those of the files");')
    held = [file.blocks for file in _state(reference).files[: len(workload.files)]]
    held.append(_state(reference).filler.blocks)
    if UNKNOWN not in held:
        body.add(f'check(used == {sum(held)}, "{sum(held)} blocks are in use");')
    _take_down(body)
    body.add("", "used = blocks_in_use();", 'printf("# %ld blocks in use\\n", used);')
    body.add('check(used == 0, "no block is in use when everything is gone");')


def _take_down(body: Body) -> None:
    """Unmap, close and thereby delete all there is."""
    body.add("")
    if "map" in body.uses:
        body.add("/* Unmap, close and thereby delete all that is on the tmpfs. */")
        body.add("munmap(arena, ARENA);")
    body.add(*(f"close(file[{number}]);" for number in range(body.files)))
    if "filler" in body.uses:
        body.add("close(filler);")


def _state(reference: Outcome) -> State:
    if reference.state is None:
        raise UsageError("what files should hold in the end is not known: the model crashes")
    return reference.state


def _contents(body: Body, reference: Outcome) -> None:
    """Compare what files and mappings hold with what they should."""
    state = _state(reference)
    body.uses |= {"contents", "destination"}
    if "map" in body.uses:
        body.add("/* A page that is missing reads as zeros from now on. */", "close(destination);")
    for number, file in enumerate(state.files):
        for page, tag in enumerate(file.content):
            if tag >= 0:
                body.uses.add("file_page")
                body.add(f"check_tag(file_page(file[{number}], {page}), {tag},")
                body.add(f'\t  "page {page} of file {number} holds what it should");')
    for number, (one, tags) in enumerate(zip(body.workload.maps, state.maps, strict=True)):
        for page, held in enumerate(tags or ()):
            if one.kind is not Kind.SHARED and held is not None and held >= 0:
                body.add(f"check_tag(tag_in((void *)(map_at[{number}] + {page} * PAGE)), {held},")
                body.add(f'\t  "page {page} of mapping {number} holds what it should");')


def _cache(body: Body, reference: Outcome) -> None:
    """Compare which pages are in the page cache, up to the end of any mapping, and what is."""
    body.uses.add("cached")
    for number, file in enumerate(_state(reference).files):
        for page, cached in enumerate(file.cached):
            if cached == UNSEEN:
                continue
            due = "" if cached == "1" else "!"
            words = "is" if cached == "1" else "is not"
            body.add(f"check({due}is_cached(file[{number}], {page}),")
            body.add(f'      "page {page} of file {number} {words} in the page cache");')
    _contents(body, reference)


def _results(body: Body, reference: Outcome) -> None:
    """Nothing follows: each operation has been checked."""


#: One for each oracle whose witnesses can be exported.
CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "no_kernel_bug": Check(_survives),
        "other_callers": Check(_survives),
        "block_accounting": Check(_blocks),
        "stale_cache": Check(_cache),
        "content": Check(_contents),
        "dirty": Check(_contents),
        "contract": Check(_results, by_results=True),
        "progress": Check(_results, by_results=True),
    }
)
