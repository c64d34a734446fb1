# SPDX-License-Identifier: GPL-2.0-only
"""A replay is told with a column for each thread, and says where two of them part."""

from __future__ import annotations

import pytest

from difftest import plugins
from difftest.replay import Replay, render, replay
from difftest.workload.codec import from_text

PLUGINS = plugins.load()
FILE = "mount blocks=4\nfile pages=5\nmap file=0 offset=0 pages=3\n"
TWO_COPIERS = f"""{FILE}\
begin map=0 page=2 source=M
copy map=0 page=0 source=M
  window
    fill leave=0
resume begin=0
"""
LEAK = f"{FILE}copy map=0 page=0 source=U\n"
FULL = f"{FILE.replace('pages=5', 'pages=0')}fill leave=0\ncopy map=0 page=0 source=R\n"


def played(text: str, *strategies: str) -> list[Replay]:
    model = PLUGINS.backend("model")
    return [
        replay(PLUGINS, from_text(text), PLUGINS.strategy(one), model, ()) for one in strategies
    ]


def told(text: str, *strategies: str) -> list[list[str]]:
    """Return the lines of what is told of a workload, as cells."""
    lines = render(from_text(text), played(text, *strategies)).splitlines()
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def test_each_thread_has_a_column_and_shows_where_its_window_is_open() -> None:
    rows = told(TWO_COPIERS, "release_page")[4:-1]
    waits = "(in its window)"
    assert [row for row in rows if "+" not in row[0]] == [
        ["step", "begin 0", "copier", "monitor", "blocks in use", "pages of files"],
        ["0.0", "begin map=0 page=2 source=M", "", "", "0/4", ""],
        ["", "stops, with no lock held", "", "", "", ""],
        ["1.0", waits, "copy map=0 page=0 source=M", "", "0/4", ""],
        ["", "", "stops, with no lock held", "", "", ""],
        ["1.0.0", waits, waits, "fill leave=0 = 16384", "4/4", "4"],
        ["1", waits, "goes on = ENOMEM", "", "4/4", "4"],
        ["0", "goes on = ENOMEM", "", "", "4/4", "4"],
        ["2", "", "", "resume begin=0 = 0", "4/4", "4"],
    ]


def test_a_crash_is_in_the_column_of_the_thread_that_made_it() -> None:
    rows = told(TWO_COPIERS, "unpatched")
    assert rows[-2] == ["1", "(in its window)", "goes on ***", "", "?", ""]
    assert rows[-1] == ["*** crashed: BUG at mm/userfaultfd.c mcopy_atomic"]


def test_a_block_that_no_file_has_is_marked_where_it_leaks() -> None:
    rows = told(LEAK, "naive_hold")
    assert rows[-2] == ["0", "copy map=0 page=0 source=U = EFAULT", "", "1/4", "0 LEAK"]


def test_blocks_of_a_mount_without_a_limit_are_of_none() -> None:
    assert told(LEAK.replace("blocks=4", "blocks=0"), "release_page")[-2][3] == "0"


@pytest.mark.parametrize("names", [("release_page", "acct_last"), ("acct_last", "release_page")])
def test_two_strategies_on_a_backend_part_in_each_value_that_differs(
    names: tuple[str, ...],
) -> None:
    lines = render(from_text(FULL), played(FULL, *names)).splitlines()
    start = lines.index(f"model: {names[0]} and {names[1]} part:")
    rets = {"release_page": "-12", "acct_last": "-14"}
    assert [line.split() for line in lines[start + 3 :]] == [
        ["step", "1:", "ret", *(rets[name] for name in names)],
        ["step", "1:", "copy", *(rets[name] for name in names)],
    ]


def test_two_strategies_that_agree_are_said_to_do_so() -> None:
    assert told(FULL, "release_page", "install_pte_v6")[-1] == [
        "model: release_page and install_pte_v6 agree in every field"
    ]


def test_of_three_strategies_none_is_compared_with_another() -> None:
    assert told(FULL, "release_page", "acct_last", "unpatched")[-1] == [
        "everything closed, unmapped, deleted: 0 blocks and 0 pages left"
    ]
