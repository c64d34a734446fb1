# SPDX-License-Identifier: GPL-2.0-only
"""The hands of a worker: processes that carry out tasks, and are told what the run is about."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import zlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from difftest import campaign, plugins, sandbox, session
from difftest.kernels import artefacts
from difftest.pool import hand
from difftest.pool.hand import Identity, Reply, Setup
from difftest.shards import Shard
from difftest.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from difftest.settings import Settings

SHARD = Shard(0, 3, 0, faults=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    asked = session.Request(("unpatched",), (), ("model",), ("content",), 3, 7)
    with (
        session.begin(plugins.load(), asked, tmp_path, ()) as running,
        Store.open(running.directory) as store,
    ):
        return store.settings


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be a worker that knows nothing yet."""
    monkeypatch.setattr(hand, "_setups", {})
    monkeypatch.setattr(hand, "_arrived", {})
    yield
    if mine := hand._threads.__dict__.pop("hand", None):
        mine.close()


def setup(settings: Settings, **changes: Any) -> Setup:
    packed = msgspec.json.encode(settings)
    made = Setup(
        "run", Identity.here(), sandboxed=False, settings=packed, skip=(), known={}, trees={}
    )
    return made._replace(**changes)


def serve(tmp_path: Path, function: object, task: object) -> Reply:
    return hand.serve("worker", str(tmp_path), "run", pickle.dumps((function, task)))


def test_a_worker_asks_for_the_setup_of_a_run_and_then_does_as_it_is_told(
    tmp_path: Path, settings: Settings
) -> None:
    assert serve(tmp_path, campaign.draw, (7, SHARD)) == Reply("worker", lacks="")
    assert hand.set_up(setup(settings)) == ""
    reply = serve(tmp_path, campaign.draw, (7, SHARD))
    drawn = pickle.loads(reply.result or b"")  # noqa: S301 - our own
    assert drawn == (0, SHARD.draw(7))


def test_what_is_not_in_the_cache_is_asked_for_by_what_it_is_made_from(
    tmp_path: Path, settings: Settings
) -> None:
    hand.set_up(setup(settings))
    reply = serve(tmp_path, campaign.attack, ("unpatched", "uml:6.1"))
    assert reply.lacks is not None
    assert reply.lacks.partition("/")[0] in {"agent", "kernel"}


def test_a_tree_of_the_users_own_is_a_backend_there_for_that_run(
    tmp_path: Path, settings: Settings
) -> None:
    asked = pickle.dumps((campaign.attack, ("unpatched", "uml:mine")))
    for run, trees in ("with", {"mine": "6.1"}), ("without", {}):
        hand.set_up(setup(settings, run=run, trees=trees))
    reply = hand.serve("worker", str(tmp_path), "with", asked)
    assert (reply.lacks or "").partition("/")[0] in {"agent", "kernel"}
    refused = hand.serve("worker", str(tmp_path), "without", asked).error
    assert "uml:mine" in str(refused)


def test_what_came_for_one_run_is_not_taken_by_another(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same request may stand for another kernel there: the source is a newer one."""
    monkeypatch.setenv("DIFFTEST_CACHE", str(tmp_path))
    hand.set_up(setup(settings))
    hand.set_up(setup(settings, run="other"))
    data = zlib.compress(msgspec.msgpack.encode([]))
    sha256 = hashlib.sha256(data).hexdigest()
    sent = artefacts.Artefact("kernel/x", "kernels", "abc", sha256, data)
    assert hand.take(("run", sent)) == ""
    assert hand._arrived == {"run": {"kernel/x": ("kernels", "abc")}, "other": {}}


def test_one_that_is_killed_is_lost_and_the_next_task_has_another(
    tmp_path: Path, settings: Settings
) -> None:
    hand.set_up(setup(settings))
    serve(tmp_path, campaign.draw, (7, SHARD))
    os.kill(hand._threads.hand._process.pid, signal.SIGKILL)
    reply = serve(tmp_path, campaign.draw, (7, SHARD))
    assert reply == Reply("worker", lost="its process ended with status -9")
    assert serve(tmp_path, campaign.draw, (7, SHARD)).result


def test_what_a_task_raises_and_plugins_that_differ_are_told(
    tmp_path: Path, settings: Settings
) -> None:
    hand.set_up(setup(settings))
    error = serve(tmp_path, campaign.draw, None).error
    assert str(error).startswith("a task raised TypeError: ")
    hand._threads.hand.close()
    del hand._threads.hand
    other = msgspec.structs.replace(settings, version="0.1.0 x")
    hand.set_up(setup(other))
    error = serve(tmp_path, campaign.draw, (7, SHARD)).error
    assert "its plugins are others" in str(error)
    assert "the run needs 0.1.0 x" in str(error)


@pytest.mark.parametrize("other", [{"python": "3.10"}, {"difftest": "0.0.9"}])
def test_another_version_of_python_or_of_difftest_is_refused(
    tmp_path: Path, settings: Settings, other: dict[str, str]
) -> None:
    asked = setup(settings, identity=Identity.here()._replace(**other))
    assert hand.set_up(asked) == f"it has {Identity.here()}, and the run needs {asked.identity}"
    assert serve(tmp_path, campaign.draw, (7, SHARD)).lacks == ""


def test_old_runs_make_room_for_new_ones(settings: Settings) -> None:
    for number in range(hand._MOST_RUNS + 1):
        hand.set_up(setup(settings, run=str(number)))
    assert list(hand._setups) == [str(number) for number in range(1, hand._MOST_RUNS + 1)]


def test_a_worker_without_a_sandbox_is_none_for_a_run_that_says_that_it_has_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "missing", lambda: "bubblewrap is not installed")
    assert hand.set_up(setup(settings)) == ""
    refused = hand.set_up(setup(settings, sandboxed=True))
    assert refused.endswith("not be sandboxed there, as they are here: bubblewrap is not installed")
