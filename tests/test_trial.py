# SPDX-License-Identifier: GPL-2.0-only
"""Trials of mutants: killed, survived, stillborn, the same and unknown are told apart."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from test_campaign import Interrupting
from wrong import wrong

from difftest import kills, plugins, session
from difftest.backends import model as model_backend
from difftest.backends.model import ModelBackend
from difftest.equivalent import Equivalent
from difftest.errors import BuildError, PluginError, UsageError
from difftest.result import Fate, KillRate, MutantResult, Result
from difftest.settings import Mutants
from difftest.strategy import Strategy
from difftest.verdict import PASS, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from difftest.outcome import Outcome
    from difftest.plugins import Plugins
    from difftest.workload.workload import Workload

HEAD = """\
--- a/mm/shmem.py
+++ b/mm/shmem.py
@@ -235,2 +235,{count} @@ def shmem_mfill_atomic_pte(
     if not shmem_inode_acct_block(inode, 1, memory):
"""


def fix(name: str, *lines: str, equivalents: Sequence[Equivalent] = ()) -> Strategy:
    """Make a strategy that adds these lines where the charge failed."""
    body = "".join(f"+        {line}\n" for line in lines)
    patch = f"{HEAD.format(count=2 + len(lines))}{body}         return -ENOMEM\n"
    return Strategy(
        name=name,
        claim=f"{name} mends it.",
        model_patch=patch,
        kernel_patches=MappingProxyType({}),
        equivalents=tuple(equivalents),
    )


RELEASE = ("if pagep.page:", "    put_page(pagep.page)", "    pagep.page = None")
ALL_FATES = fix(
    "all_fates", *RELEASE,
    "tries = 0", "while tries < 1:", "    tries += 0", "    tries += 1", "tries += 2", "tries += 2",
)  # fmt: skip


def tried(
    output: Path,
    *strategies: Strategy,
    loaded: Plugins | None = None,
    jobs: int = 1,
    **changes: object,
) -> Result:
    loaded = loaded or plugins.load()
    loaded.strategies.update({one.name: one for one in strategies})
    names = ("unpatched", *(one.name for one in strategies))
    fields: dict[str, object] = {
        "strategies": names, "patches": (), "backends": ("model",), "oracles": (),
        "workloads": 30, "seed": 1, "mutants": Mutants.ONLY,
    }  # fmt: skip
    with session.begin(loaded, session.Request(**fields | changes), output, ()) as running:  # type: ignore[arg-type]
        assert not running.run(jobs)
        return running.report()


def by_edit(result: Result) -> dict[str, MutantResult]:
    return {one.edit: one for one in result.mutants}


def test_killed_survived_stillborn_same_and_unknown_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_backend, "PATIENCE", 0.3)
    result = tried(tmp_path, ALL_FATES)
    found = by_edit(result)
    fates = {edit: one.fate for edit, one in found.items()}
    assert fates == {
        "drop+1": Fate.STILLBORN,  # `if` and its block
        "drop+2": Fate.KILLED,
        "drop+3": Fate.KILLED,
        "drop+4": Fate.STILLBORN,  # `tries` is never set, which is seen when it runs
        "drop+5": Fate.STILLBORN,
        "drop+6": Fate.SURVIVED,
        "drop+7": Fate.UNKNOWN,  # loops for ever
        "drop+8": Fate.SURVIVED,
        "drop+9": Fate.SAME,
        "swap+1": Fate.STILLBORN,
        "swap+2": Fate.KILLED,
        "swap+3": Fate.STILLBORN,
        "swap+4": Fate.STILLBORN,
        "swap+5": Fate.STILLBORN,
        "swap+6": Fate.SURVIVED,
        "swap+7": Fate.STILLBORN,
        "negate+1": Fate.KILLED,
        "negate+5": Fate.SURVIVED,
    }
    assert found["drop+2"].by == ("page_leak",)
    assert found["drop+2"].evidence.startswith("page_leak: ")
    assert found["drop+3"].by == ("no_kernel_bug",)
    assert found["swap+2"].evidence.startswith("no_kernel_bug: panic: Kernel mode fault")
    assert "IndentationError" in found["drop+1"].evidence
    assert "UnboundLocalError" in found["drop+4"].evidence
    assert "without coming to an end" in found["drop+7"].evidence
    assert found["drop+9"].same_as == "all_fates~drop+8"
    (_, whole) = result.kill_rates
    assert whole == KillRate("", "model", 18, 8, 1, 9, 4, 0, 4, 1, 4 / 9)
    assert kills.status(result.mutants) == kills.SURVIVORS


def test_a_killed_mutant_ends_at_the_workload_that_did_it(tmp_path: Path) -> None:
    found = by_edit(tried(tmp_path, fix("release", *RELEASE)))
    killed = found["drop+2"]
    assert killed.number is not None
    assert killed.runs == killed.number + 1
    assert killed.outcomes == ""


def test_a_survivor_has_behaved_like_its_original_on_all_workloads(tmp_path: Path) -> None:
    two = tried(tmp_path, fix("twice", "tries = 0", "tries += 1"))
    survivor = by_edit(two)["drop+2"]
    assert survivor.evidence == "behaves like the original on 30 workloads"
    assert (survivor.runs, survivor.differ, survivor.number) == (30, 0, None)
    assert len(survivor.outcomes) == 64
    text = kills.render(two)
    assert "twice~drop+2 on model survived: twice, but it does not add `tries += 1`." in text
    assert "That is no proof" in text


class Blind:
    """An oracle that sees nothing."""

    name = "blind"
    question = "is there anything at all?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:  # noqa: ARG002 - by protocol
        return PASS


def test_what_weak_oracles_do_not_see_survives_and_says_what_is_missing(tmp_path: Path) -> None:
    loaded = plugins.load()
    loaded.oracles["blind"] = Blind()
    weak = tried(tmp_path, fix("release", *RELEASE), loaded=loaded, oracles=("blind",))
    leak = by_edit(weak)["drop+2"]
    assert leak.fate is Fate.SURVIVED
    assert leak.differ > 0
    assert "no oracle tells them apart: workload " in leak.evidence
    assert "held 0 on release, 1 on release~drop+2" in leak.evidence
    assert "An oracle is missing that looks at this difference." in kills.render(weak)
    assert kills.status(weak.mutants) == kills.SURVIVORS
    with_leaks = tried(tmp_path, fix("release", *RELEASE), oracles=("page_leak",))
    assert by_edit(with_leaks)["drop+2"].by == ("page_leak",)


def test_a_mutant_of_a_wrong_fix_is_killed_where_it_is_better(tmp_path: Path) -> None:
    """An original that fails tells nothing by failing; a mutant that passes there does."""
    leaky = fix("leaky", *RELEASE, "    inode.i_sb.used_blocks += 1")
    result = tried(tmp_path, leaky, oracles=("block_accounting",))
    found = by_edit(result)["drop+4"]
    assert found.fate is Fate.KILLED
    assert found.evidence.startswith("block_accounting passes, and of the original it says: ")


def test_a_verdict_that_is_unknown_kills_nothing(tmp_path: Path) -> None:
    """Without the oracle that sees crashes, those that cannot judge one are silent."""
    result = tried(tmp_path, fix("release", *RELEASE), oracles=("page_leak",))
    found = by_edit(result)["drop+3"]
    assert found.fate is Fate.SURVIVED
    assert found.differ > 0


def test_a_mutant_that_is_the_baseline_says_so(tmp_path: Path) -> None:
    result = tried(tmp_path, fix("one", "put_page(pagep.page) if pagep.page else None"))
    assert by_edit(result)["drop+1"].same_as == "unpatched"
    assert by_edit(result)["drop+1"].runs > 0


@pytest.mark.long
def test_the_result_is_the_same_for_any_number_of_jobs(tmp_path: Path) -> None:
    """With two shards, the second a short one."""
    hold = plugins.load().strategies["naive_hold"]
    one, two = (tried(tmp_path / str(jobs), hold, jobs=jobs, workloads=255) for jobs in (1, 2))
    assert kills.encode(one) == kills.encode(two)
    assert {one.fate for one in one.mutants} >= {Fate.KILLED, Fate.SURVIVED}


def test_a_run_that_was_interrupted_goes_on_to_the_same_result(tmp_path: Path) -> None:
    strategy = fix("release", *RELEASE)
    loaded = plugins.load()
    loaded.strategies["release"] = strategy
    loaded.backends["model"] = Interrupting(4)  # two originals, two mutants
    asked = session.Request(
        ("unpatched", "release"), (), ("model",), (), 30, 1, mutants=Mutants.ONLY
    )  # fmt: skip
    with session.begin(loaded, asked, tmp_path, ()) as running:
        assert running.run(1)
        partial = running.report()
    whole = tried(tmp_path, strategy)
    assert 0 < len(partial.mutants) < len(whole.mutants)
    assert kills.encode(whole) == kills.encode(tried(tmp_path / "other", strategy))
    assert [path.name for path in tmp_path.glob("0*")] == ["0001"]


REASON = Equivalent("model.patch", "drop+2", "tries += 1", "Nobody reads it.")


def test_a_reason_explains_a_survivor(tmp_path: Path) -> None:
    strategy = fix("twice", "tries = 0", "tries += 1", equivalents=[REASON])
    result = tried(tmp_path, strategy)
    assert by_edit(result)["drop+2"].reason == "Nobody reads it."
    assert "twice~drop+2 on model explained: " in kills.render(result)
    assert "It is equivalent: Nobody reads it." in kills.render(result)
    (_, whole) = result.kill_rates
    assert (whole.tried, whole.killed, whole.explained, whole.survived) == (1, 0, 1, 0)
    assert whole.rate == 0
    assert kills.status(result.mutants) == kills.ALL_KILLED
    assert not kills.stale(result.mutants)


def test_a_reason_for_a_mutant_that_is_killed_is_stale(tmp_path: Path) -> None:
    reason = Equivalent("model.patch", "drop+2", "put_page(pagep.page)", "It seems so.")
    result = tried(tmp_path, fix("release", *RELEASE, equivalents=[reason]))
    (sentence,) = kills.stale(result.mutants)
    assert sentence.startswith(
        "release~drop+2 on model: mutants.toml says that it is equivalent, and it is killed: "
    )
    (line,) = kills.lines(result)
    assert sentence in line.examples


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (REASON, "is about the line `tries \\+= 1`; that edit is made to `put_page"),
        (Equivalent("model.patch", "drop+9", "x", "y"), "has no such mutant; it has drop\\+1"),
        (Equivalent("kernel-6.1.patch", "drop+2", "x", "y"), "is about kernel-6.1.patch; the pat"),
    ],
)
def test_a_reason_for_what_does_not_exist_is_refused(
    tmp_path: Path, reason: Equivalent, words: str
) -> None:
    with pytest.raises(PluginError, match=words):
        tried(tmp_path, fix("release", *RELEASE, equivalents=[reason]))
    assert not list(tmp_path.iterdir())


class Elsewhere(ModelBackend):
    """A backend that does not say by its name which patches it takes."""

    def __init__(self) -> None:
        super().__init__()
        self.name = "elsewhere"


def test_a_backend_whose_patches_are_not_known_is_refused(tmp_path: Path) -> None:
    loaded = plugins.load()
    loaded.backends["elsewhere"] = Elsewhere()
    with pytest.raises(UsageError, match="cannot be made for backend elsewhere"):
        tried(tmp_path, fix("release", *RELEASE), loaded=loaded, backends=("elsewhere",))


class NoCompiler(ModelBackend):
    """A backend whose builds of mutants fail, with these words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def prepare(self, chain: Sequence[Strategy]) -> str:
        if "~" in chain[-1].name:
            raise BuildError(self._words)
        return super().prepare(chain)


def test_code_that_the_compiler_refuses_is_stillborn(tmp_path: Path) -> None:
    loaded = plugins.load()
    loaded.backends["model"] = NoCompiler("mm/shmem.c:7:1: error: expected ';'\npatches: a, b")
    result = tried(tmp_path, fix("release", *RELEASE), loaded=loaded)
    assert {one.fate for one in result.mutants} == {Fate.STILLBORN}
    assert result.mutants[0].evidence == "mm/shmem.c:7:1: error: expected ';'"
    assert result.kill_rates[-1].rate is None


def test_a_build_that_fails_for_another_reason_is_no_stillborn_mutant(tmp_path: Path) -> None:
    loaded = plugins.load()
    loaded.backends["model"] = NoCompiler("gcc: fatal error: Killed signal terminated program")
    with pytest.raises(BuildError, match="Killed signal"):
        tried(tmp_path, fix("release", *RELEASE), loaded=loaded)


@pytest.mark.kernel
def test_mutants_of_a_kernel_patch_are_built_and_tried(tmp_path: Path) -> None:
    original = plugins.load().strategies["remove_bug_on"]
    result = tried(tmp_path, original, backends=("uml:6.1",), workloads=100)
    found = by_edit(result)
    assert {edit: one.fate for edit, one in found.items()} == {
        "drop+1": Fate.STILLBORN,
        "keep-1": Fate.STILLBORN,
        "keep-2": Fate.SURVIVED,  # the assertion, behind a goto
    }
    assert "error: " in found["keep-1"].evidence
    assert found["keep-2"].patch == "kernel-6.1.patch"
    assert kills.status(result.mutants) == kills.ALL_KILLED


BOOTS_WITH_LUCK = Strategy(
    name="boots_with_luck",
    claim="Stops the kernel at every copy to a shared file, but for its second line.",
    kernel_patches=MappingProxyType(
        {
            "6.1": """\
--- a/mm/shmem.c
+++ b/mm/shmem.c
@@ -2439,2 +2439,5 @@ int shmem_mfill_atomic_pte(
\x20
+\tint never = 1;
+\tnever = 0;
+\tBUG_ON(never);
 \tif (!shmem_inode_acct_block(inode, 1))
"""
        }
    ),
)


@pytest.mark.kernel
def test_a_kernel_that_crashes_before_any_workload_is_stillborn(tmp_path: Path) -> None:
    """The agent plays a copy of its own before them."""
    result = tried(tmp_path, BOOTS_WITH_LUCK, backends=("uml:6.1",), workloads=20)
    found = by_edit(result)
    assert {edit: one.fate for edit, one in found.items()} == {
        "drop+1": Fate.STILLBORN,
        "drop+2": Fate.STILLBORN,
        "drop+3": Fate.SURVIVED,
        "swap+1": Fate.STILLBORN,
        "swap+2": Fate.STILLBORN,
    }
    assert "error: " in found["drop+1"].evidence
    assert found["drop+2"].evidence == (
        "the kernel never came up: BUG at mm/shmem.c shmem_mfill_atomic_pte"
    )


def test_mutants_of_wrong_fixes_are_tried_as_well(tmp_path: Path) -> None:
    result = tried(tmp_path, wrong("wrong_errno"))
    assert result.kill_rates[-1].killed > 0
