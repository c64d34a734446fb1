# SPDX-License-Identifier: GPL-2.0-only
"""Real kernels under User-mode Linux: what oracles, outcomes and their models say of them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from differences import DIFFERENCES, Difference
from played import CALM, CRASH, KNOWN, changed_agent, guest_with, outcomes
from running import until
from wrong import CASES, Case, wrong

import oracles
from difftest import kernels, session
from difftest.backends import guest, uml
from difftest.backends.model import ModelBackend
from difftest.conformance import disagreements
from difftest.errors import StoreError
from difftest.outcome import Ending, Step
from difftest.store import FILE, Store
from difftest.verdict import Value, judge_safely
from difftest.workload import generate
from difftest.workload.codec import from_text

if TYPE_CHECKING:
    from difftest.backends.channel import Channel

pytestmark = pytest.mark.kernel

KERNELS = {name: uml.UmlBackend(one) for name, one in kernels.SERIES.items()}
KERNEL = KERNELS[kernels.DEFAULT]
every_series = pytest.mark.parametrize("series", KERNELS)


@every_series
@pytest.mark.parametrize(
    ("name", "oracle", "evidence"),
    [
        ("forgets_page", "page_leak", "1 pages are still allocated"),
        ("half_copy", "content", "holds a mixture"),
        ("double_put", "no_kernel_bug", "BUG"),
        ("wrong_errno", "contract", "returned EEXIST, where ENOMEM was due"),
    ],
)
def test_an_oracle_catches_its_kind_of_wrong_kernel(
    series: str, name: str, oracle: str, evidence: str
) -> None:
    workload = CALM if name == "half_copy" else CRASH
    if name == "wrong_errno":
        workload = from_text(
            "mount blocks=1\nfile pages=4\nmap file=0 offset=0 pages=4\n"
            "fill leave=0\ncopy map=0 page=0 source=R\n"
        )
    (outcome,) = outcomes(KERNELS[series], wrong(name), [workload])
    (base,) = outcomes(KERNELS[series], KNOWN["unpatched"], [workload])
    verdicts = {one.name: judge_safely(one, workload, outcome, base) for one in oracles.ORACLES}
    assert verdicts[oracle].value is Value.FAIL
    assert evidence in verdicts[oracle].evidence
    failed = {key for key, verdict in verdicts.items() if verdict.value is Value.FAIL}
    assert failed - {"unchanged"} == {oracle}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_oracle_that_is_meant_for_it_catches_a_wrong_kernel(case: Case) -> None:
    workload = from_text(case.text)
    (outcome,) = outcomes(KERNEL, wrong(case.name), [workload])
    assert disagreements(*outcomes(ModelBackend(), wrong(case.name), [workload]), outcome) == []
    (base,) = outcomes(KERNEL, KNOWN["unpatched"], [workload])
    verdicts = {one.name: judge_safely(one, workload, outcome, base) for one in oracles.ORACLES}
    assert case.evidence in verdicts[case.oracle].evidence
    failed = {key for key, verdict in verdicts.items() if verdict.value is Value.FAIL}
    assert failed - {"unchanged"} == {case.oracle, *case.also} - {"unchanged"}


@every_series
def test_after_a_crash_the_next_workload_runs_in_a_fresh_boot(series: str) -> None:
    chain = [KNOWN["unpatched"]]
    KERNELS[series].prepare(chain)
    with KERNELS[series].runner(chain) as runner:
        seen = list(runner.run([CALM, CRASH, CALM, CRASH, CRASH, CALM]))
        consoles = dict(runner.consoles)
    assert [one.ending for one in seen] == [
        Ending.FINISHED, Ending.CRASHED, Ending.FINISHED,
        Ending.CRASHED, Ending.CRASHED, Ending.FINISHED,
    ]  # fmt: skip
    assert {one.title for one in seen} == {"", "BUG at mm/userfaultfd.c mcopy_atomic"}
    assert seen[0] == seen[2] == seen[5]
    assert sorted(consoles) == [1, 3, 4]
    assert all("BUG: failure at mm/userfaultfd.c" in text for text in consoles.values())


@every_series
def test_the_steps_before_a_crash_are_kept(series: str) -> None:
    (outcome,) = outcomes(KERNELS[series], KNOWN["unpatched"], [CRASH])
    assert outcome.trace[-1] == Step("0.0.0", 4096, 2)


@every_series
def test_a_kernel_that_never_boots_is_neither_a_crash_nor_a_pass(series: str) -> None:
    seen = outcomes(KERNELS[series], wrong("never_boots"), [CALM, CRASH])
    assert [one.ending for one in seen] == [Ending.NO_BOOT] * 2
    assert "the kernel never came up: panic: never boots" in seen[0].title
    verdicts = {judge_safely(one, CALM, seen[0]).value for one in oracles.ORACLES}
    assert verdicts == {Value.UNKNOWN}


@pytest.mark.parametrize(
    ("file", "old", "new", "title"),
    [
        (
            "world.c",
            'out_str("{\\"left\\":");',
            'out_str("what?");',
            "the guest agent wrote b'what?",
        ),
        (
            "world.c",
            'out_str("{\\"left\\":");',
            'out_str("{\\"used\\":");',
            "the guest agent wrote",
        ),
        (
            "play.c",
            "out_num(number);",
            "out_num(number + 7);",
            "the guest agent is done with 6, not with -1",
        ),
    ],
    ids=["not-json", "unknown-line", "wrong-number"],
)
def test_an_agent_that_writes_garbage_is_the_rig(
    tmp_path: Path, file: str, old: str, new: str, title: str
) -> None:
    with guest_with(KERNEL, changed_agent(tmp_path, file, old, new)) as runner:
        seen = list(runner.run([CALM]))
    assert len(seen) == 1
    assert seen[0].ending is Ending.NO_BOOT  # not even its first workload can be trusted
    assert title in seen[0].title


def test_a_guest_that_is_killed_once_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody kills it in its first boot; the second plays everything, and nothing shows."""
    wait = guest._wait
    boots = []

    def kill_first(process: subprocess.Popen[bytes], channel: Channel, silence: float) -> bool:
        boots.append(process.pid)
        if len(boots) == 1:
            time.sleep(0.01)
            process.kill()
        return wait(process, channel, silence)

    monkeypatch.setattr(guest, "_wait", kill_first)
    seen = outcomes(KERNEL, KNOWN["release_page"], [CALM] * 200)
    assert len(boots) == 2
    assert {one.ending for one in seen} == {Ending.FINISHED}


def test_a_complaint_that_the_kernel_survives_is_laid_to_the_workload_that_caused_it(
    tmp_path: Path,
) -> None:
    """The agent puts on the console what a bad page does, in the second of three workloads."""
    says = 'write(open("/dev/console", O_WRONLY), "BUG: Bad page state in process\\n", 31)'
    agent = changed_agent(
        tmp_path,
        "play.c",
        "\tworld_observe();\n",
        f"\tif (workload->step[0].field[0].number == 3 && {says})\n\t\terrno = 0;\n"
        "\tworld_observe();\n",
    )
    with guest_with(KERNEL, agent) as runner:
        seen = list(runner.run([CALM, dataclasses.replace(CALM, blocks=3), CALM]))
        assert sorted(runner.consoles) == [1]
    assert [one.ending for one in seen] == [Ending.FINISHED, Ending.CRASHED, Ending.FINISHED]
    assert seen[1].title == "BUG: Bad page state"


def test_a_workload_has_the_same_outcome_wherever_it_stands() -> None:
    workloads = generate.shard(5, 0, 40)
    together = outcomes(KERNEL, KNOWN["release_page"], workloads)
    backwards = outcomes(KERNEL, KNOWN["release_page"], workloads[::-1])[::-1]
    alone = [outcomes(KERNEL, KNOWN["release_page"], [one])[0] for one in workloads[:5]]
    assert together == backwards
    assert together[:5] == alone


@every_series
@pytest.mark.parametrize(
    "difference", [one for one in DIFFERENCES if one.guest == "uml"], ids=lambda one: one.name
)
def test_series_differ_as_their_models_say(difference: Difference, series: str) -> None:
    """tests/model/test_series.py says how; here it is seen."""
    seen = outcomes(KERNELS[series], KNOWN[difference.strategy], [difference.workload])
    assert seen == outcomes(ModelBackend(series), KNOWN[difference.strategy], [difference.workload])


def test_nothing_of_a_guest_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    outcomes(KERNEL, KNOWN["unpatched"], [CRASH, CALM])
    until(lambda: not guests(tmp_path))  # those in the sandbox end a moment after it
    assert not list(tmp_path.iterdir())


def test_ctrl_c_ends_guests_and_workers_and_leaves_no_files(tmp_path: Path) -> None:
    """A run on kernels with two workers is interrupted; then it goes on and comes to its end."""
    command = [
        sys.executable, "-m", "difftest", "run", "--backend", "uml:6.1", "--workloads", "1000",
        "--strategy", "unpatched", "--strategy", "release_page", "--faults", "0",
        "--jobs", "2", "--output", str(tmp_path / "runs"),
    ]  # fmt: skip
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    until(lambda: guests(tmp_path))
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    until(lambda: not guests(tmp_path))
    assert not list(tmp_path.glob("difftest-*"))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "going on with" in done.stderr


def test_a_guest_that_is_killed_changes_nothing(tmp_path: Path) -> None:
    """It is booted once more, and plays what it had not told of."""
    command = [
        sys.executable, "-m", "difftest", "run", "--backend", "uml:6.1", "--workloads", "500",
        "--strategy", "unpatched", "--strategy", "release_page", "--faults", "0", "--jobs", "1",
    ]  # fmt: skip
    found = []
    for name, kill in (("left", False), ("killed", True)):
        folder = tmp_path / name
        folder.mkdir()
        process = subprocess.Popen(
            [*command, "--output", str(folder / "runs")],
            env=os.environ | {"TMPDIR": str(folder)}, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        killed = set()
        while kill and process.poll() is None and len(killed) < 2:
            if not kept(folder / "runs", len(killed)):
                time.sleep(0.01)
                continue
            with contextlib.suppress(ProcessLookupError):  # it came to its end before
                # Of a guest's processes the first; the others are what runs in it.
                leader = next((n for n in map(int, guests(folder)) if os.getsid(n) == n), 0)
                if leader and leader not in killed:
                    os.kill(leader, signal.SIGKILL)
                    killed.add(leader)
        assert process.wait(timeout=60) in {0, 1}
        assert len(killed) == (2 if kill else 0)
        result = session.stored(folder / "runs" / "0001")
        assert not [cell for cell in result.cells if "lost" in " ".join(cell.causes)]
        found.append(msgspec.structs.replace(result, timings={}, attacks=()))
    assert found[0] == found[1]


def kept(runs: Path, shards: int) -> bool:
    """Say whether a run has so many shards."""
    try:
        with Store(runs / "0001" / FILE) as store:
            return store.shards() >= shards
    except StoreError:
        return False


def guests(folder: Path) -> list[str]:
    """Return the processes whose command line names a file below a folder of guests."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            text = path.read_text(encoding="utf-8", errors="replace")
            if f"initrd={folder}" in text:
                found.append(path.parent.name)
    return found
