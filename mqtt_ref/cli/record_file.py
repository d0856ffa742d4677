# SPDX-License-Identifier: MIT
"""The file of `oracle serve --record`: one finding per line, each whole or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["RecordFile"]


class RecordFile:
    """Writes records to a file. If it cannot, on a full disk for example, it counts them and goes on.

    Raises:
        OSError: the file cannot be created.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.lost = 0
        """Records that are not in the file."""
        self.why = ""
        """The reason of the last failure."""
        self._file = Path(path).open("wb", buffering=0)  # noqa: SIM115
        self._size = 0

    def add(self, record: Mapping[str, Any]) -> str:
        """Write a record. Return what the user has to know if it is the first one that fails, else an empty text."""
        line = json.dumps(record).encode() + b"\n"
        try:
            if (self._file.write(line) or 0) < len(line):
                raise OSError(0, "the disk is full")
        except OSError as error:
            self._undo()
            self.lost += 1
            self.why = error.strerror or str(error)
            if self.lost > 1:
                return ""
            return f"cannot write {self.path}: {self.why}; findings are still shown here"
        self._size += len(line)
        return ""

    def _undo(self) -> None:
        """Remove a part of a line, so that what follows can be read."""
        try:
            os.truncate(self._file.fileno(), self._size)
            self._file.seek(self._size)
        except OSError:  # a device or a pipe
            pass

    def close(self) -> None:
        """Close the file."""
        try:
            self._file.close()
        except OSError as error:
            self.why = self.why or error.strerror or str(error)
