# SPDX-License-Identifier: GPL-2.0-only
"""What a run reached is counted by what came of it, and what it never reached is named."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from made import campaign

from difftest import plugins, reached
from difftest.assemble import result_of
from difftest.outcome import Ending, Outcome, Step, Window
from difftest.reached import CRASHED, DONE, PARTIAL
from difftest.workload.codec import from_text
from difftest.workload.ops import OPS

WORKLOAD = from_text("""\
mount blocks=4
file pages=6
map file=0 offset=0 pages=6
copy map=0 page=1 source=MR
  window
    fill leave=0
    munmap map=0
write file=0 page=0 pages=1
""")
INSIDE = (Window("0.0", 0), Step("0.0.0", 4096, 1), Step("0.0.1", 0, 1))


def counted(*outcomes: Outcome) -> Counter[reached.Key]:
    counts: Counter[reached.Key] = Counter()
    for outcome in outcomes:
        reached.count(WORKLOAD, outcome, counts)
    return counts


@pytest.mark.parametrize(
    ("ret", "copy", "result"),
    [
        (0, 8192, DONE),
        (-11, 4096, PARTIAL),
        (-12, -12, "ENOMEM"),
        (-2, None, "ENOENT"),
        (-999, None, "-999"),
    ],
)
def test_an_operation_counts_by_what_it_came_to_and_an_action_by_what_its_copy_did(
    ret: int, copy: int | None, result: str
) -> None:
    trace = (*INSIDE, Step("0", ret, 1, copy), Step("1", -28, 1))
    assert counted(Outcome(Ending.FINISHED, trace)) == {
        ("copy", False, result): 1,
        ("fill", False, DONE): 1,
        ("fill", True, result): 1,
        ("munmap", False, DONE): 1,
        ("munmap", True, result): 1,
        ("write", False, "ENOSPC"): 1,
    }


def test_a_copy_that_never_returned_crashed_only_if_the_kernel_did() -> None:
    crashed, hung = (Outcome(end, INSIDE, "?") for end in (Ending.CRASHED, Ending.HUNG))
    assert counted(crashed)["copy", False, CRASHED] == 1
    assert counted(crashed)["fill", True, CRASHED] == 1
    assert counted(hung) == {("fill", False, DONE): 1, ("munmap", False, DONE): 1}


def test_what_was_never_reached_of_the_vocabulary_is_there_as_zero() -> None:
    found = reached.exercises({"model": {("copy", False, "EEXIST"): 2}, "uml:6.1": {}})
    counts = {(one.backend, one.name, one.window, one.result): one.count for one in found}
    assert counts["model", "copy", False, "EEXIST"] == 2
    assert counts["uml:6.1", "copy", False, "EEXIST"] == 0
    for op in OPS:
        assert any(one.name == op.name for one in found)
        if op.weight_in_window:
            assert counts["model", op.name, True, PARTIAL] == 0


def test_the_summary_names_what_was_not_reached_and_the_tables_have_all() -> None:
    parts = campaign(workloads=10)
    whole = {
        (op.name, window, DONE): 3
        for op in OPS
        for window, weight in ((False, op.weight), (True, op.weight_in_window))
        if weight and (op.name, window) not in {("fill", True), ("punch", False)}
    }
    parts.every = [
        msgspec.structs.replace(one, reached=whole if one.backend == "model" else {})
        for one in parts.every
    ]
    result = result_of(parts)
    total = len(whole) + 2
    assert reached.summary(result, "model") == (
        f"model: {len(whole)} of {total} operations reached; not reached: punch, fill in a window"
    )
    assert reached.summary(result, "uml:6.1").startswith(f"uml:6.1: 0 of {total} operations")
    assert ["write", DONE, "15", "NONE"] in reached.rows(result, window=False)  # 5 strategies
    assert ["fill", CRASHED, "NONE", "NONE"] in reached.rows(result, window=True)
    reports = plugins.load().reports
    table, markdown, json = (reports[one].render(result) for one in ("table", "markdown", "json"))
    assert "not reached: punch, fill in a window" in " ".join(table.split())
    assert "| write | done | 15 | NONE |" in markdown
    assert "| fill | crashed | NONE | NONE |" in markdown
    assert {
        "backend": "model",
        "name": "write",
        "window": False,
        "result": "done",
        "count": 15,
    } in (msgspec.json.decode(json)["operations"])
