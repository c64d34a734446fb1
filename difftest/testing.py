# SPDX-License-Identifier: GPL-2.0-only
"""The test kit: pytest fixtures for those who write plugins, and `pytest --difftest`.

pytest loads this wherever difftest is installed, so it imports the rest only when that is used.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from difftest.backends import Backend
    from difftest.outcome import Outcome
    from difftest.plugins import Plugins
    from difftest.result import Result
    from difftest.strategy import Strategy
    from difftest.verdict import AnyOracle, Verdict
    from difftest.workload.workload import Workload


class MakesWorkload(Protocol):
    def __call__(self, text: str) -> Workload: ...


class Plays(Protocol):
    def __call__(
        self, strategy: str | Strategy, workload: str | Workload, backend: str | Backend = "model"
    ) -> Outcome: ...


class Judges(Protocol):
    def __call__(
        self,
        oracle: str | AnyOracle,
        workload: str | Workload,
        outcome: Outcome,
        baseline: Outcome | None = None,
    ) -> Verdict: ...


class Compares(Protocol):
    def __call__(self, *strategies: str, workloads: int = 20, seed: int = 1) -> Result: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("difftest", "difftest: campaigns as tests")
    group.addoption(
        "--difftest",
        action="store_true",
        help="Run a campaign: a test for each strategy, backend and shard of workloads, besides "
        "the tests of the files that are named, if any are.",
    )
    for name, many in (("strategy", "strategies"), ("backend", "backends")):
        group.addoption(
            f"--difftest-{name}",
            dest=f"difftest_{many}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"A {name} (repeatable; default: as `difftest run`).",
        )
    for name, default, least, what in (
        ("workloads", 2000, 1, "How many random workloads"),
        ("faults", 1000, 0, "How many workloads with faults besides"),
        ("seed", 1, 0, "Which workloads: the same as `difftest run` draws for it"),
    ):
        group.addoption(
            f"--difftest-{name}",
            type=_number(least),
            default=default,
            metavar="N",
            help=f"{what} (default: {default}).",
        )


def _number(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if text.isdecimal() and int(text) >= least:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least {least}")

    return number


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("difftest"):
        return
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = []
    from difftest import items  # noqa: PLC0415

    items.watch(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    if session.config.getoption("difftest"):
        from difftest import items as campaign  # noqa: PLC0415

        campaign.add(session, items)


@pytest.fixture(scope="session")
def difftest_plugins() -> Plugins:
    """Return all that is installed."""
    from difftest import plugins  # noqa: PLC0415

    return plugins.load()


@pytest.fixture
def workload() -> MakesWorkload:
    """Return what makes a workload of its text form; it raises UsageError for what is none."""
    return _workload


@pytest.fixture
def play(difftest_plugins: Plugins) -> Plays:
    """Return what plays a workload on a strategy and a backend, and gives the outcome.

    Strategy and backend are names of what is installed, or records, which need not be. Raises
    ToolchainError for a backend that cannot run here, UsageError for a strategy that cannot run
    there, and what the backend raises when it is made ready.
    """

    def play(
        strategy: str | Strategy, workload: str | Workload, backend: str | Backend = "model"
    ) -> Outcome:
        from difftest import facts  # noqa: PLC0415
        from difftest.backends import TakesFaults, running  # noqa: PLC0415
        from difftest.errors import ToolchainError, UsageError  # noqa: PLC0415

        made = _workload(workload)
        one = difftest_plugins.strategy(strategy) if isinstance(strategy, str) else strategy
        place = difftest_plugins.backend(backend) if isinstance(backend, str) else backend
        if missing := place.missing():
            raise ToolchainError(f"backend {place.name} cannot run here: {missing}")
        chain = facts.chain(one, {**difftest_plugins.strategies, one.name: one})
        if reason := next(filter(None, map(place.supports, chain)), ""):
            raise UsageError(f"strategy {one.name} cannot run on {place.name}: {reason}")
        place.prepare(chain)
        if made.faults and isinstance(place, TakesFaults):
            place.prepare_faults(chain)
        with running(place, chain) as runner:
            (outcome,) = runner.run([made])
        return outcome

    return play


@pytest.fixture
def judge(difftest_plugins: Plugins) -> Judges:
    """Return what asks an oracle about an outcome, as a run does: one that raises is UNKNOWN.

    The oracle is the name of one that is installed, or an object. One that compares needs the
    outcome of the baseline, too.
    """

    def judge(
        oracle: str | AnyOracle,
        workload: str | Workload,
        outcome: Outcome,
        baseline: Outcome | None = None,
    ) -> Verdict:
        from difftest.verdict import judge_safely  # noqa: PLC0415

        one = difftest_plugins.oracle(oracle) if isinstance(oracle, str) else oracle
        return judge_safely(one, _workload(workload), outcome, baseline)

    return judge


@pytest.fixture
def compared(difftest_plugins: Plugins, tmp_path: Path) -> Compares:
    """Return what compares installed strategies on the model: the result that reports render."""

    def compared(*strategies: str, workloads: int = 20, seed: int = 1) -> Result:
        from difftest import session  # noqa: PLC0415

        asked = session.Request(strategies, (), ("model",), (), workloads, seed)
        with session.begin(difftest_plugins, asked, tmp_path / "runs", ()) as running:
            running.run(jobs=1)
            return running.report()

    return compared


def _workload(text: str | Workload) -> Workload:
    from difftest.workload.codec import from_text  # noqa: PLC0415

    return from_text(text) if isinstance(text, str) else text
