# SPDX-License-Identifier: MIT
"""Time limits: one heap for connections, sessions, questions and retained messages. No message has its own timer."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection

__all__ = ["CONNECTION", "QUESTION", "RETAINED", "SESSION", "Timers"]

CONNECTION: Final = 0
SESSION: Final = 1
RETAINED: Final = 2
QUESTION: Final = 3


class Timers:
    """Times at which something must be checked. Entries are never cancelled: the receiver checks if its time has come.

    An entry is a time, a kind, and a number: the serial of a connection, the handle of a session, or a question.
    """

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def wake(self, connection: Connection, when: int) -> None:
        """Wake a connection at `when`. One entry is enough: a later limit is set when the earlier entry is due."""
        if connection.deadline and connection.deadline <= when:
            return
        connection.deadline = when
        heappush(self._heap, (when, CONNECTION, connection.serial))

    def add_session(self, when: int, handle: int) -> None:
        """Wake a session at `when`."""
        heappush(self._heap, (when, SESSION, handle))

    def add_retained(self, when: int) -> None:
        """Wake the retained messages at `when`."""
        heappush(self._heap, (when, RETAINED, 0))

    def add_question(self, when: int, question: int) -> None:
        """End the time for the answer to a question at `when`."""
        heappush(self._heap, (when, QUESTION, question))

    def next(self) -> int | None:
        """Return when the first entry is due, or None."""
        return self._heap[0][0] if self._heap else None

    def pop(self, now: int) -> tuple[int, int, int] | None:
        """Remove and return the next entry that is due, or return None."""
        heap = self._heap
        if heap and heap[0][0] <= now:
            return heappop(heap)
        return None
