# SPDX-License-Identifier: GPL-2.0-only
"""Hugetlb memory and write-protection on real kernels in QEMU: as on the models, and not on UML."""

from __future__ import annotations

import pytest
from differences import DIFFERENCES
from known import FORGOTTEN, FORGOTTEN_PROGRESS
from played import CALM, KNOWN, outcomes
from wrong import wrong

from difftest import kernels
from difftest.backends.model import ModelBackend
from difftest.backends.qemu import QemuBackend
from difftest.backends.uml import UmlBackend
from difftest.conformance import disagreements
from difftest.outcome import Ending
from difftest.workload.codec import from_text

pytestmark = pytest.mark.kernel

any_series = pytest.mark.parametrize("series", kernels.SERIES)

WORKLOADS = {
    "whatever a window leaves is found at the retry": """\
mount blocks=4
file pages=4
map_hugetlb pages=2
map_hugetlb pages=1
copy map=0 page=0 source=MM
  window
    munmap map=1
  window
    fill_hugetlb leave=0
remap_hugetlb map=1 pages=1
copy map=0 page=0 source=R
copy map=0 page=1 source=U
zeropage map=0 page=0 pages=1
copy_unaligned map=0 page=0 source=MR
continue map=0 page=0 pages=1
remap map=0 file=0 offset=0
copy map=0 page=0 source=MR
""",
    "copies in flight, of huge pages and of others": """\
mount blocks=4
file pages=4
map_hugetlb pages=2
map file=0 offset=0 pages=4
map_hugetlb_noreserve pages=2
begin map=0 page=0 source=MM
begin map=1 page=0 source=MM
begin map=2 page=1 source=M
copy map=0 page=0 source=RR
resume begin=0
copy map=2 page=0 source=RM
  window
    munmap_source
fork
munmap map=0
remap_hugetlb map=0 pages=2
""",
    "an empty pool": """\
mount blocks=4
file pages=4
map_hugetlb_noreserve pages=2
map_hugetlb pages=2
fill_hugetlb leave=1
copy map=0 page=0 source=RR
copy map=1 page=0 source=MM
remap_hugetlb map=0 pages=2
remap_hugetlb map=1 pages=2
""",
    "what becomes of a huge page": """\
mount blocks=4
file pages=4
map_hugetlb pages=2
map_anonymous pages=2
mlock map=0
copy map=0 page=0 source=RR
pageout map=0 page=0 pages=2
remove_begin map=0 page=1 pages=1
remap_hugetlb map=1 pages=2
remove_end
copy map=0 page=1 source=R
mprotect map=0 write=0
copy map=1 page=0 source=MR
  window
    close_source
mremap map=0
copy map=0 page=0 source=R
""",
    "a copier that is killed, and a descriptor that is closed": """\
mount blocks=4
file pages=4
map_hugetlb pages=2
copy map=0 page=0 source=RM
  window
    kill_copier
copy map=0 page=1 source=M
  window
    close_destination
copy map=0 page=1 source=M
""",
    "what is protected": """\
mount blocks=8
file pages=4
map file=0 offset=0 pages=4
map_anonymous pages=3
map_private file=0 offset=0 pages=3
map_hugetlb pages=2
register_wp map=0
register_wp map=1
register_wp map=2
register_wp map=3
copy_wp map=0 page=0 pages=3
copy_wp map=1 page=0 pages=2
copy_wp map=2 page=0 pages=2
copy_wp map=3 page=0 pages=1
copy map=0 page=3 source=R
copy map=1 page=2 source=M
pageout map=0 page=2 pages=1
remove_begin map=2 page=1 pages=1
remove_end
zeropage map=2 page=1 pages=1
fork
""",
    "what takes protection away": """\
mount blocks=8
file pages=4
map file=0 offset=0 pages=4
map_anonymous pages=3
map_hugetlb pages=2
register_wp map=0
register_wp map=1
register_wp map=2
copy_wp map=0 page=0 pages=4
copy_wp map=1 page=0 pages=2
copy_wp map=2 page=0 pages=2
punch file=0 page=1 pages=1
remove_begin map=2 page=0 pages=1
remove_end
unregister map=0
mremap map=1
copy map=2 page=0 source=R
""",
    "what is left when the descriptor is closed": """\
mount blocks=8
file pages=4
map file=0 offset=0 pages=4
map_hugetlb pages=1
register_wp map=0
register_wp map=1
copy_wp map=0 page=0 pages=2
copy_wp map=1 page=0 pages=1
truncate file=0 pages=1
close_destination
""",
}


def assert_the_same(series: str, texts: dict[str, str]) -> None:
    workloads = [from_text(text) for text in texts.values()]
    kernel = QemuBackend(kernels.SERIES[series])
    fix = KNOWN["release_page"]
    expected = outcomes(ModelBackend(series), fix, workloads)
    seen = outcomes(kernel, fix, workloads)
    for name, ours, theirs in zip(texts, expected, seen, strict=True):
        assert disagreements(ours, theirs, kernel.unseen) == [], name
        assert theirs.ending is Ending.FINISHED, name


@any_series
def test_the_agent_plays_as_the_model_does(series: str) -> None:
    assert_the_same(series, WORKLOADS)


@any_series
def test_series_differ_as_their_models_say(series: str) -> None:
    assert_the_same(series, {one.name: one.text for one in DIFFERENCES if one.guest == "qemu"})


@any_series
def test_kernels_forget_a_page_that_comes_back_to_hugetlb_memory(series: str) -> None:
    texts = [from_text(FORGOTTEN), CALM, from_text(FORGOTTEN_PROGRESS)]
    for fix in ("release_page", "unpatched"):
        seen = outcomes(QemuBackend(kernels.SERIES[series]), KNOWN[fix], texts)
        assert [one.held for one in seen] == [1, 0, 1]
        assert seen == outcomes(ModelBackend(series), KNOWN[fix], texts)


def test_a_huge_page_that_a_kernel_keeps_is_missed_once() -> None:
    """The next workload has a pool that lacks nothing."""
    leak = from_text(
        "mount blocks=4\nfile pages=4\nmap_hugetlb pages=1\ncopy map=0 page=0 source=M\n"
    )
    seen = outcomes(
        QemuBackend(kernels.SERIES["6.1"]), wrong("keeps_huge_page"), [leak, CALM, leak]
    )
    assert [(one.ending, one.huge) for one in seen] == [
        (Ending.FINISHED, 1),
        (Ending.FINISHED, 0),
        (Ending.FINISHED, 1),
    ]
    assert seen == outcomes(ModelBackend("6.1"), wrong("keeps_huge_page"), [leak, CALM, leak])


def test_protection_that_a_kernel_forgets_is_missed() -> None:
    text = "mount blocks=4\nfile pages=4\nmap file=0 offset=0 pages=4\nregister_wp map=0\n"
    workload = from_text(f"{text}copy_wp map=0 page=0 pages=1\n")
    (seen,) = outcomes(QemuBackend(kernels.SERIES["6.1"]), wrong("forgets_protection"), [workload])
    assert seen.state
    assert seen.state.protected == ("0000",)


@pytest.mark.parametrize(
    "line", ["map_hugetlb pages=1", "map_hugetlb_noreserve pages=1", "remap_hugetlb map=0 pages=1"]
)
def test_user_mode_linux_says_that_it_has_neither(line: str) -> None:
    text = f"mount blocks=4\nfile pages=4\nmap file=0 offset=0 pages=4\n{line}\nmunmap map=0\n"
    workload = from_text(text)
    protects = from_text(PROTECTS)
    seen = outcomes(UmlBackend(kernels.SERIES["6.1"]), KNOWN["release_page"], [workload, protects])
    assert [one.ending for one in seen] == [Ending.UNPLAYED] * 2
    assert "hugetlb" in seen[0].title
    assert "write-protection" in seen[1].title


PROTECTS = "mount blocks=4\nfile pages=4\nmap file=0 offset=0 pages=4\nregister_wp map=0\n"
