# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from made import RACE, UNPATCHED, campaign, crowd, run, seen, strategy, whole
from msgspec.structs import replace

from difftest.assemble import result_of
from difftest.workload.codec import from_text, to_text
from reports.lkml import LkmlReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from difftest.tally import Run

WHOLE = whole()
MAIL = LkmlReport().render(WHOLE, "runs/0001")


@cache
def crowded() -> str:
    return LkmlReport().render(crowd(), "runs/0001")


def flat(text: str) -> str:
    return " ".join(text.split())


def strange(claim: str, evidence: str) -> str:
    def play(name: str, number: int) -> Run:
        if name == "odd" and number == 3:
            return run(number, content=evidence)
        return seen(name, number)

    parts = campaign(play, [UNPATCHED, strategy("odd", added=["x"], claim=claim)])
    return LkmlReport().render(result_of(parts))


@pytest.mark.parametrize("rendered", [lambda: MAIL, crowded], ids=["5 strategies", "12 strategies"])
def test_it_is_a_plain_mail_of_72_columns(rendered: Callable[[], str]) -> None:
    mail = rendered()
    assert mail.isascii()
    # A quoted workload or command is not wrapped.
    assert all(len(line) <= 72 or line.startswith("    ") for line in mail.splitlines())
    assert not any(line.endswith(" ") or "\t" in line for line in mail.splitlines())
    assert mail.endswith("\n")
    assert not mail.endswith("\n\n")
    assert "\n\n\n" not in mail


def test_the_decision_comes_first_in_two_sentences() -> None:
    first = flat(MAIL.partition("\n\n")[0])
    assert first == (
        "Of 5 strategies compared, take release_page. release_page: no failure in 2000 workloads "
        "on model and uml:6.1 (each oracle <0.15 % at 95 %)."
    )


def test_without_a_recommendation_it_says_so_first() -> None:
    mail = LkmlReport().render(result_of(campaign(strategies=[UNPATCHED])))
    assert mail.startswith("Of 1 strategies compared, none can be recommended. Cannot decide: ")
    assert "Tested-by" not in mail
    assert "\n\n\n" not in mail


def test_a_void_run_says_so_first() -> None:
    mail = LkmlReport().render(result_of(campaign(lambda _, number: run(number))))
    assert mail.startswith("This run is void and decides nothing. unpatched fails no_kernel_bug")
    assert "Tested-by" not in mail


def test_the_table_says_what_each_strategy_fails() -> None:
    assert "unpatched             ruled out    no_kernel_bug 400/2000     <0.19 %" in MAIL
    assert "release_page          recommended  nothing                    <0.15 %" in MAIL


def test_a_witness_can_be_cut_out_and_replayed() -> None:
    lines = MAIL.splitlines()
    at = lines.index("    mount blocks=4")
    cut = [line[4:] for line in lines[at : lines.index("", at)]]
    assert to_text(from_text("\n".join(cut))) == RACE
    assert "    difftest replay FILE \\\n        --strategy unpatched --backend model" in MAIL
    assert "runs/0001" not in MAIL


def test_the_kernel_has_its_say() -> None:
    parts = campaign()
    parts.consoles = {("unpatched", "uml:6.1", 3): "up\n[  1.2] BUG: failure at mm/x.c:6/__f()!\n"}
    mail = LkmlReport().render(result_of(parts))
    assert "uml:6.1 says:\n    BUG: failure at mm/x.c:6/__f()!\n" in mail


def test_it_says_how_it_was_tested() -> None:
    parts = campaign(workloads=2000, shard_size=500)
    parts.releases = {"uml:6.1": "6.1.192-1"}
    parts.settings = replace(parts.settings, version="0.1.0 6.170.15 72b322f05b7c688a")
    mail = LkmlReport().render(result_of(parts))
    assert "2000 random workloads, seed 7; oracles: no_kernel_bug, " in mail
    assert "uml:6.1   Linux 6.1.192-1\n" in mail
    assert "difftest  0.1.0 (code 72b322f05b7c688a), Hypothesis 6.170.15\n" in mail
    assert "Controls: all 5 hold.\nModel against kernels: all 5 hold.\n" in mail


def test_a_tag_is_offered_where_every_bound_is_met_and_signed_by_nobody() -> None:
    assert MAIL.endswith("\nTested-by: YOUR NAME <YOUR@ADDRESS> # release_page\n")
    assert "below 0.20 % on every kernel" in flat(MAIL)


def test_without_the_bounds_it_says_what_is_missing_for_a_tag() -> None:
    mail = LkmlReport().render(result_of(campaign()))
    assert "\nTested-by:" not in mail
    assert "No Tested-by for release_page" in mail
    assert "- content on uml:6.1 shows <3.0 %\n" in mail


def test_what_is_not_ascii_is_written_in_ascii() -> None:
    mail = strange("…", "café — page … \x1b[31m\x00 \N{PILE OF POO}")
    assert "cafe \\u2014 page ... \\x1b[31m\\x00 \\U0001f4a9" in flat(mail)


def test_no_line_begins_a_new_mail() -> None:
    mail = strange("x", "x" * 70 + " From here")
    assert "\nFrom " not in mail
    assert "\n From here" in mail


def test_what_was_seen_besides_is_there() -> None:
    mail = LkmlReport().render(replace(WHOLE, informational=("block_accounting",)))
    assert "\nBesides\n-------\n\n- block_accounting (for information): naive_hold fails" in mail
