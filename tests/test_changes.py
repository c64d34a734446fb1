# SPDX-License-Identifier: GPL-2.0-only
"""Changes between two runs: hand-made ones, of which every difference is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from made import (
    BUNDLED,
    CRASHED,
    Parts,
    campaign,
    except_for,
    finished,
    run,
    settings,
    strategy,
)

from difftest import changes
from difftest.result import Attack, Fate, MutantResult
from difftest.store import Store
from difftest.tally import Again

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from difftest.changes import Changes

RELEASES = {"uml:6.1": "6.1.1"}


def keep(below: Path, parts: Parts, *, done: bool = True) -> Path:
    with Store.create(below, parts.settings) as store:
        store.add_workloads(0, [parts.texts[number] for number in sorted(parts.texts)])
        for tally in parts.every:
            store.add_tally(tally)
        for (name, backend), digest in parts.built.items():
            store.add_kernel(name, backend, digest)
        for backend, release in parts.releases.items():
            store.add_release(backend, release)
        for attack in parts.attacked:
            store.add_attacks(attack.strategy, attack.backend, [attack])
        for one in parts.repeated:
            store.add_again(one)
        for mutant in parts.tried:
            store.add_mutant(mutant)
        if done:
            store.finish({})
        return store.directory


def compared(below: Path, one: Parts, other: Parts, *, done: bool = True) -> tuple[Changes, str]:
    places = keep(below, one), keep(below, other, done=done)
    with Store.open(places[0]) as before, Store.open(places[1]) as after:
        found = changes.between(before, after)
    return found, changes.render(found, *(place.name for place in places))


def with_unique_texts(parts: Parts) -> Parts:
    parts.texts = {number: f"# {number}\n{text}" for number, text in parts.texts.items()}
    return parts


def test_equal_runs_are_the_same(tmp_path: Path) -> None:
    found, text = compared(tmp_path, campaign(), campaign())
    assert not found.differ
    assert (found.common, found.compared) == (100, 100 * 5 * 2)
    assert text.endswith("The same came out of both.\n")


def test_a_verdict_that_changed_is_told_with_its_workload_and_the_counts(tmp_path: Path) -> None:
    other = except_for("release_page", (7, 9), run(7, content="page 1 holds zeros"))
    one, two = (with_unique_texts(each) for each in (campaign(), campaign(other)))
    found, text = compared(tmp_path, one, two)
    assert found.differ
    assert found.workloads == tuple(
        f"release_page on {backend}: content PASS -> FAIL in 2, the first is workload 7"
        for backend in ("model", "uml:6.1")
    )
    assert [key for key, *_ in found.cells] == [
        ("release_page", backend, "content") for backend in ("model", "uml:6.1")
    ]
    assert found.cells[0][1:] == ((100, 0, 0, 100), (98, 2, 0, 100))
    assert "100/0/0, 100  98/2/0, 100" in text
    assert "release_page is ruled out now: " in text
    assert "recommended: release_page -> remove_bug_on" in text
    assert text.endswith("What came out differs.\n")


def test_an_outcome_alone_that_changed_is_told_with_where(tmp_path: Path) -> None:
    other = except_for("release_page", (4,), run(4, finished(used=3)))
    one, two = (with_unique_texts(each) for each in (campaign(), campaign(other)))
    found, _ = compared(tmp_path, one, two)
    assert (found.outputs, found.cells) == ((), ())
    assert found.workloads[0] == (
        "release_page on model: another outcome and the same verdicts in 1, the first is workload "
        "4: step 0: used 1 before, 3 now"
    )


def test_workloads_are_paired_by_their_text_whatever_their_numbers(tmp_path: Path) -> None:
    """Those with faults come after the others: with more of the others they move."""
    crash = except_for("release_page", (7,), run(7, CRASHED))
    one, two = (with_unique_texts(each) for each in (campaign(), campaign(crash)))
    swap = {7: 8, 8: 7}
    one.texts = {number: one.texts[swap.get(number, number)] for number in one.texts}
    found, _ = compared(tmp_path, one, two)
    told = [line for line in found.workloads if line.startswith("release_page on model: no_kernel")]
    assert told == [
        "release_page on model: no_kernel_bug PASS -> FAIL in 1, the first is workload 7"
    ]


def test_strategies_backends_and_oracles_that_come_and_go_are_named(tmp_path: Path) -> None:
    one = campaign(strategies=BUNDLED[:3], backends=["model"])
    two = campaign(strategies=(*BUNDLED[:2], strategy("mine", added=["x"])))
    found, _ = compared(tmp_path, one, two)
    assert {"strategy release_page is gone", "strategy mine is new", "backend uml:6.1 is new"} <= {
        *found.outputs
    }


def test_a_new_version_of_a_fix_is_named_also_for_what_stands_on_it(tmp_path: Path) -> None:
    newer = strategy("naive_hold", added=["other"], must_fail=("block_accounting",))
    two = campaign(strategies=(*BUNDLED[:3], newer, BUNDLED[4]))
    found, text = compared(tmp_path, campaign(), two)
    assert not found.differ
    told = {line.split(", ")[0] for line in found.inputs}
    assert told == {
        f"{name}: another patch for {target}"
        for name in ("naive_hold", "unacct_before_return")
        for target in ("6.1", "model")
    }
    assert "The same came out of both." in text


def test_a_new_kernel_release_explains_other_kernels_and_nothing_else_does(tmp_path: Path) -> None:
    one, two, three = campaign(), campaign(), campaign()
    for parts, release, digest in ((one, "6.1.1", "a"), (two, "6.1.2", "b"), (three, "6.1.1", "c")):
        parts.releases = {"uml:6.1": release}
        parts.built = {("release_page", "uml:6.1"): digest}
    newer, _ = compared(tmp_path, one, two)
    assert newer.inputs == ("uml:6.1: kernel source 6.1.1 -> 6.1.2",)
    assert not newer.differ
    rebuilt, _ = compared(tmp_path, one, three)
    (told,) = rebuilt.inputs
    assert told.startswith("release_page on uml:6.1: a -> c, of the same patches and release: ")


def _attacked(parts: Parts) -> None:
    parts.attacked = [Attack("release_page", "uml:6.1", 1, None, crashed=True, how="won")]


def _void(parts: Parts) -> None:
    parts.repeated = [Again("model", 0, 50, 3, "workload 1: x")]


def _tried(parts: Parts) -> None:
    parts.tried = [
        MutantResult(
            strategy="release_page", backend="model", patch="model.patch",
            name="release_page~drop+1", edit="drop+1", line="", claim="", fate=Fate.SURVIVED,
            by=(), number=None, evidence="", same_as="", runs=1, differ=0, outcomes="",
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_attacked, "release_page: a user crashes uml:6.1 (unprivileged_userfaultfd=1): not tried"),
        (_void, "recommended: release_page -> void"),
        (_tried, "mutant release_page~drop+1 on model: not tried -> survived"),
    ],
)
def test_all_else_that_came_out_differently_counts(
    tmp_path: Path, change: Callable[[Parts], None], words: str
) -> None:
    other = campaign()
    change(other)
    found, text = compared(tmp_path, campaign(), other)
    assert found.differ
    assert f"- {words}" in text


def test_a_run_that_is_not_finished_is_never_the_same(tmp_path: Path) -> None:
    found, _ = compared(tmp_path, campaign(), campaign(), done=False)
    (told,) = found.outputs
    assert told == f"{tmp_path}/0002 is not finished: what it would come to is not known"


def test_another_seed_is_an_input_and_nothing_is_paired(tmp_path: Path) -> None:
    other = campaign()
    other.settings = msgspec.structs.replace(settings(), seed=8)
    other.texts = {number: f"# other\n{text}" for number, text in other.texts.items()}
    found, text = compared(tmp_path, campaign(), other)
    assert found.inputs == ("seed: 7 -> 8",)
    assert found.common == found.compared == 0
    assert "No workload was executed in both runs." in text
