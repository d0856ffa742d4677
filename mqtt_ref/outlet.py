# SPDX-License-Identifier: MIT
"""A text stream that a thread writes. If its reader stops, lines are dropped and counted; the broker does not wait."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final, TextIO

__all__ = ["Outlet", "left_out"]

LINES: Final = 100_000
"""Texts that wait to be written."""
SIZE: Final = 64 * 1024 * 1024
"""Characters of them. A larger text waits only if no other does."""
PIECE: Final = 64 * 1024
"""Bytes of one write."""
PATIENCE: Final = 1.0
"""Default seconds that `close` gives the reader."""


def left_out(count: int) -> str:
    """Return the line that says how many were dropped."""
    return f"{count} lines were left out here: whoever reads them was too slow, or a disk is full\n"


_OUTLETS: weakref.WeakSet[Outlet] = weakref.WeakSet()


class Outlet:
    """Takes text with `write`, which never blocks, and writes it to a stream in another thread.

    The descriptor of the stream is written directly, so that a blocked write holds no lock that the end of the process
    needs. A stream without a descriptor is written by the caller. `notice` makes the text that replaces dropped ones.
    """

    def __init__(
        self, stream: TextIO, notice: Callable[[int], str] = left_out, *, lines: int = LINES, size: int = SIZE
    ) -> None:
        self.stream = stream
        self.dropped = 0
        """The number of texts that were dropped."""
        self.ended = False
        """True if the reader is gone: all further text is ignored."""
        self._notice = notice
        self._lines = lines
        self._most = size
        self._waiting: deque[str] = deque()
        self._size = 0
        self._untold = 0
        self._writing = False
        self._closed = False
        self._changed = threading.Condition()
        _OUTLETS.add(self)
        self._thread: threading.Thread | None = None
        try:
            self._descriptor = stream.fileno()
        except (OSError, ValueError, AttributeError):
            self._descriptor = -1
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        atexit.register(_close, weakref.ref(self))

    def write(self, text: str) -> int:
        """Queue a text. It is dropped and counted if too many wait. Return its length."""
        if self._descriptor < 0:
            self.stream.write(text)
            return len(text)
        with self._changed:
            if self.ended or self._closed:
                return len(text)
            if self._waiting and (len(self._waiting) >= self._lines or self._size + len(text) > self._most):
                self.dropped += 1
                self._untold += 1
                return len(text)
            if self._untold:
                told = self._notice(self._untold)
                self._untold = 0
                self._waiting.append(told)
                self._size += len(told)
            self._waiting.append(text)
            self._size += len(text)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mqtt_ref-outlet", daemon=True)
                self._thread.start()
            self._changed.notify()
        return len(text)

    def flush(self) -> None:
        """Do not wait: the thread writes at once what it gets."""
        if self._descriptor < 0:
            self.stream.flush()

    def fileno(self) -> int:
        """Return the descriptor of the stream.

        Raises:
            OSError: it has none.
        """
        return self.stream.fileno()

    def close(self, timeout: float = PATIENCE) -> None:
        """Wait at most `timeout` seconds until all is written. Further text is ignored. The stream stays open."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            if self._thread is not None:
                self._changed.wait_for(lambda: not self._waiting and not self._writing, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                parts: list[str] = []
                size = 0
                while self._waiting and size < PIECE:
                    parts.append(self._waiting.popleft())
                    size += len(parts[-1])
                self._size -= size
                self._writing = True
            try:
                self._put("".join(parts).encode(self._encoding, "backslashreplace"))
            except BrokenPipeError:
                self._end()
                return
            except OSError:  # a full disk, for example: there may be room later
                with self._changed:
                    self.dropped += len(parts)
                    self._untold += len(parts)

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view[:PIECE]) :]
            except BlockingIOError:  # the reader's end made the pipe non-blocking
                threading.Event().wait(0.01)

    def _end(self) -> None:
        with self._changed:
            self.ended = True
            self._writing = False
            self._waiting.clear()
            self._size = 0
            self._changed.notify_all()


def _begin_anew() -> None:
    """In a forked child: there is no thread, and what waits is written by the parent."""
    for outlet in list(_OUTLETS):
        outlet._changed = threading.Condition()
        outlet._thread = None
        outlet._writing = False
        outlet._waiting = deque()
        outlet._size = outlet._untold = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def _close(reference: weakref.ref[Outlet]) -> None:
    outlet = reference()
    if outlet is not None:
        outlet.close()
