# SPDX-License-Identifier: GPL-2.0-only
"""Workloads that show each site of faults at each kind of mapping, and what they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from difftest.workload.codec import from_text

if TYPE_CHECKING:
    from difftest.workload.workload import Workload

_HEAD = "mount blocks=8\nfile pages=4\nmap file=0 offset=0 pages=4\nmap_anonymous pages=4\n"


class Faulty(NamedTuple):
    """`results` are those of the top-level operations, `hits` the faults that hit in each."""

    name: str
    workload: Workload
    results: tuple[int, ...]
    hits: tuple[tuple[int, ...], ...]


def _faulty(name: str, text: str, results: tuple[int, ...], *hits: tuple[int, ...]) -> Faulty:
    return Faulty(name, from_text(_HEAD + text), results, hits)


FAULTY = (
    _faulty(
        "the second block is refused",
        "fault site=block_charge call=2 error=ENOMEM\n"
        "copy map=0 page=0 source=RRR\ncopy map=0 page=1 source=R\n",
        (-11, 0), (0,), (),
    ),
    _faulty(
        "the second block is refused to zeropage",
        "fault site=block_charge call=2 error=ENOMEM\n"
        "zeropage map=0 page=0 pages=1\nzeropage map=0 page=1 pages=2\n",
        (0, -12), (), (0,),
    ),
    _faulty(
        "no page for a file, none for private memory",
        "fault site=page_alloc call=2 error=ENOMEM\nfault site=page_alloc call=3 error=ENOMEM\n"
        "copy map=0 page=0 source=RRR\ncopy map=1 page=1 source=MR\n",
        (-11, -12), (0,), (1,),
    ),
    _faulty(
        "the cache is out of memory, then has the page",
        "fault site=cache_insert call=1 error=ENOMEM\n"
        "fault site=cache_insert call=2 error=EEXIST\n"
        "copy map=0 page=0 source=RRR\ncopy map=0 page=0 source=MR\n",
        (-12, -17), (0,), (1,),
    ),
    _faulty(
        "no entry for a page of a file, none for a private one",
        "fault site=pte_install call=1 error=EFAULT\nfault site=pte_install call=3 error=EEXIST\n"
        "copy map=0 page=0 source=RRR\ncopy map=1 page=0 source=MR\n"
        "zeropage map=1 page=1 pages=1\n",
        (-14, -11, 0), (0,), (1,), (),
    ),
    _faulty(
        "the entry of a private page is beyond the end",
        "fault site=pte_install call=1 error=EFAULT\n"
        "zeropage map=1 page=1 pages=1\ncopy map=1 page=0 source=R\n",
        (0, -14), (), (0,),
    ),
    _faulty(
        "what the agent fills and writes does not count",
        "fault site=page_alloc call=1 error=ENOMEM\nfault site=block_charge call=1 error=ENOMEM\n"
        "write file=0 page=3 pages=1\ncopy map=1 page=0 source=R\ncopy map=0 page=0 source=R\n",
        (4096, -12, -12), (), (0,), (1,),
    ),
)  # fmt: skip

#: A callee forgets the page of a copy that goes on.
FORGOTTEN = from_text(
    f"{_HEAD}fault site=callee_keeps_page call=1 error=0\ncopy map=0 page=0 source=MRR\n"
)
#: A callee forgets it and fails.
FORGOTTEN_IN_AN_ERROR = from_text(
    f"{_HEAD}fault site=callee_keeps_page call=1 error=EFAULT\ncopy map=0 page=0 source=MRR\n"
)
