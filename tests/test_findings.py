# SPDX-License-Identifier: GPL-2.0-only
"""What a finding is shrunk to fails for the same reason, and says who passes it."""

from __future__ import annotations

import contextlib
import dataclasses
from functools import cache
from typing import TYPE_CHECKING

import pytest
from played import MODEL, outcomes

from difftest import plugins
from difftest.backends.model import ModelBackend, ModelRunner
from difftest.findings import Finding, Shrunk, shrink
from difftest.outcome import Ending, Outcome
from difftest.settings import Settings, settings_of
from difftest.shrinking import MOST_LOST
from difftest.verdict import Value, judge_safely
from difftest.workload import codec, generate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from difftest.strategy import Strategy
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


class Changing(ModelBackend):
    """The model, but for outcomes that `change` makes of its own; it gets all batches so far."""

    name = "model"

    def __init__(self, change: Callable[[Sequence[int], Workload, Outcome], Outcome]) -> None:
        super().__init__()
        self._change = change
        self._batches: list[int] = []

    @contextlib.contextmanager
    def runner(self, chain: Sequence[Strategy]) -> Iterator[ModelRunner]:
        with super().runner(chain) as inner:
            change, batches = self._change, self._batches

            class Runner(ModelRunner):
                def __init__(self) -> None:
                    """Everything is the inner one's."""

                def run(self, workloads: Sequence[Workload]) -> Iterator[Outcome]:
                    batches.append(len(workloads))
                    for one, outcome in zip(workloads, inner.run(workloads), strict=True):
                        yield change(batches, one, outcome)

            yield Runner()


def on(monkeypatch: pytest.MonkeyPatch, backend: Changing) -> None:
    monkeypatch.setitem(PLUGINS.backends, "model", backend)


def test_shrinking_among_guests_that_hang_ends_and_the_finding_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hung = 0
    files = codec.from_text(TWO_WAYS).files

    def change(_: Sequence[int], workload: Workload, outcome: Outcome) -> Outcome:
        nonlocal hung
        if workload.blocks < 2 or workload.files != files:
            hung += 1
            return Outcome(Ending.HUNG, (), "no sign of life for 10 s")
        return outcome

    on(monkeypatch, Changing(change))
    found = shrunk("unpatched", "no_kernel_bug", TWO_WAYS)
    assert hung == MOST_LOST
    assert found.caveat == "not shrunk to the end: too many guests hung or were lost"
    assert found.text.startswith("mount blocks=2\n")
    assert codec.size(found.text) < codec.size(TWO_WAYS)


def test_a_failure_that_does_not_come_again_is_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It fails among others, and not in a guest that plays nothing else."""

    def change(batches: Sequence[int], _: Workload, outcome: Outcome) -> Outcome:
        if batches[-1] == 1 and len(batches) > 1:
            return Outcome(Ending.LOST, (), "the guest vanished")
        return outcome

    on(monkeypatch, Changing(change))
    found = shrunk("unpatched", "no_kernel_bug", TWO_WAYS)
    assert found.caveat == "played once more, it did not show this again"


def test_a_finding_that_was_shrunk_to_its_end_has_no_caveat() -> None:
    assert shrunk("unpatched", "no_kernel_bug", TWO_WAYS).caveat == ""


def test_two_that_no_oracle_tells_apart_are_shrunk_to_where_their_outcomes_part() -> None:
    text = "mount blocks=2\nfile pages=4\nmap file=0 offset=0 pages=3\nfill leave=0\n"
    text += "write file=0 page=0 pages=1\ncopy map=0 page=1 source=RR\n"
    finding = Finding("acct_last", "", ("model",), text, "release_page", 5)
    found = shrink(finding, PLUGINS, settings("acct_last", "release_page"))
    assert found.text == (
        "mount blocks=1\nfile pages=0\nmap file=0 offset=0 pages=1\nfill leave=0\n"
        "copy map=0 page=0 source=R\n"
    )
    assert found.evidence == "step 1: ret -14 on acct_last, -12 on release_page"
    assert (found.passes, found.caveat) == ((), "")


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


@pytest.mark.kernel
def test_what_has_no_model_patch_is_shrunk_on_the_kernel_alone() -> None:
    """A bare patch file for instance: the same as on the model, where that has the patch."""
    bare = dataclasses.replace(PLUGINS.strategy("naive_hold"), name="bare", model_patch=None)
    assert MODEL.supports(bare) == "no model patch"
    backend = PLUGINS.backend("uml:6.1")
    backend.prepare([bare])
    known = {**PLUGINS.strategies, bare.name: bare}
    on_kernel = settings_of(
        seed=1, workloads=1, strategies=[PLUGINS.strategy("release_page"), bare], known=known,
        oracles=["block_accounting"], backends=["uml:6.1"], states=(), unseen={}, version="",
    )  # fmt: skip
    text = (
        "mount blocks=3\nfile pages=3\nmap file=0 offset=1 pages=2\nfill leave=2\n"
        "copy map=0 page=0 source=RU\nwrite file=0 page=0 pages=1\n"
    )
    found = shrink(Finding("bare", "block_accounting", ("uml:6.1",), text), PLUGINS, on_kernel)
    again = shrunk("naive_hold", "block_accounting", text, "release_page")
    assert (found.text, found.evidence) == (again.text, again.evidence)
    assert (found.passes, found.caveat) == (("release_page",), "")
