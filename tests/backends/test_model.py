# SPDX-License-Identifier: GPL-2.0-only
"""The model as a backend: what patched code does that is no kernel code, or not only."""

from __future__ import annotations

import threading

import pytest
from played import CALM, CRASH, KNOWN, MODEL, outcomes

from difftest.backends import model, running
from difftest.errors import PatchError, RigError
from difftest.outcome import Ending, Outcome
from difftest.strategy import Strategy


def patched(*lines: str) -> Strategy:
    """Make a strategy that adds these lines where the charge failed."""
    body = "".join(f"+        {line}\n" for line in lines)
    return Strategy(
        name="patched",
        claim="It adds lines.",
        model_patch=(
            f"--- a/mm/shmem.py\n+++ b/mm/shmem.py\n@@ -235,2 +235,{2 + len(lines)} @@\n"
            f"     if not shmem_inode_acct_block(inode, 1, memory):\n{body}"
            "         return -ENOMEM\n"
        ),
    )


@pytest.mark.parametrize(
    "line",
    [
        "put_page(None)",
        "pagep.page = None; pagep.page.lru = True",
        "assert not pagep.page",
        "put_page(dst_mm.ptes[0].page)",
    ],
    ids=["read", "written", "asserted", "no entry"],
)
def test_a_null_pointer_that_is_followed_is_a_crash(line: str) -> None:
    (outcome,) = outcomes(MODEL, patched(line), [CRASH])
    assert (outcome.ending, outcome.title) == (Ending.CRASHED, "panic: Kernel mode fault")
    assert outcome.trace
    assert outcome.state is None


@pytest.mark.parametrize("line", ["nobody()", "int('x')", "inode.nothing", "{}['x']"])
def test_what_no_kernel_code_does_is_no_crash(line: str) -> None:
    with (
        pytest.raises(RigError, match="backend model raised "),
        running(MODEL, [patched(line)]) as runner,
    ):
        list(runner.run([CRASH]))


def test_code_that_loops_for_ever_is_hung_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "PATIENCE", 0.3)
    calm = outcomes(MODEL, KNOWN["unpatched"], [CALM])
    hung, finished = outcomes(MODEL, patched("while True:", "    pass"), [CRASH, CALM])
    assert hung.ending is Ending.HUNG
    assert hung.trace
    assert [finished] == calm


def test_the_model_runs_in_other_threads() -> None:
    seen: list[Outcome] = []
    thread = threading.Thread(
        target=lambda: seen.extend(outcomes(MODEL, KNOWN["unpatched"], [CALM]))
    )
    thread.start()
    thread.join()
    assert [one.ending for one in seen] == [Ending.FINISHED]


def test_code_that_cannot_be_imported_says_why_every_time() -> None:
    for _ in range(2):
        with pytest.raises(PatchError, match="cannot be imported: IndentationError"):
            MODEL.prepare([patched("if inode:")])


def test_equal_code_has_equal_digests_however_it_was_patched() -> None:
    nothing = Strategy(name="nothing", claim="It does nothing.", model_patch="")
    assert MODEL.prepare([nothing]) == MODEL.prepare([KNOWN["unpatched"]])
    assert MODEL.prepare([patched("inode = inode")]) != MODEL.prepare([nothing])
