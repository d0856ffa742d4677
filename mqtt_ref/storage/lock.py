# SPDX-License-Identifier: MIT
"""A file that one process at a time holds, so that two brokers never write to the same store."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mqtt_ref.storage.port import StoreError

__all__ = ["FileLock"]


class FileLock:
    """The lock of a store, a file beside it. It is free again as soon as its holder ends, however that happens."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def take(self, store: str) -> None:
        """Take the lock.

        Raises:
            StoreError: another process has it, or the file cannot be written.
        """
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"{store}: {self.path} cannot be written: {error.strerror}") from error
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            raise StoreError(
                f"{store} is in use by another broker, or by a command that writes to it; stop that one first, or "
                "give this one a store of its own"
            ) from error
        self._file = file

    def release(self) -> None:
        """Let others have it."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
