# SPDX-License-Identifier: GPL-2.0-only
"""What MADV_PAGEOUT does on the models of all series, with swap and without."""

from __future__ import annotations

from errno import EAGAIN, EEXIST

import pytest

from difftest import kernels
from difftest.backends.model import ModelBackend
from difftest.outcome import Ending, Outcome, State, Step
from difftest.workload.codec import from_text
from difftest.workload.workload import tag_of
from strategies import STRATEGIES

FILE = "mount blocks=4\nfile pages=2\nmap file=0 offset=0 pages=2\n"
PRIVATE = "mount blocks=4\nfile pages=2\nmap_private file=0 offset=0 pages=2\n"
ANONYMOUS = "mount blocks=4\nfile pages=2\nmap_anonymous pages=2\n"
SWAPPED = "copy map=0 page=0 source=RR\nswapon\npageout map=0 page=0 pages=2\n"
FIRST, SECOND = tag_of(0, 0), tag_of(0, 1)

any_series = pytest.mark.parametrize("series", kernels.SERIES)


def play(series: str, text: str) -> Outcome:
    chain = [one for one in STRATEGIES if one.name == "release_page"]
    with ModelBackend(series).runner(chain) as runner:
        (outcome,) = runner.run([from_text(text)])
    assert outcome.ending is Ending.FINISHED
    assert (outcome.left, outcome.held) == (0, 0)
    return outcome


def state(series: str, text: str) -> State:
    found = play(series, text).state
    assert found
    return found


def last(series: str, text: str) -> Step:
    found = play(series, text).trace[-1]
    assert isinstance(found, Step)
    return found


def of_file(seen: State) -> tuple[str, tuple[int, ...], int]:
    (file,) = seen.files
    return file.cached[:2], file.content, file.blocks


@any_series
def test_without_swap_what_is_dirty_stays(series: str) -> None:
    text = "copy map=0 page=0 source=RR\npageout map=0 page=0 pages=2\n"
    assert of_file(state(series, FILE + text)) == ("11", (FIRST, SECOND), 2)
    assert state(series, ANONYMOUS + text).maps == ((FIRST, SECOND),)


@any_series
def test_pages_of_a_file_leave_memory_and_keep_content_and_blocks(series: str) -> None:
    seen = state(series, FILE + SWAPPED)
    assert of_file(seen) == ("00", (FIRST, SECOND), 2)
    assert (seen.maps, seen.swapped) == (((None, None),), 0)


@any_series
@pytest.mark.parametrize("op", ["copy map=0 page=0 source=R", "zeropage map=0 page=0 pages=1"])
@pytest.mark.parametrize("kind", [FILE, PRIVATE, ANONYMOUS])
def test_a_page_in_swap_is_there(kind: str, op: str, series: str) -> None:
    step = last(series, f"{kind}{SWAPPED}{op}\n")
    assert (step.ret, step.copy) == (-EEXIST, -EEXIST)


@any_series
def test_a_write_brings_its_page_back(series: str) -> None:
    text = f"{FILE}{SWAPPED}write file=0 page=1 pages=1\n"
    assert of_file(state(series, text)) == ("01", (FIRST, tag_of(3, 0)), 2)
    assert last(series, text).used == 2


@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_continue_brings_pages_back(series: str) -> None:
    text = f"{FILE}{SWAPPED}continue map=0 page=0 pages=2\n"
    assert last(series, text).ret == 0
    seen = state(series, text)
    assert of_file(seen) == ("11", (FIRST, SECOND), 2)
    assert seen.maps == ((FIRST, SECOND),)


@any_series
@pytest.mark.parametrize("op", ["truncate file=0 pages=1", "punch file=0 page=1 pages=1"])
def test_what_is_cut_off_is_freed_from_swap(op: str, series: str) -> None:
    text = f"{FILE}{SWAPPED}{op}\n"
    assert last(series, text).used == 1
    assert of_file(state(series, text))[1][:1] == (FIRST,)


@any_series
@pytest.mark.parametrize("kind", [PRIVATE, ANONYMOUS])
@pytest.mark.parametrize(
    "op",
    [
        "mprotect map=0 write=0",
        "mremap map=0",
        "fork",
        "mlock map=0",
        "punch file=0 page=0 pages=2",
    ],
)
def test_private_pages_stay_in_swap(op: str, kind: str, series: str) -> None:
    seen = state(series, f"{kind}{SWAPPED}{op}\n")
    assert (seen.maps, seen.swapped, seen.mlocked) == (((FIRST, SECOND),), 2, 0)


@any_series
@pytest.mark.parametrize("kind", [PRIVATE, ANONYMOUS])
def test_a_removed_private_page_is_freed_from_swap(kind: str, series: str) -> None:
    remove = "remove_begin map=0 page=0 pages=1\nremove_end\n"
    seen = state(series, f"{kind}{SWAPPED}{remove}")
    assert (seen.maps, seen.swapped) == (((None, SECOND),), 1)
    step = last(series, f"{kind}{SWAPPED}{remove}copy map=0 page=0 source=RR\n")
    assert (step.ret, step.copy) == (-EAGAIN, 4096)


@any_series
def test_truncation_takes_private_pages_from_swap(series: str) -> None:
    seen = state(series, f"{PRIVATE}{SWAPPED}truncate file=0 pages=1\n")
    assert (seen.maps, seen.swapped) == (((FIRST, None),), 1)


@any_series
def test_pages_that_a_child_has_too_stay_in_memory(series: str) -> None:
    text = "copy map=0 page=0 source=RR\nfork\nswapon\npageout map=0 page=0 pages=2\n"
    seen = state(series, ANONYMOUS + text)
    assert (seen.maps, seen.swapped) == (((FIRST, SECOND),), 0)
