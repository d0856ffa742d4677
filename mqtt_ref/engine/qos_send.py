# SPDX-License-Identifier: MIT
"""Messages to a client: send or queue them, handle acknowledgements, and retransmit."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from mqtt_ref.engine import acks, aliases, queueing
from mqtt_ref.engine.generated.qos_send import (
    BREACH,
    CITES,
    DO_COMPLETE,
    DO_PUBREL_NOT_FOUND,
    DO_RESEND_PUBLISH,
    DO_RESEND_PUBLISH_PLAIN,
    DO_SEND_PUBLISH,
    DO_SEND_PUBREL,
    IDLE,
    ON_EXPIRED,
    ON_PUBACK,
    ON_PUBACK_ERROR,
    ON_PUBCOMP,
    ON_PUBREC,
    ON_PUBREC_ERROR,
    ON_RESUMED,
    ON_SEND_QOS1,
    ON_SEND_QOS2,
    WIDTH,
)
from mqtt_ref.engine.message import FLIGHT, NEVER, OVERHEAD, PLACE, Message
from mqtt_ref.engine.reacting import breach, dismiss
from mqtt_ref.engine.session import Delivery, Session
from mqtt_ref.wire.codes import (
    FAILURE,
    PACKET_IDENTIFIER_NOT_FOUND,
    PACKET_TOO_LARGE,
    PROTOCOL_ERROR,
    PUBACK,
    PUBREC,
    PUBREL,
)
from mqtt_ref.wire.primitives import V5, V31

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection

__all__ = ["acknowledged", "deliver", "pump", "resume"]


FIRST_QOS1: Final = IDLE * WIDTH + ON_SEND_QOS1
FIRST_QOS2: Final = IDLE * WIDTH + ON_SEND_QOS2
"""Rows of the table for the first sending of a message."""


def deliver(
    connection: Connection | None,
    session: Session,
    message: Message,
    qos: int,
    retain: bool,
    identifiers: tuple[int, ...],
    now: int,
    group: str = "",
) -> None:
    """Deliver a message to one session: send it now if its client can take it, else queue it.

    The send quota never holds back QoS 0. If messages are waiting, QoS 1 and 2 go to the end of the queue, so that the
    order of arrival is kept.

    Cites: MQTT5-4.5.0-1, MQTT5-3.3.4-10, MQTT5-4.6.0-5, MQTT311-4.6.0-6, MQTT5-4.6.0-6, MQTT311-4.6.0-5, X5-quota-qos0,
    X5-session-state-outbound, X311-clients-independent
    """
    broker = session.broker
    if session.version == V31 and len(message.topic) > broker.limits.topic_v31:
        # The Topic Name came from a client of a later version [X31-topic-length].
        queueing.dropped(session, message, "too_large")
        return
    if qos == 0:
        if connection is None:
            queueing.deliver_offline(session, message, retain, identifiers, now)
        elif connection.outbox.choked:
            queueing.dropped(session, message, "slow")
        else:
            _send_qos0(connection, session, message, retain, identifiers, now)
        return
    delivery = Delivery(message, qos, retain, identifiers, group)
    if (
        connection is not None
        and connection.quota > 0
        and session.queue is None
        and session.resending is None
        and not connection.outbox.choked
        and (not session.inflight_bytes or session.inflight_bytes < broker.inflight_bytes)
        and (len(session.inflight) < broker.budget.flights or not _full(session, message))
    ):
        _start(connection, session, delivery, now)
    else:
        queueing.enqueue(session, delivery, now)


def _full(session: Session, message: Message) -> bool:
    """Report that no packet identifier is free, unless it is the memory that is used up. Return True.

    Unfinished PUBRELs can fill up a session that is resumed again and again.
    """
    watch = session.broker.watch
    if session.broker.budget.flights and watch.on_packet_id_exhausted is not None:
        watch.on_packet_id_exhausted(session, message)
    return True


def _send_qos0(
    connection: Connection, session: Session, message: Message, retain: bool, identifiers: tuple[int, ...], now: int
) -> None:
    """Send a PUBLISH with QoS 0 and DUP 0.

    Cites: MQTT5-4.3.1-1, MQTT5-3.3.1-2, MQTT311-4.3.1-1, X311-qos0-no-retry, MQTT5-2.2.1-2
    """
    data = _publish(connection, session, message, 0, retain, False, 0, identifiers, now)
    if data:
        _send(connection, message, data)


def _send(connection: Connection, message: Message, data: bytes) -> None:
    counters = connection.broker.counters
    counters.messages_sent += 1
    counters.payload_sent_bytes += len(message.payload)
    connection.send(data)
    if message.beside:
        connection.outbox.add_payload(message.payload)


def _publish(
    connection: Connection,
    session: Session,
    message: Message,
    qos: int,
    retain: bool,
    dup: bool,
    packet_id: int,
    identifiers: tuple[int, ...],
    now: int,
) -> bytes:
    """Return the PUBLISH for this subscriber, or `b""` if it exceeds the packet size that is possible or allowed.

    The result has no payload if that is `beside` the message.

    Then the message is discarded, as if it had been sent. Only the first sending may have an alias: a retransmission
    carries the full Topic Name (4.4, 3.3.2.3.4).

    Cites: MQTT5-3.1.2-24, MQTT5-3.1.2-25
    """
    version = connection.version
    agreement = connection.agreement
    alias = 0
    if dup or identifiers or agreement.alias_out_maximum or message.expires_at != NEVER:
        named = True
        if agreement.alias_out_maximum and version == V5 and not dup:
            alias = aliases.assign(connection, message.topic)
            named = alias <= 0
            alias = abs(alias)
        waited = 0
        if message.expires_at != NEVER:
            waited = message.waited(now) * connection.broker.limits.waiting_percent // 100
        if version != V5:
            identifiers = ()
        data = message.encode(version, qos, retain, dup, packet_id, identifiers, alias, named, waited)
        if alias and named and (not data or len(data) > agreement.packet_limit - message.beside):
            aliases.forget(connection, message.topic)
    elif qos:
        data = message.with_id(version, qos, retain, packet_id)
    else:
        data = message.form(version, 0, retain)
    if not data or len(data) > agreement.packet_limit - message.beside:
        queueing.dropped(session, message, "too_large")
        return b""
    return data


def _step(session: Session, delivery: Delivery, event: int) -> int:
    """Make one transition of an exchange. Return the action.

    In every state but `idle`, the packet identifier is in use and stored.
    """
    broker = session.broker
    tables = broker.tables
    before = delivery.state
    at = before * WIDTH + event
    after = tables.qos_send_next[at]
    if after != before:
        delivery.state = after
        journal = broker.journal
        size = delivery.message.size
        if after == IDLE:
            del session.inflight[delivery.packet_id]
            broker.counters.messages_inflight -= 1
            if size > broker.light:
                broker.budget.land(delivery.message)
                if size > broker.bulky:
                    session.inflight_bytes -= size + OVERHEAD
            if journal is not None:
                journal.inflight_gone(session, delivery)
        else:
            if before == IDLE:
                session.inflight[delivery.packet_id] = delivery
                broker.counters.messages_inflight += 1
                if size > broker.light:
                    broker.budget.fly(delivery.message)
                    if size > broker.bulky:
                        session.inflight_bytes += size + OVERHEAD
            if journal is not None:
                journal.inflight(session, delivery)
    return tables.qos_send_action[at]


def _start(connection: Connection, session: Session, delivery: Delivery, now: int) -> None:
    """Assign an unused packet identifier, send the PUBLISH, and reduce the send quota by one.

    Cites: MQTT5-2.2.1-4, MQTT5-4.3.2-1, MQTT5-4.3.3-1, MQTT5-4.9.0-2, MQTT311-2.3.1-4, X5-in-flight-several,
    X311-qos1-in-flight, X311-qos2-in-flight, X5-packet-id-independent, X311-packet-id-spaces, X31-message-id-spaces
    """
    broker = connection.broker
    message = delivery.message
    qos = delivery.qos
    heavy = message.size > broker.light
    inflight = session.inflight
    packet_id = session.next_packet_id
    largest = broker.limits.packet_id_maximum
    while packet_id in inflight:
        packet_id = packet_id + 1 if packet_id < largest else 1
    agreement = connection.agreement
    if delivery.identifiers or agreement.alias_out_maximum or message.expires_at != NEVER:
        data = _publish(connection, session, message, qos, delivery.retain, False, packet_id, delivery.identifiers, now)
    else:
        data = message.with_id(connection.version, qos, delivery.retain, packet_id)
        size = len(data)
        if heavy:
            size += message.beside
        if size > agreement.packet_limit or not data:
            queueing.dropped(session, message, "too_large")
            return
    if not data:
        return
    delivery.packet_id = packet_id
    counters = broker.counters
    # The transition of `_step` out of `idle`, inlined: every message makes it, and a call would cost time.
    tables = broker.tables
    at = FIRST_QOS1 if qos == 1 else FIRST_QOS2
    after = tables.qos_send_next[at]
    if after != IDLE:
        delivery.state = after
        inflight[packet_id] = delivery
        counters.messages_inflight += 1
        if heavy:
            # `Budget.fly`, without a call.
            budget = broker.budget
            if message.places:
                budget.exact += PLACE - FLIGHT
            else:
                message.counted = weight = message.weight
                budget.exact += PLACE - FLIGHT + weight
            message.places += 1
            if message.size > broker.bulky:
                session.inflight_bytes += message.size + OVERHEAD
        if session.kept and broker.journal is not None:
            broker.journal.inflight(session, delivery)
    if tables.qos_send_action[at] != DO_SEND_PUBLISH:
        return
    session.next_packet_id = packet_id + 1 if packet_id < largest else 1
    counters.messages_sent += 1
    counters.payload_sent_bytes += len(message.payload)
    outbox = connection.outbox
    outbox.packets.append(data)
    if heavy and message.beside:
        outbox.add_payload(message.payload)
    if not outbox.queued:
        outbox.queued = True
        broker.dirty.append(connection)
    delivery.charged = True
    connection.quota -= 1
    watch = broker.watch
    if watch.on_qos_publish is not None:
        watch.on_qos_publish(session, message, packet_id, False)


def acknowledged(connection: Connection, session: Session, packet_id: int, kind: int, code: int, now: int) -> None:
    """Feed a PUBACK, PUBREC or PUBCOMP to the exchange of its packet identifier.

    After a PUBREC of 0x80 or above no PUBREL follows, and nothing is retransmitted.

    Cites: MQTT5-2.2.1-5, MQTT311-2.3.1-6, MQTT5-4.4.0-2, X5-quota-ack, X5-quota-pubrec, X5-packet-id-reuse,
    X5-pubrel-id-not-found
    """
    broker = connection.broker
    if kind == PUBACK:
        event = ON_PUBACK if code < FAILURE else ON_PUBACK_ERROR
    elif kind == PUBREC:
        event = ON_PUBREC if code < FAILURE else ON_PUBREC_ERROR
    else:
        event = ON_PUBCOMP
    inflight = session.inflight
    delivery = inflight.get(packet_id)
    if delivery is None:
        broker.counters.unknown_acks += 1
        delivery = Delivery(Message(0, "", b"", 0, False, None, "", now, NEVER), 0, False, ())
        delivery.packet_id = packet_id
    at = delivery.state * WIDTH + event
    tables = broker.tables
    if tables.qos_send_next[at] == IDLE and delivery.state != IDLE:
        # The last step of each exchange is taken here, without a call of `_step`.
        action = tables.qos_send_action[at]
        delivery.state = IDLE
        del inflight[packet_id]
        broker.counters.messages_inflight -= 1
        message = delivery.message
        if message.size > broker.light:
            # `Budget.land`, without a call.
            budget = broker.budget
            places = message.places = message.places - 1
            if places:
                budget.exact += FLIGHT - PLACE
            else:
                budget.exact += FLIGHT - PLACE - message.counted
                message.counted = 0
            if message.size > broker.bulky:
                session.inflight_bytes -= message.size + OVERHEAD
        if session.kept and broker.journal is not None:
            broker.journal.inflight_gone(session, delivery)
    else:
        action = _step(session, delivery, event)
    if action == DO_COMPLETE:
        watch = broker.watch
        if watch.on_qos_complete is not None:
            watch.on_qos_complete(session, delivery.message, packet_id)
        if delivery.charged and connection.quota < connection.agreement.quota_maximum:
            # Never above its initial value [X5-quota-ceiling].
            connection.quota += 1
            if connection.quota == 1:
                broker.router.wake(session.handle)
        if session.queue or session.resending:
            pump(connection, session, now)
    elif action == DO_SEND_PUBREL:
        _pubrel(connection, packet_id, 0, now)
    elif action == DO_PUBREL_NOT_FOUND:
        _pubrel(connection, packet_id, PACKET_IDENTIFIER_NOT_FOUND, now)
    elif action == BREACH:
        text = "An acknowledgement of another kind than the message needs"
        breach(connection, CITES[at], PROTOCOL_ERROR, kind, now, text)


def _pubrel(connection: Connection, packet_id: int, code: int, now: int) -> None:
    """Send a PUBREL with the identifier of the PUBLISH.

    Cites: MQTT5-4.3.3-4, MQTT5-2.2.1-5
    """
    if not acks.answer(connection, PUBREL, packet_id, code):
        dismiss(connection, PACKET_TOO_LARGE, "The PUBREL is larger than the client's Maximum Packet Size", now)


def resume(connection: Connection, session: Session, now: int) -> None:
    """Send again what is not acknowledged: PUBRELs at once, PUBLISH packets in order as the send quota allows.

    A QoS 2 message of a Shared Subscription stays with this client.

    Cites: MQTT5-4.4.0-1, MQTT5-4.6.0-1, MQTT311-4.4.0-1, MQTT311-4.6.0-1, MQTT5-4.8.2-4, X311-redelivery-not-required
    """
    resending: deque[int] = deque()
    for packet_id, delivery in list(session.inflight.items()):
        delivery.charged = False
        action = _step(session, delivery, ON_RESUMED)
        if action in (DO_RESEND_PUBLISH, DO_RESEND_PUBLISH_PLAIN):
            resending.append(packet_id)
        elif action == DO_SEND_PUBREL:
            _pubrel(connection, packet_id, 0, now)
    session.resending = resending if resending else None
    pump(connection, session, now)


def pump(connection: Connection, session: Session, now: int) -> None:
    """Send waiting messages as far as the send quota allows: first the retransmissions, then the queue.

    Cites: MQTT5-4.9.0-2
    """
    resending = session.resending
    if resending is not None:
        while resending and connection.quota > 0 and not connection.outbox.choked:
            delivery = session.inflight.get(resending.popleft())
            if delivery is not None and not delivery.charged:
                _resend(connection, session, delivery, now)
        if resending:
            return
        session.resending = None
    queue = session.queue
    if queue is None:
        if session.backlog is None:
            return
        queue = session.queue = deque()
    broker = connection.broker
    _send_queue(connection, session, queue, now)
    while session.backlog is not None and broker.backlogs is not None and broker.backlogs.refill(session):
        _send_queue(connection, session, queue, now)
    if not queue and session.backlog is None:
        session.queue = None
        session.queued_bytes = 0
        if session.replay is not None:
            session.replay.wake()


def _send_queue(connection: Connection, session: Session, queue: deque[Delivery], now: int) -> None:
    """Send what is in the queue, as far as the send quota allows."""
    broker = connection.broker
    while queue and not connection.outbox.choked and not connection.outbox.ending:
        delivery = queue[0]
        if delivery.qos and (
            connection.quota <= 0
            or session.inflight_bytes >= broker.inflight_bytes
            or len(session.inflight) >= broker.limits.packet_id_maximum
        ):
            return
        queueing.take(session, queue)
        message = delivery.message
        if (session.rules != broker.rules or delivery.order < session.doubted) and not broker.reading.still(
            session, delivery
        ):
            _deny(session, delivery, now)
        elif _expired(connection, message, now):
            queueing.dropped(session, message, "expired")
        elif delivery.qos:
            _start(connection, session, delivery, now)
        else:
            _send_qos0(connection, session, message, delivery.retain, delivery.identifiers, now)
        if message.places:
            broker.budget.follow(message)


def _resend(connection: Connection, session: Session, delivery: Delivery, now: int) -> None:
    """Send a PUBLISH again with its packet identifier and DUP 1, even if it has expired.

    A message that this client may no longer read is not sent: its exchange ends as if the client had refused it. A
    late PUBREC for it is answered like any for an unknown Packet Identifier.

    DUP 1 marks this retransmission. It does not depend on the DUP flag of the PUBLISH received. The Subscription
    Identifiers are those of the first sending.

    Cites: MQTT5-3.3.1-1, MQTT5-4.3.3-7, MQTT5-3.3.1-3, MQTT311-3.3.1-3, X5-subscription-identifier-no-revert,
    X5-subscription-identifier-retransmitted, X311-dup-meaning
    """
    broker = connection.broker
    message = delivery.message
    packet_id = delivery.packet_id
    action = broker.tables.qos_send_action[delivery.state * WIDTH + ON_RESUMED]
    if action not in (DO_RESEND_PUBLISH, DO_RESEND_PUBLISH_PLAIN):
        return  # While it waited for its turn, its PUBREC came [MQTT5-4.3.3-6].
    watch = broker.watch
    if _expired(connection, message, now):
        expired = _step(session, delivery, ON_EXPIRED)
        if expired == DO_COMPLETE or delivery.state == IDLE:
            if watch.on_qos_dropped is not None:
                watch.on_qos_dropped(session, message, packet_id, "expired")
            return
    if not broker.reading.may_read(session, message.topic):
        # The client is another one than when it was first sent, perhaps with another user or under other rules.
        _step(session, delivery, ON_PUBACK_ERROR if delivery.qos == 1 else ON_PUBREC_ERROR)
        if watch.on_qos_dropped is not None:
            watch.on_qos_dropped(session, message, packet_id, "denied")
        _deny(session, delivery, now)
        return
    dup = action != DO_RESEND_PUBLISH_PLAIN
    data = _publish(
        connection, session, message, delivery.qos, delivery.retain, dup, packet_id, delivery.identifiers, now
    )
    if not data:
        # The client takes smaller packets than before. Treat it as sent and acknowledged [MQTT5-3.1.2-25].
        _step(session, delivery, ON_PUBACK if delivery.qos == 1 else ON_PUBREC_ERROR)
        if watch.on_qos_dropped is not None:
            watch.on_qos_dropped(session, message, packet_id, "too_large")
        return
    _send(connection, message, data)
    delivery.charged = True
    connection.quota -= 1
    broker.counters.messages_resent += 1
    if watch.on_qos_publish is not None:
        watch.on_qos_publish(session, message, packet_id, True)


def _deny(session: Session, delivery: Delivery, now: int) -> None:
    """Drop a waiting message that its client may no longer read. Another member of its shared group may get it."""
    if delivery.group and (delivery.qos == 1 or not delivery.packet_id):
        session.broker.deliverer.share_again([delivery], now)
    else:
        queueing.dropped(session, delivery.message, "denied")


def _expired(connection: Connection, message: Message, now: int) -> bool:
    """True if the Message Expiry Interval has passed.

    Cites: MQTT5-3.3.2-5
    """
    if message.expires_at == NEVER:
        return False
    percent = connection.broker.limits.expiry_percent
    if percent == 100:
        return now >= message.expires_at
    return now >= message.arrived + (message.expires_at - message.arrived) * percent // 100
