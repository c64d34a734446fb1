# SPDX-License-Identifier: GPL-2.0-only
"""Every way for a guest to end is told apart, in both kinds of virtual machines.

Kernels and agents are made to do so: to hang, at boot or later, to die, to eat all memory.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from played import CALM, CRASH, changed_agent, guest_with, outcomes
from wrong import wrong

import oracles
from difftest import kernels
from difftest.backends import guest, qemu, uml
from difftest.outcome import Ending, Step
from difftest.verdict import Value, judge_safely
from difftest.workload.codec import from_text

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from difftest.backends.channel import Channel
    from difftest.outcome import Outcome
    from difftest.workload.workload import Workload

pytestmark = pytest.mark.kernel

SERIES = kernels.SERIES[kernels.DEFAULT]
KERNELS = {"uml": uml.UmlBackend(SERIES), "qemu": qemu.QemuBackend(SERIES)}
SILENCE = {"uml": 1, "qemu": 10}
"""Seconds without a line in which every guest that is well boots and writes one."""

#: In `breaks_down`, what the retry does when the mount is full depends on the page.
HANGS = from_text(
    "mount blocks=2\nfile pages=4\nmap file=0 offset=0 pages=4\n"
    "copy map=0 page=0 source=M\n  window\n    fill leave=0\n"
)
EATS = CRASH

every_machine = pytest.mark.parametrize("machine", KERNELS)


@pytest.fixture
def impatient(machine: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], str]:
    """Return what makes a backend give a guest up after so many seconds, and says its words."""

    def begin(seconds: int) -> str:
        monkeypatch.setattr({"uml": uml, "qemu": qemu}[machine], "SILENCE", float(seconds))
        return f"no sign of life for {seconds} s"

    return begin


def nothing_is_known(outcome: Outcome) -> bool:
    verdicts = {judge_safely(one, CALM, outcome).value for one in oracles.ORACLES}
    return verdicts == {Value.UNKNOWN}


@every_machine
def test_a_kernel_that_hangs_at_boot_never_came_up(
    machine: str, impatient: Callable[[int], str]
) -> None:
    silent = impatient(2)  # none of its boots would come to more with more
    seen = outcomes(KERNELS[machine], wrong("hangs_at_boot"), [CALM, CALM])
    assert [one.ending for one in seen] == [Ending.NO_BOOT] * 2
    assert {one.title for one in seen} == {f"the kernel never came up: {silent}"}
    assert nothing_is_known(seen[0])


@every_machine
@pytest.mark.parametrize(
    ("workload", "ending"),
    [(HANGS, Ending.HUNG), (EATS, Ending.OUT_OF_MEMORY)],
    ids=["hang", "out-of-memory"],
)
def test_a_kernel_that_hangs_and_one_that_eats_memory_have_not_crashed(
    machine: str, workload: Workload, ending: Ending, impatient: Callable[[int], str]
) -> None:
    soon = SILENCE[machine]
    title = impatient(soon) if ending is Ending.HUNG else "the guest has no memory left"
    seen = outcomes(KERNELS[machine], wrong("breaks_down"), [CALM, workload, CALM])
    assert [one.ending for one in seen] == [Ending.FINISHED, ending, Ending.FINISHED]
    assert seen[1].title == title
    assert seen[0] == seen[2]
    # The steps before are kept: it happened when the copy came back from its window.
    last = seen[1].trace[-1]
    assert isinstance(last, Step)
    assert (last.at, last.used) == ("0.0.0", 2)
    assert nothing_is_known(seen[1])


@every_machine
@pytest.mark.parametrize(
    ("statement", "ending", "title"),
    [
        ('die("I am %s", "ill");', Ending.AGENT_FAILED, "guest agent: I am ill"),
        ("*(volatile char *)0 = 1;", Ending.AGENT_FAILED, "the guest agent died, exit code 0x"),
        ("for (;;)\n\t\t;", Ending.HUNG, "no sign of life for"),
        (
            "for (char *p;; *p = 1)\n\t\tp = mmap(0, PAGE, PROT_WRITE, 0x22, -1, 0);",
            Ending.OUT_OF_MEMORY,
            "the guest has no memory left",
        ),
    ],
    ids=["gives-up", "segfault", "hang", "out-of-memory"],
)
def test_an_agent_that_ends_in_a_workload_is_told_apart_from_a_kernel_that_does(
    tmp_path: Path,
    machine: str,
    statement: str,
    ending: Ending,
    title: str,
    impatient: Callable[[int], str],
) -> None:
    """The agent fails in the second of three workloads; the third runs all the same."""
    if ending is Ending.HUNG:
        impatient(SILENCE[machine])
    agent = changed_agent(
        tmp_path,
        "play.c",
        "\tworld_observe();\n",
        f"\tif (number == 1)\n\t\t{statement}\n\tworld_observe();\n",
    )
    with guest_with(KERNELS[machine], agent) as runner:
        seen = list(runner.run([CALM, CALM, CALM]))
        assert sorted(runner.consoles) == [1]
    assert [one.ending for one in seen] == [Ending.FINISHED, ending, Ending.FINISHED]
    assert title in seen[1].title
    assert nothing_is_known(seen[1])


@every_machine
@pytest.mark.parametrize(
    ("statement", "title"),
    [
        ('die("I am %s", "ill");', "guest agent: I am ill"),
        ("*(volatile char *)0 = 1;", "the guest agent died, exit code 0x"),
    ],
    ids=["gives-up", "segfault"],
)
def test_an_agent_that_dies_before_its_first_workload_is_no_kernel_that_crashes(
    tmp_path: Path, machine: str, statement: str, title: str
) -> None:
    agent = changed_agent(tmp_path, "agent.c", "\tworld_init();\n", f"\t{statement}\n")
    with guest_with(KERNELS[machine], agent) as runner:
        seen = list(runner.run([CALM, CALM]))
    assert [one.ending for one in seen] == [Ending.NO_BOOT] * 2
    assert title in seen[0].title
    assert nothing_is_known(seen[0])


@every_machine
def test_a_guest_that_is_killed_again_and_again_is_lost_and_the_next_workload_runs(
    tmp_path: Path, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = guest._wait
    stuck = "\tif (number == 1)\n\t\tfor (;;)\n\t\t\t;\n\tworld_observe();\n"
    agent = changed_agent(tmp_path, "play.c", "\tworld_observe();\n", stuck)
    boots = []

    def kill(process: subprocess.Popen[bytes], channel: Channel, silence: float) -> bool:
        boots.append(process.pid)
        if len(boots) <= guest.ATTEMPTS:
            lines = channel.lines() if len(boots) == 1 else [b'"done":0']
            while not any(b'"done":0' in line for line in lines):
                time.sleep(0.01)
                lines = channel.lines()
            time.sleep(0.2 if machine == "uml" else 3)
            process.kill()
        return wait(process, channel, silence)

    monkeypatch.setattr(guest, "_wait", kill)
    with guest_with(KERNELS[machine], agent) as runner:
        seen = list(runner.run([CALM] * 3))
    assert [one.ending for one in seen] == [Ending.FINISHED, Ending.LOST, Ending.FINISHED]
    assert "the guest vanished with status -9" in seen[1].title
