# SPDX-License-Identifier: MIT
"""LMDB as a back end: a B+tree in a directory, read through the memory map of the system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import lmdb

from mqtt_ref.storage.disk import sync_file, sync_folder
from mqtt_ref.storage.lock import FileLock
from mqtt_ref.storage.port import Changes, Durability, Passing, StoreError, nowhere

__all__ = ["Lmdb"]

FIRST_SIZE: Final = 64 * 1024 * 1024
"""Bytes of a new map. It doubles when it is full; the file takes only what is used."""
PAGE: Final = 1000
"""Pairs that are read at once."""
UNLIMITED: Final = 1 << 62


class Lmdb:
    """A directory with one database, in a transaction for each write.

    `full` waits for the disk at each write; `normal` may lose the last write in a power failure, but nothing else;
    `off` leaves all to the system: a power failure may damage the store.
    """

    def __init__(self, path: str | Path, durability: Durability = "full") -> None:
        self.path = Path(path)
        self.name = str(path)
        self.passing: Passing = nowhere
        self._durability = durability
        self._lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        self._env: Any = None
        self._snapshot: Any = None

    def open(self, *, write: bool, create: bool) -> None:
        """Open the directory, or make it."""
        present = (self.path / "data.mdb").is_file()
        if self.path.exists() and not self.path.is_dir():
            raise StoreError(f"{self.name} is a file; a store in LMDB is a directory")
        if not present and self.path.is_dir() and any(self.path.iterdir()):
            raise StoreError(f"{self.name} is a directory with other files; name another place")
        if not present and not create:
            raise StoreError(f"there is no store {self.name}")
        if not self.path.absolute().parent.is_dir():
            raise StoreError(f"{self.name}: there is no directory {self.path.absolute().parent}")
        if write:
            self._lock.take(self.name)
        try:
            size = max(FIRST_SIZE, (self.path / "data.mdb").stat().st_size) if present else FIRST_SIZE
            self._env = lmdb.open(
                self.name,
                map_size=size,
                readonly=not write,
                sync=self._durability != "off",
                metasync=self._durability == "full",
                max_spare_txns=2,
            )
            if not write:
                self._snapshot = self._env.begin()
        except (lmdb.Error, OSError) as error:
            self.close()
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> StoreError:
        if isinstance(error, lmdb.InvalidError | lmdb.CorruptedError | lmdb.PageNotFoundError):
            return StoreError(f"{self.name} is damaged, or not an LMDB store: {error}")
        if isinstance(error, lmdb.VersionMismatchError):
            return StoreError(f"{self.name} was written by another version of LMDB: {error}")
        return StoreError(f"{self.name}: {error}")

    def _begin(self, write: bool = False) -> Any:
        if self._env is None:
            raise StoreError(f"{self.name} is not open")
        return self._env.begin(write=write)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values of those keys that exist."""
        try:
            txn = self._snapshot or self._begin()
            with txn if txn is not self._snapshot else _Kept():
                found = {key: txn.get(key) for key in keys}
        except lmdb.Error as error:
            raise self._explained(error) from error
        return {key: value for key, value in found.items() if value is not None}

    def write(self, changes: Changes) -> None:
        """Make all changes in one transaction; a map that is full is made larger first."""
        while True:
            try:
                with self._begin(write=True) as txn:
                    for key, value in changes.items():
                        if value is None:
                            txn.delete(key)
                        else:
                            txn.put(key, value)
                    self.passing("between write and commit")
                return
            except lmdb.MapFullError:
                self._grow()
            except lmdb.Error as error:
                raise self._explained(error) from error

    def _grow(self) -> None:
        try:
            self._env.set_mapsize(2 * self._env.info()["map_size"])
        except lmdb.Error as error:
            raise self._explained(error) from error

    def scan(self, prefix: bytes, after: bytes = b"", most: int = 0) -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with `prefix`, in order; some are read at once, so that no transaction stays open."""
        last = after
        left = most or UNLIMITED
        while left:
            page = min(PAGE, left)
            left -= page
            rows: list[tuple[bytes, bytes]] = []
            try:
                txn = self._snapshot or self._begin()
                with txn if txn is not self._snapshot else _Kept():
                    cursor = txn.cursor()
                    there = cursor.set_range(last or prefix) if last or prefix else cursor.first()
                    if there and last and cursor.key() == last:
                        there = cursor.next()
                    while there and len(rows) < page:
                        key, value = cursor.item()
                        if not key.startswith(prefix):
                            break
                        rows.append((key, value))
                        there = cursor.next()
            except lmdb.Error as error:
                raise self._explained(error) from error
            yield from rows
            if len(rows) < page:
                return
            last = rows[-1][0]

    def check(self) -> list[str]:
        """Read every page: LMDB has no check of its own."""
        for _ in self.scan(b""):
            pass
        return []

    def compact(self) -> None:
        """Write the file anew without its gaps, and put it in the place of the old one.

        The new file is on the disk before it gets the name of the old one: a failure at any moment leaves one of them.
        """
        fresh = self.path.with_name(self.path.name + ".compact")
        try:
            _remove(fresh)  # of a compaction that was interrupted
            fresh.mkdir()
            self._env.copy(str(fresh), compact=True)
            sync_file(fresh / "data.mdb")
            self.passing("during compaction")
            self._env.close()
            self._env = None
            (fresh / "data.mdb").replace(self.path / "data.mdb")
            sync_folder(self.path)
        except (lmdb.Error, OSError) as error:
            raise self._explained(error) from error
        finally:
            _remove(fresh)
        self._lock.release()
        self.open(write=True, create=False)

    def size(self) -> int:
        """Bytes of the file."""
        file = self.path / "data.mdb"
        return file.stat().st_size if file.exists() else 0

    def close(self) -> None:
        """Close the store, and let others have it."""
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None:
            snapshot.abort()
        env, self._env = self._env, None
        if env is not None:
            if self._durability != "full" and not env.flags()["readonly"]:
                env.sync(True)
            env.close()
        self._lock.release()


def _remove(folder: Path) -> None:
    """Delete a copy of a store, if there is one."""
    for name in ("data.mdb", "lock.mdb"):
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir():
        folder.rmdir()


class _Kept:
    """A transaction that stays open after the block."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        return None
