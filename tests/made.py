# SPDX-License-Identifier: GPL-2.0-only
"""Hand-made runs: small tallies of known content, and what a store would hold of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from difftest.assemble import result_of
from difftest.outcome import Ending, Outcome, Step
from difftest.settings import Settings, settings_of
from difftest.strategy import BASELINE, Strategy
from difftest.tally import Again, Run, Tally
from difftest.verdict import PASS, Verdict, fail, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from difftest.findings import Shrunk
    from difftest.result import Attack, Deciding, MutantResult, Result

ORACLES = ("no_kernel_bug", "block_accounting", "page_leak", "content", "contract")
BACKENDS = ("model", "uml:6.1")
STATES = ("window_opened", "charge_failed_on_retry")

SMALL = "mount blocks=4\nfile pages=6\nmap file=0 offset=0 pages=6\nzeropage map=0 page=3 pages=1\n"
RACE = """\
mount blocks=4
file pages=6
map file=0 offset=0 pages=6
copy map=0 page=1 source=MR
  window
    fill leave=0
zeropage map=0 page=3 pages=1
"""

BUG = "kernel BUG at mm/userfaultfd.c:__mcopy_atomic"
CRASHED = Outcome(Ending.CRASHED, (), title=BUG)
HUNG = Outcome(Ending.HUNG, (), title="no sign of life for 10 s")


@cache
def finished(used: int = 1) -> Outcome:
    return Outcome(Ending.FINISHED, (Step("0", 0, used),), left=0, held=0)


def patch(path: str, removed: Sequence[str], added: Sequence[str], context: str = "\tout:") -> str:
    body = [f" {context}", *(f"-{line}" for line in removed), *(f"+{line}" for line in added)]
    spans = f"-10,{1 + len(removed)} +10,{1 + len(added)}"
    return "\n".join([f"--- a/{path}", f"+++ b/{path}", f"@@ {spans} @@", *body, ""])


def strategy(
    name: str,
    removed: Sequence[str] = (),
    added: Sequence[str] = (),
    series: Sequence[str] = ("6.1",),
    **more: object,
) -> Strategy:
    """Make a strategy with the same patch for the model and for each series."""
    text = patch("mm/userfaultfd.c", removed, added) if (*removed, *added) else ""
    fields = {"claim": f"{name} mends it.", "model_patch": text} | more
    return Strategy(name=name, kernel_patches=dict.fromkeys(series, text), **fields)  # type: ignore[arg-type]


UNPATCHED = strategy(BASELINE, must_fail=("no_kernel_bug",))
REMOVE_BUG_ON = strategy("remove_bug_on", removed=["\telse", "\t\tBUG_ON(page);"])
RELEASE_PAGE = strategy("release_page", removed=["a"], added=["put_page(*pagep);", "b", "c"])
NAIVE_HOLD = strategy("naive_hold", added=["d"], must_fail=("block_accounting",))
UNACCT = strategy("unacct_before_return", added=["e"], base="naive_hold")
BUNDLED = (UNPATCHED, REMOVE_BUG_ON, RELEASE_PAGE, NAIVE_HOLD, UNACCT)


def verdicts(outcome: Outcome, **failing: str) -> tuple[Verdict, ...]:
    """Return the verdicts of all oracles: those named FAIL with that evidence, others PASS."""
    return _verdicts(outcome, tuple(failing.items()))


@cache
def _verdicts(outcome: Outcome, failures: tuple[tuple[str, str], ...]) -> tuple[Verdict, ...]:
    """Return what is the same for thousands of runs."""
    failing = dict(failures)
    if not outcome.known:
        return (unknown(f"{outcome.ending}: {outcome.title}"),) * len(ORACLES)
    if outcome.ending is Ending.CRASHED:
        failing = {"no_kernel_bug": outcome.title} | failing
    rest = unknown("the kernel crashed") if outcome.ending is Ending.CRASHED else PASS
    return tuple(fail(failing[name]) if name in failing else rest for name in ORACLES)


def run(number: int, outcome: Outcome | None = None, **failing: str) -> Run:
    outcome = outcome or finished()
    states = ("window_opened",) if number % 2 else ()
    return Run(number, outcome, verdicts(outcome, **failing), states)


@dataclass
class Parts:
    """A stored run in memory."""

    settings: Settings
    every: list[Tally]
    texts: dict[int, str]
    built: dict[tuple[str, str], str] = field(default_factory=dict)
    platforms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    releases: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    attacked: list[Attack] = field(default_factory=list)
    less: list[Shrunk] = field(default_factory=list)
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    decided: dict[tuple[str, str], tuple[Deciding, ...]] = field(default_factory=dict)
    consoles: dict[tuple[str, str, int], str] = field(default_factory=dict)
    told: dict[tuple[str, int], str] = field(default_factory=dict)
    tried: list[MutantResult] = field(default_factory=list)
    repeated: list[Again] = field(default_factory=list)

    def deciding(self) -> dict[tuple[str, str], tuple[Deciding, ...]]:
        return self.decided

    def refusals(self) -> dict[tuple[str, str], str]:
        return self.refused

    def again(self) -> list[Again]:
        return self.repeated

    def mutants(self) -> list[MutantResult]:
        return self.tried

    def culprits(self) -> dict[tuple[str, int], str]:
        return self.told

    def console(self, strategy: str, backend: str, number: int) -> str | None:
        return self.consoles.get((strategy, backend, number))

    def workloads(self) -> dict[int, str]:
        return self.texts

    def kernels(self) -> dict[tuple[str, str], str]:
        return self.built

    def shrunk(self) -> list[Shrunk]:
        return self.less

    def tallies(self, strategy: str) -> Iterator[Tally]:
        return (tally for tally in self.every if tally.strategy == strategy)

    def attacks(self) -> list[Attack]:
        return self.attacked


def settings(
    strategies: Sequence[Strategy] = BUNDLED,
    *,
    known: Iterable[Strategy] = BUNDLED,
    workloads: int = 100,
    backends: Sequence[str] = BACKENDS,
    oracles: Sequence[str] = ORACLES,
    seed: int = 7,
) -> Settings:
    return settings_of(
        seed=seed,
        workloads=workloads,
        strategies=strategies,
        known={one.name: one for one in known},
        oracles=oracles,
        backends=backends,
        states=STATES,
        unseen={},
        version="0.1.0",
    )


def seen(strategy: str, number: int) -> Run:
    """Return what the bundled strategies show: every fifth workload is the race."""
    race = number % 5 == 3
    if race and strategy in {BASELINE, "unacct_before_return"}:
        return run(number, CRASHED)
    if race and strategy == "naive_hold":
        return run(number, block_accounting="1 block in use after all was closed, expected 0")
    return run(number)


def campaign(
    play: Callable[[str, int], Run] = seen,
    strategies: Sequence[Strategy] = BUNDLED,
    workloads: int = 100,
    backends: Sequence[str] = BACKENDS,
    shard_size: int = 50,
) -> Parts:
    """Make a whole run; `play` gives the run of a strategy and a number, on every backend."""
    tallies = [
        Tally(one.name, backend, first // shard_size, tuple(play(one.name, n) for n in numbers))
        for one in strategies
        for backend in backends
        for first in range(0, workloads, shard_size)
        for numbers in [range(first, min(first + shard_size, workloads))]
    ]
    texts = {n: RACE if n % 5 == 3 else SMALL for n in range(workloads)}
    return Parts(settings(strategies, workloads=workloads, backends=backends), tallies, texts)


@cache
def whole() -> Result:
    """Return the result of so many workloads that every bound is met."""
    return result_of(campaign(workloads=2000, shard_size=500))


@cache
def crowd(count: int = 12) -> Result:
    """Return the result of many strategies and oracles on three backends: two pass, others fail."""
    oracles = [f"oracle_number_{n}" for n in range(count)]
    fixes = [
        strategy(
            f"a_fix_with_a_name_{n}",
            added=["x"] * (n + 1),
            must_fail=(oracles[n],) if n > 1 else (),
        )
        for n in range(count - 1)
    ]

    def play(name: str, number: int) -> Run:
        whole = run(number, CRASHED if name == BASELINE and number % 5 == 3 else None)
        judged = list((whole.verdicts * count)[:count])
        fix = int(name.rpartition("_")[2]) if name != BASELINE else 0
        if fix > 1 and number % 5 == 3:
            judged[fix] = fail(f"after step {number} (copy) page 3 of file 0 holds zeros")
        return Run(number, whole.outcome, tuple(judged), whole.states)

    baseline = strategy(BASELINE, must_fail=oracles[:1])
    backends = ("model", "uml:6.1", "qemu:6.1")
    parts = campaign(play, [baseline, *fixes], workloads=2000, backends=backends, shard_size=500)
    parts.settings = settings(
        [baseline, *fixes], known=[baseline], workloads=2000, backends=backends, oracles=oracles
    )
    return result_of(parts)


def except_for(name: str, numbers: Sequence[int], instead: Run) -> Callable[[str, int], Run]:
    """Play what is usually seen, but `instead` for one strategy on some numbers."""

    def play(strategy: str, number: int) -> Run:
        if strategy == name and number in numbers:
            return type(instead)(number, instead.outcome, instead.verdicts, instead.states)
        return seen(strategy, number)

    return play
