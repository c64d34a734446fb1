# SPDX-License-Identifier: GPL-2.0-only
"""A store: what a run has done so far, in one SQLite file in the run's own directory."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from difftest import directory
from difftest.errors import StoreError
from difftest.findings import Shrunk
from difftest.result import Attack, Deciding, MutantResult
from difftest.settings import Settings
from difftest.tally import Again, Done, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import IO, Self

FILE = "run.sqlite"
#: Marks the file as one of ours ("dift"); SQLite keeps it in the header for that purpose.
_APPLICATION = 0x64696674
_VERSION = 5
#: How long to wait for a reader: rendering a large run may take seconds, never this long.
_PATIENCE_SECONDS = 30
_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, json BLOB NOT NULL);
CREATE TABLE workloads (number INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE kernels (
    strategy TEXT, backend TEXT, digest TEXT NOT NULL, PRIMARY KEY (strategy, backend));
CREATE TABLE tallies (
    strategy TEXT, backend TEXT, shard INTEGER, packed BLOB NOT NULL,
    PRIMARY KEY (strategy, backend, shard));
CREATE TABLE consoles (
    strategy TEXT, backend TEXT, number INTEGER, packed BLOB NOT NULL,
    PRIMARY KEY (strategy, backend, number));
CREATE TABLE attacks (
    strategy TEXT, backend TEXT, json BLOB NOT NULL, PRIMARY KEY (strategy, backend));
CREATE TABLE mutants (
    backend TEXT, name TEXT, json BLOB NOT NULL, PRIMARY KEY (backend, name));
CREATE TABLE again (
    backend TEXT, shard INTEGER, json BLOB NOT NULL, PRIMARY KEY (backend, shard));
CREATE TABLE shrunk (packed BLOB NOT NULL);
"""

_T = TypeVar("_T")


class Store:
    """A run on disk: its settings, then what is done, each part once and whole or not at all.

    Anybody may read it at any time; `create` and `reopen` give one that may be written,
    by one process at a time. Every method raises StoreError if the file is damaged.
    """

    def __init__(self, file: Path, lock: IO[str] | None = None) -> None:
        self.directory = file.parent
        self._file = file
        self._lock = lock
        with self._reading():
            # Not "ro": a run that was killed leaves a journal, which a reader has to roll back.
            self._db = sqlite3.connect(
                f"{file.resolve().as_uri()}?mode=rw", uri=True, timeout=_PATIENCE_SECONDS
            )
        try:
            self._check()
            settings = self._fact("settings", Settings)
        except StoreError:
            self.close()
            raise
        if settings is None:
            self.close()
            raise self._damaged("it has no settings")
        self.settings = settings

    @classmethod
    def create(cls, runs: Path, settings: Settings) -> Store:
        """Make the next free directory below `runs` (0001, 0002, …) with an empty store in it."""
        try:
            place = directory.following(runs)
            file = place / FILE
            lock = directory.locked(place)
        except OSError as error:
            raise StoreError(f"cannot make a run below {runs}: {error.strerror}") from error
        db = sqlite3.connect(file)
        try:
            with contextlib.closing(db), db:
                db.executescript(
                    f"BEGIN; PRAGMA application_id={_APPLICATION}; "
                    f"PRAGMA user_version={_VERSION}; {_TABLES}"
                )
                begun = {"settings": settings, "begun": datetime.now(UTC)}
                rows = [(name, msgspec.json.encode(fact)) for name, fact in begun.items()]
                db.executemany("INSERT INTO facts VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            lock.close()
            raise StoreError(f"cannot make {file}: {error}") from error
        return cls(file, lock)

    @classmethod
    def reopen(cls, place: Path) -> Store:
        """Open the run in a directory for writing. Raises StoreError if another process has it."""
        lock = directory.locked(place)
        try:
            return cls(place / FILE, lock)
        except StoreError:
            lock.close()
            raise

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open a run for reading: its directory, or the file in it."""
        file = path / FILE if path.is_dir() else path
        if not file.is_file():
            raise StoreError(
                f"there is no run at {path}: expected a directory with {FILE} in it, as "
                "`difftest run` makes below runs/, or that file"
            )
        store = cls(file)
        with store._reading():
            [(answer,)] = store._db.execute("PRAGMA quick_check(1)")
        if answer != "ok":
            store.close()
            raise store._damaged(answer.splitlines()[-1])
        return store

    def close(self) -> None:
        self._db.close()
        if self._lock:
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What a run puts in.

    def add_workloads(self, first: int, texts: Sequence[str]) -> None:
        """Keep the texts of workloads `first`, `first + 1`, …; those it has stay as they are."""
        rows = list(enumerate(texts, first))
        with self._writing():
            self._db.executemany("INSERT OR IGNORE INTO workloads VALUES (?, ?)", rows)

    def add_kernel(self, strategy: str, backend: str, digest: str) -> None:
        """Note the hash of what a strategy's kernel was built from.

        Raises StoreError if the run began with another kernel: its outcomes would not compare.
        """
        key = (strategy, backend)
        with self._writing():
            self._db.execute("INSERT OR IGNORE INTO kernels VALUES (?, ?, ?)", (*key, digest))
        if self.kernels()[key] != digest:
            raise StoreError(
                f"{self._file} was begun with another kernel for {strategy} on {backend}, and "
                "their outcomes cannot be mixed: start a new run (move the old one away)"
            )

    def add_platform(self, backend: str, platform: str) -> None:
        """Note what a backend runs on; a run that goes on elsewhere has several."""
        platforms = self.platforms
        if platform not in platforms.get(backend, ()):
            platforms[backend] = (*platforms.get(backend, ()), platform)
            self._put("platforms", platforms)

    def add_release(self, backend: str, release: str) -> None:
        """Note the version of a backend's kernel source; the first one stays."""
        self._put("releases", {backend: release} | self.releases)

    def add_tally(self, tally: Tally) -> None:
        """Keep a shard; one that it has already is not counted again."""
        key = (tally.strategy, tally.backend, tally.shard)
        self.add_done(Done(*key, len(tally.runs), tally.packed(), {}))

    def add_done(self, done: Done) -> None:
        """Keep a shard with its consoles, all of it or nothing; see `add_tally`."""
        key = (done.strategy, done.backend)
        with self._writing():
            for number, text in done.consoles.items():
                self._insert_console(*key, number, text)
            row = (*key, done.shard, done.packed)
            self._db.execute("INSERT OR IGNORE INTO tallies VALUES (?, ?, ?, ?)", row)

    def add_console(self, strategy: str, backend: str, number: int, text: str) -> None:
        """Keep what the kernel printed while it ran a workload; the first text stays."""
        with self._writing():
            self._insert_console(strategy, backend, number, text)

    def _insert_console(self, strategy: str, backend: str, number: int, text: str) -> None:
        row = (strategy, backend, number, _pack(text.encode(errors="replace")))
        self._db.execute("INSERT OR IGNORE INTO consoles VALUES (?, ?, ?, ?)", row)

    def add_attacks(self, strategy: str, backend: str, attacks: Sequence[Attack]) -> None:
        """Keep what attacks on a strategy's kernel came to; the first stay."""
        row = (strategy, backend, msgspec.json.encode(attacks))
        with self._writing():
            self._db.execute("INSERT OR IGNORE INTO attacks VALUES (?, ?, ?)", row)

    def add_mutant(self, mutant: MutantResult) -> None:
        """Keep what became of a mutant; the first stays."""
        row = (mutant.backend, mutant.name, msgspec.json.encode(mutant))
        with self._writing():
            self._db.execute("INSERT OR IGNORE INTO mutants VALUES (?, ?, ?)", row)

    def add_again(self, again: Again) -> None:
        """Keep how a shard of the baseline compared with itself; the first stays."""
        row = (again.backend, again.shard, msgspec.json.encode(again))
        with self._writing():
            self._db.execute("INSERT OR IGNORE INTO again VALUES (?, ?, ?)", row)

    def add_shrunk(self, shrunk: Shrunk) -> None:
        """Keep what a finding was shrunk to."""
        with self._writing():
            row = (_pack(msgspec.msgpack.encode(shrunk)),)
            self._db.execute("INSERT INTO shrunk VALUES (?)", row)

    def add_culprits(self, culprits: Mapping[tuple[str, int], str]) -> None:
        """Note who did it, by strategy and number of the workload."""
        self._put("culprits", [(*key, text) for key, text in culprits.items()])

    def add_deciding(self, deciding: Mapping[tuple[str, str], tuple[Deciding, ...]]) -> None:
        """Note which lines decide, by strategy and oracle."""
        self._put("deciding", [(*key, lines) for key, lines in deciding.items()])

    def add_refusals(self, refusals: Mapping[tuple[str, str], str]) -> None:
        """Note why strategies cannot run on backends."""
        self._put("refusals", [(*key, text) for key, text in refusals.items()])

    def finish(self, timings: Mapping[str, float]) -> None:
        """Mark the run as complete; `timings` are seconds by phase."""
        self._put("timings", dict(timings))

    def add_decision(self, decision: str) -> None:
        """Note in a word what the finished run came to, for lists of runs."""
        self._put("decision", decision)

    # What a report takes out.

    @property
    def begun(self) -> datetime:
        """When the run was made; for one of an older difftest, when it was last written."""
        written = datetime.fromtimestamp(self._file.stat().st_mtime, UTC)
        return self._fact("begun", datetime) or written

    @property
    def decision(self) -> str | None:
        return self._fact("decision", str)

    @property
    def finished(self) -> bool:
        return self._fact("timings", dict[str, float]) is not None

    @property
    def timings(self) -> dict[str, float]:
        return self._fact("timings", dict[str, float]) or {}

    @property
    def platforms(self) -> dict[str, tuple[str, ...]]:
        return self._fact("platforms", dict[str, tuple[str, ...]]) or {}

    @property
    def releases(self) -> dict[str, str]:
        return self._fact("releases", dict[str, str]) or {}

    def culprits(self) -> dict[tuple[str, int], str]:
        """Return who did it, by strategy and number of the workload, as far as that was asked."""
        rows = self._fact("culprits", list[tuple[str, int, str]]) or []
        return {(strategy, number): text for strategy, number, text in rows}

    def deciding(self) -> dict[tuple[str, str], tuple[Deciding, ...]]:
        """Return which lines decide, by strategy and oracle, as far as that was tried."""
        rows = self._fact("deciding", list[tuple[str, str, tuple[Deciding, ...]]]) or []
        return {(strategy, oracle): lines for strategy, oracle, lines in rows}

    def refusals(self) -> dict[tuple[str, str], str]:
        """Return why strategies cannot run on backends, by their names."""
        rows = self._fact("refusals", list[tuple[str, str, str]]) or []
        return {(strategy, backend): text for strategy, backend, text in rows}

    def workloads(self) -> dict[int, str]:
        """Return the texts by number."""
        return dict(self._rows("SELECT number, text FROM workloads ORDER BY number"))

    def texts(self, first: int, count: int) -> list[str]:
        """Return the texts of workloads `first` to `first + count - 1`."""
        query = "SELECT text FROM workloads WHERE number >= ? AND number < ? ORDER BY number"
        return [text for (text,) in self._rows(query, first, first + count)]

    def kernels(self) -> dict[tuple[str, str], str]:
        """Return the hashes of kernels by strategy and backend."""
        rows = self._rows("SELECT strategy, backend, digest FROM kernels ORDER BY 1, 2")
        return {(strategy, backend): digest for strategy, backend, digest in rows}

    def has(self, strategy: str, backend: str, shard: int) -> bool:
        query = "SELECT 1 FROM tallies WHERE (strategy, backend, shard) = (?, ?, ?)"
        return bool(self._rows(query, strategy, backend, shard))

    def shards(self) -> int:
        """Return how many shards are kept, of all strategies and backends."""
        [(count,)] = self._rows("SELECT count(*) FROM tallies")
        return int(count)

    def packed(self, strategy: str, backend: str, shard: int) -> bytes | None:
        """Return one shard as it was packed, or None if it is not kept yet."""
        query = "SELECT packed FROM tallies WHERE (strategy, backend, shard) = (?, ?, ?)"
        rows = self._rows(query, strategy, backend, shard)
        return bytes(rows[0][0]) if rows else None

    def tally(self, strategy: str, backend: str, shard: int) -> Tally | None:
        """Return one shard, or None if it is not kept yet."""
        packed = self.packed(strategy, backend, shard)
        return self._tally(packed) if packed is not None else None

    def tallies(self, strategy: str | None = None) -> Iterator[Tally]:
        """Yield the shards of a strategy, or of all: one at a time, a long run's are large."""
        # The keys first: an open query would keep the run from writing.
        query = "SELECT rowid FROM tallies WHERE ? IN (strategy, '') ORDER BY 1"
        for (row,) in self._rows(query, strategy or ""):
            [(packed,)] = self._rows("SELECT packed FROM tallies WHERE rowid = ?", row)
            yield self._tally(packed)

    def attacks(self) -> list[Attack]:
        """Return the attacks in the order in which they were kept."""
        rows = self._rows("SELECT json FROM attacks ORDER BY rowid")
        with self._reading():
            return [one for (row,) in rows for one in msgspec.json.decode(row, type=list[Attack])]

    def again(self) -> list[Again]:
        """Return how the baseline compared with itself, shard by shard."""
        rows = self._rows("SELECT json FROM again ORDER BY rowid")
        with self._reading():
            return [msgspec.json.decode(row, type=Again) for (row,) in rows]

    def mutants(self) -> list[MutantResult]:
        """Return what became of mutants, in the order in which that was kept."""
        rows = self._rows("SELECT json FROM mutants ORDER BY rowid")
        with self._reading():
            return [msgspec.json.decode(row, type=MutantResult) for (row,) in rows]

    def console(self, strategy: str, backend: str, number: int) -> str | None:
        """Return what the kernel printed, or None if that was not kept."""
        query = "SELECT packed FROM consoles WHERE (strategy, backend, number) = (?, ?, ?)"
        for (packed,) in self._rows(query, strategy, backend, number):
            with self._reading():
                return zlib.decompress(packed).decode()
        return None

    def shrunk(self) -> list[Shrunk]:
        rows = self._rows("SELECT packed FROM shrunk ORDER BY rowid")
        with self._reading():
            return [
                msgspec.msgpack.decode(zlib.decompress(packed), type=Shrunk) for (packed,) in rows
            ]

    # How it does so.

    def _check(self) -> None:
        with self._reading():
            [(application,)] = self._db.execute("PRAGMA application_id")
            [(version,)] = self._db.execute("PRAGMA user_version")
        if application != _APPLICATION:
            raise StoreError(f"{self._file} is no run of difftest: some other program's database")
        if version != _VERSION:
            raise StoreError(
                f"{self._file} has format {version} and this difftest reads {_VERSION}: "
                "use the difftest that wrote it"
            )

    def _tally(self, packed: bytes) -> Tally:
        with self._reading():
            return Tally.unpacked(packed)

    def _fact(self, name: str, kind: type[_T]) -> _T | None:
        for (packed,) in self._rows("SELECT json FROM facts WHERE name = ?", name):
            with self._reading():
                return msgspec.json.decode(packed, type=kind)
        return None

    def _put(self, name: str, fact: object) -> None:
        with self._writing():
            row = (name, msgspec.json.encode(fact))
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", row)

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._reading():
            return self._db.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, zlib.error, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, why: str) -> StoreError:
        return StoreError(
            f"cannot read {self._file}: {why}. If the disk is in order the file is damaged: take "
            "it from a backup, or move its directory away and run again"
        )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Write all of it or nothing."""
        if self._lock is None:
            raise StoreError(f"{self._file} was opened for reading only")
        try:
            with self._db:
                yield
        except sqlite3.Error as error:
            raise StoreError(
                f"cannot write {self._file}: {error}. The shards that were finished are kept; "
                "when that is mended (`df`, permissions) the same command goes on from there"
            ) from error


def _pack(data: bytes) -> bytes:
    return zlib.compress(data)
