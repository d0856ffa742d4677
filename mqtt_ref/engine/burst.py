# SPDX-License-Identifier: MIT
"""The fast path of QoS 0: messages of one topic that came in one read are delivered together.

`publish` and `Deliverer.publish` would give every subscriber the same bytes, and the same counters. `bench/` measures
what the fast path saves; `tests/engine/test_burst.py` compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.engine import publish
from mqtt_ref.engine.generated.connection import CLOSED
from mqtt_ref.engine.generated.decisions import PAYLOAD_FORMAT_CHECK
from mqtt_ref.engine.message import APART, PLAIN_MAXIMUM, Message, expiry_time
from mqtt_ref.wire.fast import publish_bytes
from mqtt_ref.wire.packets import Publish
from mqtt_ref.wire.primitives import V5, V311

if TYPE_CHECKING:
    from mqtt_ref.broker.matching import Subscribers
    from mqtt_ref.broker.subscription import Entry
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.session import Session
    from mqtt_ref.wire.block import Block
    from mqtt_ref.wire.packets import Packet
    from mqtt_ref.wire.violation import Violation

__all__ = ["take"]


def take(
    connection: Connection, session: Session, packet: Publish, packets: list[Packet | Violation], at: int, now: int
) -> int:
    """Deliver the QoS 0 PUBLISH `packets[at]`, together with those after it that have the same topic.

    Return the index of the next packet; `at` if this one needs the normal path, and nothing was done.

    Cites: X5-qos0-no-response, X311-qos0-no-response, X311-qos0-ownership
    """
    broker = connection.broker
    topic = packet.topic
    block = packet.received  # these packets come from the decoder, and no hook has seen them
    if (
        packet.retain
        or (block is not None and not _common(connection, block))
        or topic[0] == "$"
        or len(topic) > broker.limits.topic_v31
        or len(packet.payload) >= APART
        or (len(topic) >= broker.topic_levels and topic.count("/") >= broker.topic_levels)
    ):
        return at
    match = broker.router.at_once(topic)
    if match is None:
        return at
    subscribers = len(match.plain)
    if match.shared or subscribers > 2 * broker.turn or broker.deliverer.own.fanouts:
        return at
    # What a message costs may depend on its subscribers: those that cannot get the common form.
    last = at + max(1, 2 * broker.turn // max(subscribers + match.extra, 1))
    if not broker.burst_unseen:
        return _take_shown(connection, session, packets, at, last, topic, now)
    taken = [packet]
    bare = block is None
    at += 1
    # A notification hook may end the connection after each message.
    watch = broker.watch
    end = min(len(packets), last) if watch.on_published is None else at
    while at < end:
        other = packets[at]
        if (
            not isinstance(other, Publish)
            or other.topic != topic
            or other.qos
            or other.retain
            or len(other.payload) >= APART
        ):
            break
        block = other.received
        if block is not None:
            if not _common(connection, block):
                break
            bare = False
        taken.append(other)
        at += 1
    _forward(connection, topic, match, taken, bare, now)
    return at


def _common(connection: Connection, block: Block) -> bool:
    """Return whether every subscriber gets these properties as they came, and no rule needs a look at them.

    A Topic Alias belongs to the publisher's connection.
    """
    return not block.topic_alias and (
        not block.utf8 or connection.broker.decisions.payload_format != PAYLOAD_FORMAT_CHECK
    )


def _take_shown(
    connection: Connection,
    session: Session,
    packets: list[Packet | Violation],
    at: int,
    last: int,
    topic: str,
    now: int,
) -> int:
    """Do the same if hooks decide about each message: those that they let pass are delivered together.

    The access check is made once for all of them: they have one client and one topic, and no packet lies between them.
    """
    broker = connection.broker
    access = broker.access
    intercept = broker.intercept
    code = (
        0
        if access is None or access.on_acl_check_publish is None
        else access.on_acl_check_publish(connection, topic, 0, False)
    )
    taken: list[Publish] = []
    bare = True
    last = min(len(packets), last)
    while at < last:
        packet = packets[at]
        if (
            not isinstance(packet, Publish)
            or packet.topic != topic
            or packet.qos
            or packet.retain
            or len(packet.payload) >= APART
            or (packet.received is not None and not _common(connection, packet.received))
            or connection.state == CLOSED
        ):
            break
        at += 1
        if code:
            publish.publish(connection, session, packet, now, publish.PERMITTED, topic, code)
            continue
        answer: object = None
        if intercept.on_publish is not None:
            shown = Publish(topic, packet.payload)
            shown.block = packet.received
            answer = intercept.on_publish(connection, shown)
        if answer is None:
            taken.append(packet)
            bare = bare and packet.received is None
            continue
        if taken:
            _forward(connection, topic, broker.router.match(topic), taken, bare, now)
            taken = []
        publish.publish(connection, session, packet, now, publish.SEEN, topic, answer)
    if taken:
        _forward(connection, topic, broker.router.match(topic), taken, bare, now)
    return at


def _forward(
    connection: Connection, topic: str, match: Subscribers, packets: list[Publish], bare: bool, now: int
) -> None:
    """Deliver QoS 0 messages of one topic. `bare`: none has properties.

    Together they are one item in the output of each subscriber, encoded once for each protocol version.

    Cites: X5-nonshared-own-copy
    """
    broker = connection.broker
    deliverer = broker.deliverer
    watch = broker.watch
    size = sum([len(packet.payload) for packet in packets])
    broker.work -= len(match.plain) + broker.router.spent
    broker.router.spent = 0
    if (
        match.shared
        or not deliverer.one_copy
        or broker.intercept.on_select_subscribers is not None
        or size > PLAIN_MAXIMUM
        or watch.on_published is not None
    ):
        for packet in packets:
            deliverer.publish(_message(connection, packet, now), now)
        return
    connections = broker.sessions.connections
    dirty = broker.dirty
    form3 = b""
    form5 = b""
    others: list[Entry] | None = None
    sent = 0
    for entry in match.plain:
        target = connections[entry.subscriber]
        plain = 0 if target is None or entry.special else target.outbox.plain
        if target is None or plain == 0:
            if others is None:
                others = []
            others.append(entry)
            continue
        outbox = target.outbox
        if plain == 2:
            if not form5:
                form5 = _plain(V5, topic, packets) if bare else _with_properties(topic, packets)
            outbox.packets.append(form5)
        else:
            if not form3:
                form3 = _plain(V311, topic, packets)
            outbox.packets.append(form3)
        sent += 1
        if not outbox.queued:
            outbox.queued = True
            dirty.append(target)
    counters = broker.counters
    count = len(packets)
    counters.messages_routed += count
    counters.messages_sent += sent * count
    counters.packets_sent += sent * (count - 1)  # the driver counts one for each item that it writes
    counters.payload_routed_bytes += size
    counters.payload_sent_bytes += size * sent
    if others is not None:
        broker.work -= (len(others) + match.extra) * count
        for packet in packets:
            message = _message(connection, packet, now)
            for entry in others:
                deliverer.deliver(entry, message, now)


def _message(connection: Connection, packet: Publish, now: int) -> Message:
    """Make the message of one packet, for subscribers that cannot get the common form."""
    broker = connection.broker
    broker.last_message += 1
    block = packet.received
    expires = expiry_time(block, now)
    return Message(
        broker.last_message, packet.topic, packet.payload, 0, False, block, connection.client_id, now, expires
    )


def _plain(version: int, topic: str, packets: list[Publish]) -> bytes:
    """Encode QoS 0 messages of one topic, without properties, one after the other."""
    name = topic.encode()
    if len(packets) == 1:
        return publish_bytes(version, name, packets[0].payload, 0, False, False, 0, b"")
    size = -1
    head = b""
    parts: list[bytes] = []
    for packet in packets:
        payload = packet.payload
        if len(payload) != size:
            # The bytes before the payload depend only on its size.
            size = len(payload)
            form = publish_bytes(version, name, payload, 0, False, False, 0, b"")
            head = form[: len(form) - size]
        parts.append(head)
        parts.append(payload)
    return b"".join(parts)


def _with_properties(topic: str, packets: list[Publish]) -> bytes:
    """Encode QoS 0 messages of one topic, with the properties that came, one after the other."""
    name = topic.encode()
    heads: dict[int, bytes] = {}
    head = b""
    last = -1
    parts: list[bytes] = []
    for packet in packets:
        payload = packet.payload
        block = packet.received
        properties = b"" if block is None else block.data
        # The bytes before the properties depend only on the sizes.
        sizes = len(properties) << 32 | len(payload)
        if sizes != last:
            last = sizes
            head = heads.get(sizes, b"")
            if not head:
                form = publish_bytes(V5, name, payload, 0, False, False, 0, properties)
                head = heads[sizes] = form[: len(form) - len(properties) - len(payload)]
        parts.append(head)
        parts.append(properties)
        parts.append(payload)
    return b"".join(parts)
