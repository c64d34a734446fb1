# SPDX-License-Identifier: GPL-2.0-only
"""Test items: a campaign under pytest, one item for each strategy, backend and shard.

The kernel broke: a failure. The rig broke, or a tool is missing: an error. An oracle that leaves
more of a shard unjudged than a strategy that is taken may have (UNKNOWN_LIMIT): a failure that says
UNKNOWN, because a skipped item looks like a good one. A failure of another bug, which the baseline
and all fixes have: no failure, but the session says so, and fails if some item refutes it. A
control is known to be wrong, so whatever fails it is expected; that the oracles which are meant for
it do, is asked of the session.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pytest

from difftest import plugins, session, shards
from difftest.alongside import NOBODY, Alongside
from difftest.errors import DifftestError
from difftest.rendering import replay_command
from difftest.ruling import UNKNOWN_LIMIT
from difftest.strategy import BASELINE
from difftest.verdict import Value, Verdict
from difftest.workload import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from difftest.alongside import Row, Whose
    from difftest.backends import Backend
    from difftest.plugins import Plugins
    from difftest.shards import Shard
    from difftest.strategy import Strategy

DUE, CAUGHT = "difftest control", "difftest control caught"
"""Properties of an item: oracles that must fail its strategy somewhere, and that did so here."""
SHARED, TAKEN, MENDED = "difftest other bug", "difftest taken for another", "difftest mended"
"""What was forgiven here; kinds of failure that were taken for another bug, or that a fix mends."""


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


class Campaign(pytest.Collector):
    """All items of a campaign: those that share workloads side by side."""

    selection: Selection
    alongside: Alongside

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


class ShardItem(pytest.Item):
    """One shard of one strategy on one backend: played and judged as it is set up."""

    parent: Campaign
    strategy: Strategy
    backend: Backend
    shard: Shard
    rows: Sequence[Row] = ()
    whose: Whose = NOBODY

    def takes(self, strategy: Strategy, backend: Backend, shard: Shard) -> None:
        self.strategy, self.backend, self.shard = strategy, backend, shard
        if not strategy.needs_faults or any(one.faults for one in self._selection.shards):
            for oracle in strategy.must_fail:
                self.user_properties.append((DUE, self._control(oracle)))

    def setup(self) -> None:
        beside, backend = self.parent.alongside, self.backend.name
        try:
            self.rows = beside.rows(self.strategy.name, backend, self.shard)
            if any(one.value is Value.FAIL for row in self.rows for one in row.values()):
                self.whose = beside.whose(self.strategy, self.backend, self.shard)
        except DifftestError as error:
            pytest.fail(f"{type(error).__name__}: {error}", pytrace=False)

    def runtest(self) -> None:
        for name, bugs in ((TAKEN, self.whose.bugs), (MENDED, self.whose.mended)):
            self.user_properties += [(name, f"{self.backend.name}: {bug}") for bug in bugs]
        failed, unknown = self._judged()
        for one in failed:
            if one.oracle in self.strategy.must_fail:
                self.user_properties.append((CAUGHT, self._control(one.oracle)))
        wrong = unknown if self.strategy.must_fail else [*failed, *unknown]
        if wrong:
            pytest.fail("\n\n".join(map(self._told, wrong)), pytrace=False)
        if failed:
            pytest.xfail("; ".join(f"{one.oracle}: {one.verdict.evidence}" for one in failed))

    def teardown(self) -> None:
        self.rows, self.whose = (), NOBODY

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name

    @property
    def _selection(self) -> Selection:
        return self.parent.selection

    def _control(self, oracle: str) -> str:
        return f"{self.strategy.name} on {self.backend.name}: {oracle}"

    def _judged(self) -> tuple[list[Found], list[Found]]:
        """Return what fails, and which oracles tell too little, each by its first workload."""
        rows, names = self.rows, list(self.rows[0])
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
            forgiven = sorted(self.whose.forgiven.get(name, ()))
            fails = [
                at
                for at, row in enumerate(rows)
                if row[name].value is Value.FAIL and at not in forgiven
            ]
            if forgiven:
                first = self._found(name, rows, forgiven)
                self.user_properties.append((SHARED, self._another(first)))
            if fails:
                failed.append(self._found(name, rows, fails))
            silent = [at for at in whole if rows[at][name].value is Value.UNKNOWN]
            if not fails and len(silent) > UNKNOWN_LIMIT * len(whole):
                unknown.append(self._found(name, rows, silent))
        return failed, unknown

    def _found(self, oracle: str, rows: Sequence[Row], where: list[int]) -> Found:
        first = where[0]
        text = codec.to_text(shards.drawn(self.shard, self._selection.seed)[first])
        number = self.shard.first + first
        return Found(oracle, rows[first][oracle], number, text, len(where))

    def _another(self, found: Found) -> str:
        return (
            f"{self.backend.name}: {found.oracle}, on workload {found.number} of seed "
            f"{self._selection.seed}: {found.verdict.evidence}"
        )

    def _told(self, found: Found) -> str:
        """Say what an oracle found; the end is a command for a shell, the workload in it."""
        command = replay_command("-", self.strategy.name, [self.backend.name])
        return (
            f"{found.oracle}: {found.verdict.value.upper()} on {found.times} of "
            f"{len(self.rows)} workloads, the first is {found.number} "
            f"of seed {self._selection.seed}: {found.verdict.evidence}\n"
            + "\n".join(command)
            + f" <<'END'\n{found.text}END"
        )


class Controls:
    """In the process that has all reports: known-bad strategies that nothing caught."""

    def __init__(self, left_out: dict[str, str]) -> None:
        self._left_out = left_out
        self._due: dict[str, str | None] = {}
        self._caught: set[str] = set()
        self._shared: dict[str, list[str]] = {}
        self._taken: set[str] = set()
        self._mended: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told: dict[str, Callable[[str], object]] = {
            DUE: self._due.setdefault,
            CAUGHT: self._caught.add,
            TAKEN: self._taken.add,
            MENDED: self._mended.add,
        }
        for name, value in report.user_properties if report.when == "call" else ():
            if name == SHARED:
                self._shared.setdefault(str(value), []).append(report.nodeid)
            elif name in told:
                told[name](str(value))

    def void(self) -> Sequence[str]:
        """Say why what passed proves nothing."""
        return [
            *(
                f"{one} must fail, and passed on every workload"
                for one in self._due
                if one not in self._caught
            ),
            *(
                f"{one} was taken for another bug, which all have, and there are workloads on "
                "which a fix mends it"
                for one in sorted(self._taken & self._mended)
            ),
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.void() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        void = self.void()
        if void or self._shared or self._left_out:
            terminalreporter.section("difftest")
        for name, reason in self._left_out.items():
            terminalreporter.line(f"{name} is left out: {reason}")
        for one, items in self._shared.items():
            terminalreporter.line(f"another bug, which {BASELINE} and every fix have, {one}")
            terminalreporter.line(f"  (not counted for {', '.join(sorted(items))})")
        for one in void:
            terminalreporter.line(f"VOID: {one}", red=True)


def add(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add the items of the campaign that a session's options ask for."""
    collector: Campaign = Campaign.from_parent(session, name="difftest", nodeid="difftest")
    chosen = collector.selection = _selection(session.config)
    collector.alongside = Alongside(chosen.plugins, chosen.seed)
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
