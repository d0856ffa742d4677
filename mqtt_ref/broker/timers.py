# SPDX-License-Identifier: MIT
"""Time limits: one heap for connections, sessions, questions and retained messages. No message has its own timer."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.connection import Connection

__all__ = ["CONNECTION", "EVERY", "QUESTION", "RETAINED", "SESSION", "SLACK", "Timers"]

CONNECTION: Final = 0
SESSION: Final = 1
RETAINED: Final = 2
QUESTION: Final = 3
SLACK: Final = 64
"""Entries that are no longer needed and stay until they are due, besides as many as are needed."""
EVERY: Final = 32
"""Ended connections and sessions between two looks at the size of the heap."""


class Timers:
    """Times at which something must be checked.

    An entry is a time, a kind, and a number: the serial of a connection, the handle of a session, or a question. Its
    owner knows the time of the one entry that it needs. Other entries of it are left in the heap: they are not `needed`
    when they are due, and `compact` drops them when they are more than the entries that may be needed, and `SLACK`.
    """

    __slots__ = ("_broker", "_heap", "_limit", "_released")

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._heap: list[tuple[int, int, int]] = []
        self._limit = SLACK
        """The number of entries from which it is worth looking for those that are no longer needed."""
        self._released = 0

    def __len__(self) -> int:
        return len(self._heap)

    def wake(self, connection: Connection, when: int) -> None:
        """Wake a connection at `when`. One entry is enough: a later limit is set when the earlier entry is due."""
        if connection.deadline and connection.deadline <= when:
            return
        connection.deadline = when
        self._add((when, CONNECTION, connection.serial))

    def add_session(self, when: int, handle: int) -> None:
        """Wake a session at `when`, its `wake_at`."""
        self._add((when, SESSION, handle))

    def add_retained(self, when: int) -> None:
        """Wake the retained messages at `when`, their `wake_at`."""
        self._add((when, RETAINED, 0))

    def add_question(self, when: int, question: int) -> None:
        """End the time for the answer to a question at `when`."""
        self._add((when, QUESTION, question))

    def _add(self, entry: tuple[int, int, int]) -> None:
        heappush(self._heap, entry)
        if len(self._heap) > self._limit:
            self.compact()

    def next(self) -> int | None:
        """Return when the first entry is due, or None."""
        return self._heap[0][0] if self._heap else None

    def pop(self, now: int) -> tuple[int, int, int] | None:
        """Remove and return the next entry that is due, or return None."""
        heap = self._heap
        if heap and heap[0][0] <= now:
            return heappop(heap)
        return None

    def released(self) -> None:
        """A connection or a session has ended: drop what is not needed if that is most of the heap."""
        self._released += 1
        if self._released < EVERY:
            return
        self._released = 0
        size = len(self._heap)
        if size > SLACK and size > 2 * self._broker.waiting() + SLACK:
            self.compact()

    def compact(self) -> None:
        """Drop the entries that are no longer needed, and copies."""
        self._heap = list({entry for entry in self._heap if self.needed(entry)})
        heapify(self._heap)
        self._limit = 2 * len(self._heap) + SLACK

    def needed(self, entry: tuple[int, int, int]) -> bool:
        """True if the owner of the entry counts on it."""
        broker = self._broker
        when, kind, number = entry
        if kind == CONNECTION:
            connection = broker.connections.get(number)
            return connection is not None and connection.deadline == when
        if kind == SESSION:
            session = broker.sessions.with_handle(number)
            return session is not None and session.wake_at == when
        if kind == RETAINED:
            return broker.retained.wake_at == when
        return broker.questions.is_open(number)
