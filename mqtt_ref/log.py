# SPDX-License-Identifier: MIT
"""Log lines: loggers under `mqtt_ref`, as text or as JSON, silent until `setup` is called."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import TextIO

from mqtt_ref.wire.printable import json_text, printable

__all__ = ["FORMS", "JsonFormatter", "TextFormatter", "Throttle", "setup"]

FORMS = ("text", "json")
SECOND = 1_000_000_000

logging.getLogger("mqtt_ref").addHandler(logging.NullHandler())


def setup(level: int = logging.WARNING, form: str = "text", stream: TextIO | None = None) -> logging.Handler:
    """Write the log of `mqtt_ref` to a stream, by default stderr. Returns the handler, so that it can be removed.

    `form` is `text`, or `json` for one object per line.

    Raises:
        ValueError: `form` is unknown.
    """
    if form not in FORMS:
        raise ValueError(f"the form of log lines must be {' or '.join(FORMS)}, not {form!r}")
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logger = logging.getLogger("mqtt_ref")
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    return handler


def _utc(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.000Z WARNING connection: text`, always in one line unless there is a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        name = record.name.removeprefix("mqtt_ref.")
        line = f"{_utc(record)} {record.levelname} {name}: {printable(record.getMessage())}"
        if record.exc_info:
            line += "\n" + printable(self.formatException(record.exc_info), "\n")
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object per line: `t, level, logger, text`, and what the caller gave as `extra={"fields": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        row: dict[str, object] = {
            **getattr(record, "fields", {}),
            "t": _utc(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": record.getMessage(),
        }
        if record.exc_info:
            row["traceback"] = self.formatException(record.exc_info)
        return json_text(row, default=str)


class Throttle:
    """Allows `most` lines of one kind per second and counts the others, so that a flood cannot fill a disk."""

    def __init__(self, write: Callable[[str], None], most: int = 100) -> None:
        self.write = write
        self.most = most
        self.skipped = 0
        self._second = 0
        self._count = 0

    def passes(self, now: int) -> bool:
        """True if a line may be written at `now` (nanoseconds). In a new second, first writes the number left out."""
        second = now // SECOND
        if second != self._second:
            self._second = second
            self._count = 0
            self.settle()
        self._count += 1
        if self._count <= self.most:
            return True
        self.skipped += 1
        return False

    def settle(self) -> None:
        """Write how many lines were left out since the last call that wrote it."""
        if self.skipped:
            self.write(f"{self.skipped} more lines like these were left out")
            self.skipped = 0
