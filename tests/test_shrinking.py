# SPDX-License-Identifier: GPL-2.0-only
"""Shrinking comes down to what a failure needs, whatever the workload and the vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from difftest.backends.model import ModelBackend
from difftest.outcome import Ending
from difftest.shrinking import Budget, smallest
from difftest.strategy import BASELINE, Strategy
from difftest.workload import codec, generate
from difftest.workload.codec import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from difftest.workload.workload import Workload

LARGE = """\
mount blocks=9
file pages=3
file pages=6
map file=1 offset=2 pages=4
map file=0 offset=1 pages=2
map file=1 offset=0 pages=6
write file=0 page=0 pages=2
copy map=2 page=1 source=MRMM
  window
    write file=1 page=0 pages=3
    fill leave=2
  window
    munmap map=0
    punch file=0 page=1 pages=1
  window
punch file=1 page=1 pages=3
zeropage map=1 page=1 pages=1
unregister map=2
"""
FILE, MAP = "file pages=0", "map file=0 offset=0 pages=1"
COPY, PLAIN = "copy map=0 page=0 source=M", "copy map=0 page=0 source=R"


def shrunk(text: str, fails: Callable[[str], bool], tries: int = 2000) -> str:
    """Shrink a workload that fails if its text does."""
    assert fails(text)
    found = smallest(
        from_text(text), lambda some: [fails(to_text(one)) for one in some], Budget(tries)
    )
    return to_text(found)


def has(*words: str) -> Callable[[str], bool]:
    return lambda text: all(word in text for word in words)


@pytest.mark.parametrize(
    ("fails", "least"),
    [
        (has(), []),
        (has("unregister"), [FILE, MAP, "unregister map=0"]),
        (has("munmap"), [FILE, MAP, "munmap map=0"]),
        (has("    munmap"), [FILE, MAP, COPY, "  window", "    munmap map=0"]),
        (has("  window"), [FILE, MAP, COPY, "  window"]),
        (has("copy", "zeropage"), [FILE, MAP, PLAIN, "zeropage map=0 page=0 pages=1"]),
        (has("fill", "punch"), [FILE, "fill leave=0", "punch file=0 page=0 pages=1"]),
        (lambda text: text.count("\nmap") > 1, [FILE, MAP, MAP]),
    ],
)
def test_what_a_failure_does_not_need_is_gone(
    fails: Callable[[str], bool], least: list[str]
) -> None:
    assert shrunk(LARGE, fails).splitlines()[1:] == least


def test_numbers_are_as_small_as_they_can_be() -> None:
    def fails(text: str) -> bool:
        one = from_text(text)
        return one.blocks >= 3 and any(one.files[each.file] > 4 < each.pages for each in one.maps)

    assert shrunk(LARGE, fails) == "mount blocks=3\nfile pages=5\nmap file=0 offset=0 pages=5\n"


def test_numbers_that_hang_together_are_lowered_together() -> None:
    """A copy to the last page of a mapping that goes to the end of its file."""

    def fails(text: str) -> bool:
        one = from_text(text)
        copies = [step for step in codec.to_text(one).splitlines() if step.startswith("copy")]
        return any(
            f" page={each.pages - 1} " in copy and each.pages == one.files[each.file]
            for each in one.maps
            for copy in copies
        )

    large = (
        "mount blocks=9\nfile pages=6\nmap file=0 offset=0 pages=6\ncopy map=0 page=5 source=M\n"
    )
    assert shrunk(large, fails).splitlines()[1:] == ["file pages=1", MAP, PLAIN]


def test_lines_that_refer_to_a_line_go_with_it_and_the_others_are_numbered_anew() -> None:
    """File 0 can go only with map 1 and all that is done to them, in one step."""
    tried = []

    def fails(some: Sequence[Workload]) -> list[bool]:
        tried.extend(map(to_text, some))
        return [False] * len(some)

    assert smallest(from_text(LARGE), fails) == from_text(LARGE)
    without = LARGE.replace("file pages=3\n", "").replace("map file=0 offset=1 pages=2\n", "")
    without = without.replace("write file=0 page=0 pages=2\n", "")
    without = without.replace("    punch file=0 page=1 pages=1\n", "")
    without = without.replace("zeropage map=1 page=1 pages=1\n", "")
    assert without.replace("file=1", "file=0").replace("map=2", "map=1") in tried


def test_it_ends_after_so_many_tries_with_the_smallest_so_far() -> None:
    tried = []

    def fails(some: Sequence[Workload]) -> list[bool]:
        tried.extend(some)
        return ["unregister" in to_text(one) for one in some]

    found = smallest(from_text(LARGE), fails, Budget(10))
    assert len(tried) == 10
    assert found in tried
    assert len(to_text(found)) < len(LARGE)
    assert smallest(from_text(LARGE), fails, Budget(0)) == from_text(LARGE)


def test_nothing_is_tried_twice() -> None:
    tried: list[Workload] = []

    def fails(some: Sequence[Workload]) -> list[bool]:
        tried.extend(some)
        return ["munmap" in to_text(one) for one in some]

    smallest(from_text(LARGE), fails)
    assert len(tried) < 500  # it came to an end
    passed = [one for one in tried if "munmap" not in to_text(one)]
    assert len(passed) == len(set(passed))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_crashes_of_drawn_workloads_come_down_to_seven_lines_at_most(seed: int) -> None:
    """On the model: a workload that crashes the baseline needs one copy and one action."""
    bare = Strategy(name=BASELINE, claim="", model_patch="")
    with ModelBackend().runner([bare]) as runner:

        def fails(some: Sequence[Workload]) -> list[bool]:
            return [outcome.ending is Ending.CRASHED for outcome in runner.run(some)]

        for workload in generate.shard(seed, 0, 40):
            if fails([workload])[0]:
                least = smallest(workload, fails)
                assert smallest(workload, fails) == least
                assert fails([least]) == [True]
                assert len(to_text(least).splitlines()) <= 7


def test_a_line_gives_way_to_a_plainer_one() -> None:
    start = codec.from_text(
        "mount blocks=1\nmemfd pages=1\nmap_private file=0 offset=0 pages=1\n"
        "copy_unaligned map=0 page=0 source=MR\n"
    )
    found = smallest(start, lambda some: [bool(one.maps and one.steps) for one in some])
    assert codec.to_text(found) == (
        "mount blocks=0\nfile pages=0\nmap file=0 offset=0 pages=1\ncopy map=0 page=0 source=R\n"
    )
