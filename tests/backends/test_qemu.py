# SPDX-License-Identifier: GPL-2.0-only
"""Real kernels in QEMU: the same outcomes as the model, and the same endings as on UML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from played import CALM, CRASH, KNOWN, MODEL, changed_agent, guest_with, outcomes
from wrong import wrong

from difftest import kernels
from difftest.backends import qemu
from difftest.conformance import disagreements
from difftest.outcome import Ending, Step
from difftest.workload import generate
from difftest.workload.codec import from_text, to_text

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel

KERNEL = qemu.QemuBackend(kernels.SERIES["6.1"])


def test_model_and_kernel_agree_in_every_field(request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("randomly_seed") % 1_000_000
    workloads = generate.shard(seed, 0, generate.SHARD)
    fix = KNOWN["release_page"]
    pairs = zip(
        workloads, outcomes(MODEL, fix, workloads), outcomes(KERNEL, fix, workloads), strict=True
    )
    for number, (workload, ours, theirs) in enumerate(pairs):
        found = disagreements(ours, theirs) if theirs.ending is not Ending.UNPLAYED else []
        assert not found, f"seed {seed}, workload {number}: {found[0]}\n{to_text(workload)}"


def test_a_crash_is_told_as_everywhere_and_the_next_workload_runs_in_a_fresh_boot() -> None:
    workloads = [CALM, CRASH, CALM]
    KERNEL.prepare([KNOWN["unpatched"]])
    with KERNEL.runner([KNOWN["unpatched"]]) as runner:
        seen = list(runner.run(workloads))
        consoles = dict(runner.consoles)
    assert seen == outcomes(MODEL, KNOWN["unpatched"], workloads)
    assert seen[1].title == "BUG at mm/userfaultfd.c mcopy_atomic"
    assert seen[1].trace[-1] == Step("0.0.0", 4096, 2)
    assert list(consoles) == [1]
    assert "kernel BUG at mm/userfaultfd.c" in consoles[1]


def test_what_cannot_be_exact_with_two_processors_is_not_played_and_the_others_are() -> None:
    limited = from_text("mount blocks=4\nfile pages=4\novercommit leave=0\n")
    seen = outcomes(KERNEL, KNOWN["release_page"], [CALM, limited, CALM])
    assert [one.ending for one in seen] == [Ending.FINISHED, Ending.UNPLAYED, Ending.FINISHED]
    assert "SMP" in seen[1].title


def test_a_page_that_a_kernel_forgets_is_counted_and_no_other() -> None:
    workloads = [CALM, CRASH] * 20
    seen = outcomes(KERNEL, wrong("forgets_page"), workloads)
    assert [one.held for one in seen] == [0, 1] * 20


@pytest.mark.parametrize(
    ("statement", "ending", "title"),
    [
        ('die("I am %s", "ill");', Ending.AGENT_FAILED, "guest agent: I am ill"),
        ("*(volatile char *)0 = 1;", Ending.AGENT_FAILED, "the guest agent died, exit code 0x"),
        ("for (;;)\n\t\t;", Ending.HUNG, "no sign of life for 10 s"),
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
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    ending: Ending,
    title: str,
) -> None:
    """The agent fails in the second of three workloads; the third runs all the same."""
    if ending is Ending.HUNG:
        monkeypatch.setattr(qemu, "SILENCE", 10.0)
    agent = changed_agent(
        tmp_path,
        "play.c",
        "\tworld_observe();\n",
        f"\tif (number == 1)\n\t\t{statement}\n\tworld_observe();\n",
    )
    KERNEL.prepare([KNOWN["unpatched"]])
    with guest_with(KERNEL, agent) as runner:
        seen = list(runner.run([CALM, CALM, CALM]))
        assert sorted(runner.consoles) == [1]
    assert [one.ending for one in seen] == [Ending.FINISHED, ending, Ending.FINISHED]
    assert title in seen[1].title
