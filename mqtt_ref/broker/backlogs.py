# SPDX-License-Identifier: MIT
"""Which messages wait in the store alone, so that queues need little memory, and how they come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from mqtt_ref.broker.leaving import NO_HANDLE, Leaving
from mqtt_ref.broker.recovery import message_of
from mqtt_ref.engine import qos_send, queueing
from mqtt_ref.engine.backlog import UNKNOWN, Backlog
from mqtt_ref.engine.effects import Read
from mqtt_ref.engine.session import Delivery

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.broker.journal import Journal
    from mqtt_ref.engine.session import Session
    from mqtt_ref.ports import QueuePut

__all__ = ["PAGE", "PAGE_BYTES", "Backlogs"]

PAGE: Final = 256
"""Messages that are read at once. So many may wait in memory for each client that is connected."""
PAGE_BYTES: Final = 1024 * 1024
"""Bytes of topics, payloads and properties after which no more is read at once."""
COST: Final = 500
"""Bytes of memory that a waiting message needs beside its topic, payload and properties."""
UNLIMITED: Final = 1 << 62


class Backlogs:
    """The backlogs of all sessions. A message leaves the memory when the store has confirmed it, and not before.

    So the answer to a `Read` needs nothing of a batch that is under way: what such a batch holds is in memory.
    """

    def __init__(self, broker: Broker, journal: Journal, limit: int) -> None:
        self._broker = broker
        self._journal = journal
        self._limit = limit or UNLIMITED
        self.page = PAGE
        self.page_bytes = PAGE_BYTES
        self._saved = 0
        """Bytes of memory that the messages would need which only the store has."""
        self._awaiting: dict[int, dict[Session, bool]] = {}
        """By batch, open or under way: whose messages leave the memory when it is confirmed. True: the queue too."""
        self._reads: dict[int, _Reading] = {}
        """By number: what was asked of the store."""
        self._failed: list[_Reading] = []
        self._number = 0

    # ---------------------------------------------------------------- into the store

    @property
    def memory(self) -> int:
        """Bytes of memory that the queues of all sessions need."""
        counters = self._broker.counters
        return counters.queued_bytes + COST * counters.messages_queued - self._saved

    def _short(self, size: int) -> bool:
        """True if there is no memory for `size` bytes more: neither that for queues nor that for everything."""
        budget = self._broker.budget
        return self.memory + size > self._limit or budget.used + size > budget.queue_limit

    def crowded(self, session: Session, size: int) -> bool:
        """True if the next message for a session is to wait in the store alone: there is no memory for it.

        The first messages, up to `page`, for a client that is connected never wait there.
        """
        if not session.kept or not self._short(size + COST):
            return False
        queue = session.queue
        return session.connection is None or (queue is not None and len(queue) >= self.page)

    def add(self, session: Session, delivery: Delivery) -> None:
        """Put a message at the end of the backlog of a session. The journal stores it in the open batch."""
        self._begun(session, delivery.order, delivery.message.expires_at).tail.append(delivery)
        self.follow(session)

    def follow(self, session: Session) -> None:
        """Look at a session again when the open batch is confirmed."""
        self._awaiting.setdefault(self._journal.batch, {}).setdefault(session, False)

    def restored(self, session: Session, record: QueuePut, size: int) -> None:
        """A stored message was found at the start, and is left in the store."""
        expires_at = record.message.expires_at
        if expires_at:
            expires_at = max(1, expires_at - self._journal.utc_offset)
        self._left(self._begun(session, record.order, expires_at), size, record.group)

    def _begun(self, session: Session, order: int, expires_at: int) -> Backlog:
        """Return the backlog of a session, or begin one with a message of this order."""
        backlog = session.backlog
        if backlog is None:
            queue = session.queue
            if queue:
                backlog = Backlog(queue[-1].order, UNKNOWN)
            else:
                backlog = Backlog(order - 1, expires_at)
                session.queue = None
            session.backlog = backlog
        return backlog

    def _left(self, backlog: Backlog, size: int, group: str) -> None:
        """Count a message that only the store has from now on."""
        backlog.count += 1
        backlog.bytes += size
        self._saved += size + COST
        self._broker.counters.queued_in_store += 1
        if group:
            backlog.grouped = True

    def _back(self, backlog: Backlog, count: int, size: int) -> None:
        """Count messages that the store alone had, and that are in memory or gone."""
        backlog.count -= count
        backlog.bytes -= size
        self._saved -= size + count * COST
        self._broker.counters.queued_in_store -= count

    def committed(self, batch: int) -> None:
        """The store has confirmed a batch: let go of what it has."""
        for session, left in self._awaiting.pop(batch, {}).items():
            self._let_go(session)
            if left:
                self.leave(session)

    def not_committed(self, batch: int) -> None:
        """A batch failed: the journal stores what it was about again."""
        self._awaiting.pop(batch, None)

    def _let_go(self, session: Session) -> None:
        """Drop the messages at the end that the store has confirmed."""
        journal = self._journal
        backlog = session.backlog
        if backlog is None or session.client_id in journal.lost:
            return
        number = 0
        for delivery in backlog.tail:
            if not journal.confirmed(delivery.batch):
                break
            self._left(backlog, delivery.message.size, delivery.group)
            self._broker.budget.release(delivery.message)
            number += 1
        del backlog.tail[:number]

    def leave(self, session: Session) -> None:
        """A client is away: leave its queue to the store if memory is short, once that has confirmed all of it."""
        queue = session.queue
        journal = self._journal
        if session.connection is not None or not queue or not self._short(0):
            return
        if not session.kept or session.client_id in journal.lost:
            return
        for delivery in queue:
            if not journal.confirmed(delivery.batch):
                self._awaiting.setdefault(delivery.batch, {})[session] = True
                return
        first = queue[0]
        backlog = session.backlog
        if backlog is None:
            backlog = session.backlog = Backlog(0, 0)
        backlog.after = first.order - 1
        backlog.expires_at = first.message.expires_at
        backlog.reading = 0  # an answer that is under way begins behind this queue
        for delivery in queue:
            self._left(backlog, delivery.message.size, delivery.group)
            self._broker.budget.release(delivery.message)
        session.queue = None

    # ---------------------------------------------------------------- out of the store

    def refill(self, session: Session) -> bool:
        """Bring more of a backlog into memory if little is left there.

        Return True if some of it is there now, False if it has to be read, or if enough was there.
        """
        backlog = session.backlog
        queue = session.queue
        if backlog is None or (queue is not None and len(queue) > self.page // 2):
            return False
        if backlog.count:
            if not backlog.reading:
                self._number += 1
                backlog.reading = self._number
                effect = Read(self._number, session.client_id, backlog.after, self.page, self.page_bytes)
                self._ask(_Reading(session, backlog.count, effect, []))
            return False
        if queue is None:
            queue = session.queue = deque()
        queue.extend(backlog.tail)
        session.backlog = None
        return True

    def _ask(self, reading: _Reading) -> None:
        self._reads[reading.effect.number] = reading
        self._broker.effects.append(reading.effect)

    def read(self, number: int, records: Sequence[QueuePut], now: int) -> None:
        """The store has answered: put the messages into the queue, and send them if the client is connected."""
        reading = self._reads.pop(number, None)
        if reading is None:
            return
        session = reading.session
        if session is None:
            self._share(reading, records, now)
            return
        backlog = session.backlog
        if backlog is None or backlog.reading != number:
            return  # the session has ended, or its client went away and came back
        backlog.reading = 0
        self._take_in(session, backlog, records, reading)
        if not backlog.count:
            self.refill(session)
        queueing.trim(session, now)
        connection = session.connection
        if connection is not None:
            qos_send.pump(connection, session, now)
        else:
            self.leave(session)

    def _take_in(self, session: Session, backlog: Backlog, records: Sequence[QueuePut], reading: _Reading) -> None:
        queue = session.queue
        if queue is None:
            queue = session.queue = deque()
        tail = backlog.tail
        end = tail[0].order if tail else session.next_order
        taken = size = 0
        for record in records:
            if record.order >= end:
                break  # it is in memory: the store has it though it said that it has not
            delivery = self._delivery(record)
            queue.append(delivery)
            self._broker.budget.hold(delivery.message)
            backlog.after = record.order
            taken += 1
            size += delivery.message.size
        backlog.expires_at = UNKNOWN
        self._back(backlog, taken, size)
        if taken < reading.expected and not reading.effect.is_full(records):
            self._forget(session, backlog, reading.expected - taken)

    def _forget(self, session: Session, backlog: Backlog, count: int) -> None:
        """The store has lost messages, by what is beyond this broker. Count them no more."""
        size = backlog.bytes * count // backlog.count
        self._back(backlog, count, size)
        session.queued_bytes -= size
        counters = self._broker.counters
        counters.messages_queued -= count
        counters.queued_bytes -= size

    def _delivery(self, record: QueuePut) -> Delivery:
        message = message_of(record.message, self._journal.utc_offset, record.message.publisher)
        delivery = Delivery(message, record.qos, record.retain, record.identifiers, record.group)
        delivery.order = record.order
        return delivery

    # ---------------------------------------------------------------- a store that fails

    @property
    def owed(self) -> bool:
        """True if the store has failed to read something that is still to be read."""
        return bool(self._failed)

    def failed(self, number: int) -> None:
        """The store could not read. `retry` asks again."""
        reading = self._reads.pop(number, None)
        if reading is not None:
            self._failed.append(reading)

    def retry(self) -> None:
        """Ask again what the store has failed to read."""
        failed, self._failed = self._failed, []
        for reading in failed:
            self._ask(reading)

    # ---------------------------------------------------------------- the end of a session

    def end(self, session: Session, backlog: Backlog) -> list[Delivery]:
        """End a backlog with its session. Return its messages that are in memory.

        If the store has messages of Shared Subscriptions, it is asked for them before it is asked to delete the
        session: other members get them, and after them those in memory.
        """
        tail = backlog.tail
        if backlog.grouped and backlog.count:
            self._number += 1
            effect = Read(self._number, session.client_id, backlog.after, backlog.count, UNLIMITED)
            self._ask(_Reading(None, backlog.count, effect, tail))
            tail = []
        self._back(backlog, backlog.count, backlog.bytes)
        session.backlog = None
        return tail

    def _share(self, reading: _Reading, records: Sequence[QueuePut], now: int) -> None:
        deliveries = [self._delivery(record) for record in records if record.group]
        for delivery in deliveries:
            self._broker.budget.hold(delivery.message)  # until it has left
        Leaving(self._broker, NO_HANDLE, [], deliveries + reading.tail).start(now)


class _Reading:
    """What was asked of the store: messages of a session that had `expected` of them.

    `session` is None if it has ended. Then `tail` waited behind these messages.
    """

    __slots__ = ("effect", "expected", "session", "tail")

    def __init__(self, session: Session | None, expected: int, effect: Read, tail: list[Delivery]) -> None:
        self.session = session
        self.expected = expected
        self.effect = effect
        self.tail = tail
