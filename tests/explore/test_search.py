# SPDX-License-Identifier: GPL-2.0-only
"""The search finds what playing each schedule by itself finds, and says how far it went."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from wrong import wrong

import strategies
from difftest import facts
from difftest.backends.model import ModelBackend, load
from difftest.errors import RigError
from difftest.explore import search
from difftest.explore.execution import Execution
from difftest.explore.scenario import bundled, from_text
from difftest.explore.search import Bounds, Search
from difftest.explore.violations import BUG, violations
from difftest.model.objects import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.explore.scenario import Scenario
    from difftest.explore.violations import Violation
    from difftest.model.code import Code

KNOWN = {
    one.name: one for one in (*strategies.STRATEGIES, wrong("half_copy"), wrong("forgets_page"))
}
SCENARIOS = bundled()
UNREDUCED = Bounds(reduction=False)
LARGEST = "two_fillers_truncater"
#: They take half a second or more without the reduction.
LARGE = ("anonymous", "continue", "same_page", "two_copiers_filler", "zeropage")

MAPS = (
    "map file=0 offset=0 pages=2",
    "map file=0 offset=1 pages=1",
    "map_private file=0 offset=0 pages=1",
    "map_anonymous pages=1",
    "map_hugetlb pages=1",
    "map_hugetlb_noreserve pages=1",
)
OPS = (
    "copy map=0 page=0 source=M",
    "copy map=0 page=0 source=MR",
    "copy map=1 page=0 source=M",
    "copy map=1 page=0 source=R",
    "zeropage map=0 page=0 pages=1",
    "continue map=0 page=0 pages=1",
    "continue map=1 page=0 pages=1",
    "write file=0 page=0 pages=1",
    "write file=0 page=1 pages=1",
    "fill leave=0",
    "fill leave=1",
    "free pages=1",
    "truncate file=0 pages=0",
    "truncate file=0 pages=1",
    "punch file=0 page=0 pages=2",
    "munmap map=0",
    "munmap map=1",
    "remap map=0 file=0 offset=1",
    "remap_private map=0 file=0 offset=0",
    "remap_anonymous map=1",
    "remap_hugetlb map=0 pages=1",
    "fill_hugetlb leave=0",
    "fill_hugetlb leave=1",
    "mremap map=0",
    "mprotect map=0 write=0",
    "mlock map=1",
    "pageout map=0 page=0 pages=1",
    "unregister map=0",
    "register map=0",
    "register_wp map=1",
    "remove_begin map=0 page=0 pages=1",
    "remove_end",
    "fork",
    "swapon",
    "overcommit leave=1",
    "close_destination",
)


def code_of(name: str, series: str = "6.1") -> Code:
    return load(ModelBackend(series).patches(facts.chain(KNOWN[name], KNOWN)))


def scenario(
    *threads: tuple[str, ...], blocks: int = 1, maps: tuple[str, ...] = MAPS[:4]
) -> Scenario:
    lines = [f"mount blocks={blocks}", "file pages=2", *maps]
    for thread in threads:
        lines += ["thread", *(f"  {op}" for op in thread)]
    return from_text("\n".join(lines) + "\n", "drawn")


def small(threads: int, ops: int) -> st.SearchStrategy[Scenario]:
    thread = st.lists(st.sampled_from(OPS), min_size=1, max_size=ops).map(tuple)
    return st.builds(
        lambda blocks, kind, some: scenario(*some, blocks=blocks, maps=(MAPS[0], kind)),
        st.integers(1, 2),
        st.sampled_from(MAPS[1:]),
        st.lists(thread, min_size=2, max_size=threads),
    )


CODES = st.sampled_from(
    [("unpatched", "6.1"), ("unpatched", "5.10"), ("release_page", "6.12"), ("naive_hold", "6.1"),
     ("half_copy", "6.1"), ("forgets_page", "6.1")]
)  # fmt: skip


def summary(execution: Execution) -> object:
    """Tell an end in words of our own, not in those of the fingerprint."""
    if execution.crash:
        return execution.crash
    system = execution.system
    pool = system.mm.memory.hstate
    return (
        tuple(thread.results for thread in execution.threads),
        system.sb.used_blocks,
        system.mm.memory.vm_committed_as,
        (pool.nr_huge_pages, pool.free_huge_pages, pool.resv_huge_pages),
        tuple(
            (inode.i_size, inode.i_blocks, tuple(sorted(
                (at, (page.content, page.refcount, page.dirty, page.lru, page.mlock_count)
                 if isinstance(page, Page) else page.content)
                for at, page in inode.i_mapping.i_pages.items()
            )))
            for inode in (*system.files, system.filler)
        ),
        tuple(sorted(
            (at, pte.page and pte.page.content, pte.write, pte.swap and pte.swap.content)
            for at, pte in system.mm.ptes.items()
        )),
        tuple(sorted((vma.vm_start, vma.vm_flags, bool(vma.ctx)) for vma in system.mm.vmas)),
    )  # fmt: skip


def ends(
    scene: Scenario, code: Code, bounds: Bounds
) -> tuple[set[object], set[object], search.Exploration]:
    """Search; return the summaries of all ends, and the violations that they have."""
    seen: set[object] = set()
    bad: set[object] = set()

    def judge(execution: Execution) -> tuple[Violation, ...]:
        seen.add(summary(execution))
        found = violations(execution)
        bad.update(found)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "violations", judge)
        result = Search(scene, code, bounds).run()
    return seen, bad, result


def every_schedule(scene: Scenario, code: Code, most: int) -> Iterator[Execution]:
    """Play every schedule from its beginning: no state is remembered, no order left out."""
    todo: list[list[int]] = [[]]
    while todo:
        schedule = todo.pop()
        execution = Execution(scene, code)
        execution.run(schedule)
        while not execution.crash and (able := execution.enabled()):
            todo += [[*schedule, other] for other in able[1:]]
            schedule = [*schedule, able[0]]
            execution.step(able[0])
        most -= 1
        assume(most > 0)
        yield execution


@given(small(2, 1), CODES)
@settings(max_examples=25)
def test_each_end_of_each_schedule_is_found(scene: Scenario, which: tuple[str, str]) -> None:
    code = code_of(*which)
    expected, bad, count = set(), set(), 0
    for execution in every_schedule(scene, code, 2000):
        expected.add(summary(execution))
        bad.update(violations(execution))
        count += 1
    for bounds in (UNREDUCED, Bounds()):
        found = ends(scene, code, bounds)
        assert found[:2] == (expected, bad)
        assert found[2].schedules == count or bounds.reduced


@given(small(3, 2), CODES)
@settings(max_examples=12)
def test_the_reduction_loses_no_end(scene: Scenario, which: tuple[str, str]) -> None:
    code = code_of(*which)
    every = ends(scene, code, UNREDUCED._replace(states=1500))
    assume(every[2].complete)
    reduced = ends(scene, code, Bounds())
    assert reduced[2].complete
    assert reduced[:2] == every[:2]
    assert reduced[2].ends == every[2].ends
    assert reduced[2].states <= every[2].states


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.long] * (name in LARGE))
        for name in SCENARIOS
        if name != LARGEST
    ],
)
def test_the_reduction_loses_no_end_of_a_bundled_scenario(name: str) -> None:
    code = code_of("naive_hold")
    every = ends(SCENARIOS[name], code, UNREDUCED)
    reduced = ends(SCENARIOS[name], code, Bounds())
    assert every[2].complete
    assert reduced[:2] == every[:2]
    assert reduced[2].states < every[2].states


def test_the_bug_is_found_in_the_race_and_the_fix_has_none() -> None:
    (found,) = Search(SCENARIOS["race"], code_of("unpatched"), Bounds()).run().found
    assert found.violation == (BUG, "BUG at mm/userfaultfd.c mcopy_atomic")
    assert not Search(SCENARIOS["race"], code_of("release_page"), Bounds()).run().found


def test_two_copies_to_one_huge_page_have_either_winner() -> None:
    copies = (("copy map=0 page=0 source=M",), ("copy map=0 page=0 source=M",))
    scene = scenario(*copies, maps=("map_hugetlb pages=1",))
    for series in ("5.10", "6.1", "6.12"):
        seen, violated, found = ends(scene, code_of("release_page", series), Bounds())
        assert found.complete
        assert not violated
        won = {tuple(ret for ((ret, _),) in one[0]) for one in seen}  # type: ignore[index]
        assert won == {(0, -errno.EEXIST), (-errno.EEXIST, 0)}


@pytest.mark.parametrize("bounds", [UNREDUCED, Bounds()], ids=["unreduced", "reduced"])
def test_who_comes_first_to_the_pool_of_huge_pages_matters(bounds: Bounds) -> None:
    scene = scenario(("fill_hugetlb leave=0",), ("remap_hugetlb map=0 pages=1",))
    seen, _, _ = ends(scene, code_of("unpatched"), bounds)
    assert {one[0][1] for one in seen} == {((0, None),), ((-errno.ENOMEM, None),)}  # type: ignore[index]


def test_a_search_that_is_cut_off_says_so() -> None:
    result = Search(SCENARIOS["two_copiers_filler"], code_of("unpatched"), Bounds(states=50)).run()
    assert not result.complete
    assert result.states <= 50


def test_readers_of_a_mapping_keep_out_who_unmaps_it() -> None:
    """Without the lock, a page would be installed where nothing is mapped any more, and leak."""
    scene = scenario(("copy map=0 page=0 source=R",), ("munmap map=0",), maps=MAPS[:1])
    execution = Execution(scene, code_of("unpatched"))
    execution.run([0, 0])  # up to where it holds mmap_lock for reading
    execution.step(1)
    assert execution.enabled() == [0]
    while not execution.threads[0].done:
        execution.step(0)
    assert execution.enabled() == [1]


def test_who_writes_to_a_file_keeps_out_who_truncates_it() -> None:
    scene = scenario(("write file=0 page=0 pages=1",), ("truncate file=0 pages=0",))
    execution = Execution(scene, code_of("unpatched"))
    execution.run([0, 0, 1])
    assert execution.enabled() == [0]


def test_no_preemption_leaves_only_what_stops_or_returns() -> None:
    """A copier that charged a block and was preempted keeps the other one out."""
    scene = scenario(
        ("zeropage map=0 page=0 pages=1",), ("write file=0 page=1 pages=1",), maps=MAPS[:1]
    )
    code = code_of("unpatched")
    none = Search(scene, code, Bounds(preemptions=0)).run()
    some = Search(scene, code, Bounds(preemptions=1)).run()
    every = Search(scene, code, UNREDUCED).run()
    assert none.schedules == 2
    assert none.schedules < some.schedules < every.schedules
    assert none.ends < every.ends or none.ends == every.ends


def test_enough_preemptions_are_as_good_as_any_number() -> None:
    scene = SCENARIOS["race"]
    code = code_of("unpatched")
    bounded = Search(scene, code, Bounds(preemptions=50)).run()
    every = Search(scene, code, UNREDUCED).run()
    assert (bounded.ends, bounded.schedules) == (every.ends, every.schedules)


def test_a_model_that_hides_an_iterator_is_refused() -> None:
    def hiding() -> Iterator[str]:
        for name in ("a", "b"):
            yield name + name

    execution = Execution(SCENARIOS["race"], code_of("unpatched"))
    execution.threads[0].running = hiding()  # type: ignore[assignment]
    next(execution.threads[0].running)  # type: ignore[arg-type]
    with pytest.raises(RigError, match="stops inside a `for`"):
        search.local(execution.threads[0])
