# SPDX-License-Identifier: GPL-2.0-only
"""The bare loop: workloads as straight-line C calls, with no agent around them (bare.c)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from difftest.guest.build import SOURCES
from difftest.outcome import Step
from difftest.workload.codec import fields_of
from difftest.workload.ops import (
    Copy,
    Fill,
    Free,
    Munmap,
    MunmapSource,
    Punch,
    Truncate,
    Unregister,
    Write,
    Zeropage,
)
from difftest.workload.workload import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from difftest.outcome import Outcome
    from difftest.workload.ops import Op
    from difftest.workload.workload import Workload

BARE = Path(__file__).with_name("bare.c")


#: The operations that the loop can do.
_OPS = (Copy, Zeropage, Write, Fill, Free, Truncate, Punch, Munmap, Unregister, MunmapSource)


def knows(workload: Workload) -> bool:
    """Whether the loop can do a workload: one with shared mappings of files, and nothing rare."""
    return (
        bool(workload.blocks)
        and not workload.memfds
        and all(one.kind is Kind.SHARED for one in workload.maps)
        and all(type(op) in _OPS and "U" not in getattr(op, "source", "")
                for _, op in workload.places())
    )  # fmt: skip


def build(
    workloads: Sequence[Workload], outcomes: Sequence[Outcome], folder: Path, *, observe: bool
) -> Path:
    """Compile the loop over these workloads; `outcomes` are theirs on the kernel it will run on."""
    functions = []
    for number, (workload, outcome) in enumerate(zip(workloads, outcomes, strict=True)):
        functions.append(_function(f"w{number}", workload, outcome))
    names = ", ".join(f"w{number}" for number in range(len(workloads)))
    calls = sum(function.count("expect(") for function in functions)
    table = f"#define CALLS {calls}\nstatic void (*const workloads[])(void) = {{ {names} }};"
    (folder / "workloads.inc").write_text("\n".join([*functions, table, ""]), encoding="utf-8")
    program = folder / ("observing" if observe else "bare")
    subprocess.run(
        [
            "gcc", "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread",
            *(["-DOBSERVE"] if observe else []),
            f"-I{SOURCES}", f"-I{folder}", "-o", program,
            BARE, SOURCES / "calls.c", SOURCES / "channel.c",
        ],
        check=True,
    )  # fmt: skip
    return program


def _function(name: str, workload: Workload, outcome: Outcome) -> str:
    """Write a workload as a C function, preceded by one for each window of its copies."""
    steps = {one.at: one for one in outcome.trace if isinstance(one, Step)}
    # How much `fill` writes depends on the blocks in use: the agent asks, here it is known.
    before = dict(
        zip((one.at for one in outcome.trace), (0, *(o.used for o in outcome.trace)), strict=False)
    )
    text = []
    body = [f"begin({workload.blocks});"]
    body += [f"file({pages});" for pages in workload.files]
    body += [f"map({one.file}, {one.offset}, {one.pages});" for one in workload.maps]

    def call(at: str, op: Op) -> str:
        if at not in steps:
            return ""  # in a window that never opened
        if isinstance(op, Fill):
            pages = workload.blocks - before[at] - op.leave
            return f"expect({steps[at].ret}, op_fill({pages}));" if pages > 0 else ""
        windows = ""
        if isinstance(op, Copy):
            runs = [f"{name}_{at}_{window}" for window in range(len(op.windows))]
            windows = f", {len(runs)}, (run[]){{ {', '.join(runs) or '0'} }}"
        return f"expect({steps[at].ret}, op_{op.name}({_arguments(op)}{windows}));"

    for number, op in enumerate(workload.steps):
        for window, actions in enumerate(op.windows):
            calls = [call(f"{number}.{window}.{i}", action) for i, action in enumerate(actions)]
            text.append(_define(f"{name}_{number}_{window}", calls))
        body.append(call(str(number), op))
    return "\n".join([*text, _define(name, [*body, "end();"])])


def _arguments(op: Op) -> str:
    values = [getattr(op, name) for name in fields_of(type(op))]
    return ", ".join(f'"{one}"' if isinstance(one, str) else str(one) for one in values)


def _define(name: str, calls: Sequence[str]) -> str:
    lines = "".join(f"\t{call}\n" for call in calls if call)
    return f"static void {name}(void)\n{{\n{lines}}}\n"
