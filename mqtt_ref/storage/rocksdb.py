# SPDX-License-Identifier: MIT
"""RocksDB as a back end: a log-structured tree in a directory, for many writes and more than fits into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from rocksdict import AccessType, Options, Rdict, WriteBatch, WriteOptions

from mqtt_ref.storage.lock import FileLock
from mqtt_ref.storage.port import Changes, Durability, Passing, StoreError, nowhere

__all__ = ["RocksDb"]


class RocksDb:
    """A directory, in a batch for each write.

    `full` waits for the disk at each write; `normal` leaves that to the system, so that the last writes may be missing
    after a power failure; `off` writes no log: what was not flushed is missing if the process is killed.
    """

    def __init__(self, path: str | Path, durability: Durability = "full") -> None:
        self.path = Path(path)
        self.name = str(path)
        self.passing: Passing = nowhere
        self._lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        self._how = cast("Any", WriteOptions())
        self._how.sync = durability == "full"
        self._logged = durability != "off"
        """What was written is read again from the log when it is opened anew."""
        if not self._logged:
            self._how.disable_wal = True
        self._db: Any = None
        self._failed: Sequence[bytes] = ()
        """Keys of a write that failed: RocksDB takes no more until it is opened anew."""
        self._before: dict[bytes, bytes] | None = None
        """Their values from before that write."""

    def open(self, *, write: bool, create: bool) -> None:
        """Open the directory, or make it."""
        present = (self.path / "CURRENT").is_file()
        if self.path.exists() and not self.path.is_dir():
            raise StoreError(f"{self.name} is a file; a store in RocksDB is a directory")
        if not present and self.path.is_dir() and any(self.path.iterdir()):
            raise StoreError(f"{self.name} is a directory with other files; name another place")
        if not present and not create:
            raise StoreError(f"there is no store {self.name}")
        if not self.path.absolute().parent.is_dir():
            raise StoreError(f"{self.name}: there is no directory {self.path.absolute().parent}")
        if write:
            self._lock.take(self.name)
        try:
            self._open(write)
        except StoreError:
            self.close()
            raise

    def _open(self, write: bool) -> None:
        options = Options(raw_mode=True)
        options.create_if_missing(write)
        access = AccessType.read_write() if write else AccessType.read_only(False)
        try:
            self._db = Rdict(self.name, options, access_type=access)
        except Exception as error:  # rocksdict raises nothing more exact
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> StoreError:
        text = str(error)
        if text.startswith(("Corruption", "Invalid argument")):
            return StoreError(f"{self.name} is damaged, or not a RocksDB store: {text}")
        return StoreError(f"{self.name}: {text}")

    @property
    def _open_db(self) -> Any:
        if self._failed:
            self._reopen()
        if self._db is None:
            raise StoreError(f"{self.name} is not open")
        return self._db

    def _reopen(self) -> None:
        """Make the store usable after a write that failed.

        What that write has left in the log comes back when the log is read, so it is undone.
        """
        if self._before is None:
            self._before = self._read(self._db, self._failed)
        db, self._db = self._db, None
        if db is not None:
            with suppress(Exception):
                db.close()
            del db
        self._open(write=True)
        batch = WriteBatch(raw_mode=True)
        for key in self._failed:
            if key in self._before:
                batch.put(key, self._before[key])
            else:
                batch.delete(key)
        try:
            self._db.write(batch, self._how)
        except Exception as error:
            raise self._explained(error) from error
        self._failed, self._before = (), None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values of those keys that exist."""
        return self._read(self._open_db, keys)

    def _read(self, db: Any, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        try:
            values = db.get(list(keys))
        except Exception as error:
            raise self._explained(error) from error
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    def write(self, changes: Changes) -> None:
        """Make all changes in one batch."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        self.passing("between write and commit")
        db = self._open_db
        try:
            db.write(batch, self._how)
        except Exception as error:
            if self._logged:
                self._failed = list(changes)
            raise self._explained(error) from error

    def scan(self, prefix: bytes, after: bytes = b"", most: int = 0) -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with `prefix`, in order, as they are when it begins."""
        try:
            at = self._open_db.iter()
            if after or prefix:
                at.seek(after or prefix)
            else:
                at.seek_to_first()
            if after and at.valid() and at.key() == after:
                at.next()
            number = 0
            while at.valid() and (not most or number < most):
                key = at.key()
                if not key.startswith(prefix):
                    return
                yield key, at.value()
                number += 1
                at.next()
            at.status()
        except StoreError:
            raise
        except Exception as error:
            raise self._explained(error) from error

    def check(self) -> list[str]:
        """Read everything: RocksDB compares the checksum of each block."""
        for _ in self.scan(b""):
            pass
        return []

    def compact(self) -> None:
        """Merge all levels."""
        try:
            self.passing("during compaction")
            self._open_db.compact_range(None, None)
        except Exception as error:
            raise self._explained(error) from error

    def size(self) -> int:
        """Bytes of all files in the directory."""
        return sum(file.stat().st_size for file in self.path.iterdir() if file.is_file()) if self.path.is_dir() else 0

    def close(self) -> None:
        """Flush, close the store, and let others have it."""
        db, self._db = self._db, None
        self._failed, self._before = (), None
        if db is not None:
            db.close()
        self._lock.release()
