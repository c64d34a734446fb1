# SPDX-License-Identifier: GPL-2.0-only
"""What a finding is shrunk to fails for the same reason, and says who passes it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from played import MODEL, outcomes

from difftest import plugins
from difftest.findings import Finding, Jury, Reason, Shrunk, shrink
from difftest.outcome import Ending, Outcome
from difftest.settings import Settings, settings_of
from difftest.verdict import PASS, Value, Verdict, fail, judge_safely
from difftest.workload import codec, generate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from difftest.outcome import Step, Window
    from difftest.workload.workload import Workload

PLUGINS = plugins.load()

TWO_WAYS = """\
mount blocks=2
file pages=2
file pages=2
map file=0 offset=0 pages=2
copy map=0 page=0 source=RU
copy map=0 page=1 source=M
  window
    fill leave=0
write file=1 page=0 pages=1
"""


def settings(*strategies: str, oracles: Sequence[str] = ("no_kernel_bug",)) -> Settings:
    return settings_of(
        seed=1, workloads=1, strategies=[PLUGINS.strategy(name) for name in strategies],
        known=PLUGINS.strategies, oracles=oracles, backends=["model"], states=(),
        unseen={}, version="",
    )  # fmt: skip


def shrunk(strategy: str, oracle: str, text: str, *others: str) -> Shrunk:
    finding = Finding(strategy, oracle, ("model",), text)
    return shrink(finding, PLUGINS, settings(strategy, *others))


def test_the_strategies_that_pass_are_named_in_the_order_of_the_run() -> None:
    found = shrunk("unpatched", "no_kernel_bug", TWO_WAYS, "naive_hold", "release_page_v1",
                   "release_page")  # fmt: skip
    assert found.passes == ("naive_hold", "release_page")


def test_a_pass_that_could_be_no_fail_does_not_count() -> None:
    """The smallest failure of naive_hold crashes the baseline's fix in no way: all reach it."""
    found = shrunk("naive_hold", "block_accounting", TWO_WAYS, "unpatched", "install_pte_v4")
    assert "source=U" in found.text
    assert found.passes == ("unpatched", "install_pte_v4")


class Titled:
    """A kernel that crashes in one way on long workloads, and in another on short ones."""

    consoles: dict[int, str] = {}  # noqa: RUF012 - the protocol's
    culprits: dict[int, str] = {}  # noqa: RUF012 - as above

    def run(self, workloads: Sequence[Workload]) -> Iterator[Outcome]:
        for one in workloads:
            trace: tuple[Step | Window, ...] = ()
            yield Outcome(Ending.CRASHED, trace, "long" if len(one.steps) > 1 else "short")


class Crashes:
    name = "crashes"
    question = "?"

    def judge(self, workload: Workload, outcome: Outcome) -> Verdict:  # noqa: ARG002
        return fail(outcome.title)


def test_a_crash_is_not_shrunk_to_another_crash() -> None:
    jury, runners = Jury(Crashes(), []), [Titled()]
    long = codec.from_text(TWO_WAYS)
    short = codec.from_text("mount blocks=2\nfile pages=2\nfill leave=0\n")
    assert jury.fail(runners, jury.reasons(runners, long), [long, short]) == [True, False]
    assert jury.fail(runners, jury.reasons(runners, short), [long, short]) == [False, True]


@pytest.mark.parametrize(
    ("kinds", "other", "same"),
    [
        ((), (), True),
        (("a", "b"), ("b",), True),
        (("a",), ("b",), False),
        (("a",), (), False),
        ((), ("a",), True),
    ],
)
def test_what_an_oracle_tells_apart_is_another_reason(
    kinds: tuple[str, ...], other: tuple[str, ...], *, same: bool
) -> None:
    outcome = Outcome(Ending.FINISHED, ())
    one, two = (Reason.of(outcome, fail("", kinds=each)) for each in (kinds, other))
    assert one.same(two) == same


def test_the_title_of_an_outcome_that_is_no_crash_is_no_reason() -> None:
    hung = Outcome(Ending.HUNG, (), "no sign of life for 10 s")
    assert Reason.of(hung, PASS) == Reason.of(Outcome(Ending.FINISHED, ()), PASS)


def reasons(strategy: str, oracle: str, workloads: Sequence[Workload]) -> list[str]:
    """Say why each workload fails, "" where it does not: judged without what shrinks."""
    found = []
    seen = outcomes(MODEL, PLUGINS.strategy(strategy), workloads)
    for workload, outcome in zip(workloads, seen, strict=True):
        verdict = judge_safely(PLUGINS.oracle(oracle), workload, outcome)
        why = outcome.title if outcome.ending is Ending.CRASHED else oracle
        found.append(why if verdict.value is Value.FAIL else "")
    return found


@cache
def drawn() -> tuple[Workload, ...]:
    return tuple(one for number in range(4) for one in generate.shard(11, number, 100))


@pytest.mark.parametrize(
    ("strategy", "oracle", "count"),
    [
        ("unpatched", "no_kernel_bug", 10),
        ("release_page_v1", "no_kernel_bug", 10),
        ("naive_hold", "block_accounting", 10),
        ("install_pte_v4", "block_accounting", 10),
        ("never_dirty", "dirty", 10),
    ],
)
def test_fifty_drawn_failures_shrink_to_the_same_failure_once_and_for_all(
    strategy: str, oracle: str, count: int
) -> None:
    whys = reasons(strategy, oracle, drawn())
    failing = [(one, why) for one, why in zip(drawn(), whys, strict=True) if why][:count]
    assert len(failing) == count
    texts = [codec.to_text(one) for one, _ in failing]
    least = [shrunk(strategy, oracle, text).text for text in texts]
    again = reasons(strategy, oracle, [codec.from_text(text) for text in least])
    assert again == [why for _, why in failing]
    for text, less in zip(texts, least, strict=True):
        assert codec.size(less) <= codec.size(text)
        assert shrunk(strategy, oracle, less).text == less, text
