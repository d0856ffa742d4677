# SPDX-License-Identifier: MIT
"""Messages to a client: at once, or in flight with a packet identifier; what it answers, and what is sent again."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mqtt_ref.engine import acks, aliases, queueing
from mqtt_ref.engine.generated.qos_send import (
    CITES,
    DO_COMPLETE,
    DO_DROP,
    DO_IGNORE,
    DO_PUBREL_NOT_FOUND,
    DO_RESEND_PUBLISH,
    DO_RESEND_PUBLISH_PLAIN,
    DO_RESEND_PUBREL,
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
from mqtt_ref.engine.message import NEVER, Message
from mqtt_ref.engine.reacting import breach, expel
from mqtt_ref.engine.session import Delivery, Session
from mqtt_ref.wire.primitives import V5, V31

if TYPE_CHECKING:
    from mqtt_ref.engine.link import Link

__all__ = ["acknowledged", "deliver", "pump", "resume", "start_plain"]

PACKET_TOO_LARGE = 0x95
PACKET_IDENTIFIER_NOT_FOUND = 0x92


def deliver(
    link: Link | None,
    session: Session,
    message: Message,
    qos: int,
    retain: bool,
    identifiers: tuple[int, ...],
    now: int,
    group: str = "",
) -> None:
    """Bring a message to one session: send it now if its client can take it, else queue it [MQTT5-4.5.0-1].

    QoS 0 is never held back by the send quota [MQTT5-3.3.4-10]; QoS 1 and 2 go behind what waits already, so that the
    order of arrival is kept [MQTT5-4.6.0-5, MQTT311-4.6.0-6].
    [MQTT5-4.6.0-6, MQTT311-4.6.0-5, X5-quota-qos0, X5-session-state-outbound, X311-clients-independent]
    """
    if session.version == V31 and len(message.topic) > session.hub.limits.topic_v31:
        # The Topic Name came from a client of a later version [X31-topic-length].
        queueing.dropped(session, message, "too_large")
        return
    if qos == 0:
        if link is None:
            queueing.deliver_offline(session, message, retain, identifiers, now)
        elif link.choked:
            queueing.dropped(session, message, "slow")
        else:
            _send_qos0(link, session, message, retain, identifiers, now)
        return
    delivery = Delivery(message, qos, retain, identifiers, group)
    if link is None or link.quota <= 0 or session.queue or session.resending or link.choked or _full(session, message):
        queueing.enqueue(session, delivery, now)
    else:
        _start(link, session, delivery, now)


def _full(session: Session, message: Message) -> bool:
    """Whether no packet identifier is free: resumed again and again, a session may fill up with unfinished PUBRELs."""
    hub = session.hub
    if len(session.inflight) < hub.limits.packet_id_maximum:
        return False
    watch = hub.watch
    if watch is not None and watch.exhausted is not None:
        watch.exhausted(session, message)
    return True


def _send_qos0(
    link: Link, session: Session, message: Message, retain: bool, identifiers: tuple[int, ...], now: int
) -> None:
    """Send a PUBLISH with QoS 0 and DUP 0 [MQTT5-4.3.1-1, MQTT5-3.3.1-2, MQTT311-4.3.1-1].

    [X311-qos0-no-retry, MQTT5-2.2.1-2]
    """
    if identifiers or link.alias_out_maximum or (message.expires_at != NEVER and message.waited(now)):
        _send_special(link, session, message, 0, retain, False, 0, identifiers, now)
        return
    data = message.form(link.version, 0, retain)
    if not data or len(data) > link.limit:
        queueing.dropped(session, message, "too_large")
        return
    counters = link.hub.counters
    counters.messages_sent += 1
    counters.payload_sent_bytes += len(message.payload)
    link.send(data)


def _send_special(
    link: Link,
    session: Session,
    message: Message,
    qos: int,
    retain: bool,
    dup: bool,
    packet_id: int,
    identifiers: tuple[int, ...],
    now: int,
) -> bool:
    """Encode for one subscriber alone, and send if the client takes a packet of that size.

    A packet that is too large is discarded, as if it had been sent [MQTT5-3.1.2-24, MQTT5-3.1.2-25]. Only a first
    sending has an alias: a retransmission carries the full name (4.4, 3.3.2.3.4).
    """
    version = link.version
    alias = 0
    named = True
    if link.alias_out_maximum and version == V5 and not dup:
        alias = aliases.assign(link, message.topic)
        named = alias <= 0
        alias = abs(alias)
    waited = message.waited(now) * link.hub.limits.waiting_percent // 100 if message.expires_at != NEVER else 0
    data = message.encode(
        version, qos, retain, dup, packet_id, identifiers if version == V5 else (), alias, named, waited
    )
    if not data or len(data) > link.limit:
        if alias and named:
            aliases.forget(link, message.topic)
        queueing.dropped(session, message, "too_large")
        return False
    counters = link.hub.counters
    counters.messages_sent += 1
    counters.payload_sent_bytes += len(message.payload)
    link.send(data)
    return True


def _start(link: Link, session: Session, delivery: Delivery, now: int) -> None:
    """Assign a packet identifier that is not in use and send the PUBLISH; the send quota goes down by one.

    [MQTT5-2.2.1-4, MQTT5-4.3.2-1, MQTT5-4.3.3-1, MQTT5-4.9.0-2, MQTT311-2.3.1-4]
    [X5-in-flight-several, X311-qos1-in-flight, X311-qos2-in-flight, X5-packet-id-independent, X311-packet-id-spaces,
    X31-message-id-spaces]
    """
    hub = link.hub
    tables = hub.tables
    message = delivery.message
    qos = delivery.qos
    at = IDLE * WIDTH + (ON_SEND_QOS1 if qos == 1 else ON_SEND_QOS2)
    if tables.qos_send_action[at] != DO_SEND_PUBLISH:
        return
    inflight = session.inflight
    packet_id = session.next_packet_id
    largest = hub.limits.packet_id_maximum
    while packet_id in inflight:
        packet_id = packet_id + 1 if packet_id < largest else 1
    if delivery.identifiers or link.alias_out_maximum or (message.expires_at != NEVER and message.waited(now)):
        if not _send_special(link, session, message, qos, delivery.retain, False, packet_id, delivery.identifiers, now):
            return
    else:
        data = message.with_id(link.version, qos, delivery.retain, packet_id)
        if not data or len(data) > link.limit:
            queueing.dropped(session, message, "too_large")
            return
        hub.counters.messages_sent += 1
        hub.counters.payload_sent_bytes += len(message.payload)
        link.send(data)
    session.next_packet_id = packet_id + 1 if packet_id < largest else 1
    delivery.packet_id = packet_id
    delivery.state = tables.qos_send_next[at]
    delivery.charged = True
    inflight[packet_id] = delivery
    hub.counters.messages_inflight += 1
    link.quota -= 1
    keeper = hub.keeper
    if keeper is not None:
        keeper.inflight(session, delivery)
    watch = hub.watch
    if watch is not None and watch.qos_publish is not None:
        watch.qos_publish(session, message, packet_id, False)


def start_plain(link: Link, session: Session, message: Message, qos: int, prefix: bytes, suffix: bytes) -> None:
    """Send a message without properties with QoS 1 or 2 to a client that can take it now, encoded but for its number.

    The short way of `deliver`: the packet identifier is one not in use [MQTT5-2.2.1-4, MQTT5-4.3.2-2, MQTT5-4.3.3-2,
    MQTT311-2.3.1-4], and the send quota goes down by one [MQTT5-4.9.0-2].
    """
    hub = link.hub
    tables = hub.tables
    at = IDLE * WIDTH + (ON_SEND_QOS1 if qos == 1 else ON_SEND_QOS2)
    if tables.qos_send_action[at] != DO_SEND_PUBLISH:
        return
    inflight = session.inflight
    packet_id = session.next_packet_id
    largest = hub.limits.packet_id_maximum
    delivery = Delivery(message, qos, False, ())
    if len(inflight) >= largest and _full(session, message):
        queueing.enqueue(session, delivery, message.arrived)
        return
    while packet_id in inflight:
        packet_id = packet_id + 1 if packet_id < largest else 1
    session.next_packet_id = packet_id + 1 if packet_id < largest else 1
    delivery.packet_id = packet_id
    delivery.state = tables.qos_send_next[at]
    delivery.charged = True
    inflight[packet_id] = delivery
    hub.counters.messages_inflight += 1
    link.quota -= 1
    link.out.append(prefix + packet_id.to_bytes(2, "big") + suffix)
    if not link.queued:
        link.queued = True
        hub.dirty.append(link)
    keeper = hub.keeper
    if keeper is not None:
        keeper.inflight(session, delivery)
    watch = hub.watch
    if watch is not None and watch.qos_publish is not None:
        watch.qos_publish(session, message, packet_id, False)


def acknowledged(link: Link, session: Session, packet_id: int, kind: int, code: int, now: int) -> None:
    """Give a PUBACK, PUBREC or PUBCOMP to the exchange of its packet identifier [MQTT5-2.2.1-5, MQTT311-2.3.1-6].

    After a PUBREC of 0x80 or above no PUBREL follows, and nothing is retransmitted [MQTT5-4.4.0-2].
    [X5-quota-ack, X5-quota-pubrec, X5-packet-id-reuse, X5-pubrel-id-not-found]
    """
    hub = link.hub
    tables = hub.tables
    delivery = session.inflight.get(packet_id)
    state = IDLE if delivery is None else delivery.state
    if kind == 4:
        at = state * WIDTH + (ON_PUBACK if code < 0x80 else ON_PUBACK_ERROR)
    elif kind == 5:
        at = state * WIDTH + (ON_PUBREC if code < 0x80 else ON_PUBREC_ERROR)
    else:
        at = state * WIDTH + ON_PUBCOMP
    action = tables.qos_send_action[at]
    if delivery is None:
        hub.counters.unknown_acks += 1
        if action == DO_PUBREL_NOT_FOUND and not acks.answer(link, 6, packet_id, PACKET_IDENTIFIER_NOT_FOUND):
            expel(link, PACKET_TOO_LARGE, "The client takes no packet of the size of a PUBREL", now)
        return
    delivery.state = tables.qos_send_next[at]
    if action == DO_COMPLETE:
        del session.inflight[packet_id]
        hub.counters.messages_inflight -= 1
        keeper = hub.keeper
        if keeper is not None:
            keeper.inflight_gone(session, delivery)
        watch = hub.watch
        if watch is not None and watch.qos_complete is not None:
            watch.qos_complete(session, delivery.message, packet_id)
        if delivery.charged and link.quota < link.quota_maximum:
            # Never above its initial value [X5-quota-ceiling].
            link.quota += 1
            if link.quota == 1:
                hub.online(session)
        if session.queue or session.resending:
            pump(link, session, now)
    elif action == DO_SEND_PUBREL:
        keeper = hub.keeper
        if keeper is not None:
            keeper.inflight(session, delivery)
        _pubrel(link, packet_id, now)
    elif action == DO_RESEND_PUBREL:
        _pubrel(link, packet_id, now)
    elif action == DO_DROP:
        del session.inflight[packet_id]
        hub.counters.messages_inflight -= 1
    elif action != DO_IGNORE:
        delivery.state = state
        breach(link, CITES[at], 0x82, kind, now, "An acknowledgement of another kind than the message needs")


def _pubrel(link: Link, packet_id: int, now: int) -> None:
    """Send a PUBREL with the identifier of the PUBLISH [MQTT5-4.3.3-4, MQTT5-2.2.1-5]."""
    if not acks.answer(link, 6, packet_id, 0):
        expel(link, PACKET_TOO_LARGE, "The client takes no packet of the size of a PUBREL", now)


def resume(link: Link, session: Session, now: int) -> None:
    """Send again what is not acknowledged: PUBREL at once, PUBLISH in their order as the quota allows.

    [MQTT5-4.4.0-1, MQTT5-4.6.0-1, MQTT311-4.4.0-1, MQTT311-4.6.0-1]
    A QoS 2 message that came by a Shared Subscription stays with this client [MQTT5-4.8.2-4].
    [X311-redelivery-not-required]
    """
    tables = link.hub.tables
    resending: deque[int] = deque()
    gone: list[int] = []
    for packet_id, delivery in session.inflight.items():
        delivery.charged = False
        at = delivery.state * WIDTH + ON_RESUMED
        action = tables.qos_send_action[at]
        if action in (DO_RESEND_PUBLISH, DO_RESEND_PUBLISH_PLAIN):
            resending.append(packet_id)
        elif action == DO_RESEND_PUBREL:
            _pubrel(link, packet_id, now)
        elif action == DO_DROP:
            gone.append(packet_id)
        delivery.state = tables.qos_send_next[at]
    for packet_id in gone:
        _give_up(session, packet_id, "expired")
    session.resending = resending if resending else None
    pump(link, session, now)


def pump(link: Link, session: Session, now: int) -> None:
    """Send what waits, as far as the send quota allows: first what was sent before, then the queue [MQTT5-4.9.0-2]."""
    resending = session.resending
    if resending is not None:
        while resending and link.quota > 0 and not link.choked:
            delivery = session.inflight.get(resending.popleft())
            if delivery is not None and not delivery.charged:
                _resend(link, session, delivery, now)
        if resending:
            return
        session.resending = None
    queue = session.queue
    if queue is None:
        return
    hub = link.hub
    while queue and not link.choked and not link.ending:
        delivery = queue[0]
        if delivery.qos and (link.quota <= 0 or len(session.inflight) >= hub.limits.packet_id_maximum):
            return
        queueing.take(session, queue)
        message = delivery.message
        if _expired(link, message, now):
            queueing.dropped(session, message, "expired")
        elif delivery.qos:
            _start(link, session, delivery, now)
        else:
            _send_qos0(link, session, message, delivery.retain, delivery.identifiers, now)
    if not queue:
        session.queue = None
        session.queued_bytes = 0


def _resend(link: Link, session: Session, delivery: Delivery, now: int) -> None:
    """Send a PUBLISH again with its identifier and DUP 1, whatever its expiry [MQTT5-3.3.1-1, MQTT5-4.3.3-7].

    DUP says that this is a retransmission, whatever it was in the PUBLISH received [MQTT5-3.3.1-3, MQTT311-3.3.1-3].
    It has the identifiers that it was first sent with [X5-subscription-identifier-no-revert,
    X5-subscription-identifier-retransmitted].
    [X311-dup-meaning]
    """
    message = delivery.message
    tables = link.hub.tables
    action = tables.qos_send_action[delivery.state * WIDTH + ON_RESUMED]
    if action not in (DO_RESEND_PUBLISH, DO_RESEND_PUBLISH_PLAIN):
        return  # While it waited for its turn, its PUBREC came [MQTT5-4.3.3-6].
    if _expired(link, message, now):
        at = delivery.state * WIDTH + ON_EXPIRED
        if tables.qos_send_action[at] == DO_DROP:
            _give_up(session, delivery.packet_id, "expired")
            return
    plain = action == DO_RESEND_PUBLISH_PLAIN
    delivery.charged = True
    link.quota -= 1
    link.hub.counters.messages_resent += 1
    if not _send_special(
        link, session, message, delivery.qos, delivery.retain, not plain, delivery.packet_id, delivery.identifiers, now
    ):
        # The client takes smaller packets than before: as if it had been sent and acknowledged [MQTT5-3.1.2-25].
        link.quota += 1
        keeper = link.hub.keeper
        if keeper is not None:
            keeper.inflight_gone(session, delivery)
        _give_up(session, delivery.packet_id, "too_large")
        return
    watch = link.hub.watch
    if watch is not None and watch.qos_publish is not None:
        watch.qos_publish(session, message, delivery.packet_id, True)


def _give_up(session: Session, packet_id: int, why: str) -> None:
    """Forget a message in flight that was not acknowledged."""
    delivery = session.inflight.pop(packet_id)
    session.hub.counters.messages_inflight -= 1
    watch = session.hub.watch
    if watch is not None and watch.qos_dropped is not None:
        watch.qos_dropped(session, delivery.message, packet_id, why)


def _expired(link: Link, message: Message, now: int) -> bool:
    """Whether the Message Expiry Interval has passed before the message was first sent [MQTT5-3.3.2-5]."""
    if message.expires_at == NEVER:
        return False
    percent = link.hub.limits.expiry_percent
    if percent == 100:
        return now >= message.expires_at
    return now >= message.arrived + (message.expires_at - message.arrived) * percent // 100
