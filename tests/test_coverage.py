# SPDX-License-Identifier: GPL-2.0-only
"""What was counted is told by function, with reasons that must stay true."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from called import difftest

from difftest import coverage, gcov, kernels, plugins
from difftest.coverage import Added, Coverage, Function, Line, Reach, Unreached
from difftest.errors import BuildError, UsageError
from difftest.strategy import Strategy
from difftest.unreached import Unreached as ByPatch

SOURCE = """\
static int twice(int x);

static int twice(int x)
{
	if (x < 0)
		return 0;

	if (!x)
		goto out;
	return x + x;
out:
	return 0;
}

int other(void)
{
	return 1;
}
""".splitlines()
FILE = "mm/shmem.c"
COUNTS = {FILE: {5: 3, 6: 0, 8: 3, 9: 0, 10: 3, 12: 0, 17: 9}}


def functions(*unreached: Unreached, counts: gcov.Counts = COUNTS) -> tuple[Function, ...]:
    reach = Reach({FILE: ("twice",)}, unreached)
    return coverage._functions(reach, {FILE: SOURCE}, counts, COUNTS)


def test_a_function_has_the_lines_between_its_head_and_its_end() -> None:
    (twice,) = functions()
    assert (twice.executed, twice.reachable) == (3, 6)
    assert [line.number for line in twice.not_executed] == [6, 9, 12]
    assert twice.not_executed[0] == Line(6, "return 0;")


def test_lines_out_of_reach_are_told_with_the_reason_and_not_expected() -> None:
    """`return 0;` alone is there twice: the line before says which."""
    (twice,) = functions(Unreached("twice", "if (x < 0)\n\treturn 0;", "nobody has it"))
    assert (twice.executed, twice.reachable) == (3, 5)
    assert [line.reason for line in twice.not_executed] == ["nobody has it", "", ""]


def test_a_fix_may_come_to_lines_that_are_out_of_reach_without_it() -> None:
    more = {FILE: {**COUNTS[FILE], 6: 1}}
    (twice,) = functions(Unreached("twice", "if (x < 0)\n\treturn 0;", "nobody"), counts=more)
    assert (twice.executed, twice.reachable) == (4, 6)
    assert [line.reason for line in twice.not_executed] == ["", ""]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (Unreached("twice", "return x + x;", "why"), r"'why' in twice is stale"),
        (Unreached("twice", "out:", "why"), r"'why' in twice is stale"),
        (Unreached("twice", "return 0;", "why"), r"are 2 times in twice, expected once"),
        (Unreached("twice", "gone();", "why"), r"are 0 times in twice, expected once"),
        (Unreached("other", "return 1;", "why"), r"other is none of the functions"),
    ],
)
def test_a_reason_that_does_not_hold_is_an_error(entry: Unreached, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        functions(entry)


def test_a_function_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"no function thrice in mm/shmem\.c"):
        coverage._functions(Reach({FILE: ("thrice",)}), {FILE: SOURCE}, COUNTS, COUNTS)


def test_counts_of_patched_files_go_to_the_lines_of_the_original() -> None:
    after = [*SOURCE[:4], "\tx++;", *SOURCE[4:8], *SOURCE[9:]]  # one line more, then one less
    total = {5: 1, 9: 0}
    coverage._add(total, {5: 7, 6: 2, 9: 2, 10: 4}, SOURCE, after)
    assert total == {5: 3, 8: 2, 9: 0, 10: 4}


def test_added_lines_are_those_that_the_original_has_not() -> None:
    after = [*SOURCE[:4], "\tx++;", "\t/* no code */", "\tx--;", *SOURCE[4:]]
    counts = {FILE: {5: 7, 7: 0, 8: 1}, "mm/userfaultfd.c": {}}
    before = {FILE: SOURCE, "mm/userfaultfd.c": []}
    patched = before | {FILE: after}

    def added(fix: Strategy, *base: Strategy) -> Added:
        return coverage._added([*base, fix], "kernel-6.1.patch", counts, before, patched)

    fix = Strategy(name="fix", claim="")
    assert added(fix) == Added("fix", 2, 1, (Line(7, "x--;"),))
    assert not added(fix).enough
    gone = ByPatch("kernel-6.1.patch", "x--;", "why")
    ran = ByPatch("kernel-6.1.patch", "x++;", "ran")
    known = added(replace(fix, unreached=(gone,)))
    assert known == Added("fix", 2, 1, (Line(7, "x--;", "why"),))
    assert known.enough
    stale = added(replace(fix, unreached=(gone, ran)))
    assert stale.stale == ("mutants.toml: the reason 'ran' is stale: `x++;` is executed",)
    assert not stale.enough
    assert added(fix, replace(fix, name="base", unreached=(gone, ran))) == known
    elsewhere = ByPatch("kernel-5.10.patch", "x--;", "why")
    assert not added(replace(fix, unreached=(elsewhere,))).enough


def whole(executed: int, added: int) -> Coverage:
    function = Function("twice", FILE, 100, executed, (Line(6, "return 0;", "why"),))
    missing = (Line(9, "x;"),) * (2 - added)
    return Coverage("uml:6.1", 1, 20, (function,), (Added("fix", 2, added, missing),))


@pytest.mark.parametrize(
    ("executed", "added", "enough"), [(95, 2, True), (94, 2, False), (100, 1, False)]
)
def test_enough_is_most_lines_within_reach_and_all_that_are_added(
    executed: int, added: int, *, enough: bool
) -> None:
    assert whole(executed, added).enough is enough


def test_text_and_json_tell_the_same() -> None:
    found = whole(95, 2)
    text = coverage.render(found)
    assert "6: return 0;    [why]" in text
    assert "95.0% of the lines within reach on uml:6.1" in text
    told = json.loads(coverage.encode(found))
    assert told["functions"][0]["not_executed"] == [
        {"number": 6, "text": "return 0;", "reason": "why"}
    ]
    added = {"strategy": "fix", "lines": 2, "executed": 2, "not_executed": [], "stale": []}
    assert told["added"] == [added]


@pytest.mark.parametrize("backend", ["model", "uml:2.4", "uml:6.1x", "uml:6.1+debug", "qemu:6.1"])
def test_where_lines_cannot_be_counted_the_choice_is_named(backend: str) -> None:
    with pytest.raises(UsageError, match=r"only on uml:5\.10, uml:6\.1, uml:6\.12"):
        coverage.measure(plugins.load(), backend, [], 1, 1)


def test_every_series_says_what_of_which_functions_is_out_of_reach() -> None:
    for name in kernels.SERIES:
        assert kernels.GCOV.fits(name)
        reach = coverage._reach(name)
        assert set(reach.functions) == set(gcov.FILES)
        assert all(one.reason for one in reach.unreached)


def test_of_two_definitions_the_compiled_one_counts() -> None:
    source = ["#ifdef A", *SOURCE[2:13], "#else", *SOURCE[2:13], "#endif"]
    places = list(coverage._definitions("twice", FILE, source))
    assert [(one.first, one.last) for one in places] == [(2, 12), (14, 24)]
    assert coverage._compiled("twice", FILE, source, {17: 0}) == places[1]
    for none_or_both in ({}, {5: 1, 17: 0}):
        with pytest.raises(BuildError, match=r"definitions of twice in mm/shmem\.c: expected one"):
            coverage._compiled("twice", FILE, source, none_or_both)


@pytest.mark.kernel
@pytest.mark.parametrize("series", kernels.SERIES)
def test_workloads_execute_what_is_within_reach_and_all_that_a_patch_adds(series: str) -> None:
    """The baseline panics in the window's retry; what ran before that is counted.

    A strategy's added lines run there.
    """
    loaded = plugins.load()
    chosen = [loaded.strategy(name) for name in ("unpatched", "release_page")]
    found = coverage.measure(loaded, f"uml:{series}", chosen, 500, 1)
    assert found.enough, coverage.render(found)
    (added,) = found.added
    assert (added.strategy, added.executed) == ("release_page", added.lines)
    assert added.lines > 0
    shmem = found.functions[0]
    assert shmem.name == "shmem_mfill_atomic_pte"
    assert shmem.executed > 30
    assert "err = -EFAULT;" not in {line.text for line in shmem.not_executed}


@pytest.mark.kernel
def test_a_strategy_that_a_series_does_not_take_is_left_out_or_refused_by_name() -> None:
    done = difftest("coverage", "--backend", "uml:5.10", "--strategy", "install_pte_v6")
    assert done.returncode == 2
    assert "install_pte_v6 is left out on uml:5.10: 5.10 has no helper" in done.stderr
    loaded = plugins.load()
    with pytest.raises(UsageError, match=r"install_pte_v6 cannot run on uml:5\.10: 5\.10 has no"):
        coverage.added_by(loaded, "uml:5.10", loaded.strategy("install_pte_v6"), 5, 1)
