# SPDX-License-Identifier: GPL-2.0-only
"""What the kernels of all series get wrong, with whatever fix: not for an oracle to forgive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.workload.ops import Begin, RemapHugetlb

if TYPE_CHECKING:
    from difftest.workload.workload import Workload

#: A copy comes back from its window and finds hugetlb memory: __mcopy_atomic() returns what
#: __mcopy_atomic_hugetlb() does, and forgets its page, and how many it had copied.
FORGOTTEN = """\
mount blocks=1
file pages=1
map file=0 offset=0 pages=1
copy map=0 page=0 source=M
  window
    remap_hugetlb map=0 pages=1
"""
FORGOTTEN_PROGRESS = """\
mount blocks=2
file pages=2
map file=0 offset=0 pages=2
copy map=0 page=0 source=RM
  window
    remap_hugetlb map=0 pages=1
"""


def may_find_hugetlb(workload: Workload) -> bool:
    """Whether a copy of a workload may come back to hugetlb memory."""
    begun = any(isinstance(op, Begin) for op in workload.steps)
    return any(
        isinstance(op, RemapHugetlb) and (begun or "." in at) for at, op in workload.places()
    )
