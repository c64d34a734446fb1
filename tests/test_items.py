# SPDX-License-Identifier: GPL-2.0-only
"""`pytest --difftest`: a campaign as test items, on the model."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from installed import install

from difftest import items, plugins

if TYPE_CHECKING:
    from difftest.testing import Compares

pytest_plugins = ["pytester"]

MODEL = ("--difftest", "--difftest-backend", "model")
FEW = (*MODEL, "--difftest-workloads", "60", "--difftest-faults", "20")

PLUGIN = """
from dataclasses import replace
from difftest import hookimpl, plugins, unknown, PASS
from difftest.backends.model import ModelBackend
from difftest.errors import RigError
from strategies import STRATEGIES
(fix,) = [one for one in STRATEGIES if one.name == "release_page"]
"""
LAME = """
@hookimpl
def difftest_strategies():
    return [replace(fix, name="lame", must_fail=("page_leak",))]
"""
KNOWN_BAD = """
import re
(bad,) = [one for one in STRATEGIES if one.name == "naive_hold"]
NOTHING = re.sub(r"^[+]( +).*", r"+\\1# It mends nothing.", fix.model_patch, flags=re.MULTILINE)

@hookimpl
def difftest_strategies():
    return [
        replace(bad, name="bad", must_fail=()),
        replace(fix, name="nothing", model_patch=NOTHING),
    ]
"""
MOONY = """
from difftest import fail

class Moony:
    name, question = "moony", "is the moon new?"
    def judge(self, workload, outcome):
        if outcome.ending != "finished":
            return unknown("it crashed")
        return fail("it is full") if len(workload.maps) == 3 else PASS

@hookimpl
def difftest_oracles():
    return [Moony()]
"""
SHRUGS = """
class Shrugs:
    name, question = "shrugs", "who knows?"
    asked = 0
    def judge(self, workload, outcome):
        self.asked += 1
        return PASS if self.asked % EVERY else unknown("it is dark")

@hookimpl
def difftest_oracles():
    return [Shrugs()]
"""
BROKEN = """
class Broken(ModelBackend):
    def __init__(self):
        super().__init__()
        self.name = "broken"
    def prepare(self, chain):
        raise RigError("no wheels")

@hookimpl
def difftest_backends():
    return [Broken()]
"""


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """Import all of difftest: pytester forgets modules that are first imported inside it."""
    assert items
    plugins.load()


def ran(pytester: pytest.Pytester, *options: str, jobs: int = 0) -> pytest.RunResult:
    arguments = ("-p", "no:randomly", "-n", str(jobs), *options)
    # Worker processes need a main process of their own; the others are quicker without one.
    return pytester.runpytest_subprocess(*arguments) if jobs else pytester.runpytest(*arguments)


def chosen(*names: str) -> list[str]:
    return [part for name in names for part in ("--difftest-strategy", name)]


def with_plugin(pytester: pytest.Pytester, patch: pytest.MonkeyPatch, source: str) -> None:
    site = pytester.mkdir("site")
    install(site, "mine", PLUGIN + source)
    patch.setenv("PYTHONPATH", str(site))
    pytester.syspathinsert(site)


def test_a_fix_passes_and_a_control_is_expected_to_fail(pytester: pytest.Pytester) -> None:
    # Also where pytest would find tests of its own if it was not asked for a campaign.
    pytester.makeini("[pytest]\ntestpaths = tests")
    pytester.mkdir("tests").joinpath("test_other.py").write_text("def test_other(): assert 0")
    done = ran(pytester, *FEW, *chosen("unpatched", "release_page"), "-rA")
    done.assert_outcomes(passed=2, xfailed=2)
    assert done.ret == 0
    done.stdout.fnmatch_lines(
        ["*4 items*", "XFAIL *difftest::unpatched?model-0? - no_kernel_bug: BUG at *"]
    )
    done.stdout.no_fnmatch_line("*VOID*")


@pytest.mark.long
@pytest.mark.parametrize("jobs", [0, 1])
def test_files_that_are_named_are_run_besides(pytester: pytest.Pytester, jobs: int) -> None:
    path = pytester.makepyfile("def test_other(): pass")
    done = ran(pytester, *FEW, *chosen("release_page"), str(path), jobs=jobs)
    done.assert_outcomes(passed=3)


def test_a_failure_has_the_workload_and_a_command_that_shows_it_again(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_plugin(pytester, monkeypatch, KNOWN_BAD)
    done = ran(pytester, *FEW, *chosen("bad"), "-k", "model-0")
    done.assert_outcomes(failed=1)
    told = done.stdout.str()
    head = re.search(r"committed: FAIL on \d+ of 60 workloads, .* of seed 1: (.*)", told)
    command = re.search(r"difftest (replay - .*?\nEND)$", told, re.DOTALL | re.MULTILINE)
    assert head
    assert command
    shell = f"{sys.executable} -m difftest {command[1]}"
    again = subprocess.run(
        ["sh", "-c", shell], capture_output=True, text=True, check=False, cwd=pytester.path
    )
    assert again.returncode == 1, again.stderr
    assert f"committed: FAIL: {head[1]}" in again.stdout


def test_a_control_may_fail_besides_by_oracles_that_are_not_meant_for_it(
    pytester: pytest.Pytester,
) -> None:
    done = ran(pytester, *FEW, *chosen("naive_hold"), "-rx")
    done.assert_outcomes(xfailed=2)
    assert done.ret == 0
    done.stdout.fnmatch_lines(["XFAIL *naive_hold?model-0? - *block_accounting: *committed: *"])


def test_what_all_have_is_another_bug_and_named(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_plugin(pytester, monkeypatch, MOONY)
    done = ran(pytester, *FEW, *chosen("release_page", "unpatched"), "-k", "model-0")
    done.assert_outcomes(passed=1, xfailed=1)
    assert done.ret == 0
    done.stdout.fnmatch_lines(
        ["another bug, which unpatched and every fix have, model: moony, on workload *: it is full"]
    )
    done.stdout.fnmatch_lines(["*not counted for *release_page?model-0?*"])


def test_a_fix_that_mends_nothing_fails_though_the_baseline_fails_in_the_same_words(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_plugin(pytester, monkeypatch, KNOWN_BAD)
    done = ran(pytester, *FEW, *chosen("nothing"), "-k", "model-0")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["no_kernel_bug: FAIL on * of 60 workloads, *: BUG at mm/userf*"])
    done.stdout.no_fnmatch_line("*another bug*")


@pytest.mark.parametrize(
    ("told", "void"),
    [
        ([(items.TAKEN, "model: page_leak"), (items.MENDED, "model: page_leak")], 1),
        ([(items.TAKEN, "model: page_leak"), (items.MENDED, "model:5.10: page_leak")], 0),
        ([(items.DUE, "bad on model: dirty"), (items.CAUGHT, "bad on model: dirty")], 0),
        ([(items.DUE, "bad on model: dirty"), (items.CAUGHT, "bad on model: crash")], 1),
    ],
)
def test_what_one_test_forgives_and_another_refutes_makes_the_whole_void(
    told: list[tuple[str, str]], void: int
) -> None:
    controls = items.Controls({})
    for one in told:
        controls.pytest_runtest_logreport(
            pytest.TestReport(
                "it", ("it", None, "it"), {}, "passed", None, "call", user_properties=[one]
            )
        )
    assert len(controls.void()) == void


@pytest.mark.long
def test_the_workloads_are_those_of_a_run_and_junit_counts_them(
    pytester: pytest.Pytester, compared: Compares
) -> None:
    result = compared("unpatched", "naive_hold", workloads=260, seed=7)
    kept = set(result.oracles) - {*result.ranking, *result.informational}
    strategies = ("unpatched", "naive_hold")
    many = (*MODEL, "--difftest-workloads", "260", "--difftest-faults", "0")
    ran(pytester, *many, "--difftest-seed", "7", *chosen(*strategies), "--junitxml", "j.xml")
    cases = ET.parse(pytester.path / "j.xml").findall(".//testcase")  # noqa: S314 - our own
    assert sorted(case.attrib["name"] for case in cases) == [
        f"{strategy}[model-{shard}]" for strategy in sorted(strategies) for shard in (0, 1)
    ]
    for strategy in strategies:
        cells = [one for one in result.cells if one.strategy == strategy and one.oracle in kept]
        counts: Counter[str] = Counter()
        for case in cases:
            if case.attrib["name"].startswith(f"{strategy}["):
                for each in case.iter("property"):
                    if each.attrib["name"] in {"difftest fail", "difftest unknown"}:
                        counts[each.attrib["name"]] += int(each.attrib["value"])
        assert counts["difftest fail"] == sum(one.fail for one in cells) > 0
        assert counts["difftest unknown"] == sum(one.unknown for one in cells)


@pytest.mark.long
@pytest.mark.parametrize("jobs", [0, 2])
def test_a_control_that_nothing_catches_makes_the_whole_void(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    with_plugin(pytester, monkeypatch, LAME)
    done = ran(pytester, *FEW, *chosen("lame", "unpatched"), jobs=jobs)
    done.assert_outcomes(passed=2, xfailed=2)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["VOID: lame on model: page_leak must fail, and passed on *"])
    done.stdout.no_fnmatch_line("VOID: unpatched*")


def test_a_control_that_needs_faults_is_not_due_without(pytester: pytest.Pytester) -> None:
    few = (*MODEL, "--difftest-workloads", "40", "--difftest-faults", "0")
    done = ran(pytester, *few, *chosen("install_pte_v5"))
    done.assert_outcomes(passed=1)
    assert done.ret == 0


@pytest.mark.parametrize(("every", "silent"), [(1, 60), (20, 3)])
def test_unknown_is_a_failure_that_says_so(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, every: int, silent: int
) -> None:
    with_plugin(pytester, monkeypatch, SHRUGS.replace("EVERY", str(every)))
    done = ran(pytester, *FEW, *chosen("release_page", "unpatched"), "-k", "model-0")
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines([f"shrugs: UNKNOWN on {silent} of 60 workloads, *: it is dark"])


def test_a_rig_that_breaks_is_an_error_and_no_failure(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_plugin(pytester, monkeypatch, BROKEN)
    done = ran(pytester, *FEW, "--difftest-backend", "broken", *chosen("release_page"))
    done.assert_outcomes(passed=2, errors=2)
    done.stdout.fnmatch_lines(["RigError: no wheels"])
    done.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (chosen("relese_page"), "*unknown strategy 'relese_page': did you mean release_page*"),
        (["--difftest-workloads", "0"], "*'0' is not a number of at least 1"),
        (["--difftest-seed", "one"], "*'one' is not a number of at least 0"),
    ],
)
def test_bad_options_end_in_a_message(
    pytester: pytest.Pytester, options: list[str], message: str
) -> None:
    done = ran(pytester, *MODEL, *options)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([message])
    done.stderr.no_fnmatch_line("*Traceback*")


def test_what_cannot_run_is_named(pytester: pytest.Pytester) -> None:
    options = (*FEW, "--difftest-backend", "model:5.10", *chosen("install_pte_v6", "unpatched"))
    done = ran(pytester, *options, "--collect-only", "-q")
    listed = done.stdout.str()
    for name in re.findall(r"(\w+ on model:5.10) is left out: ", listed):
        assert f"difftest::{name.split()[0]}[model:5.10-0]" not in listed
    assert "difftest::unpatched[model:5.10-1]" in listed


def test_without_the_option_nothing_is_collected(pytester: pytest.Pytester) -> None:
    assert ran(pytester).ret == pytest.ExitCode.NO_TESTS_COLLECTED
