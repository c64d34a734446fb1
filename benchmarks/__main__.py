# SPDX-License-Identifier: GPL-2.0-only
"""The command `python -m benchmarks`: measures, and prints one table."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from tabulate import tabulate

from benchmarks import build, campaign, core, crash, explore, guided, kernel, model, shrink
from difftest.errors import DifftestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.measure import Row

BENCHMARKS = {
    "model": model.rows,
    "guided": guided.rows,
    "explore": explore.rows,
    "kernel": kernel.rows,
    "qemu": kernel.emulated,
    "crash": crash.rows,
    "build": build.rows,
    "shrink": shrink.rows,
    "core": core.rows,
    "campaign": campaign.rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure each thing beside another, in turn, and print medians and ratios.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="repeat less: a rough look")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    rows, missed = measure(asked.names or BENCHMARKS, quick=asked.quick)
    print(
        tabulate(
            [
                (one.benchmark, one.what, one.value, one.against, one.other, one.unit,
                 f"{one.ratio:.2f}", one.target)
                for one in rows
            ],
            headers=("benchmark", "what", "", "against", "", "unit", "ratio", "target"),
            floatfmt=".4g",
            disable_numparse=[6] if rows else True,
        )
    )  # fmt: skip
    if missed:
        sys.exit("\n".join(missed))


def measure(names: Iterable[str], *, quick: bool) -> tuple[list[Row], list[str]]:
    """Measure; return the rows, and of what could not be measured the reason."""
    rows: list[Row] = []
    missed: list[str] = []
    for name in names:
        try:
            rows += BENCHMARKS[name](quick=quick)
        except DifftestError as error:
            missed.append(f"{name} was not measured: {error}")
    return rows, missed


if __name__ == "__main__":
    main()
