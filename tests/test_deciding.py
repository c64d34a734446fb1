# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from typing import Any

import pytest
from made import RACE
from played import KNOWN
from unidiff.patch import PatchSet

from difftest import plugins
from difftest.deciding import changes, deciding, without
from difftest.facts import model_for
from difftest.outcome import Ending, Outcome
from difftest.result import Deciding, Witness
from difftest.strategy import Strategy
from difftest.verdict import Verdict, judge_safely

PLUGINS = plugins.load()
LEAK = "mount blocks=1\nfile pages=1\nmap file=0 offset=0 pages=1\ncopy map=0 page=0 source=U\n"

RECLAIMED = (
    "mount blocks=4\nfile pages=2\nmap file=0 offset=0 pages=2\nswapon\n"
    "copy map=0 page=0 source=R\npageout map=0 page=0 pages=1\n"
)

HOLDS = ["-goto out_unacct_blocks;", "+return ret;"]
DIRTIES = [
    "-_dst_pte = pte_mkdirty(_dst_pte);",
    "+if (!page_in_cache)",
    "+_dst_pte = pte_mkdirty(_dst_pte);",
]


def witness(
    strategy: str, oracle: str, text: str, backends: tuple[str, ...] = ("model",)
) -> Witness:
    return Witness(strategy, oracle, backends, 3, text, shrunk=True, evidence="")


def lines(name: str, found: Deciding) -> list[str]:
    text = KNOWN[name].model_patch or ""
    return [text.splitlines()[number - 1].strip() for number in found.lines]


def test_the_change_without_which_a_failure_is_gone_decides() -> None:
    found = deciding(PLUGINS, KNOWN, [witness("naive_hold", "block_accounting", LEAK)])
    ((one,),) = found.values()
    assert one.target == "model"
    assert lines("naive_hold", one) == [
        '-                    label = "out_unacct_blocks"',
        "-                    break",
        "+                    return ret",
    ]


def test_a_stacked_patch_is_tried_on_what_it_stands_on() -> None:
    found = deciding(PLUGINS, KNOWN, [witness("unacct_before_return", "no_kernel_bug", RACE)])
    ((one,),) = found.values()
    assert lines("unacct_before_return", one)[-1].startswith("+")
    assert "if not shmem_inode_acct_block" in " ".join(lines("unacct_before_return", one))


def test_what_the_patch_did_not_bring_has_no_deciding_lines() -> None:
    assert deciding(PLUGINS, KNOWN, [witness("unpatched", "no_kernel_bug", RACE)]) == {}


def test_without_a_model_there_is_nothing_to_try() -> None:
    only = witness("naive_hold", "block_accounting", LEAK, ("uml:6.1",))
    assert deciding(PLUGINS, KNOWN, [only]) == {}


#: Without its first change the second one never ends.
ENDLESS = """\
--- a/mm/shmem.py
+++ b/mm/shmem.py
@@ -234,4 +234,7 @@

+    last_turn = True
     if not shmem_inode_acct_block(inode, 1, memory):
         return -ENOMEM
+    while "last_turn" not in locals():
+        pass

""".replace("\n\n", "\n \n")


def test_a_trial_that_does_not_end_is_given_up() -> None:
    endless = Strategy(name="endless", claim="", model_patch=ENDLESS)
    found = deciding(PLUGINS, KNOWN | {"endless": endless}, [witness("endless", "content", LEAK)])
    # Without the second change the oracle passes, as it does with both of them.
    assert [one.lines for (one,) in found.values()] == [(8, 9)]


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_patch_without_all_its_changes_is_empty(name: str) -> None:
    text = KNOWN[name].model_patch or ""
    every = [number for change in changes(text) for number in change]
    assert without(text, every) == ""
    assert without(text, []).rstrip("\n") == text.rstrip("\n")


def test_a_patch_without_one_change_has_the_others_and_counts_them() -> None:
    text = KNOWN["naive_hold"].model_patch or ""
    first, second = changes(text)
    left = without(text, first)
    (file,) = PatchSet(left)
    (hunk,) = file
    assert (hunk.source_length, hunk.target_length) == (4, 3)
    kept = [
        line for line in left.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert kept == [text.splitlines()[number - 1] for number in second]


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("name", "oracle", "text", "series", "decides"),
    [
        ("naive_hold", "block_accounting", LEAK, "6.1", HOLDS),
        ("naive_hold", "block_accounting", LEAK, "5.10", ["-shmem_inode_unacct_blocks(inode, 1);"]),
        ("never_dirty", "dirty", RECLAIMED, "6.1", DIRTIES),
    ],
)
def test_the_lines_of_a_kernel_patch_are_found_on_the_kernel(
    name: str, oracle: str, text: str, series: str, decides: list[str]
) -> None:
    kernel = f"uml:{series}"
    found = deciding(PLUGINS, KNOWN, [witness(name, oracle, text, (model_for(kernel), kernel))])
    ((on_model, on_kernel),) = found.values()
    assert (on_model.target, on_kernel.target) == ("model", series)
    patch = KNOWN[name].kernel_patches[series].splitlines()
    marked = [patch[number - 1] for number in on_kernel.lines]
    assert [line[0] + line[1:].strip() for line in marked] == decides


@pytest.mark.kernel
def test_where_half_a_patch_leaves_a_kernel_that_does_not_come_up_its_lines_are_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endings: list[Ending] = []

    def judged(oracle: Any, workload: Any, outcome: Outcome, base: Outcome | None) -> Verdict:
        endings.append(outcome.ending)
        return judge_safely(oracle, workload, outcome, base)

    monkeypatch.setattr("difftest.deciding.judge_safely", judged)
    one = witness("naive_hold", "block_accounting", LEAK, ("model:6.12", "uml:6.12"))
    ((on_model,),) = deciding(PLUGINS, KNOWN, [one]).values()
    assert on_model.target == "model"
    both = changes(KNOWN["naive_hold"].kernel_patches["6.12"])
    assert endings.count(Ending.NO_BOOT) == len(both)
