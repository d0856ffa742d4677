# SPDX-License-Identifier: MIT
"""The data structure of retained messages: one for each topic, found by filter, removed on expiry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import Final, Generic, TypeVar

from mqtt_ref.broker.topics import is_wildcard
from mqtt_ref.broker.tree import LevelTree, Walk

__all__ = ["RetainedStore"]

M = TypeVar("M")

_SLACK: Final = 64
_OWN: Final = "$SYS/"
"""Prefix of the server's own topics."""


class RetainedStore(Generic[M]):
    """Retained messages. At most `maximum` are kept (0: any number); those under `$SYS` are not counted.

    `size` is the sum of `measure` over all messages.

    Nothing here looks at the time: call `expire` before you read.
    """

    __slots__ = ("_deadlines", "_heap", "_messages", "_own", "_topics", "maximum", "measure", "size")

    def __init__(
        self,
        maximum: int = 0,
        dollar_apart: bool = True,
        parent_too: bool = True,
        measure: Callable[[M], int] | None = None,
    ) -> None:
        self.maximum: int = maximum
        self.measure: Callable[[M], int] | None = measure
        self.size: int = 0
        self._messages: dict[str, M] = {}
        self._own: int = 0
        self._topics: LevelTree[str] = LevelTree(dollar_apart, parent_too)
        self._deadlines: dict[str, int] = {}
        # All deadlines, and some outdated ones. `_deadlines` has only the current ones.
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def counted(self) -> int:
        """The number of messages, without those under `$SYS`."""
        return len(self._messages) - self._own

    def full(self, topic: str) -> bool:
        """True if the store is full and has no message for this topic. Topics under `$SYS` always have room."""
        return 0 < self.maximum <= self.counted and topic not in self._messages and not topic.startswith(_OWN)

    def put(self, topic: str, message: M, expires_at: int) -> bool:
        """Store a message in place of the previous one. Return False if there is no room for another topic.

        It expires at `expires_at` (nanoseconds; 0 or less: never).

        Cites: MQTT5-3.3.1-5
        """
        messages = self._messages
        before = messages.get(topic)
        if before is None:
            if topic.startswith(_OWN):
                self._own += 1
            elif 0 < self.maximum <= len(messages) - self._own:
                return False
            self._topics.insert(topic, topic)
        if self.measure is not None:
            self.size += self.measure(message) - (0 if before is None else self.measure(before))
        messages[topic] = message
        if expires_at > 0 or self._heap:
            self._set_deadline(topic, expires_at)
        return True

    def remove(self, topic: str) -> bool:
        """Remove the message of a topic. Return False if there was none.

        Cites: MQTT5-3.3.1-6
        """
        before = self._messages.pop(topic, None)
        if before is None:
            return False
        if self.measure is not None:
            self.size -= self.measure(before)
        if topic.startswith(_OWN):
            self._own -= 1
        self._topics.remove(topic)
        self._set_deadline(topic, 0)
        if not self._messages:
            # An emptied dict keeps its memory, a cleared one does not.
            self._messages.clear()
        return True

    def get(self, topic: str) -> M | None:
        """Return the message of a topic, or None."""
        return self._messages.get(topic)

    def walk(self, topic_filter: str) -> Walk[str]:
        """Begin a search for the topics that a filter with wildcards matches."""
        return self._topics.walk(topic_filter)

    def match(self, topic_filter: str) -> Iterator[tuple[str, M]]:
        """Yield the messages of all topics that match, ordered by topic.

        The topics are fixed at the first step. A message that is replaced during the iteration comes in its new form;
        one that is removed is left out.
        """
        if is_wildcard(topic_filter):
            topics = self._topics.matched(topic_filter)
            assert topics is not None
            topics.sort()
        else:
            topics = [topic_filter]
        for topic in topics:
            message = self._messages.get(topic)
            if message is not None:
                yield topic, message

    def scan(self, start: int, count: int) -> list[tuple[str, M]]:
        """Return at most `count` messages from index `start` on, in the order in which their topics were retained.

        Use it to read all messages in several steps. If one is removed between the steps, later ones move up.
        """
        return list(islice(self._messages.items(), start, start + count))

    def expire(self, now: int, most: int = 0) -> list[str]:
        """Remove messages that have expired, at most `most` (0: all). Return their topics, the earliest first."""
        return [topic for topic, _ in self.take_expired(now, most)]

    def take_expired(self, now: int, most: int = 0) -> list[tuple[str, M]]:
        """Do the same, and return the messages too.

        Cites: MQTT5-3.3.2-5
        """
        gone: list[tuple[str, M]] = []
        heap = self._heap
        while heap and heap[0][0] <= now and (most == 0 or len(gone) < most):
            at, topic = heappop(heap)
            if self._deadlines.get(topic, 0) == at:
                gone.append((topic, self._messages[topic]))
                self.remove(topic)
        return gone

    def next_expiry(self) -> int:
        """Return when the next message expires, in nanoseconds; 0: never."""
        heap = self._heap
        while heap:
            at, topic = heap[0]
            if self._deadlines.get(topic, 0) == at:
                return at
            heappop(heap)
        return 0

    def _set_deadline(self, topic: str, at: int) -> None:
        deadlines = self._deadlines
        before = deadlines.get(topic, 0)
        if at <= 0:
            if before:
                del deadlines[topic]
        elif at != before:
            deadlines[topic] = at
            heappush(self._heap, (at, topic))
        if len(self._heap) > 2 * len(deadlines) + _SLACK:
            # A topic that is retained again and again must not fill the heap with outdated deadlines.
            self._heap = [(then, name) for name, then in deadlines.items()]
            heapify(self._heap)
