# SPDX-License-Identifier: GPL-2.0-only
"""Test items: a campaign under pytest, one item for each strategy, backend and shard.

The kernel broke: a failure. The rig broke, or a tool is missing: an error. An oracle that leaves
more of a shard unjudged than a strategy that is taken may have (UNKNOWN_LIMIT): a failure that says
UNKNOWN, because a skipped item looks like a good one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from difftest import plugins, session, shards
from difftest.backends import TakesFaults, played, running
from difftest.errors import DifftestError
from difftest.rendering import replay_command
from difftest.ruling import UNKNOWN_LIMIT
from difftest.strategy import BASELINE
from difftest.verdict import Traits, Value, Verdict, compares, judge_safely
from difftest.workload import codec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from difftest.backends import Backend
    from difftest.outcome import Outcome
    from difftest.plugins import Plugins
    from difftest.shards import Shard
    from difftest.strategy import Strategy
    from difftest.verdict import AnyOracle

DUE, CAUGHT = "difftest control", "difftest control caught"
"""Properties of an item: oracles that must fail its strategy somewhere, and that did so here."""


class Found(NamedTuple):
    """The first workload of a shard on which an oracle says what it says, and how many there are.

    `number` is the workload's in the campaign.
    """

    oracle: str
    verdict: Verdict
    number: int
    text: str
    times: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What the options ask for. `left_out` is what cannot run here, with the reason."""

    plugins: Plugins
    strategies: tuple[Strategy, ...]
    backends: tuple[Backend, ...]
    left_out: dict[str, str]
    shards: tuple[Shard, ...]
    seed: int

    @classmethod
    def of(cls, config: pytest.Config) -> Selection:
        """Read the options. Raises UsageError for unknown names, ToolchainError as a run does."""
        loaded = plugins.load()
        backends, left_out = session.backends_of(loaded, config.getoption("difftest_backends"))
        strategies = session.strategies_of(loaded, config.getoption("difftest_strategies"), ())
        for backend in backends:
            for one in strategies:
                if reason := session.unsupported(backend, one, loaded):
                    left_out[f"{one.name} on {backend.name}"] = reason
        planned = shards.plan(
            config.getoption("difftest_workloads"), config.getoption("difftest_faults")
        )
        seed = config.getoption("difftest_seed")
        return cls(loaded, tuple(strategies), tuple(backends), left_out, tuple(planned), seed)

    def judges(self, strategy: Strategy, backend: Backend) -> list[AnyOracle]:
        """Return the oracles that can rule a strategy out, and have something to see here."""
        return [
            one
            for one in self.plugins.oracles.values()
            if not (traits := Traits.of(one)).informational
            and not traits.ranks
            and not set(traits.sees) & set(backend.unseen)
            and not (traits.pairwise and strategy.name == BASELINE)
        ]

    def play(self, strategy: Strategy, backend: Backend, shard: Shard) -> list[Outcome]:
        """Run a shard. Raises what the backend raises, and RigError for missing outcomes."""
        workloads = shards.drawn(shard, self.seed)
        chain = self.plugins.chain(strategy)
        backend.prepare(chain)
        if shard.faults and isinstance(backend, TakesFaults):
            backend.prepare_faults(chain)
        with running(backend, chain) as runner:
            return played(backend, runner, workloads)


class Campaign(pytest.Collector):
    """All items of a campaign: those that share workloads side by side."""

    selection: Selection

    def collect(self) -> Iterator[ShardItem]:
        chosen = self.selection
        for backend in chosen.backends:
            for number, shard in enumerate(chosen.shards):
                for one in chosen.strategies:
                    if f"{one.name} on {backend.name}" not in chosen.left_out:
                        name = f"{one.name}[{backend.name}-{number}]"
                        item: ShardItem = ShardItem.from_parent(self, name=name)
                        item.takes(one, backend, shard)
                        yield item

    @lru_cache(maxsize=8)  # noqa: B019 - there is one campaign in a process
    def baseline(self, backend: str, shard: Shard) -> list[Outcome]:
        below = self.selection.plugins.strategy(BASELINE)
        return self.selection.play(below, self.selection.plugins.backend(backend), shard)


class ShardItem(pytest.Item):
    """One shard of one strategy on one backend: played as it is set up, judged as it is run."""

    parent: Campaign
    strategy: Strategy
    backend: Backend
    shard: Shard
    outcomes: Sequence[Outcome] = ()
    below: Sequence[Outcome | None] = ()

    def takes(self, strategy: Strategy, backend: Backend, shard: Shard) -> None:
        self.strategy, self.backend, self.shard = strategy, backend, shard
        if not strategy.needs_faults or any(one.faults for one in self._selection.shards):
            for oracle in strategy.must_fail:
                self.user_properties.append((DUE, self._control(oracle)))

    def setup(self) -> None:
        chosen = self._selection
        judges = chosen.judges(self.strategy, self.backend)
        try:
            self.outcomes = chosen.play(self.strategy, self.backend, self.shard)
            if any(map(compares, judges)) and BASELINE in chosen.plugins.strategies:
                self.below = self.parent.baseline(self.backend.name, self.shard)
            else:
                self.below = [None] * len(self.outcomes)
        except DifftestError as error:
            pytest.fail(f"{type(error).__name__}: {error}", pytrace=False)

    def runtest(self) -> None:
        failed, unknown = self._judged()
        caught = [one for one in failed if one.oracle in self.strategy.must_fail]
        for one in caught:
            self.user_properties.append((CAUGHT, self._control(one.oracle)))
        wrong = [one for one in failed if one not in caught] + unknown
        if wrong:
            pytest.fail("\n\n".join(map(self._told, wrong)), pytrace=False)
        if caught:
            pytest.xfail("; ".join(f"{one.oracle}: {one.verdict.evidence}" for one in caught))

    def teardown(self) -> None:
        self.outcomes = self.below = ()

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name

    @property
    def _selection(self) -> Selection:
        return self.parent.selection

    def _control(self, oracle: str) -> str:
        return f"{self.strategy.name} on {self.backend.name}: {oracle}"

    def _judged(self) -> tuple[list[Found], list[Found]]:
        """Return what fails, and which oracles tell too little, each by its first workload."""
        chosen = self._selection
        names = [one.name for one in chosen.judges(self.strategy, self.backend)]
        judges = [chosen.plugins.oracle(name) for name in names]
        rows = []
        workloads = shards.drawn(self.shard, chosen.seed)
        for workload, outcome, below in zip(workloads, self.outcomes, self.below, strict=True):
            verdicts = [judge_safely(one, workload, outcome, below) for one in judges]
            rows.append(dict(zip(names, verdicts, strict=True)))
        # Where one oracle fails, others may have nothing left to see: a kernel that crashed.
        whole = [
            number
            for number, row in enumerate(rows)
            if not any(verdict.value is Value.FAIL for verdict in row.values())
        ]
        counts = Counter(verdict.value.value for row in rows for verdict in row.values())
        self.user_properties += [(f"difftest {value}", counts[value]) for value in Value]
        failed, unknown = [], []
        for name in names:
            fails = [at for at, row in enumerate(rows) if row[name].value is Value.FAIL]
            if fails:
                failed.append(self._found(name, rows, fails))
            silent = [at for at in whole if rows[at][name].value is Value.UNKNOWN]
            if not fails and len(silent) > UNKNOWN_LIMIT * len(whole):
                unknown.append(self._found(name, rows, silent))
        return failed, unknown

    def _found(self, oracle: str, rows: Sequence[dict[str, Verdict]], where: list[int]) -> Found:
        first = where[0]
        text = codec.to_text(shards.drawn(self.shard, self._selection.seed)[first])
        number = self.shard.first + first
        return Found(oracle, rows[first][oracle], number, text, len(where))

    def _told(self, found: Found) -> str:
        """Say what an oracle found; the end is a command for a shell, the workload in it."""
        command = replay_command("-", self.strategy.name, [self.backend.name])
        return (
            f"{found.oracle}: {found.verdict.value.upper()} on {found.times} of "
            f"{len(self.outcomes)} workloads, the first is {found.number} "
            f"of seed {self._selection.seed}: {found.verdict.evidence}\n"
            + "\n".join(command)
            + f" <<'END'\n{found.text}END"
        )


class Controls:
    """In the process that has all reports: known-bad strategies that nothing caught."""

    def __init__(self, left_out: dict[str, str]) -> None:
        self._left_out = left_out
        self._due: dict[str, None] = {}
        self._caught: set[Any] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties if report.when == "call" else ():
            if name == DUE:
                self._due[str(value)] = None
            elif name == CAUGHT:
                self._caught.add(value)

    def missed(self) -> Iterable[str]:
        return [one for one in self._due if one not in self._caught]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.missed() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        missed = self.missed()
        if missed or self._left_out:
            terminalreporter.section("difftest")
        for name, reason in self._left_out.items():
            terminalreporter.line(f"{name} is left out: {reason}")
        for one in missed:
            terminalreporter.line(f"VOID: {one} must fail, and passed on every workload", red=True)


def add(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add the items of the campaign that a session's options ask for."""
    collector: Campaign = Campaign.from_parent(session, name="difftest", nodeid="difftest")
    collector.selection = _selection(session.config)
    report = session.ihook.pytest_make_collect_report(collector=collector)
    session.ihook.pytest_collectreport(report=report)
    items.extend(report.result or ())


def watch(config: pytest.Config) -> None:
    """Read the options, and look at the controls in the process that sees all reports."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Controls(_selection(config).left_out), "difftest-controls")


_KEY: pytest.StashKey[Selection] = pytest.StashKey()


def _selection(config: pytest.Config) -> Selection:
    if _KEY not in config.stash:
        try:
            config.stash[_KEY] = Selection.of(config)
        except DifftestError as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[_KEY]
