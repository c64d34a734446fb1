# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from wrong import wrong

import strategies
from difftest import kernels, plugins, selftest
from difftest.backends import console
from difftest.backends.model import ModelBackend
from difftest.backends.program import Ended, Program
from difftest.backends.qemu import QemuBackend
from difftest.backends.uml import UmlBackend
from difftest.errors import UsageError
from difftest.guest.build import STATIC, launcher
from difftest.selftest import SELFTESTS, Came, Report

if TYPE_CHECKING:
    from pathlib import Path

    from difftest.backends.guest import GuestBackend
    from difftest.strategy import Strategy

KNOWN = {one.name: one for one in strategies.STRATEGIES}
RIGHT = ("release_page", "remove_bug_on")
BACKENDS: list[GuestBackend] = [UmlBackend(one) for one in kernels.SERIES.values()]
BACKENDS.append(QemuBackend(kernels.SERIES["6.1"]))
KERNELS = {one.name: one for one in BACKENDS}
SHMEM = SELFTESTS["6.1"][0]

BOUNCES = "nr_pages: 1024\nbounces: 0, mode: read, userfaults: 9 missing (9+)\n"
REST = (
    "testing UFFDIO_ZEROPAGE: done.\ntesting signal delivery: done.\n"
    "testing events (fork, remap, remove): userfaults: 1024 missing (1024+)\n"
)
BUG = "BUG: failure at mm/userfaultfd.c:691/__mcopy_atomic()!\nKernel panic - not syncing: BUG!\n"
MEMORY = "Kernel panic - not syncing: System is deadlocked on memory\n"


def end(status: int, signal: int = 0) -> str:
    return f'{{"exit":{status},"signal":{signal}}}\nreboot: System halted\n'


def judged(text: str, *, given_up: bool = False) -> Report:
    ended = Ended(text, console.read(text), 7, given_up)
    return selftest.judge("release_page", "uml:6.1", SHMEM, ended)


@pytest.mark.parametrize(
    ("text", "came", "why"),
    [
        (BOUNCES + REST + end(0), Came.PASSED, ""),
        (BOUNCES + REST + end(1), Came.FAILED, "exit status 1"),
        (
            f"{BOUNCES}testing x: ERROR: no (errno=17)\n{end(1)}",
            Came.FAILED,
            "exit status 1: ERROR: no (errno=17)",
        ),
        (BOUNCES + end(0, 11), Came.FAILED, "signal 11"),
        (BOUNCES + BUG, Came.FAILED, "BUG at mm/userfaultfd.c mcopy_atomic"),
        (BOUNCES + REST + end(0) + BUG, Came.FAILED, "BUG at mm/userfaultfd.c mcopy_atomic"),
        ("skip: no pages\n" + end(4), Came.NOT_RUN, "skip: no pages"),
        (BOUNCES + REST + end(4), Came.NOT_RUN, "it skips itself and does not say why"),
        (BOUNCES + end(0), Came.UNKNOWN, "exit status 0, but its last words are missing"),
        (REST + end(0), Came.UNKNOWN, "exit status 0, but its last words are missing"),
        (BOUNCES + REST, Came.UNKNOWN, "the guest vanished with status 7"),
        (BOUNCES + MEMORY, Came.UNKNOWN, "the guest has no memory left"),
    ],
)
def test_a_test_passes_only_by_its_own_status_and_last_words(
    text: str, came: Came, why: str
) -> None:
    report = judged(text)
    assert (report.came, report.why) == (came, why)


def test_a_test_that_does_not_end_is_unknown() -> None:
    report = judged(BOUNCES, given_up=True)
    assert (report.came, report.why) == (Came.UNKNOWN, f"no end in {selftest.PATIENCE:.0f} s")


def test_what_a_test_leaves_out_is_told() -> None:
    assert judged(BOUNCES + REST + end(0)).left_out == (
        "minor faults: the kernel does not offer them",
        "write-protection faults: the kernel does not offer them",
    )
    had = BOUNCES.replace("(9+)", "(9+) 3 minor (3+) 5 wp (5+)")
    assert judged(had + REST + end(0)).left_out == ()
    skipped = "Testing minor on shmem... skipped [reason: feature missing]\n"
    assert "minor on shmem: feature missing" in judged(BOUNCES + skipped + REST + end(0)).left_out


def report(name: str, came: Came, why: str = "") -> Report:
    return Report(name, "uml:6.1", "userfaultfd shmem", came, why)


@pytest.mark.parametrize(
    ("reports", "failed", "complete"),
    [
        ([report("a", Came.PASSED)], False, True),
        ([report("a", Came.PASSED), report("a", Came.NOT_RUN)], False, True),
        ([report("a", Came.PASSED), report("b", Came.NOT_RUN)], False, False),
        ([report("a", Came.PASSED), report("a", Came.UNKNOWN)], False, False),
        ([report("a", Came.PASSED), report("b", Came.FAILED)], True, False),
        ([], False, False),
    ],
)
def test_nothing_is_passed_that_did_not_run(
    reports: list[Report],
    failed: bool,  # noqa: FBT001
    complete: bool,  # noqa: FBT001
) -> None:
    assert (selftest.failed(reports), selftest.complete(reports)) == (failed, complete)


def test_a_table_has_a_row_for_each_test_and_says_what_was_left_out_once() -> None:
    reports = [judged(BOUNCES + REST + end(0))] * 2 + [report("b", Came.FAILED, "signal 11")]
    text = selftest.render(reports)
    assert text.count("release_page") == 2
    assert "failed" in text
    assert "signal 11" in text
    assert text.count("not run on uml:6.1, userfaultfd shmem: minor faults") == 1


def test_without_a_kernel_there_is_nothing_to_test() -> None:
    with pytest.raises(UsageError, match=r"no kernel to test.*release_page on model"):
        selftest.selftests(plugins.load(), [ModelBackend()], [KNOWN["release_page"]])


def test_every_series_has_tests_of_shared_memory() -> None:
    assert SELFTESTS.keys() == kernels.SERIES.keys()
    assert all(any("shmem" in one.arguments for one in tests) for tests in SELFTESTS.values())


def test_every_test_has_last_words_so_that_none_passes_unrun() -> None:
    assert all(one.last_words for tests in SELFTESTS.values() for one in tests)


@pytest.mark.kernel
@pytest.mark.parametrize("arguments", [(), ("one", "two")])
def test_a_test_is_started_with_its_arguments_and_its_status_told(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    source = tmp_path / "test.c"
    source.write_text("int main(int argc) { return 40 + argc; }")
    subprocess.run([*STATIC, "-w", "-o", tmp_path / "test", source], check=True)
    program = Program(
        init=launcher(),
        arguments=(str(len(arguments)), *arguments),
        files={"/test": tmp_path / "test"},
    )
    ended = KERNELS["uml:6.1"].boot([KNOWN["release_page"]], program)
    assert f'{{"exit":{41 + len(arguments)},"signal":0}}' in ended.console


def ran(backend: str, *chosen: Strategy) -> dict[tuple[str, str], Report]:
    kernel = KERNELS[backend]
    for one in chosen:
        kernel.prepare([one])
    return {
        (one.strategy, one.test): one for one in selftest._on(kernel, [[one] for one in chosen])
    }


def shmem(backend: str) -> str:
    return next(one.name for one in SELFTESTS[backend.partition(":")[2]] if "shmem" in one.name)


@pytest.mark.kernel
@pytest.mark.parametrize("backend", KERNELS)
def test_the_kernels_own_test_passes_for_right_fixes(backend: str) -> None:
    reports = ran(backend, *(KNOWN[name] for name in RIGHT))
    unfit = {
        test.name
        for test in SELFTESTS[backend.partition(":")[2]]
        if test.unfit and backend.startswith("uml:")
    }
    came = {where: (Came.NOT_RUN if where[1] in unfit else Came.PASSED) for where in reports}
    assert {where: one.came for where, one in reports.items()} == came, reports
    assert all((name, shmem(backend)) in reports for name in RIGHT)
    # User-mode Linux has neither of the two kinds of faults, an emulated x86-64 has both.
    left_out = {part for one in reports.values() for part in one.left_out}
    assert bool(left_out) is backend.startswith("uml:")


@pytest.mark.kernel
@pytest.mark.parametrize("backend", KERNELS)
def test_the_kernels_own_test_fails_for_a_fix_that_hides_eexist(backend: str) -> None:
    reports = ran(backend, wrong("swallows_eexist"))
    report = reports["swallows_eexist", shmem(backend)]
    # By what the test found: the kernel is well.
    assert report.came is Came.FAILED
    assert report.why.startswith("exit status 1")
