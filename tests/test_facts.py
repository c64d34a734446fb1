# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import pytest
from made import (
    BUNDLED,
    NAIVE_HOLD,
    RELEASE_PAGE,
    REMOVE_BUG_ON,
    UNACCT,
    UNPATCHED,
    patch,
    strategy,
)

from difftest.errors import PatchError, PluginError
from difftest.facts import applied, chain, facts_of, misfit, patches_of
from difftest.strategy import Strategy

KNOWN = {one.name: one for one in BUNDLED}


def removing(*lines: str, added: tuple[str, ...] = (), context: str = "\tout:") -> tuple[str, ...]:
    text = patch("mm/userfaultfd.c", lines, added, context)
    return facts_of(
        Strategy(name="x", claim="", kernel_patches={"6.1": text}), {}
    ).assertions_removed


def test_facts_of_one_patch() -> None:
    facts = facts_of(RELEASE_PAGE, KNOWN)
    assert facts.series == ("6.1",)
    assert facts.model
    assert facts.files == ("mm/userfaultfd.c",)
    assert (facts.added, facts.removed) == (3, 1)
    assert facts.assertions_removed == ()


def test_the_baseline_changes_nothing() -> None:
    facts = facts_of(UNPATCHED, KNOWN)
    assert (facts.added, facts.removed, facts.files) == (0, 0, ())
    assert facts.model


def test_a_stacked_strategy_has_the_facts_of_the_whole_stack() -> None:
    assert [one.name for one in chain(UNACCT, KNOWN)] == ["naive_hold", "unacct_before_return"]
    assert facts_of(UNACCT, KNOWN).added == 2


def test_a_stack_fits_only_where_all_of_it_fits() -> None:
    below = strategy("below", added=["x"], series=["5.10", "6.1"], model_patch=None)
    above = strategy("above", added=["y"], series=["6.1", "6.12"], base="below")
    facts = facts_of(above, {"below": below})
    assert facts.series == ("6.1",)
    assert not facts.model


def test_a_stack_may_name_the_baseline_as_its_base() -> None:
    assert chain(strategy("x", base="unpatched"), {})[0].name == "x"


def test_a_base_that_nobody_knows_is_an_error_that_names_the_choices() -> None:
    with pytest.raises(PluginError, match=r"nonesuch is not known.*naive_hold, release_page"):
        chain(strategy("x", base="nonesuch"), KNOWN)


def test_a_strategy_cannot_stand_on_itself() -> None:
    one, other = strategy("one", base="other"), strategy("other", base="one")
    with pytest.raises(PluginError, match="one on other on one"):
        chain(one, {"one": one, "other": other})


def test_series_sort_by_age_and_lines_are_those_of_the_newest() -> None:
    patches = {
        "6.12": patch("mm/new.c", ["a"], ["b", "c"]),
        "5.4": patch("mm/old.c", [], ["b"]),
        "5.10": patch("mm/old.c", [], ["b"]),
        "6.1": patch("mm/old.c", [], ["b"]),
    }
    facts = facts_of(Strategy(name="x", claim="", kernel_patches=patches), {})
    assert facts.series == ("5.4", "5.10", "6.1", "6.12")
    assert facts.files == ("mm/new.c",)
    assert (facts.added, facts.removed) == (2, 1)
    assert not facts.model


def test_lines_are_those_of_the_newest_series_that_was_run() -> None:
    patches = {
        "5.10": patch("mm/old.c", [], ["b"]),
        "6.1": patch("mm/old.c", ["a"], ["b"]),
        "6.12": patch("mm/new.c", ["a"], ["b", "c"]),
    }
    one = Strategy(name="x", claim="", kernel_patches=patches)
    lines = {
        backends: (facts.files, facts.added, facts.removed)
        for backends in (("model", "uml:5.10", "uml:6.1"), ("model",), ("qemu:5.10",))
        for facts in [facts_of(one, {}, backends)]
    }
    assert lines == {
        ("model", "uml:5.10", "uml:6.1"): (("mm/old.c",), 1, 1),
        ("model",): (("mm/new.c",), 2, 1),
        ("qemu:5.10",): (("mm/old.c",), 1, 0),
    }


def test_lines_are_those_of_the_model_if_there_is_no_kernel_patch() -> None:
    model = patch("mm/userfaultfd.py", ["else:", "    BUG_ON(page)"], ["pass"], "    return 0")
    facts = facts_of(Strategy(name="x", claim="", model_patch=model), {})
    assert (facts.series, facts.model) == ((), True)
    assert (facts.added, facts.removed) == (1, 2)
    assert facts.assertions_removed == ("BUG_ON(page)",)


def test_a_deleted_assertion_is_named() -> None:
    assert facts_of(REMOVE_BUG_ON, KNOWN).assertions_removed == ("BUG_ON(page)",)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("\tVM_BUG_ON_PAGE(PageLocked(page), page);", "VM_BUG_ON_PAGE(PageLocked(page), page)"),
        ("\tif (WARN_ON_ONCE(!page) || (x))", "WARN_ON_ONCE(!page)"),
        ("\t} else BUG_ON(folio);", "BUG_ON(folio)"),
        ("\tVM_WARN_ON_ONCE(page);", "VM_WARN_ON_ONCE(page)"),
    ],
)
def test_every_kind_of_assertion_counts(line: str, found: str) -> None:
    assert removing(line) == (found,)


@pytest.mark.parametrize(
    "line", ["\tDEBUG_ON(page);", "\tpage = NULL;", "\t * BUG_ON(page) would hit", "\tBUG_ON"]
)
def test_what_is_no_assertion_does_not_count(line: str) -> None:
    assert removing(line) == ()


def test_an_assertion_over_two_lines_is_one() -> None:
    assert removing("\tBUG_ON(page &&", "\t       !locked);") == ("BUG_ON(page && !locked)",)


def test_an_assertion_that_is_moved_or_indented_stays() -> None:
    assert removing("\tBUG_ON(page);", added=("\t\tBUG_ON(page);",)) == ()


def test_an_assertion_that_is_weakened_is_gone() -> None:
    assert removing("\tBUG_ON(page);", added=("\tWARN_ON(page);",)) == ("BUG_ON(page)",)


def test_one_of_two_equal_assertions_is_gone() -> None:
    lines = ("\tBUG_ON(page);", "\tBUG_ON(page);")
    assert removing(*lines, added=lines[:1]) == ("BUG_ON(page)",)


def test_an_assertion_in_the_context_stays() -> None:
    assert removing("\tx();", context="\tBUG_ON(page);") == ()


def test_a_base_that_adds_an_assertion_again_restores_it() -> None:
    below = strategy("below", removed=["\tBUG_ON(page);"])
    above = strategy("above", added=["\tBUG_ON(page);"], base="below")
    assert facts_of(above, {"below": below}).assertions_removed == ()


def test_the_text_of_patches_comes_with_that_of_those_below_the_newest_kernel_first() -> None:
    low = strategy("low", added=["a"], series=("5.10", "6.1"))
    high = strategy("high", added=["b"], series=("6.1", "6.12"), base="low")
    found = patches_of(high, {"low": low, "high": high})
    assert [(one.target, one.strategy) for one in found] == [
        ("6.12", "high"),
        ("6.1", "low"),
        ("6.1", "high"),
        ("model", "low"),
        ("model", "high"),
    ]
    assert found[2].text == high.kernel_patches["6.1"]
    assert patches_of(UNPATCHED, KNOWN) == ()


def test_text_that_is_no_patch_is_an_error_that_names_the_strategy() -> None:
    with pytest.raises(PatchError, match="strategy x holds no hunk"):
        facts_of(Strategy(name="x", claim="", kernel_patches={"6.1": "hello\n"}), {})


@pytest.mark.parametrize(
    ("name", "backend", "why"),
    [
        ("kernel_only", "model", "no model patch"),
        ("kernel_only", "uml:6.1", ""),
        ("kernel_only", "qemu:6.12", "no patch for 6.12"),
        ("unpatched", "qemu:6.12", ""),
        ("kernel_only", "elsewhere", ""),
    ],
)
def test_misfit_says_why_a_strategy_cannot_run(name: str, backend: str, why: str) -> None:
    facts = facts_of(strategy(name, added=["x"], model_patch=None), {})
    assert misfit(name, facts, backend) == why


def test_known_bad_strategies_fit_the_kernels_they_have_patches_for() -> None:
    assert misfit("naive_hold", facts_of(NAIVE_HOLD, KNOWN), "uml:6.1") == ""


@pytest.mark.parametrize("backend", ["uml:5.10", "qemu:5.10", "model:5.10"])
def test_where_a_strategy_makes_no_sense_its_reason_stands_for_the_missing_patch(
    backend: str,
) -> None:
    below = strategy("below", added=["x"], does_not_apply={"5.10": "it came with 5.14"})
    above = strategy("above", added=["y"], base="below")
    facts = facts_of(above, {"below": below})
    assert misfit("above", facts, backend) == "it came with 5.14"
    assert misfit("above", facts, backend.replace("5.10", "6.1")) == ""


def test_the_model_of_the_default_series_is_that_series() -> None:
    facts = facts_of(strategy("x", added=["x"], does_not_apply={"6.1": "no"}), {})
    assert misfit("x", facts, "model") == "no"


def test_series_that_took_the_patches_are_those_of_kernels_that_were_made() -> None:
    made = ["model:5.10", "uml:6.12", "qemu:6.1", "uml:6.1+debug", "uml:mine"]
    assert applied(made) == ("6.1", "6.12", "mine")


def test_functions_of_a_stack_are_those_of_all_its_patches() -> None:
    def one(name: str, line: str, base: str | None = None) -> Strategy:
        text = patch("mm/shmem.c", (), (line,)).replace("@@\n", f"@@ {name}()\n")
        return Strategy(name=name, claim="", base=base, kernel_patches={"6.1": text})

    below = one("below", "\tspin_lock(&x);")
    facts = facts_of(one("above", "\treturn 0;", base="below"), {"below": below})
    assert facts.functions == ("below", "above")
    assert (facts.locking, facts.returns, facts.nameless) == (("below",), ("above",), 0)
