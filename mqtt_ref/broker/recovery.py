# SPDX-License-Identifier: MIT
"""Restore sessions, retained messages and deadlines from the records of a store."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from mqtt_ref.engine.generated.session import DORMANT
from mqtt_ref.engine.generated.will import DELAYED
from mqtt_ref.engine.message import OVERHEAD, SECOND, Message
from mqtt_ref.engine.session import Delivery, Session
from mqtt_ref.ports import (
    InflightPut,
    QueuePut,
    ReceivedPut,
    Record,
    RetainedPut,
    SessionPut,
    StoredMessage,
    SubscriptionPut,
    TotalsPut,
)
from mqtt_ref.wire.block import read_block

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker

__all__ = ["Restorer", "message_of"]


_NAMES: Final = 10_000
"""Names of publishers that are remembered. Messages that are stored next to each other often have the same."""


def message_of(stored: StoredMessage, utc_offset: int, publisher: str) -> Message:
    """Return a stored message as it was, in the time of the engine."""
    ident, topic, payload, qos, retain, properties, _, arrived, expires_at = stored
    block = read_block(properties) if properties else None
    expires_at = max(1, expires_at - utc_offset) if expires_at else 0
    return Message(ident, topic, payload, qos, retain, block, publisher, arrived - utc_offset, expires_at)


class Restorer:
    """Makes the state that records describe. No client is connected in it.

    If the records come from the broker's `own` store, messages that need too much memory are left there.

    Cites: MQTT5-3.1.2-23, X31-retain-restart
    """

    def __init__(self, broker: Broker, now: int, utc_offset: int, own: bool = False) -> None:
        self.broker = broker
        self.backlogs = broker.backlogs if own else None
        self.now = now
        self.utc = utc_offset
        self.messages: dict[int, Message] = {}
        self.publishers: dict[str, str] = {}
        """Names of publishers, so that the messages of one of them share its name."""

    def run(self, records: Iterable[Record]) -> None:
        """Restore these records. Can be called again with more of them.

        A session comes before its messages; records of an unknown session are skipped.
        """
        broker = self.broker
        for record in records:
            if isinstance(record, SessionPut):
                self.session(record)
            elif isinstance(record, RetainedPut):
                self.retained(record)
            elif isinstance(record, TotalsPut):
                if broker.options.restore_sys_info:
                    broker.counters.restore(record.totals)
            elif isinstance(record, SubscriptionPut | QueuePut | InflightPut | ReceivedPut):
                session = broker.sessions.by_client_id.get(record.client_id)
                if session is None:
                    continue
                if isinstance(record, SubscriptionPut):
                    if record.topic_filter not in session.subscriptions:
                        broker.budget.subscribed(session, record.topic_filter)
                    session.subscribe(record.topic_filter, record.options, record.identifier)
                    shared = broker.router.is_shared(record.topic_filter, session.version)
                    broker.router.subscribe(
                        session.handle, record.topic_filter, record.options, record.identifier, shared
                    )
                elif isinstance(record, QueuePut):
                    self.queued(session, record)
                elif isinstance(record, InflightPut):
                    self.inflight(session, record)
                else:
                    if record.packet_id not in session.received:
                        broker.budget.identified(session, 1)
                    session.received[record.packet_id] = 0

    def session(self, record: SessionPut) -> None:
        """Restore a session.

        If its client was connected, its expiry counts from now and its will is due as after any lost connection. So a
        session that was to end with its connection ends at once, and is deleted from the store.

        Cites: X5-will-defer-on-shutdown, X311-will-deferred
        """
        broker = self.broker
        session = broker.sessions.create(record.client_id, record.version)
        session.kept = session.stored = True
        session.rules = -1  # the rules that its messages were judged by are unknown
        session.state = DORMANT
        session.username = record.username
        session.expiry = record.expiry
        if record.expiry < broker.limits.session_expiry_never:
            ends_at = max(1, record.ends_at - self.utc) if record.ends_at else self.now + record.expiry * SECOND
            session.ends_at = ends_at
        will = record.will
        if will is not None:
            session.will = will
            broker.budget.armed(session, will)
            session.will_state = DELAYED
            if record.will_at:
                session.will_at = max(1, record.will_at - self.utc)
            else:
                delay = 0
                if will.properties is not None:
                    delay = will.properties.will_delay_interval or 0
                session.will_at = self.now + delay * SECOND
        broker.sessions.watch_over(session)

    def message(self, stored: StoredMessage) -> Message:
        """Return the message: one object for all sessions for which it waits."""
        message = self.messages.get(stored.ident)
        if message is None:
            message = self.messages[stored.ident] = self.made(stored)
            self.broker.last_message = max(self.broker.last_message, stored.ident)
        return message

    def made(self, stored: StoredMessage) -> Message:
        """Return a new object for a message."""
        if len(self.publishers) >= _NAMES:
            self.publishers.clear()
        return message_of(stored, self.utc, self.publishers.setdefault(stored.publisher, stored.publisher))

    def retained(self, record: RetainedPut) -> None:
        """Restore a retained message. One that has expired meanwhile is deleted from the store."""
        stored = record.message
        broker = self.broker
        if stored.ident > broker.last_message:
            broker.last_message = stored.ident
        if stored.expires_at and stored.expires_at - self.utc <= self.now:
            if broker.journal is not None:
                broker.journal.retained_gone(stored.topic)
            return
        message = self.messages.get(stored.ident)
        if message is None:
            message = self.made(stored)  # it is not remembered: no session that follows shares it
        broker.retained.restore(message)

    def queued(self, session: Session, record: QueuePut) -> None:
        broker = self.broker
        size = record.message.size
        session.next_order = max(session.next_order, record.order + 1)
        backlogs = self.backlogs
        if backlogs is not None and (session.backlog is not None or backlogs.crowded(session, size)):
            broker.last_message = max(broker.last_message, record.message.ident)
            backlogs.restored(session, record, size)
        else:
            message = self.message(record.message)
            delivery = Delivery(message, record.qos, record.retain, record.identifiers, record.group)
            delivery.order = record.order
            if session.queue is None:
                session.queue = deque()
            session.queue.append(delivery)
            broker.budget.hold(message)
        session.queued_bytes += size
        broker.counters.messages_queued += 1
        broker.counters.queued_bytes += size

    def inflight(self, session: Session, record: InflightPut) -> None:
        delivery = Delivery(self.message(record.message), record.qos, record.retain, record.identifiers, record.group)
        delivery.packet_id = record.packet_id
        delivery.state = record.state
        delivery.order = record.order
        session.inflight[record.packet_id] = delivery
        self.broker.counters.messages_inflight += 1
        size = delivery.message.size
        if size > self.broker.light:
            self.broker.budget.fly(delivery.message)
            if size > self.broker.bulky:
                session.inflight_bytes += size + OVERHEAD
        session.next_order = max(session.next_order, record.order + 1)
        session.next_packet_id = record.packet_id + 1 if record.packet_id < self.broker.limits.packet_id_maximum else 1
