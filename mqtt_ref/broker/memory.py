# SPDX-License-Identifier: MIT
"""The memory store: applies batches to plain dictionaries. Every other store is compared with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from mqtt_ref.ports import (
    InflightDelete,
    InflightPut,
    QueueDelete,
    QueuePut,
    ReceivedDelete,
    ReceivedPut,
    Record,
    RetainedDelete,
    RetainedPut,
    SessionDelete,
    SessionPut,
    SubscriptionDelete,
    SubscriptionPut,
    TotalsPut,
)

__all__ = ["MemoryStore"]


class _Kept:
    """One session as stored."""

    __slots__ = ("inflight", "queue", "received", "session", "subscriptions")

    def __init__(self, session: SessionPut) -> None:
        self.session = session
        self.subscriptions: dict[str, SubscriptionPut] = {}
        self.queue: dict[int, QueuePut] = {}
        self.inflight: dict[int, InflightPut] = {}
        self.received: dict[int, ReceivedPut] = {}


class MemoryStore:
    """Keeps everything while the object exists: a second broker with the same object finds what the first stored."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Kept] = {}
        self._retained: dict[str, RetainedPut] = {}
        self._totals: TotalsPut | None = None

    def open(self) -> None:
        """Nothing is to be done."""

    def load(self) -> Iterator[Record]:
        """Yield everything that is kept, sessions first. Messages in flight and queued ones are in their order."""
        for kept in self._sessions.values():
            yield kept.session
        for kept in self._sessions.values():
            yield from kept.subscriptions.values()
            yield from sorted(kept.inflight.values(), key=lambda record: record.order)
            yield from sorted(kept.queue.values(), key=lambda record: record.order)
            yield from kept.received.values()
        yield from self._retained.values()
        if self._totals is not None:
            yield self._totals

    def load_queue(self, client_id: str, after: int, messages: int, size: int) -> list[QueuePut]:
        """Return a part of the queue of a session, as `PagedStorage` says."""
        kept = self._sessions.get(client_id)
        queue = {} if kept is None else kept.queue
        found: list[QueuePut] = []
        total = 0
        for order in islice(sorted(order for order in queue if order > after), messages):
            found.append(queue[order])
            total += queue[order].message.size
            if total >= size:
                break
        return found

    def commit(self, batch: int, records: Sequence[Record]) -> None:
        """Apply the changes of a batch."""
        for record in records:
            self._apply(record)

    def close(self) -> None:
        """Do nothing."""

    def _apply(self, record: Record) -> None:
        if isinstance(record, RetainedPut):
            self._retained[record.message.topic] = record
        elif isinstance(record, RetainedDelete):
            self._retained.pop(record.topic, None)
        elif isinstance(record, SessionPut):
            kept = self._sessions.get(record.client_id)
            if kept is None:
                self._sessions[record.client_id] = _Kept(record)
            else:
                kept.session = record
        elif isinstance(record, TotalsPut):
            self._totals = record
        elif isinstance(record, SessionDelete):
            self._sessions.pop(record.client_id, None)
        else:
            kept = self._sessions.get(record.client_id)
            if kept is not None:
                _change(kept, record)


def _change(
    kept: _Kept,
    record: (
        SubscriptionPut
        | SubscriptionDelete
        | QueuePut
        | QueueDelete
        | InflightPut
        | InflightDelete
        | ReceivedPut
        | ReceivedDelete
    ),
) -> None:
    if isinstance(record, SubscriptionPut):
        kept.subscriptions[record.topic_filter] = record
    elif isinstance(record, SubscriptionDelete):
        kept.subscriptions.pop(record.topic_filter, None)
    elif isinstance(record, QueuePut):
        kept.queue[record.order] = record
    elif isinstance(record, QueueDelete):
        kept.queue.pop(record.order, None)
    elif isinstance(record, InflightPut):
        kept.inflight[record.packet_id] = record
    elif isinstance(record, InflightDelete):
        kept.inflight.pop(record.packet_id, None)
    elif isinstance(record, ReceivedPut):
        kept.received[record.packet_id] = record
    else:
        kept.received.pop(record.packet_id, None)
