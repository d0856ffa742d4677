# SPDX-License-Identifier: MIT
"""Time limits: one heap for connections, sessions, questions and retained messages; none is per message."""

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
    """When something wants to be looked at. Entries are not taken out: what is woken looks whether it is time.

    An entry is a time, a kind, and a number: the serial of a connection, the handle of a session, or a question.
    """

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def wake(self, connection: Connection, when: int) -> None:
        """Wake a connection; one entry for each is enough: a later limit is found when an earlier one is looked at."""
        if connection.deadline and connection.deadline <= when:
            return
        connection.deadline = when
        heappush(self._heap, (when, CONNECTION, connection.serial))

    def add_session(self, when: int, handle: int) -> None:
        """Wake a session."""
        heappush(self._heap, (when, SESSION, handle))

    def add_retained(self, when: int) -> None:
        """Wake the retained messages."""
        heappush(self._heap, (when, RETAINED, 0))

    def add_question(self, when: int, question: int) -> None:
        """Be told when the time for an answer is over."""
        heappush(self._heap, (when, QUESTION, question))

    def next(self) -> int | None:
        """When the first is due, or None."""
        return self._heap[0][0] if self._heap else None

    def pop(self, now: int) -> tuple[int, int, int] | None:
        """The next entry that is due, or None."""
        heap = self._heap
        if heap and heap[0][0] <= now:
            return heappop(heap)
        return None
