# SPDX-License-Identifier: GPL-2.0-only
"""The command `python -m benchmarks`: measures, and prints one table."""

from __future__ import annotations

import argparse

from tabulate import tabulate

from benchmarks import build, campaign, crash, kernel, model

BENCHMARKS = {
    "model": model.rows,
    "kernel": kernel.rows,
    "qemu": kernel.emulated,
    "crash": crash.rows,
    "build": build.rows,
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
    rows = [
        row for name in asked.names or BENCHMARKS for row in BENCHMARKS[name](quick=asked.quick)
    ]
    print(
        tabulate(
            [
                (one.benchmark, one.what, one.value, one.against, one.other, one.unit,
                 f"{one.ratio:.2f}", one.target)
                for one in rows
            ],
            headers=("benchmark", "what", "", "against", "", "unit", "ratio", "target"),
            floatfmt=".4g",
            disable_numparse=[6],
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
