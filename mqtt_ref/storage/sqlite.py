# SPDX-License-Identifier: MIT
"""SQLite as a back end: one file, and its write-ahead log beside it while it is open."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from mqtt_ref.storage.lock import FileLock
from mqtt_ref.storage.port import Changes, Durability, Passing, StoreError, nowhere

__all__ = ["Sqlite"]

APPLICATION: Final = 0x4D515452
"""Says in the file's header whose file it is: `MQTR`."""
SYNCHRONOUS: Final = {"full": "FULL", "normal": "NORMAL", "off": "OFF"}
ROWS: Final = (256, 64, 16, 4, 1)
"""Rows of one statement. Many in one are faster than one in each; with few sizes all statements stay prepared."""
INSERT: Final = {n: f"INSERT OR REPLACE INTO pairs VALUES {','.join(['(?,?)'] * n)}" for n in ROWS}
DELETE: Final = {n: f"DELETE FROM pairs WHERE key IN ({','.join('?' * n)})" for n in ROWS}
SELECT: Final = {n: f"SELECT key, value FROM pairs WHERE key IN ({','.join('?' * n)})" for n in ROWS}
PAGE: Final = 1000
"""Rows that are read at once."""
UNLIMITED: Final = 1 << 62
LOG: Final = 2000
"""Pages of the write-ahead log after which it is carried over into the file."""


class Sqlite:
    """A table of keys and values, in a transaction for each write.

    `full` waits for the disk at each write; `normal` leaves that to the system, so that the last writes may be missing
    after a power failure, but the file is whole; `off` gives no such promise after a power failure.
    """

    def __init__(self, path: str | Path, durability: Durability = "full") -> None:
        self.path = Path(path)
        self.name = str(path)
        self.passing: Passing = nowhere
        self._synchronous = SYNCHRONOUS[durability]
        self._lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        self._db: sqlite3.Connection | None = None

    def open(self, *, write: bool, create: bool) -> None:
        """Open the file, or make it."""
        if not create and not self.path.exists():
            raise StoreError(f"there is no file {self.name}")
        if self.path.is_dir():
            raise StoreError(f"{self.name} is a directory; a store in SQLite is a file")
        if write:
            if not self.path.parent.is_dir():
                raise StoreError(f"{self.name}: there is no directory {self.path.parent}")
            self._lock.take(self.name)
        try:
            self._open(write)
        except sqlite3.Error as error:
            self.close()
            raise self._explained(error) from error
        except BaseException:
            self.close()
            raise

    def _open(self, write: bool) -> None:
        uri = f"{self.path.absolute().as_uri()}?mode={'rwc' if write else 'ro'}"
        db = self._db = sqlite3.connect(uri, uri=True, timeout=5.0, isolation_level=None, check_same_thread=False)
        (application,) = db.execute("PRAGMA application_id").fetchone()
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        if application != APPLICATION and (application or tables):
            raise StoreError(f"{self.name} is an SQLite file of another program; name another file")
        if not write:
            if not tables:
                raise StoreError(f"{self.name} is not a store of mqtt_ref: it is empty")
            db.execute("BEGIN")  # reads all of it as it is now
            return
        # Without the check pages of another file, or zeros, would be found only when they are read.
        found = [text for (text,) in db.execute("PRAGMA quick_check(3)")]
        if found != ["ok"]:
            raise StoreError(
                f"{self.name} is damaged: {'; '.join(found)}. Restore it from a copy, or see "
                "`mqtt-ref store export`, which writes what can be read"
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {self._synchronous}")
        db.execute(f"PRAGMA wal_autocheckpoint = {LOG}")
        if application != APPLICATION:
            db.execute("BEGIN IMMEDIATE")
            db.execute("CREATE TABLE pairs (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute("COMMIT")

    def _explained(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return StoreError(f"{self.name} is damaged, or not an SQLite file: {error}")
        if code == sqlite3.SQLITE_FULL:
            return StoreError(f"{self.name}: there is no room left on the disk")
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreError(f"{self.name} is locked by another program")
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
            return StoreError(
                f"{self.name} cannot be opened for writing: {error}; it and its directory must be writable"
            )
        return StoreError(f"{self.name}: {error}")

    @property
    def _open_db(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreError(f"{self.name} is not open")
        return self._db

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values of those keys that exist."""
        db = self._open_db
        found: dict[bytes, bytes] = {}
        try:
            for start, rows in _portions(len(keys)):
                found.update(db.execute(SELECT[rows], keys[start : start + rows]))
        except sqlite3.Error as error:
            raise self._explained(error) from error
        return found

    def write(self, changes: Changes) -> None:
        """Make all changes in one transaction."""
        db = self._open_db
        # For bytes the module looks for an adapter first, which takes a third of the time. A bytearray needs none.
        puts: list[bytearray] = []
        deletes: list[bytearray] = []
        for key, value in changes.items():
            if value is None:
                deletes.append(bytearray(key))
            else:
                puts += (bytearray(key), bytearray(value))
        try:
            db.execute("BEGIN IMMEDIATE")
            for start, rows in _portions(len(puts) // 2):
                db.execute(INSERT[rows], puts[2 * start : 2 * (start + rows)])
            for start, rows in _portions(len(deletes)):
                db.execute(DELETE[rows], deletes[start : start + rows])
            self.passing("between write and commit")
            db.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise self._explained(error) from error

    def scan(self, prefix: bytes, after: bytes = b"", most: int = 0) -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with `prefix`, in order; some are read at once, so that no statement stays open."""
        db = self._open_db
        last = after or prefix
        at_least = ">" if after else ">="
        end = _after(prefix)
        left = most or UNLIMITED
        try:
            while left:
                page = min(PAGE, left)
                left -= page
                if end is None:
                    rows = db.execute(
                        f"SELECT key, value FROM pairs WHERE key {at_least} ? ORDER BY key LIMIT ?",
                        (last, page),
                    ).fetchall()
                else:
                    rows = db.execute(
                        f"SELECT key, value FROM pairs WHERE key {at_least} ? AND key < ? ORDER BY key LIMIT ?",
                        (last, end, page),
                    ).fetchall()
                yield from rows
                if len(rows) < page:
                    return
                last = rows[-1][0]
                at_least = ">"
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def check(self) -> list[str]:
        """What SQLite's own check of the whole file says."""
        try:
            found = [str(text) for (text,) in self._open_db.execute("PRAGMA integrity_check(20)")]
        except sqlite3.Error as error:
            raise self._explained(error) from error
        return [] if found == ["ok"] else found

    def compact(self) -> None:
        """Write the file anew without its gaps; needs as much room again while it runs."""
        try:
            self.passing("during compaction")
            self._open_db.execute("VACUUM")
            self._open_db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def size(self) -> int:
        """Bytes of the file and its log."""
        log = self.path.with_name(self.path.name + "-wal")
        return sum(path.stat().st_size for path in (self.path, log) if path.exists())

    def close(self) -> None:
        """Carry the log over, close the file, and let others have it."""
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()
        self._lock.release()


def _portions(count: int) -> Iterator[tuple[int, int]]:
    """Where each statement begins, and its rows."""
    start = 0
    for rows in ROWS:
        while count - start >= rows:
            yield start, rows
            start += rows


def _after(prefix: bytes) -> bytes | None:
    """The first key behind all that begin with `prefix`; None if there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,)) if stripped else None
