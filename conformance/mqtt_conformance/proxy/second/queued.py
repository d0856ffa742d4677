# SPDX-License-Identifier: MIT
"""Faults of a second author: queued."""

from __future__ import annotations

from functools import partial
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.live import changed, retain_kept
from mqtt_conformance.proxy.second.tools import After, changing, fault, forge, losing, prop, requalified, skip
from mqtt_conformance.proxy.world import Delivery, Link, matches
from mqtt_ref.wire.packets import Connack, Publish, PublishProperties, Subscribe, Unsubscribe

__all__: list[str] = ["expiry", "filters", "note_filters"]


@fault(
    "queued-latest-of-topic-only",
    "MQTT5-4.5.0-1",
    "queued",
    5,
    1,
    "of several messages of one topic that wait for a client that is away only the newest is kept",
    ("X5-session-state-outbound",),
)
def _() -> Rule:
    return _conflating()


@fault(
    "queued-latest-of-topic-only-311",
    "MQTT311-3.1.2-5",
    "queued",
    4,
    2,
    "of several QoS 2 messages of one topic that wait for a client that is away only the newest is kept",
    ("MQTT311-4.5.0-1",),
)
def _() -> Rule:
    return _conflating(2)


def _conflating(qos: int = 0) -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path != "queued" or d.message is None or d.packet.qos < qos:
            return None
        for (topic, _), message in link.world.messages.items():
            if topic == d.topic and d.message.seq < message.seq < link.seq:
                return skip(link, d)
        return None

    return Hooks(publish=publish)


fault(
    "queued-wildcard-lost-31",
    "X31-clean-session-unset",
    "queued",
    3,
    1,
    "messages that only a wildcard subscription matches are not kept for a client that is away",
)(lambda: _queued_wildcard_31())


def filters(link: Link) -> dict[str, int]:
    """The subscriptions of a session of 3.1, for which the proxy cannot know that it was resumed: QoS by filter."""
    if link.session is None:
        return {}
    found: dict[str, int] = link.session.memo.setdefault("filters", {})
    return found


def note_filters(link: Link, packet: Any) -> None:
    """Remember the granted filters of a link."""
    if isinstance(packet, Subscribe):
        filters(link).update({one.topic_filter: one.qos for one in packet.subscriptions})
    elif isinstance(packet, Unsubscribe):
        for one in packet.topic_filters:
            filters(link).pop(one, None)


def _queued_wildcard_31() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        found = [one for one in filters(link) if matches(one, d.topic)]
        if d.path == "queued" and found and all("#" in one or "+" in one for one in found):
            return skip(link, d)
        return None

    return Hooks(up=lambda link, packet, data: note_filters(link, packet), publish=publish)


fault(
    "queued-wildcard-lost-311",
    "MQTT311-3.1.2-5",
    "queued",
    4,
    1,
    "messages that only a filter with # matches are not kept for a client that is away",
    ("MQTT311-4.5.0-1", "X311-session-state-server"),
)(losing(lambda sub, topic: "#" in sub.plain, ("queued",)))


@fault(
    "queued-qos2-as-qos1",
    "MQTT5-3.8.4-8",
    "queued",
    5,
    2,
    "QoS 2 messages that waited for a client are delivered at QoS 1",
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        return requalified(link, d.packet, 1) if d.path == "queued" and d.packet.qos == 2 else None

    return Hooks(publish=publish)


@fault(
    "queued-qos-as-published-311",
    "MQTT311-3.8.4-6",
    "queued",
    4,
    2,
    "a QoS 2 message that waited for a client granted QoS 1 is delivered at QoS 2",
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path == "queued" and d.message is not None and d.message.publish.qos == 2 and d.packet.qos == 1:
            return requalified(link, d.packet, 2)
        return None

    return Hooks(publish=publish)


fault(
    "queued-retain-kept",
    "MQTT5-3.3.1-12",
    "queued",
    5,
    1,
    "a message with RETAIN 1 that waited for the client is delivered with RETAIN 1 without Retain As Published",
)(changing(("queued",), retain_kept))

fault(
    "queued-retain-kept-311",
    "MQTT311-3.3.1-9",
    "queued",
    4,
    2,
    "a QoS 2 message published with RETAIN 1 that waited for the client is delivered with RETAIN 1",
)(changing(("queued",), lambda packet, d: retain_kept(packet, d) if packet.qos == 2 else None))

fault(
    "queued-rap-lost",
    "MQTT5-3.3.1-13",
    "queued",
    5,
    1,
    "Retain As Published has no effect on messages that waited for the client: RETAIN is 0",
)(changing(("queued",), lambda packet, d: {"retain": False} if packet.retain else None))


def expiry(packet: Publish, d: Delivery) -> dict[str, Any] | None:
    """Give the Message Expiry Interval as it was received."""
    now, sent = prop(packet, "message_expiry_interval"), None
    if d.message is not None:
        sent = prop(d.message.publish, "message_expiry_interval")
    return {"message_expiry_interval": sent} if sent is not None and now is not None and sent != now else None


fault(
    "queued-expiry-not-reduced",
    "MQTT5-3.3.2-6",
    "queued",
    5,
    None,
    "the Message Expiry Interval of a message that waited a second or more for the client is the one received",
)(changing(("queued",), expiry))

fault(
    "queued-expiry-lost",
    "MQTT5-3.3.2-6",
    "queued",
    5,
    2,
    "a QoS 2 message that waited for the client is delivered without its Message Expiry Interval",
)(
    changing(
        ("queued",),
        lambda packet, d: (
            {"message_expiry_interval": None}
            if packet.qos == 2 and prop(packet, "message_expiry_interval") is not None
            else None
        ),
    )
)


@fault(
    "queued-expired-delivered",
    "MQTT5-3.3.2-5",
    "queued",
    5,
    1,
    "a message that expired while the client was away is delivered after it comes back, with interval 0",
)
def _() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if not isinstance(packet, Connack) or not packet.session_present or link.session is None:
            return None
        now = link.world.now()
        left = link.session.memo.get("left", now)
        for (topic, payload), message in list(link.world.messages.items()):
            limit = prop(message.publish, "message_expiry_interval")
            if limit is None or message.at + limit > now or message.at < left or message.publish.qos == 0:
                continue
            for sub in link.session.matching(topic):
                if sub.qos:
                    properties = PublishProperties(message_expiry_interval=0)
                    link.later(0.02, partial(forge, link, topic, payload, 1, properties=properties))
                    break
        return None

    def client_gone(link: Link) -> None:
        if link.session is not None:
            link.session.memo["left"] = link.world.now()

    return Hooks(down=down, client_gone=client_gone)


fault(
    "queued-dup-set",
    "MQTT5-4.3.3-2",
    "queued",
    5,
    2,
    "the first transmission of a QoS 2 message that waited for the client has DUP 1",
    ("MQTT5-3.3.1-3",),
)(changing(("queued",), lambda packet, d: {"dup": True} if packet.qos == 2 else None))

fault(
    "queued-dup-set-311",
    "MQTT311-4.3.2-1",
    "queued",
    4,
    1,
    "the first transmission of a QoS 1 message that waited for the client has DUP 1",
    ("X311-dup-meaning", "MQTT311-3.3.1-3"),
)(changing(("queued",), lambda packet, d: {"dup": True} if packet.qos == 1 else None))

fault(
    "queued-last-in-first-out",
    "MQTT5-4.6.0-5",
    "queued",
    5,
    1,
    "messages that waited for the client are delivered in reverse order",
    ("MQTT5-4.6.0-6",),
)(lambda: After(lambda link, d: d.path == "queued", 0.15, reverse=True))

fault(
    "queued-last-in-first-out-311",
    "MQTT311-4.6.0-6",
    "queued",
    4,
    2,
    "QoS 2 messages that waited for the client are delivered in reverse order",
)(lambda: After(lambda link, d: d.path == "queued" and d.packet.qos == 2, 0.15, reverse=True))

fault(
    "queued-user-properties-lost",
    "MQTT5-3.3.2-17",
    "queued",
    5,
    1,
    "User Properties of messages that waited for the client are lost",
)(changing(("queued",), changed("user_property", lambda old: [])))

fault(
    "queued-correlation-data-as-text",
    "MQTT5-3.3.2-16",
    "queued",
    5,
    1,
    "Correlation Data of messages that waited for the client went through UTF-8: bytes that are no text become U+FFFD",
)(changing(("queued",), changed("correlation_data", lambda old: old.decode(errors="replace").encode())))

fault(
    "queued-response-topic-lost",
    "MQTT5-3.3.2-15",
    "queued",
    5,
    2,
    "the Response Topic of QoS 2 messages that waited for the client is lost",
)(
    changing(
        ("queued",),
        lambda packet, d: {"response_topic": None} if packet.qos == 2 and prop(packet, "response_topic") else None,
    )
)

fault(
    "queued-subscription-identifier-lost",
    "MQTT5-3.3.4-3",
    "queued",
    5,
    1,
    "messages that waited for the client are delivered without Subscription Identifiers",
)(changing(("queued",), changed("subscription_identifier", lambda old: [])))
