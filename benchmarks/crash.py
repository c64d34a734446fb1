# SPDX-License-Identifier: GPL-2.0-only
"""A crash: from the start of a boot to the outcome, beside a boot with nothing to do."""

from __future__ import annotations

from benchmarks import guests
from benchmarks.measure import Row, medians, seconds
from difftest.outcome import Ending
from difftest.workload.codec import from_text

CRASH = from_text(
    "mount blocks=2\nfile pages=4\nmap file=0 offset=0 pages=4\n"
    "copy map=0 page=0 source=RM\n  window\n    fill leave=0\n"
)


def rows(*, quick: bool) -> list[Row]:
    with guests.runner("unpatched") as runner:
        (outcome,) = runner.run([CRASH])
        if outcome.ending is not Ending.CRASHED:
            raise RuntimeError(f"the workload was to crash: {outcome}")
        crash, idle = medians(
            "crash",
            5 if quick else 30,
            lambda _: seconds(lambda: list(runner.run([CRASH]))),
            lambda _: seconds(lambda: guests.boot(runner)),
        )
    return [
        Row("crash", "boot to outcome", crash, "boot, power off", idle, "s", "below 0.05 s"),
    ]
