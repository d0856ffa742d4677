# SPDX-License-Identifier: MIT
"""Time limits: one heap for connections, sessions, questions and retained messages; none is per message."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.connection import Connection

__all__ = ["CONNECTION", "QUESTION", "RETAINED", "SESSION", "SLACK", "Timers"]

CONNECTION: Final = 0
SESSION: Final = 1
RETAINED: Final = 2
QUESTION: Final = 3
SLACK: Final = 64
"""Entries that are no longer needed and stay until they are due, besides as many as are needed."""


class Timers:
    """When something wants to be looked at.

    An entry is a time, a kind, and a number: the serial of a connection, the handle of a session, or a question. Its
    owner knows the time of the one entry that it needs. Other entries of it are left in the heap: `pop` drops them when
    they are due, and `compact` drops them when they are more than the entries that may be needed, and `SLACK`.
    """

    __slots__ = ("_broker", "_heap", "_limit")

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._heap: list[tuple[int, int, int]] = []
        self._limit = SLACK
        """The number of entries from which it is worth looking for those that are no longer needed."""

    def __len__(self) -> int:
        return len(self._heap)

    def wake(self, connection: Connection, when: int) -> None:
        """Wake a connection; one entry for each is enough: a later limit is found when an earlier one is looked at."""
        if connection.deadline and connection.deadline <= when:
            return
        connection.deadline = when
        self._add((when, CONNECTION, connection.serial))

    def add_session(self, when: int, handle: int) -> None:
        """Wake a session, whose `wake_at` is `when`."""
        self._add((when, SESSION, handle))

    def add_retained(self, when: int) -> None:
        """Wake the retained messages, whose `wake_at` is `when`."""
        self._add((when, RETAINED, 0))

    def add_question(self, when: int, question: int) -> None:
        """Be told when the time for an answer is over."""
        self._add((when, QUESTION, question))

    def _add(self, entry: tuple[int, int, int]) -> None:
        heappush(self._heap, entry)
        if len(self._heap) > self._limit:
            self.compact()

    def next(self) -> int | None:
        """When the first is due, or None."""
        return self._heap[0][0] if self._heap else None

    def pop(self, now: int) -> tuple[int, int, int] | None:
        """The next entry that is due and still needed, or None."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            entry = heappop(heap)
            if self._needed(entry):
                return entry
        return None

    def released(self) -> None:
        """A connection or a session has ended: drop what is not needed if that is most of the heap."""
        size = len(self._heap)
        if size > SLACK and size > 2 * self._broker.waiting() + SLACK:
            self.compact()

    def compact(self) -> None:
        """Drop the entries that are no longer needed, and copies."""
        self._heap = sorted({entry for entry in self._heap if self._needed(entry)})
        self._limit = 2 * len(self._heap) + SLACK

    def _needed(self, entry: tuple[int, int, int]) -> bool:
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
