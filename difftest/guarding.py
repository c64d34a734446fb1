# SPDX-License-Identifier: GPL-2.0-only
"""Guarding: what an assertion did where a fault made a callee keep the page it was to consume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from difftest.outcome import Ending
from difftest.workload.faults import KEEPS_PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from difftest.outcome import Outcome
    from difftest.workload.faults import Fault
    from difftest.workload.workload import Workload

#: How the titles of crashes begin that an assertion made. Others were made by damage.
_ASSERTIONS = ("BUG at ", "WARNING at ")


def kept(workload: Workload, outcome: Outcome) -> Iterator[Fault]:
    """Yield the faults that hit and made a callee keep its page, in their order."""
    hits = (*(hit for one in outcome.trace for hit in one.hits), *outcome.hits)
    return (fault for hit in hits if (fault := workload.faults[hit]).site == KEEPS_PAGE)


def stopped(workload: Workload, outcome: Outcome) -> bool:
    """Say whether an assertion stopped the kernel in the very copy whose page was kept."""
    return (
        outcome.ending is Ending.CRASHED
        and outcome.title.startswith(_ASSERTIONS)
        and any(workload.faults[hit].site == KEEPS_PAGE for hit in outcome.hits)
    )
