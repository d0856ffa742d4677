# SPDX-License-Identifier: MIT
"""A PUBLISH from a client: what it may not do, what it is refused, and the message that comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.engine import acks, aliases, qos_receive
from mqtt_ref.engine.generated.connection import CLOSED
from mqtt_ref.engine.generated.decisions import (
    NO_MATCHING_SUBSCRIBERS_TELL,
    NOT_AUTHORIZED_OBSCURE,
    PAYLOAD_FORMAT_CHECK,
    UNAUTHORIZED_PUBLISH_CLOSE,
)
from mqtt_ref.engine.intercept import ASK, LATER, PUBLISH_ACCESS, Pending, Refusal
from mqtt_ref.engine.intercept import PUBLISH as PUBLISH_STAGE
from mqtt_ref.engine.message import NEVER, SECOND, Message
from mqtt_ref.engine.reacting import breach, expel
from mqtt_ref.engine.texts import DISALLOWED, disallowed
from mqtt_ref.wire.packets import Publish, PublishProperties
from mqtt_ref.wire.primitives import V5, V31
from mqtt_ref.wire.reasons import PubackReason

if TYPE_CHECKING:
    from mqtt_ref.engine.link import Link
    from mqtt_ref.engine.session import Session
    from mqtt_ref.wire.packets import Packet
    from mqtt_ref.wire.violation import Violation

__all__ = ["forwarded", "offered", "permitted", "publish", "publish_plain"]

_ACK_CODES: Final = frozenset(int(code) for code in PubackReason if code >= 0x80)
"""Why a PUBLISH may be refused: the same for PUBACK and PUBREC."""

PUBLISH = 3
NO_MATCHING_SUBSCRIBERS = 0x10
MALFORMED_PACKET = 0x81
UNSPECIFIED_ERROR = 0x80
NOT_AUTHORIZED = 0x87
TOPIC_NAME_INVALID = 0x90
TOPIC_ALIAS_INVALID = 0x94
QUOTA_EXCEEDED = 0x97
PAYLOAD_FORMAT_INVALID = 0x99
RETAIN_NOT_SUPPORTED = 0x9A
QOS_NOT_SUPPORTED = 0x9B


def publish_plain(
    link: Link, session: Session, packet: Publish, packets: list[Packet | Violation], at: int, now: int
) -> int:
    """Take in a PUBLISH that has nothing special about it, `packets[at]`, by a way shorter than that of `publish`.

    The QoS 0 messages behind it that differ in nothing but their payloads are taken in with it, as one. Returns where
    the next packet is: `at` itself if this one is special, and nothing was done.
    [X5-qos0-no-response, X311-qos0-no-response, X311-qos0-ownership, X5-puback-no-subscribers]
    """
    hub = link.hub
    topic = packet.topic
    qos = packet.qos
    if (
        packet.properties is not None
        or packet.retain
        or not (hub.plain_publish or (qos == 0 and hub.prompt_publish))
        or topic[0] == "$"
        or not (
            len(topic) <= hub.topic_plain
            or (len(topic) <= hub.limits.topic_v31 and topic.count("/") < hub.topic_levels)
        )
    ):
        return at
    if qos == 0:
        if not hub.plain_publish:
            return _publish_shown(link, session, packets, at, topic, now)
        payloads = [packet.payload]
        at += 1
        # Who watches may end the connection after each message.
        watch = hub.watch
        end = len(packets) if watch is None or watch.published is None else at
        while at < end:
            other = packets[at]
            if (
                not isinstance(other, Publish)
                or other.topic != topic
                or other.qos
                or other.retain
                or other.properties is not None
            ):
                break
            payloads.append(other.payload)
            at += 1
        hub.forward_qos0(link, topic, payloads, now)
        return at
    if qos == 1 and link.offered.maximum_qos and qos_receive.plain(link, session):
        keeper = hub.keeper
        written = 0 if keeper is None else keeper.written
        matched = hub.forward(link, topic, packet.payload, 1, now)
        if keeper is not None and keeper.written != written:
            keeper.touch(link)
        if matched or link.version != V5 or hub.decisions.no_matching_subscribers != NO_MATCHING_SUBSCRIBERS_TELL:
            qos_receive.accepted_qos1(link, packet.packet_id)
        else:
            qos_receive.answered(link, session, 1, packet.packet_id, NO_MATCHING_SUBSCRIBERS, now)
        return at + 1
    return at


def _publish_shown(
    link: Link, session: Session, packets: list[Packet | Violation], at: int, topic: str, now: int
) -> int:
    """The same for QoS 0 where somebody decides about each message at once: those that may pass go on as one.

    Who may publish is asked once for all of them: they have one client and one topic, and nothing lies between them.
    """
    hub = link.hub
    access = hub.access
    intercept = hub.intercept
    show = None if intercept is None else intercept.publish
    code = 0 if access is None or access.publish is None else access.publish(link, topic, 0, False)
    payloads: list[bytes] = []
    while at < len(packets):
        packet = packets[at]
        if (
            not isinstance(packet, Publish)
            or packet.topic != topic
            or packet.qos
            or packet.retain
            or packet.properties is not None
            or link.state == CLOSED
        ):
            break
        at += 1
        outcome = None
        if code:
            permitted(link, session, packet, topic, code, now)
            continue
        if show is not None:
            outcome = show(link, Publish(topic, packet.payload))
        if outcome is None:
            payloads.append(packet.payload)
            continue
        if payloads:
            hub.forward_qos0(link, topic, payloads, now)
            payloads = []
        if isinstance(outcome, Refusal):
            offered(link, session, packet, topic, None, outcome, now)
        else:
            offered(link, session, packet, topic, outcome, None, now)
    if payloads:
        hub.forward_qos0(link, topic, payloads, now)
    return at


def publish(link: Link, session: Session, packet: Publish, now: int) -> None:
    """Take a PUBLISH in: check it, deliver it, answer it by its QoS [MQTT5-3.3.4-1, MQTT311-3.3.4-1].

    [X5-payload-format-zero, X5-maximum-qos-exceeded, X5-retain-not-supported-protocol-error,
    X5-retain-not-supported-disconnect, X5-topic-name-refused, X5-puback-no-subscribers,
    X5-puback-no-subscribers-server, X5-pubrec-no-subscribers, X5-pubrec-no-subscribers-server, X5-qos0-no-response,
    X311-qos0-no-response, X311-qos0-ownership, X311-qos1-early-puback, X311-qos2-early-ack, X311-qos2-method]
    """
    hub = link.hub
    topic = packet.topic
    qos = packet.qos
    properties = packet.properties
    if properties is not None and properties.topic_alias is not None:
        topic = aliases.resolve(link, topic, properties.topic_alias)
        if topic == aliases.ABOVE_MAXIMUM:
            cites = ("MQTT5-3.2.2-18",) if link.alias_in_maximum == 0 else ("MQTT5-3.3.2-9", "MQTT5-3.2.2-17")
            breach(link, cites, TOPIC_ALIAS_INVALID, PUBLISH, now, "A Topic Alias above the maximum")
            return
        if topic == aliases.UNKNOWN:
            cites = ("X5-topic-alias-unknown-empty",)
            breach(link, cites, 0x82, PUBLISH, now, "A Topic Alias that was not set")
            return
    if len(topic) > hub.limits.topic_v31 and link.version == V31:
        breach(link, ("X31-topic-length",), TOPIC_NAME_INVALID, PUBLISH, now, "A Topic Name too long for 3.1")
        return
    if hub.strict_text and disallowed(topic):
        breach(link, DISALLOWED, MALFORMED_PACKET, PUBLISH, now, "A character that is not allowed in the Topic Name")
        return
    if qos:
        if not qos_receive.counts(link, session, qos, packet.packet_id, now):
            return
        if qos > link.offered.maximum_qos:
            breach(link, ("MQTT5-3.2.2-11",), QOS_NOT_SUPPORTED, PUBLISH, now, "A QoS above the maximum")
            return
    if packet.retain and not link.offered.retain_available:
        breach(link, ("MQTT5-3.2.2-14",), RETAIN_NOT_SUPPORTED, PUBLISH, now, "Retained messages are not supported")
        return
    code = 0
    if hub.refuses_topic(topic):
        code = TOPIC_NAME_INVALID
    else:
        access = hub.access
        if access is not None and access.publish is not None:
            code = access.publish(link, topic, qos, packet.retain)
            if code == ASK:
                hub.suspend(link, Pending(PUBLISH_ACCESS, packet, topic), "on_acl_check", now, packet, topic, True)
                return
    permitted(link, session, packet, topic, code, now)


def permitted(link: Link, session: Session, packet: Publish, topic: str, code: int, now: int) -> None:
    """Go on with a PUBLISH that may be published, or is refused with a code."""
    hub = link.hub
    if code:
        if code not in _ACK_CODES:
            code = UNSPECIFIED_ERROR  # [MQTT5-3.4.2-1, MQTT5-3.5.2-1]
    elif packet.properties is not None and packet.properties.payload_format_indicator:
        code = _judge_payload(link, packet.payload)
    if not code and packet.retain and packet.qos and packet.payload and link.version == V5:
        # What cannot be kept is not acknowledged as if it were [MQTT5-3.3.1-5]; others cannot be told.
        if hub.retained_full(topic):
            hub.counters.retained_refused += 1
            code = QUOTA_EXCEEDED
    if code:
        _refuse(link, session, packet, code, now)
        return
    qos = packet.qos
    if qos and not qos_receive.accepts(link, session, qos, packet.packet_id, 0):
        _answer(link, session, packet, 0, now)
        return
    intercept = hub.intercept
    if intercept is None or intercept.publish is None:
        _deliver(link, session, packet, topic, packet.payload, qos, packet.retain, packet.properties, now)
        return
    # Hooks get a packet of their own: what they do to it has no effect unless they return it.
    properties = None if packet.properties is None else _copied(packet.properties)
    shown = Publish(topic, packet.payload, qos, packet.retain, packet.dup, packet.packet_id, properties)
    outcome = intercept.publish(link, shown)
    if outcome is None:
        offered(link, session, packet, topic, None, None, now)
    elif outcome is LATER:
        hub.suspend(link, Pending(PUBLISH_STAGE, packet, topic), "on_publish", now, shown)
    elif isinstance(outcome, Refusal):
        offered(link, session, packet, topic, None, outcome, now)
    else:
        offered(link, session, packet, topic, outcome, None, now)


def offered(
    link: Link,
    session: Session,
    packet: Publish,
    topic: str,
    changed: Publish | None,
    refusal: Refusal | None,
    now: int,
) -> None:
    """Go on with a PUBLISH after the hooks have seen it: unchanged, changed, refused or dropped."""
    if refusal is None:
        given = packet if changed is None else changed
        topic = topic if changed is None else changed.topic
        _deliver(link, session, packet, topic, given.payload, given.qos, given.retain, given.properties, now)
    elif refusal.dropped:
        link.hub.counters.dropped_by_hook += 1
        if packet.qos:
            _answer(link, session, packet, 0, now)
    else:
        code = refusal.code if refusal.code in _ACK_CODES else UNSPECIFIED_ERROR
        _refuse(link, session, packet, code, now)


def _refuse(link: Link, session: Session, packet: Publish, code: int, now: int) -> None:
    """Do not deliver a PUBLISH, and say so as the version of the client and its QoS allow."""
    hub = link.hub
    hub.counters.publish_refused += 1
    if code == NOT_AUTHORIZED:
        if hub.decisions.unauthorized_publish == UNAUTHORIZED_PUBLISH_CLOSE and link.version != V31:
            # [MQTT311-3.3.5-2]; 3.1 allows nothing but the acknowledgement [X31-publish-unauthorized].
            expel(link, NOT_AUTHORIZED, "Not authorized to publish there", now)
            return
        if hub.decisions.not_authorized == NOT_AUTHORIZED_OBSCURE:
            code = UNSPECIFIED_ERROR
    if packet.qos:
        _answer(link, session, packet, code, now)


def _deliver(
    link: Link,
    session: Session,
    packet: Publish,
    topic: str,
    payload: bytes,
    qos: int,
    retain: bool,
    properties: PublishProperties | None,
    now: int,
) -> None:
    """Hand the message on, and acknowledge the packet that it came in."""
    hub = link.hub
    keeper = hub.keeper
    written = 0 if keeper is None else keeper.written
    if properties is None and not retain and len(topic) <= hub.limits.topic_v31:
        matched = hub.forward(link, topic, payload, qos, now)
    else:
        matched = hub.publish(_message(link, topic, payload, qos, retain, properties, now), now)
    if packet.qos:
        if keeper is not None and keeper.written != written:
            keeper.touch(link)
        code = 0
        if not matched and hub.decisions.no_matching_subscribers == NO_MATCHING_SUBSCRIBERS_TELL:
            code = NO_MATCHING_SUBSCRIBERS
        _answer(link, session, packet, code, now)


def _answer(link: Link, session: Session, packet: Publish, code: int, now: int) -> None:
    """Send the PUBACK or PUBREC."""
    properties = packet.properties
    inherited = None if properties is None else acks.inherited(link, properties.user_property)
    qos_receive.answered(link, session, packet.qos, packet.packet_id, code, now, inherited)


def _judge_payload(link: Link, payload: bytes) -> int:
    """0x99 for a payload said to be UTF-8 that is not, where that is to be checked [X5-payload-format-checked].

    [X5-payload-format-utf8]
    """
    if link.hub.decisions.payload_format == PAYLOAD_FORMAT_CHECK:
        try:
            payload.decode()
        except UnicodeDecodeError:
            return PAYLOAD_FORMAT_INVALID
    return 0


def _message(
    link: Link, topic: str, payload: bytes, qos: int, retain: bool, properties: PublishProperties | None, now: int
) -> Message:
    """The message inside the server, without what belongs to this connection alone."""
    hub = link.hub
    hub.last_message += 1
    expires = NEVER
    if properties is not None:
        interval = properties.message_expiry_interval
        if interval is not None:
            expires = max(now + interval * SECOND, 1)
        properties = forwarded(properties)
    return Message(hub.last_message, topic, payload, qos, retain, properties, link.client_id, now, expires)


def _copied(properties: PublishProperties) -> PublishProperties:
    """The properties that go on to subscribers, as an object of its own."""
    return PublishProperties(
        properties.payload_format_indicator,
        properties.message_expiry_interval,
        properties.content_type,
        properties.response_topic,
        properties.correlation_data,
        None,
        None,
        list(properties.user_property),
    )


def forwarded(properties: PublishProperties) -> PublishProperties | None:
    """The properties that go on to subscribers: all but the alias, which belongs to the publisher's connection."""
    if properties.topic_alias is None:
        return properties
    kept = PublishProperties(
        properties.payload_format_indicator,
        properties.message_expiry_interval,
        properties.content_type,
        properties.response_topic,
        properties.correlation_data,
        None,
        None,
        properties.user_property,
    )
    return None if kept == PublishProperties() else kept
