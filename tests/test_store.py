# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from made import BUG, BUNDLED, CRASHED, HUNG, RELEASE_PAGE, Parts, campaign, run, settings

from difftest.assemble import result_of
from difftest.errors import PluginError, StoreError
from difftest.facts import facts_of
from difftest.result import Attack, Deciding, Fate, MutantResult
from difftest.runs import find_unfinished
from difftest.store import FILE, Store
from difftest.tally import Tally

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = settings()
TALLY = Tally("release_page", "model", 0, (run(0), run(1, CRASHED), run(2, HUNG)))

tallies = st.builds(
    Tally,
    strategy=st.sampled_from([one.name for one in BUNDLED]),
    backend=st.sampled_from(["model", "uml:6.1"]),
    shard=st.integers(0, 3),
    runs=st.lists(
        st.builds(run, st.integers(0, 99), content=st.text(st.characters(codec="utf-8"))),
        max_size=3,
    ).map(tuple),
)


def fill(store: Store, parts: Parts) -> None:
    store.add_workloads(0, [parts.texts[number] for number in sorted(parts.texts)])
    for tally in parts.every:
        store.add_tally(tally)


@pytest.fixture
def run_directory(tmp_path: Path) -> Path:
    """Make a run that is finished and closed."""
    with Store.create(tmp_path / "runs", SETTINGS) as store:
        fill(store, campaign())
        store.add_console("unpatched", "uml:6.1", 3, f"{BUG}\n")
        store.finish({"run": 1.5})
    return tmp_path / "runs" / "0001"


def test_a_stored_run_gives_the_same_result(run_directory: Path) -> None:
    parts = campaign()
    parts.timings = {"run": 1.5}
    with Store.open(run_directory) as store:
        assert result_of(store) == result_of(parts)


def test_who_did_it_is_kept(tmp_path: Path) -> None:
    with Store.create(tmp_path / "runs", SETTINGS) as store:
        assert store.culprits() == {}
        store.add_culprits({("unpatched", 3): "x"})
        store.add_culprits({("unpatched", 4): "y"})
    with Store.open(tmp_path / "runs" / "0001") as store:
        assert store.culprits() == {("unpatched", 4): "y"}


def test_kernel_versions_are_kept_as_the_run_began(tmp_path: Path) -> None:
    with Store.create(tmp_path / "runs", SETTINGS) as store:
        assert store.releases == {}
        store.add_release("uml:6.1", "6.1.192-1")
        store.add_release("uml:6.1", "6.1.193-1")
        store.add_release("uml:6.12", "6.12.9-1")
    with Store.open(tmp_path / "runs" / "0001") as store:
        assert store.releases == {"uml:6.1": "6.1.192-1", "uml:6.12": "6.12.9-1"}
        assert result_of(store).releases == store.releases


def test_deciding_lines_are_kept(tmp_path: Path) -> None:
    found = {("naive_hold", "block_accounting"): (Deciding("model", (5, 6)), Deciding("6.1", (7,)))}
    with Store.create(tmp_path / "runs", SETTINGS) as store:
        assert store.deciding() == {}
        store.add_deciding(found)
    with Store.open(tmp_path / "runs" / "0001") as store:
        assert store.deciding() == found


def test_refusals_are_kept(tmp_path: Path) -> None:
    with Store.create(tmp_path / "runs", SETTINGS) as store:
        assert store.refusals() == {}
        store.add_refusals({("unpatched", "uml:x"): "no"})
    with Store.open(tmp_path / "runs" / "0001") as store:
        assert store.refusals() == {("unpatched", "uml:x"): "no"}


def test_settings_survive_with_their_strategies(run_directory: Path) -> None:
    with Store.open(run_directory / FILE) as store:
        assert store.settings == SETTINGS
        assert store.settings.compared() == BUNDLED
        assert (store.finished, store.timings) == (True, {"run": 1.5})


def test_bases_are_kept_so_that_a_run_renders_without_their_plugin(tmp_path: Path) -> None:
    kept = settings([BUNDLED[4]])
    assert [one.name for one in kept.bases] == ["naive_hold"]
    with Store.create(tmp_path, kept) as store:
        known = store.settings.known()
        assert facts_of(store.settings.compared()[0], known).added == 2
    with pytest.raises(PluginError, match="naive_hold is not known"):
        settings([BUNDLED[4]], known=())


@settings_of_hypothesis(deadline=None, max_examples=40)
@given(st.lists(tallies, max_size=4))
def test_what_is_put_in_comes_out_and_the_first_of_a_shard_stays(
    tmp_path_factory: pytest.TempPathFactory, shards: list[Tally]
) -> None:
    first: dict[tuple[str, str, int], Tally] = {}
    with Store.create(tmp_path_factory.mktemp("runs"), SETTINGS) as store:
        for tally in shards:
            key = (tally.strategy, tally.backend, tally.shard)
            assert store.has(*key) is (key in first)
            store.add_tally(tally)
            first.setdefault(key, tally)
        assert list(store.tallies()) == list(first.values())
        for name in (one.name for one in BUNDLED):
            expected = [tally for tally in first.values() if tally.strategy == name]
            assert list(store.tallies(name)) == expected


def test_a_shard_stored_twice_counts_once(tmp_path: Path) -> None:
    with Store.create(tmp_path, SETTINGS) as store:
        fill(store, campaign())
        once = result_of(store)
        fill(store, campaign())
        assert result_of(store) == once


def test_workloads_keep_their_numbers(tmp_path: Path) -> None:
    with Store.create(tmp_path, SETTINGS) as store:
        store.add_workloads(2, ["c", "d"])
        store.add_workloads(0, ["a", "b", "another"])
        assert store.workloads() == {0: "a", 1: "b", 2: "c", 3: "d"}


def test_consoles_are_kept_for_those_who_ask(run_directory: Path) -> None:
    with Store.open(run_directory) as store:
        assert store.console("unpatched", "uml:6.1", 3) == f"{BUG}\n"
        assert store.console("unpatched", "uml:6.1", 4) is None


def test_a_console_of_any_bytes_can_be_kept(tmp_path: Path) -> None:
    with Store.create(tmp_path, SETTINGS) as store:
        store.add_console("unpatched", "uml:6.1", 0, "\udcff\0 end")
        assert store.console("unpatched", "uml:6.1", 0) == "?\0 end"


def test_runs_are_numbered(tmp_path: Path) -> None:
    names = []
    for _ in range(2):
        with Store.create(tmp_path / "runs", SETTINGS) as store:
            names.append(store.directory.name)
    (tmp_path / "runs" / "0009").mkdir()
    (tmp_path / "runs" / "notes").mkdir()
    with Store.create(tmp_path / "runs", SETTINGS) as store:
        names.append(store.directory.name)
    assert names == ["0001", "0002", "0010"]


def test_the_same_command_goes_on_with_the_run_that_was_stopped(tmp_path: Path) -> None:
    with Store.create(tmp_path, SETTINGS) as store:
        store.add_tally(TALLY)
    with Store.create(tmp_path, settings(seed=8)):
        pass
    found = find_unfinished(tmp_path, SETTINGS.fingerprint())
    assert found is not None
    with found:
        assert found.directory.name == "0001"
        assert list(found.tallies()) == [TALLY]
        found.finish({})
    assert find_unfinished(tmp_path, SETTINGS.fingerprint()) is None


def test_there_is_nothing_to_go_on_with_where_nothing_was_begun(tmp_path: Path) -> None:
    assert find_unfinished(tmp_path / "runs", SETTINGS.fingerprint()) is None


def test_a_run_that_is_damaged_does_not_keep_others_from_going_on(tmp_path: Path) -> None:
    with Store.create(tmp_path, SETTINGS):
        pass
    with Store.create(tmp_path, SETTINGS) as other:
        pass
    (other.directory / FILE).write_text("no database")
    found = find_unfinished(tmp_path, SETTINGS.fingerprint())
    assert found is not None
    with found:
        assert found.directory.name == "0001"


@pytest.mark.parametrize(
    "other",
    [
        settings(seed=8),
        settings(workloads=21),
        settings([RELEASE_PAGE]),
        settings(backends=["model"]),
        settings(oracles=["content"]),
        settings([BUNDLED[0], *BUNDLED[2:], BUNDLED[1]]),
    ],
)
def test_other_settings_have_another_fingerprint(other: object) -> None:
    assert other.fingerprint() != SETTINGS.fingerprint()  # type: ignore[attr-defined]


def test_equal_settings_have_equal_fingerprints() -> None:
    assert settings().fingerprint() == SETTINGS.fingerprint()


def test_a_run_is_written_by_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        Store.create(tmp_path, SETTINGS),
        pytest.raises(StoreError, match=r"0001 is being written by another difftest"),
    ):
        find_unfinished(tmp_path, SETTINGS.fingerprint())


def test_the_lock_of_a_process_that_died_is_gone(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; from made import settings; from difftest.store import Store\n"
        "store = Store.create(pathlib.Path(sys.argv[1]), settings())\n"
        "os._exit(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        check=False,
    )
    assert done.returncode == 9
    found = find_unfinished(tmp_path, SETTINGS.fingerprint())
    assert found is not None
    found.close()


def test_a_run_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    with Store.create(tmp_path, SETTINGS) as writer, Store.open(writer.directory) as reader:
        writer.add_tally(TALLY)
        shards = reader.tallies()
        assert next(shards) == TALLY
        writer.add_workloads(0, ["a"])
        assert reader.workloads() == {0: "a"}


def test_a_run_that_was_opened_for_reading_cannot_be_changed(run_directory: Path) -> None:
    with (
        Store.open(run_directory) as store,
        pytest.raises(StoreError, match="opened for reading only"),
    ):
        store.add_tally(TALLY)


def test_a_run_does_not_go_on_with_another_kernel(tmp_path: Path) -> None:
    with Store.create(tmp_path, SETTINGS) as store:
        store.add_kernel("release_page", "uml:6.1", "hash")
        store.add_kernel("release_page", "uml:6.1", "hash")
        with pytest.raises(StoreError, match=r"another kernel for release_page on uml:6\.1"):
            store.add_kernel("release_page", "uml:6.1", "other")
        assert store.kernels() == {("release_page", "uml:6.1"): "hash"}


def test_a_full_disk_is_named_and_keeps_what_was_finished(tmp_path: Path) -> None:
    with Store.create(tmp_path, SETTINGS) as store:
        store.add_tally(TALLY)
        [(pages,)] = store._db.execute("PRAGMA page_count")
        store._db.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StoreError, match=r"disk is full.*finished are kept") as error:
            store.add_workloads(0, [str(number) * 5000 for number in range(9)])
        assert str(store.directory / FILE) in str(error.value)
        assert (list(store.tallies()), store.workloads()) == ([TALLY], {})


def test_a_place_that_cannot_hold_runs_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot make a run below .*runs"):
        Store.create(tmp_path / "runs", SETTINGS)


def test_a_place_without_a_run_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "nothing" / FILE):
        with pytest.raises(StoreError, match="there is no run at") as error:
            Store.open(path)
        assert str(path) in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(StoreError, match="there is no run at"):
        Store.open(tmp_path)


def test_a_text_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("a text, long enough to have a header\n" * 99)
    with pytest.raises(StoreError, match=r"cannot read .*run\.sqlite: file is not a database"):
        Store.open(tmp_path)


def test_an_empty_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    with pytest.raises(StoreError, match="is no run of difftest"):
        Store.open(tmp_path)


def test_attacks_come_out_as_they_were_put_in_and_the_first_stay(tmp_path: Path) -> None:
    first = Attack("release_page", "uml:6.1", 0, default=True, crashed=None, how="unknown")
    with Store.create(tmp_path, SETTINGS) as store:
        store.add_attacks("release_page", "uml:6.1", [first])
        store.add_attacks("release_page", "uml:6.1", [])
        assert store.attacks() == [first]


def test_the_database_of_another_program_is_no_run(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("CREATE TABLE facts (name, json)")
    db.close()
    with pytest.raises(StoreError, match="is no run of difftest"):
        Store.open(tmp_path)


def test_a_run_of_another_difftest_is_named(run_directory: Path) -> None:
    db = sqlite3.connect(run_directory / FILE)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(StoreError, match="has format 99 and this difftest reads 5"):
        Store.open(run_directory)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_file_that_was_cut_short_is_damaged(run_directory: Path, share: float) -> None:
    data = (run_directory / FILE).read_bytes()
    (run_directory / FILE).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(StoreError, match=r"cannot read .*run\.sqlite.*from a backup"):
        Store.open(run_directory)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE facts SET json = '{}' WHERE name = 'settings'",
        "DELETE FROM facts",
        "UPDATE tallies SET packed = x'00'",
        "UPDATE tallies SET packed = substr(packed, 1, length(packed) - 9)",
        "DROP TABLE tallies",
        "DELETE FROM workloads WHERE number = 3",
    ],
)
def test_damage_inside_is_an_error_and_no_result(run_directory: Path, change: str) -> None:
    db = sqlite3.connect(run_directory / FILE)
    with db:
        db.execute(change)
    db.close()
    with pytest.raises(StoreError), Store.open(run_directory) as store:
        result_of(store)


def test_what_became_of_a_mutant_is_kept_once(run_directory: Path) -> None:
    killed = MutantResult(
        strategy="release_page", backend="model", patch="model.patch", name="release_page~drop+1",
        edit="drop+1", line="put_page(*pagep);", claim="", fate=Fate.KILLED, by=("content",),
        number=3, evidence="content: wrong", same_as="", runs=4, differ=1, outcomes="",
    )  # fmt: skip
    with Store.create(run_directory.parent, SETTINGS) as store:
        store.add_mutant(killed)
        store.add_mutant(msgspec.structs.replace(killed, fate=Fate.SURVIVED))
        assert store.mutants() == [killed]
