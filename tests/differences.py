# SPDX-License-Identifier: GPL-2.0-only
"""What kernel series do in different ways: a workload that shows each, and what is seen."""

from __future__ import annotations

from dataclasses import dataclass
from errno import EAGAIN, EINVAL, ENOENT, ENOMEM
from typing import TYPE_CHECKING, Any

from difftest.outcome import Outcome, Step
from difftest.workload.codec import from_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from difftest.workload.workload import Workload


@dataclass(frozen=True)
class Difference:
    """`seen` has what `look` finds in the outcome of a workload, by series."""

    name: str
    text: str
    look: Callable[[Outcome], Any]
    seen: dict[str, Any]
    strategy: str = "release_page"
    guest: str = "uml"
    """The kind of guest that can play it."""

    @property
    def workload(self) -> Workload:
        return from_text(self.text)


def step(at: str) -> Callable[[Outcome], Any]:
    """Look for what a step returned, and the field that it wrote."""

    def look(outcome: Outcome) -> tuple[int, int | None]:
        (found,) = (one for one in outcome.trace if isinstance(one, Step) and one.at == at)
        return found.ret, found.copy

    return look


def state(field: str) -> Callable[[Outcome], Any]:
    """Look for a field of the state at the end."""
    return lambda outcome: getattr(outcome.state, field)


HUGE = "mount blocks=4\nfile pages=4\nmap_hugetlb pages=1\n"
HPAGE = 2 << 20
FILE = "mount blocks=4\nfile pages=4\nmap file=0 offset=0 pages=4\n"

DIFFERENCES = (
    Difference(
        "5.10 has no UFFDIO_CONTINUE",
        f"{FILE}write file=0 page=0 pages=1\ncontinue map=0 page=0 pages=1\n",
        step("1"),
        {"5.10": (-EINVAL, None), "6.1": (0, 4096), "6.12": (0, 4096)},
    ),
    Difference(
        "5.10 does not mlock what UFFDIO_COPY puts into a file",
        f"{FILE}mlock map=0\ncopy map=0 page=0 source=RM\n",
        state("mlocked"),
        {"5.10": 0, "6.1": 2, "6.12": 2},
    ),
    Difference(
        "5.10 looks for pages at every mlock2()",
        f"{FILE}mlock map=0\ncopy map=0 page=0 source=RR\nmlock map=0\n",
        state("mlocked"),
        {"5.10": 2, "6.1": 2, "6.12": 2},
    ),
    Difference(
        "5.10 does not mlock private memory that would have to be copied first",
        "mount blocks=4\nfile pages=1\nmap_anonymous pages=2\n"
        "copy map=0 page=0 source=RR\nfork\nmlock map=0\n",
        state("mlocked"),
        {"5.10": 0, "6.1": 2, "6.12": 2},
    ),
    Difference(
        "6.12 writes the field when mappings change",
        f"{FILE}remove_begin map=0 page=0 pages=1\ncopy map=0 page=0 source=R\n",
        step("1"),
        {"5.10": (-EAGAIN, None), "6.1": (-EAGAIN, None), "6.12": (-EAGAIN, -EAGAIN)},
    ),
    Difference(
        "6.12 looks for the mapping first",
        f"{FILE}copy map=0 page=0 source=M\n  window\n"
        "    remove_begin map=0 page=0 pages=1\n    munmap map=0\n",
        step("0"),
        {
            "5.10": (-EAGAIN, -EAGAIN),
            "6.1": (-EAGAIN, -EAGAIN),
            "6.12": (-ENOENT, -ENOENT),
        },
    ),
    Difference(
        "6.12 warns of a leaked block",
        f"{FILE}copy map=0 page=0 source=M\n  window\n    munmap_source\n",
        lambda outcome: (outcome.title, outcome.left),
        {
            "5.10": ("", 1),
            "6.1": ("", 1),
            "6.12": ("WARNING at mm/shmem.c shmem_evict_inode", None),
        },
        "naive_hold",
    ),
    Difference(
        "5.10 does not remove hugetlb memory",
        f"{HUGE}copy map=0 page=0 source=R\nremove_begin map=0 page=0 pages=1\n",
        step("1"),
        {"5.10": (-EINVAL, None), "6.1": (0, None), "6.12": (0, None)},
        guest="qemu",
    ),
    Difference(
        "5.10 does not move hugetlb memory",
        f"{HUGE}mremap map=0\n",
        step("0"),
        {"5.10": (-EINVAL, None), "6.1": (0, None), "6.12": (0, None)},
        guest="qemu",
    ),
    Difference(
        "5.10 keeps the huge page of the first try, and others need two",
        "mount blocks=4\nfile pages=4\nmap_hugetlb_noreserve pages=1\n"
        "fill_hugetlb leave=1\ncopy map=0 page=0 source=M\n",
        step("1"),
        {"5.10": (0, HPAGE), "6.1": (-ENOMEM, -ENOMEM), "6.12": (-ENOMEM, -ENOMEM)},
        guest="qemu",
    ),
    Difference(
        "6.12 looks for hugetlb memory first",
        f"{HUGE}map_anonymous pages=1\ncopy map=0 page=0 source=M\n  window\n"
        "    remove_begin map=1 page=0 pages=1\n    munmap map=0\n",
        step("0"),
        {
            "5.10": (-EAGAIN, -EAGAIN),
            "6.1": (-EAGAIN, -EAGAIN),
            "6.12": (-ENOENT, -ENOENT),
        },
        guest="qemu",
    ),
    Difference(
        "5.10 protects no page that cannot be written anyway",
        "mount blocks=4\nfile pages=1\nmap_anonymous pages=2\nregister_wp map=0\n"
        "mprotect map=0 write=0\ncopy_wp map=0 page=0 pages=1\n",
        state("protected"),
        {"5.10": ("00",), "6.1": ("10",), "6.12": ("10",)},
        guest="qemu",
    ),
    Difference(
        "5.10 protects anonymous memory alone",
        f"{FILE}register_wp map=0\n",
        step("0"),
        {"5.10": (-EINVAL, None), "6.1": (0, None), "6.12": (0, None)},
        guest="qemu",
    ),
)
