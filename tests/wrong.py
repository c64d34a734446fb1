# SPDX-License-Identifier: GPL-2.0-only
"""Fixes that are wrong in one way each: what oracles and backends must tell apart."""

from pathlib import Path
from typing import NamedTuple

from difftest.strategy import Strategy, from_folder

DATA = Path(__file__).parent / "data"


def wrong(name: str) -> Strategy:
    """Return the strategy in data/wrong/NAME."""
    return from_folder(str(DATA / "wrong" / name / "__init__.py"), claim="is wrong on purpose")


class Case(NamedTuple):
    """A wrong fix, the oracle that is meant for it, and a workload with which it shows.

    `also` are oracles that the same error fails as a matter of course.
    """

    name: str
    oracle: str
    evidence: str
    steps: str
    mount: str = "mount blocks=2\nfile pages=4\nmap file=0 offset=0 pages=4\n"
    also: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return self.mount + self.steps


CASES = (
    Case(
        "stashes_page",
        "stale_cache",
        "page 1 of file 0 holds page 1 of what operation 0 (counting all) wrote, and should hold "
        "zeros",
        "copy map=0 page=0 source=RM\n  window\n    fill leave=0\n",
    ),
    Case(
        "stashes_page",
        "stale_cache",
        "page 1 of file 0 is in the page cache, beyond its end, and nothing put it there",
        "copy map=0 page=0 source=RM\n  window\n    fill leave=0\n    truncate file=0 pages=1\n",
    ),
    Case(
        "left_clean",
        "dirty",
        "after it was to be reclaimed, page 0 of file 0 holds zeros",
        "copy map=0 page=0 source=R\npageout map=0 page=0 pages=4\n",
    ),
    Case(
        "keeps_commitment",
        "committed",
        "1 pages more are committed than before",
        "copy map=0 page=0 source=U\n",
    ),
    Case(
        "wrong_list",
        "lru",
        "0 pages are mlocked, and locked mappings have 1",
        "mlock map=0\ncopy map=0 page=0 source=R\n",
        "mount blocks=2\nfile pages=4\nmap_anonymous pages=4\n",
    ),
    Case(
        "eexist_first",
        "unchanged",
        "step 1: ENOMEM became EEXIST (copy)",
        "write file=0 page=0 pages=2\ncopy map=0 page=0 source=R\n",
    ),
    Case(
        "gives_up",
        "progress",
        "step 2: page 0 was refused for want of space, and with space it is not filled either",
        "copy map=0 page=0 source=M\n  window\n    fill leave=0\n"
        "free pages=1\ncopy map=0 page=0 source=R\n",
        also=("contract",),
    ),
    Case(
        "asserts_more",
        "other_callers",
        "in step 1: zeropage",
        "fill leave=0\nzeropage map=0 page=0 pages=1\n",
        also=("no_kernel_bug",),
    ),
)
