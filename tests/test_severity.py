# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import pytest
from made import campaign, run

from difftest.assemble import result_of
from difftest.result import Attack
from difftest.severity import sentences


def attack(
    strategy: str,
    setting: int,
    crashed: bool | None,  # noqa: FBT001
    how: str = "somehow",
    where: str = "uml:6.1",
) -> Attack:
    return Attack(strategy, where, setting, default=setting == 0, crashed=crashed, how=how)


def test_severity_is_told_for_each_setting_and_kernel() -> None:
    attacks = [
        attack("unpatched", 1, True, "at will: BUG"),
        attack("unpatched", 0, False, "not reached by a race, in 10 tries"),
        attack("unpatched", 1, None, "the attack did not come to an end", "uml:6.12"),
    ]
    assert sentences(attacks) == (
        (
            "Severity: an unprivileged user can crash unpatched on uml:6.1, with "
            "vm.unprivileged_userfaultfd=1: yes, at will: BUG; =0 (the default): no, not reached "
            "by a race, in 10 tries."
        ),
        (
            "Severity: an unprivileged user was not seen to crash unpatched on uml:6.12, with "
            "vm.unprivileged_userfaultfd=1: unknown, the attack did not come to an end."
        ),
    )


def test_fixes_are_told_apart() -> None:
    attacks = [
        attack("unpatched", 1, True),
        attack("b", 1, True),
        attack("b", 0, None),
        attack("a", 1, False),
        attack("c", 1, False),
        attack("c", 0, None),
        attack("d", 0, False),
    ]
    assert sentences(attacks)[1:] == (
        "The same attacks did not crash a and d.",
        "The same attacks crash b.",
        "What the same attacks do to c is not known.",
    )


def test_without_an_attack_nothing_is_said() -> None:
    assert sentences(()) == ()
    assert result_of(campaign()).decision.severity == ()


@pytest.mark.parametrize("crashed", [False, None])
def test_an_attack_that_crashes_nothing_rules_nothing_out(crashed: bool | None) -> None:  # noqa: FBT001
    parts = campaign()
    parts.attacked = [attack("release_page", 0, crashed)]
    assert result_of(parts).decision.recommended == "release_page"


def test_a_fix_that_an_attack_crashes_is_ruled_out() -> None:
    parts = campaign()
    parts.attacked = [attack("release_page", 0, True, "by a race"), attack("unpatched", 1, True)]
    result = result_of(parts)
    (out,) = [one.ruled_out for one in result.strategies if one.name == "release_page"]
    assert out == (
        "An unprivileged user crashes it on uml:6.1, by a race (vm.unprivileged_userfaultfd=0).",
    )
    assert result.decision.recommended == "remove_bug_on"
    assert not any("release_page" in reason for reason in result.decision.reasons)
    assert "The same attacks crash release_page." in result.decision.severity


def test_attacks_are_told_in_the_order_of_strategies_whoever_was_first() -> None:
    parts = campaign()
    parts.attacked = [attack("release_page", 1, False), attack("unpatched", 1, True)]
    assert [one.strategy for one in result_of(parts).attacks] == ["unpatched", "release_page"]


def test_a_void_run_tells_the_severity_all_the_same() -> None:
    parts = campaign(strategies=campaign().settings.compared()[:1], play=lambda _, n: run(n))
    parts.attacked = [attack("unpatched", 1, True)]
    decision = result_of(parts).decision
    assert decision.void
    assert len(decision.severity) == 1
