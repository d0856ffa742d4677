# SPDX-License-Identifier: MIT
"""The batch of a tick: what has to be stored, and which output waits for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mqtt_ref.engine.effects import Commit
from mqtt_ref.engine.outbox import Gate
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
    StoredMessage,
    SubscriptionDelete,
    SubscriptionPut,
    TotalsPut,
)

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.backlog import Backlog
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Delivery, Session

__all__ = ["Journal"]

_make = tuple.__new__
"""Makes a record from its fields, in half the time of a call of its class."""


class Journal:
    """Gathers the changes of a tick. If a session ends with its connection, only its will is stored.

    `utc_offset` is added to the time of the engine, so that UTC is stored.
    """

    def __init__(self, broker: Broker, batches: int, utc_offset: int) -> None:
        self.written = 0
        self.utc_offset = utc_offset
        self.batch = 1
        """The number of the batch that is open."""
        self.records: list[Record] = []
        self._broker = broker
        self._most = batches
        self._pending: dict[int, list[Connection]] = {1: []}
        """By batch, open or under way: the connections that wait for it."""
        self._sent: dict[int, list[Record]] = {}
        """By batch under way: its records."""
        self.lost: dict[str, list[Record]] = {}
        """By client: records that the store failed to write. The next batch stores what they were about again."""
        self._lost_topics: dict[str, None] = {}
        """The same for retained messages."""
        self._deleted: dict[int, set[str]] = {}
        """By batch, open or under way: clients whose session it deletes."""
        self._last: StoredMessage | None = None
        """The message that was stored last: its other subscribers come next."""

    # ---------------------------------------------------------------- what is to be stored

    def _add(self, record: Record) -> None:
        self.records.append(record)
        self.written += 1

    def touch(self, connection: Connection) -> None:
        if not connection.outbox.touched:
            connection.outbox.touched = self.batch
            self._pending[self.batch].append(connection)

    def session(self, session: Session) -> None:
        if session.expiry:
            session.kept = True
        elif session.will is None and not session.stored:
            if session.connection is not None and self._remembered(session.client_id):
                # The store has an older session yet: it must not come back once this one is confirmed [MQTT5-4.1.0-2].
                if session.client_id not in self._deleted.get(self.batch, ()):
                    self._delete(session.client_id)
                self.touch(session.connection)
            return
        session.stored = True
        utc = self.utc_offset
        self._add(
            SessionPut(
                session.client_id,
                session.version,
                session.username,
                session.expiry,
                session.ends_at + utc if session.ends_at else 0,
                session.will,
                session.will_at + utc if session.will_at else 0,
                session.connection is not None,
            )
        )
        if session.connection is not None:
            self.touch(session.connection)

    def session_gone(self, session: Session) -> None:
        if session.stored:
            self._delete(session.client_id)

    def _delete(self, client_id: str) -> None:
        self._add(SessionDelete(client_id))
        self._deleted.setdefault(self.batch, set()).add(client_id)

    def _remembered(self, client_id: str) -> bool:
        """Whether a session of this client was deleted, and the store has not confirmed it."""
        return client_id in self.lost or any(client_id in gone for gone in self._deleted.values())

    def subscription(self, session: Session, topic_filter: str, options: int, identifier: int) -> None:
        if session.kept:
            self._add(SubscriptionPut(session.client_id, topic_filter, options, identifier))
            if session.connection is not None:
                self.touch(session.connection)

    def subscription_gone(self, session: Session, topic_filter: str) -> None:
        if session.kept:
            self._add(SubscriptionDelete(session.client_id, topic_filter))
            if session.connection is not None:
                self.touch(session.connection)

    def queued(self, session: Session, delivery: Delivery) -> None:
        if session.kept:
            delivery.batch = self.batch
            self._add(
                QueuePut(
                    session.client_id,
                    delivery.order,
                    self._stored(delivery.message),
                    delivery.qos,
                    delivery.retain,
                    delivery.identifiers,
                    delivery.group,
                )
            )

    def unqueued(self, session: Session, delivery: Delivery) -> None:
        if session.kept:
            self._add(QueueDelete(session.client_id, delivery.order))

    def inflight(self, session: Session, delivery: Delivery) -> None:
        if session.kept:
            if not delivery.order:
                delivery.order = session.next_order
                session.next_order += 1
            message = delivery.message
            stored = self._last
            if stored is None or stored.ident != message.ident:
                stored = self._stored(message)
            # Every message with QoS 1 or 2 to a persistent session comes here.
            fields = (
                session.client_id,
                delivery.packet_id,
                delivery.state,
                delivery.order,
                stored,
                delivery.qos,
                delivery.retain,
                delivery.identifiers,
                delivery.group,
            )
            self.records.append(_make(InflightPut, fields))
            self.written += 1
            connection = session.connection
            if connection is not None and not connection.outbox.touched:
                self.touch(connection)

    def inflight_gone(self, session: Session, delivery: Delivery) -> None:
        if session.kept:
            self.records.append(_make(InflightDelete, (session.client_id, delivery.packet_id)))
            self.written += 1

    def received(self, session: Session, packet_id: int) -> None:
        if session.kept:
            self._add(ReceivedPut(session.client_id, packet_id))
            if session.connection is not None:
                self.touch(session.connection)

    def received_gone(self, session: Session, packet_id: int) -> None:
        if session.kept:
            self._add(ReceivedDelete(session.client_id, packet_id))
            if session.connection is not None:
                self.touch(session.connection)

    def retained(self, message: Message) -> None:
        """Record that a message is retained for its topic."""
        self._add(RetainedPut(self._stored(message)))

    def retained_gone(self, topic: str) -> None:
        """Record that a topic has no retained message any more."""
        self._add(RetainedDelete(topic))

    def totals(self) -> None:
        """The totals of `$SYS` as they are now."""
        self._add(TotalsPut(tuple(self._broker.counters.as_dict().items())))

    def _stored(self, message: Message) -> StoredMessage:
        """Return the message as it is stored."""
        stored = self._last
        if stored is None or stored.ident != message.ident:
            utc = self.utc_offset
            fields = (
                message.ident,
                message.topic,
                message.payload,
                message.qos,
                message.retain,
                b"" if message.block is None else message.block.data,
                message.publisher,
                message.arrived + utc,
                message.expires_at + utc if message.expires_at else 0,
            )
            stored = self._last = _make(StoredMessage, fields)
        return stored

    # ---------------------------------------------------------------- what waits

    @property
    def under_way(self) -> int:
        """The number of batches that the store was given and has not answered."""
        return len(self._pending) - 1

    @property
    def owed(self) -> bool:
        """Whether a failed batch has left something that the store has to be given anew."""
        return bool(self.lost or self._lost_topics)

    def confirmed(self, batch: int) -> bool:
        """True if the store has answered a batch."""
        return batch not in self._pending

    def adopt(self, records: Iterable[Record]) -> None:
        """Store what the broker has taken over from elsewhere, such as a hook."""
        for record in records:
            if isinstance(record, SessionPut):
                self.lost[record.client_id] = []
            elif isinstance(record, RetainedPut):
                self._lost_topics[record.message.topic] = None
        self._mend()

    def retry(self) -> None:
        """Put what a failed batch was about into the next batch."""
        if self.owed and not self.under_way:
            self._mend()

    def seal(self) -> None:
        """End the tick: give the batch to the store if there is room, and hold back the output that waits for it.

        Only connections with changes in the batch wait, and those that wait already, so that their output keeps its
        order.
        """
        broker = self._broker
        if self.records and (self.lost or self._lost_topics):
            self._mend()
        dirty = broker.dirty
        if dirty and (self._pending[self.batch] or any(connection.outbox.gates is not None for connection in dirty)):
            free: list[Connection] = []
            for connection in dirty:
                if connection.outbox.touched or connection.outbox.gates is not None:
                    self._hold(connection)
                if connection.outbox.queued:
                    free.append(connection)
            broker.dirty = free
        for connection in self._pending[self.batch]:
            connection.outbox.touched = 0
        if self.records and self.under_way < self._most:
            broker.effects.append(Commit(self.batch, self.records))
            self._sent[self.batch] = self.records
            broker.counters.commits += 1
            self.records = []
            self.batch += 1
            self._pending[self.batch] = []
            self._last = None

    def _hold(self, connection: Connection) -> None:
        """Move the output of this tick to the gate of the batch that it waits for."""
        gates = connection.outbox.gates
        if gates is None:
            gates = connection.outbox.gates = deque()
        batch = connection.outbox.touched or gates[-1].batch
        if gates and gates[-1].batch == batch:
            gates[-1].out += connection.outbox.packets
            gates[-1].acks += connection.outbox.acks
        else:
            gates.append(Gate(batch, connection.outbox.packets, connection.outbox.acks))
        connection.outbox.packets = []
        connection.outbox.acks = 0
        connection.outbox.queued = connection.outbox.ready is not None

    def committed(self, batch: int) -> None:
        """The store has written the batch: release, in order, the output that waits for no other batch."""
        pending = self._pending
        if batch not in pending or batch == self.batch:
            return
        del self._sent[batch]
        self._deleted.pop(batch, None)
        for connection in pending.pop(batch):
            self._release(connection)

    def failed(self, batch: int) -> list[Connection]:
        """The store failed to write the batch: return the connections that waited for it, and discard their output."""
        pending = self._pending
        if batch not in pending or batch == self.batch:
            return []
        for record in self._sent.pop(batch):
            if isinstance(record, RetainedPut):
                self._lost_topics[record.message.topic] = None
            elif isinstance(record, RetainedDelete):
                self._lost_topics[record.topic] = None
            elif not isinstance(record, TotalsPut):
                self.lost.setdefault(record.client_id, []).append(record)
        self._deleted.pop(batch, None)
        connections = pending.pop(batch)
        for connection in connections:
            connection.outbox.discard()
        return connections

    def _mend(self) -> None:
        """Store everything again that a failed batch was about.

        The broker keeps the changes of that batch: its messages wait for their subscribers, and a repeat of a QoS 2
        packet identifier is acknowledged without a new record.
        """
        broker = self._broker
        lost = self.lost
        topics = self._lost_topics
        self.lost = {}
        self._lost_topics = {}
        for client_id, records in lost.items():
            session = broker.sessions.by_client_id.get(client_id)
            backlog = None if session is None else session.backlog
            if session is not None and backlog is not None and backlog.count:
                self._mend_parts(session, backlog, records)
                continue
            self._delete(client_id)
            if session is None:
                continue
            self.session(session)
            for topic_filter, (options, identifier) in session.subscriptions.items():
                self.subscription(session, topic_filter, options, identifier)
            for delivery in session.inflight.values():
                self.inflight(session, delivery)
            if session.queue is not None:
                for delivery in session.queue:
                    self.queued(session, delivery)
            if backlog is not None and broker.backlogs is not None:
                for delivery in backlog.tail:
                    self.queued(session, delivery)
                broker.backlogs.follow(session)
            for packet_id in session.received:
                self.received(session, packet_id)
        for topic in topics:
            message = broker.retained.store.get(topic)
            if message is None:
                self.retained_gone(topic)
            else:
                self.retained(message)

    def _mend_parts(self, session: Session, backlog: Backlog, records: list[Record]) -> None:
        """Store again what these records were about. The session must not be deleted: only the store has all of it."""
        waiting = {delivery.order: delivery for delivery in backlog.tail}
        for delivery in session.queue or ():
            waiting[delivery.order] = delivery
        self.session(session)
        for record in records:
            if isinstance(record, SubscriptionPut | SubscriptionDelete):
                found = session.subscriptions.get(record.topic_filter)
                if found is None:
                    self.subscription_gone(session, record.topic_filter)
                else:
                    self.subscription(session, record.topic_filter, *found)
            elif isinstance(record, QueuePut | QueueDelete):
                queued = waiting.get(record.order)
                if queued is None:
                    self._add(QueueDelete(session.client_id, record.order))
                else:
                    self.queued(session, queued)
            elif isinstance(record, InflightPut | InflightDelete):
                flying = session.inflight.get(record.packet_id)
                if flying is None:
                    self._add(InflightDelete(session.client_id, record.packet_id))
                else:
                    self.inflight(session, flying)
            elif isinstance(record, ReceivedPut | ReceivedDelete):
                if record.packet_id in session.received:
                    self.received(session, record.packet_id)
                else:
                    self.received_gone(session, record.packet_id)
        if self._broker.backlogs is not None:
            self._broker.backlogs.follow(session)

    def _release(self, connection: Connection) -> None:
        gates = connection.outbox.gates
        if gates is None:
            return
        released: list[bytes] | None = connection.outbox.ready
        while gates and gates[0].batch not in self._pending:
            gate = gates.popleft()
            released = gate.out if released is None else released + gate.out
            connection.outbox.unsettled -= gate.acks
        if not gates:
            connection.outbox.gates = None
        if released is not None:
            connection.outbox.ready = released
            if not connection.outbox.queued:
                connection.outbox.queued = True
                self._broker.dirty.append(connection)
