# SPDX-License-Identifier: GPL-2.0-only
"""Real kernels in QEMU: the same outcomes as the model, and the same crashes as on UML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from played import CALM, CRASH, KNOWN, MODEL, outcomes
from wrong import wrong

from difftest import kernels
from difftest.backends import qemu
from difftest.backends.program import Program
from difftest.guest.build import agent
from difftest.outcome import Ending, Step
from difftest.workload.codec import from_text

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel

KERNEL = qemu.QemuBackend(kernels.SERIES["6.1"])


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


def test_it_runs_where_none_of_the_users_files_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guest has no way to them, but a bug of QEMU may be one. Here QEMU itself is one."""
    assert "in bubblewrap" in KERNEL.platform()
    program = tmp_path / "qemu"
    program.write_text("#!/bin/sh\necho seen\n")
    program.chmod(0o755)
    monkeypatch.setattr(qemu, "PROGRAM", str(program))
    ended = KERNEL.boot([KNOWN["unpatched"]], Program(init=agent()))
    assert f"{program}: No such file or directory" in ended.console
    assert "seen" not in ended.console


def test_what_cannot_be_exact_with_two_processors_is_not_played_and_the_others_are() -> None:
    limited = from_text("mount blocks=4\nfile pages=4\novercommit leave=0\n")
    seen = outcomes(KERNEL, KNOWN["release_page"], [CALM, limited, CALM])
    assert [one.ending for one in seen] == [Ending.FINISHED, Ending.UNPLAYED, Ending.FINISHED]
    assert "SMP" in seen[1].title


def test_a_page_that_a_kernel_forgets_is_counted_and_no_other() -> None:
    workloads = [CALM, CRASH] * 20
    seen = outcomes(KERNEL, wrong("forgets_page"), workloads)
    assert [one.held for one in seen] == [0, 1] * 20
