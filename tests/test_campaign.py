# SPDX-License-Identifier: GPL-2.0-only
"""Campaigns: the result depends on the seed and nothing else; what is done is never lost."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import msgspec
import pytest
from interrupting import Interrupting

from difftest import campaign, plugins, session
from difftest.backends.model import ModelBackend
from difftest.context import Context
from difftest.errors import PluginError, RigError
from difftest.result import encode
from difftest.store import FILE, Store
from difftest.witness import from_text
from difftest.workload.codec import to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from difftest.backends import Runner
    from difftest.outcome import Outcome
    from difftest.result import Result
    from difftest.strategy import Strategy
    from difftest.workload.workload import Workload

WORKLOADS = 260  # two shards, the last a short one


def request(**changes: object) -> session.Request:
    fields = {
        "strategies": ("unpatched", "release_page"),
        "patches": (),
        "backends": ("model",),
        "oracles": (),
        "workloads": WORKLOADS,
        "seed": 5,
    }
    return session.Request(**fields | changes)  # type: ignore[arg-type]


def result(output: Path, jobs: int, asked: session.Request) -> str:
    with session.begin(plugins.load(), asked, output, ()) as running:
        assert not running.run(jobs)
        return encode(msgspec.structs.replace(running.report(), timings={}))


def test_the_result_is_the_same_for_any_number_of_jobs(tmp_path: Path) -> None:
    asked = request(guided=4)
    one, two = (result(tmp_path / str(jobs), jobs, asked) for jobs in (1, 2))
    assert one == two
    assert msgspec.json.decode(one)["done"] == WORKLOADS + 4


def test_another_seed_gives_another_result(tmp_path: Path) -> None:
    one = result(tmp_path / "5", 1, request(workloads=100))
    other = result(tmp_path / "6", 1, request(workloads=100, seed=6))
    assert one != other


def test_workloads_are_the_same_whatever_they_run_on(tmp_path: Path) -> None:
    result(tmp_path, 1, request(workloads=20))
    result(tmp_path, 1, request(workloads=20, strategies=("naive_hold",)))
    texts = []
    for name in ("0001", "0002"):
        with Store.open(tmp_path / name) as store:
            texts.append(store.workloads())
    assert texts[0] == texts[1]


def test_workloads_with_faults_come_after_the_others_and_change_none(tmp_path: Path) -> None:
    alone = msgspec.json.decode(result(tmp_path / "0", 1, request(workloads=60)))
    beside = msgspec.json.decode(result(tmp_path / "20", 1, request(workloads=60, faults=20)))
    assert (alone["workloads"], alone["faults"], alone["done"]) == (60, 0, 60)
    assert (beside["workloads"], beside["faults"], beside["done"]) == (80, 20, 80)
    with Store.open(tmp_path / "0" / "0001") as one, Store.open(tmp_path / "20" / "0001") as other:
        assert list(other.workloads().values())[:60] == list(one.workloads().values())
        seen = {run.number: run for tally in other.tallies("unpatched") for run in tally.runs}
    assert sorted(seen) == list(range(80))
    hits = [number for number, run in seen.items() if any(one.hits for one in run.outcome.trace)]
    assert hits
    assert min(hits) >= 60


def test_guided_workloads_come_last_and_are_kept_and_judged_like_all(tmp_path: Path) -> None:
    asked = request(workloads=8, faults=4, guided=4)
    found = msgspec.json.decode(result(tmp_path, 1, asked))
    assert [found[name] for name in ("workloads", "faults", "guided", "done")] == [16, 6, 4, 16]
    assert {cell["drawn"] for cell in found["cells"] if cell["runs"]} == {12}
    with Store.open(tmp_path / "0001") as store:
        kept = store.workloads()
        seen = [run.number for tally in store.tallies("release_page") for run in tally.runs]
    assert sorted(seen) == sorted(kept) == list(range(16))
    faulty = [number for number, text in kept.items() if "\nfault " in text]
    assert faulty == [8, 9, 10, 11, 14, 15]


def test_going_on_draws_the_guided_workloads_that_are_missing(tmp_path: Path) -> None:
    asked = request(workloads=4, faults=2, guided=6)
    loaded = plugins.load()
    loaded.backends["model"] = Interrupting(0)
    with session.begin(loaded, asked, tmp_path, ()) as running:
        assert running.run(1)
    with sqlite3.connect(tmp_path / "0001" / FILE) as database:
        gone = database.execute("DELETE FROM workloads WHERE number >= 9").rowcount
    assert gone
    assert result(tmp_path, 1, asked) == result(tmp_path / "whole", 1, asked)


def test_without_faults_nobody_is_asked_about_guards_unless_by_name(tmp_path: Path) -> None:
    def oracles(number: int, **changes: object) -> list[str]:
        found = result(tmp_path / str(number), 1, request(workloads=1, **changes))
        return list(msgspec.json.decode(found)["oracles"])

    assert "guard" not in oracles(1)
    assert "guard" in oracles(2, faults=1)
    assert oracles(3, oracles=("guard",)) == ["guard"]


class Ready(ModelBackend):
    """A backend that has something to make ready for faults."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def prepare_faults(self, chain: Sequence[Strategy]) -> None:
        self.asked.append(chain[-1].name)


def test_only_a_run_with_faults_makes_backends_ready_for_them(tmp_path: Path) -> None:
    loaded = plugins.load()
    loaded.backends["model"] = backend = Ready()
    for faults, asked in ((0, []), (1, ["unpatched", "release_page"])):
        changed = request(workloads=1, faults=faults)
        with session.begin(loaded, changed, tmp_path / str(faults), ()) as running:
            assert not running.run(1)
        assert backend.asked == asked


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(tmp_path: Path) -> None:
    loaded = plugins.load()
    loaded.backends["model"] = Interrupting(3)
    with session.begin(loaded, request(), tmp_path, ()) as running:
        assert running.run(1)
        partial = running.report()
        directory = running.directory
    assert 0 < partial.done < WORKLOADS
    assert partial.decision.recommended is None or partial.done
    assert result(tmp_path, 1, request()) == result(tmp_path / "whole", 1, request())
    assert [path.name for path in tmp_path.glob("0*")] == [directory.name]


def test_a_finished_run_is_not_gone_on_with(tmp_path: Path) -> None:
    assert result(tmp_path, 1, request(workloads=5)) == result(tmp_path, 1, request(workloads=5))
    assert sorted(path.name for path in tmp_path.glob("0*")) == ["0001", "0002"]


def test_a_run_leaves_a_report_and_witnesses_that_can_be_replayed(tmp_path: Path) -> None:
    result(tmp_path, 1, request(workloads=50))
    run = tmp_path / "0001"
    assert "# " in (run / "report.md").read_text(encoding="utf-8")
    (witness,) = run.glob("witnesses/*.workload")
    assert witness.name == "unpatched-no_kernel_bug.workload"
    text = witness.read_text(encoding="utf-8")
    head, workload = from_text(text, "")
    assert head
    assert (head.strategy, head.oracle, head.backends) == ("unpatched", "no_kernel_bug", ("model",))
    assert (head.seed, head.shrunk, head.passes) == (request().seed, True, ("release_page",))
    # A mount, a file, a map, a copy, its window, a cause.
    assert len(to_text(workload).splitlines()) == 6


class Forgetful(ModelBackend):
    """A backend that breaks the protocol: one outcome too few."""

    @contextlib.contextmanager
    def runner(self, chain: Sequence[Strategy]) -> Iterator[Runner]:  # type: ignore[override]
        with super().runner(chain) as runner:
            whole = runner.run

            def run(workloads: Sequence[Workload]) -> Iterator[Outcome]:
                return whole(workloads[1:])

            runner.run = run  # type: ignore[method-assign]
            yield runner


def test_a_backend_that_loses_an_outcome_is_caught(tmp_path: Path) -> None:
    loaded = plugins.load()
    loaded.backends["model"] = Forgetful()
    with (
        session.begin(loaded, request(workloads=5), tmp_path, ()) as running,
        pytest.raises(RigError, match="backend model gave 4 outcomes for 5 workloads"),
    ):
        running.run(1)


class Raising(ModelBackend):
    """A backend with a bug."""

    @contextlib.contextmanager
    def runner(self, chain: Sequence[Strategy]) -> Iterator[Runner]:
        yield [][len(chain)]


def test_a_backend_that_raises_is_named(tmp_path: Path) -> None:
    loaded = plugins.load()
    loaded.backends["model"] = Raising()
    with (
        session.begin(loaded, request(workloads=5), tmp_path, ()) as running,
        pytest.raises(RigError, match="backend model raised IndexError for unpatched"),
    ):
        running.run(1)


def test_a_report_that_raises_is_named_and_the_run_is_kept(tmp_path: Path) -> None:
    class Broken:
        name = "broken"
        suffix = ".txt"

        def render(self, result: Result, run: str = "RUN") -> str:
            return f"{1 // 0} {result} {run}"

    result(tmp_path, 1, request(workloads=5))
    stored = session.stored(tmp_path / "0001")
    with pytest.raises(PluginError, match="report broken raised ZeroDivisionError"):
        session.rendered(Broken(), stored, tmp_path / "0001")


def test_a_worker_that_dies_is_reported_and_finished_shards_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers are killed, as the out-of-memory killer does, when the first shard is in."""
    added = Store.add_done
    killed = []

    def add_and_kill(store: Store, done: object) -> None:
        added(store, done)  # type: ignore[arg-type]
        if not killed:
            import multiprocessing  # noqa: PLC0415

            killed.extend(multiprocessing.active_children())
            for child in killed:
                child.kill()

    with session.begin(plugins.load(), request(workloads=510), tmp_path, ()) as running:
        monkeypatch.setattr(Store, "add_done", add_and_kill)
        with pytest.raises(RigError, match="a worker process died"):
            running.run(2)
        monkeypatch.undo()
    assert killed
    assert not list((tmp_path / "0001").glob("*.part"))
    with Store.open(tmp_path / "0001") as store:
        assert list(store.tallies())


def test_prepare_reports_what_each_strategy_came_to(tmp_path: Path) -> None:
    loaded = plugins.load()
    asked = session.strategies_of(loaded, (), ())
    settings = session.settings_of(
        seed=1, workloads=1, strategies=asked, known=loaded.strategies, oracles=(),
        backends=("model",), states=(), unseen={}, version="",
    )  # fmt: skip
    digests = campaign.prepare(Context(settings, loaded, tmp_path))
    assert set(digests) == {(name, "model") for name in loaded.strategies}
    # It takes nothing from what it stands on: what it claims is in the code of 6.1 already.
    assert digests.pop(("install_pte_v6", "model")) == digests["release_page", "model"]
    assert len(set(digests.values())) == len(digests)
