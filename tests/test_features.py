# SPDX-License-Identifier: GPL-2.0-only
"""Features: what a workload comes to, and which lines of the model it is the first to execute."""

from __future__ import annotations

import sys

from played import KNOWN

from difftest.backends.model import ModelBackend
from difftest.features import Lines, features
from difftest.workload.codec import from_text

FULL = from_text(
    "mount blocks=1\nfile pages=2\nmap file=0 offset=0 pages=2\n"
    "fill leave=0\ncopy map=0 page=0 source=R\nfree pages=1\ncopy map=0 page=0 source=R\n"
)
PLAIN = from_text(
    "mount blocks=4\nfile pages=2\nmap file=0 offset=0 pages=2\ncopy map=0 page=0 source=R\n"
)
FAULTY = from_text(
    "mount blocks=4\nfile pages=2\nmap file=0 offset=0 pages=2\n"
    "fault site=cache_insert call=1 error=EEXIST\ncopy map=0 page=0 source=R\n"
)


def test_features_are_states_results_and_what_follows_on_what() -> None:
    with ModelBackend().runner([KNOWN["release_page"]]) as runner:
        found = features(FULL, next(runner.run([FULL])))
    assert found == {
        "finished", "first try with no block left", "fill done", "copy ENOMEM", "free done",
        "copy done", "fill done, then copy ENOMEM", "copy ENOMEM, then free done",
        "free done, then copy done",
    }  # fmt: skip


def test_a_fault_that_hits_is_a_feature_with_its_error_and_where() -> None:
    with ModelBackend().runner([KNOWN["release_page"]]) as runner:
        found = features(FAULTY, next(runner.run([FAULTY])))
    assert found == {"finished", "copy EEXIST", "cache_insert EEXIST in copy"}


def test_only_lines_that_no_kept_workload_executed_are_found() -> None:
    lines = Lines()
    before = sys.gettrace()

    def new(workload: object) -> set[str]:
        found: set[str] = set()
        with ModelBackend().runner([KNOWN["release_page"]]) as runner, lines.traced(found):
            list(runner.run([workload]))  # type: ignore[list-item]
        return found

    first = new(PLAIN)
    assert any(line.startswith("line of shmem.py ") for line in first)
    assert new(PLAIN) == first  # it was not kept
    lines.keep(first)
    assert new(PLAIN) == set()
    failing = new(FULL)
    assert failing
    assert not failing & first
    assert sys.gettrace() is before


def test_a_line_that_two_strategies_have_in_common_is_one() -> None:
    lines = Lines()
    found: dict[str, set[str]] = {"release_page": set(), "naive_hold": set()}
    for name, its in found.items():
        with ModelBackend().runner([KNOWN[name]]) as runner, lines.traced(its):
            list(runner.run([PLAIN]))
    one, other = found.values()
    assert one & other
    lines.keep(one)
    its = set()
    with ModelBackend().runner([KNOWN["naive_hold"]]) as runner, lines.traced(its):
        list(runner.run([PLAIN]))
    assert its == other - one
