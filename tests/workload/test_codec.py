# SPDX-License-Identifier: GPL-2.0-only
"""The text form of workloads: read back as written, and clear about what is wrong."""

import pytest
from hypothesis import given

from difftest.errors import UsageError
from difftest.workload import codec, faulty
from difftest.workload.faults import SITES, Fault
from difftest.workload.generate import workloads
from difftest.workload.limits import MAX_COPIES, MAX_STEPS
from difftest.workload.ops import Copy, Fill
from difftest.workload.workload import Map, Workload

TEXT = """\
mount blocks=4
file pages=6
map file=0 offset=0 pages=6
copy map=0 page=1 source=MR
  window
    fill leave=0
zeropage map=0 page=3 pages=1
"""


@given(workloads() | faulty.workloads())
def test_what_is_written_reads_back_the_same(workload: Workload) -> None:
    assert codec.from_text(codec.to_text(workload)) == workload


@given(workloads() | faulty.workloads())
def test_every_drawn_workload_keeps_within_the_limits(workload: Workload) -> None:
    text = codec.to_text(workload)
    assert text.count("\n") <= MAX_STEPS
    assert sum(isinstance(op, Copy) for op in workload.steps) <= MAX_COPIES


def test_text_means_what_it_says() -> None:
    workload = codec.from_text(TEXT)
    assert workload.blocks == 4
    assert workload.maps == (Map(0, 0, 6),)
    copy = workload.steps[0]
    assert isinstance(copy, Copy)
    assert copy.windows == ((Fill(0),),)
    assert [at for at, _ in workload.places()] == ["0", "0.0.0", "1"]


FAULTS = TEXT.replace("copy", "fault site=cache_insert call=2 error=EEXIST\ncopy", 1)


def test_a_fault_names_site_call_and_error() -> None:
    workload = codec.from_text(FAULTS)
    assert workload.faults == (Fault("cache_insert", 2, "EEXIST"),)
    assert codec.to_text(workload) == FAULTS


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("fault site=attic call=1 error=ENOMEM", f"known: {', '.join(SITES)}"),
        ("fault site=cache_insert call=1 error=EFAULT", "must be ENOMEM or EEXIST"),
        ("fault site=cache_insert call=1 error=0", "must be ENOMEM or EEXIST"),
        ("fault site=block_charge call=0 error=ENOMEM", "call must be 1 to 99"),
        ("fault site=block_charge call=x error=ENOMEM", "call must be a number"),
        ("fault site=block_charge error=ENOMEM", "expected `fault site=… call=… error=…`"),
        ("fault site=cache_insert call=2 error=ENOMEM", "that call has a fault already"),
        ("file pages=1", "faults come last"),
    ],
)
def test_a_fault_that_cannot_be_is_named_with_what_can(line: str, expected: str) -> None:
    with pytest.raises(UsageError, match="line 5: ") as error:
        codec.from_text(FAULTS.replace("EEXIST\n", f"EEXIST\n{line}\n"), "my.workload")
    assert expected in str(error.value)


def test_there_are_a_few_faults_at_most() -> None:
    more = "".join(f"fault site=page_alloc call={n} error=ENOMEM\n" for n in range(1, 5))
    with pytest.raises(UsageError, match="at most 4 faults"):
        codec.from_text(FAULTS.replace("copy", f"{more}copy", 1))


def test_comments_and_empty_lines_are_skipped() -> None:
    assert codec.from_text(f"# found by chance\n\n{TEXT}") == codec.from_text(TEXT)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("blocks=4", "blocks=65", "line 1: 'mount blocks=65': expected one mount, of 0 to 64 bl"),
        ("file pages=6", "file pages=17", "at most 16 pages"),
        ("mount blocks=4\n", "", "expected `mount blocks=N` first"),
        ("file=0", "file=1", "there is no file 1: the workload has 1"),
        ("copy map=0", "copy map=7", "there is no map 7: the workload has 1"),
        ("source=MR", "source=MX", "letters M, R or U"),
        ("source=MR", "src=MR", "expected `copy map=… page=… source=…`"),
        ("page=1", "page=x", "page must be a number"),
        ("zeropage", "zeropaje", "unknown operation; known: copy, copy_unal"),
        ("    fill", "   fill", "expected an operation, or `  window`"),
        ("  window\n", "  window\n  window\n  window\n", "and fewer missing pages"),
        ("    fill leave=0", "    copy map=0 page=0 source=M", "copy cannot stand in a window"),
        ("zeropage map=0 page=3 pages=1", "munmap_source", "stands in a window"),
        ("zeropage map=0 page=3", "zeropage map=0 page=16", "must stay within 16 pages"),
        ("zeropage map=0 page=3 pages=1", "file pages=1", "set-up comes before"),
        ("zeropage map=0 page=3 pages=1", "remap_hugetlb map=0 pages=3", "1 to 2 huge pages"),
        ("map file=0 offset=0 pages=6", "map_hugetlb pages=6", "4 maps of 1 to 2 pages"),
    ],
)
def test_wrong_text_is_refused_by_line(old: str, new: str, words: str) -> None:
    assert old in TEXT
    with pytest.raises(UsageError) as error:
        codec.from_text(TEXT.replace(old, new, 1), "my.workload")
    assert words in str(error.value)
    assert str(error.value).startswith("my.workload")


def test_too_many_lines_are_refused() -> None:
    with pytest.raises(UsageError, match="more than 64 lines"):
        codec.from_text(TEXT + "munmap map=0\n" * 70)
