# SPDX-License-Identifier: MIT
"""Faults of a second author: resent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule, published
from mqtt_conformance.proxy.second.live import changed
from mqtt_conformance.proxy.second.tools import After, changing, fault, prop, renouncing, rewriting, skip
from mqtt_conformance.proxy.world import Delivery, Link
from mqtt_ref.wire.packets import Puback, Pubcomp, Publish, Pubrec, Pubrel

__all__: list[str] = ["talks"]

fault(
    "resent-dup-missing-from-second",
    "MQTT5-3.3.1-1",
    "resent",
    5,
    1,
    "of the QoS 1 messages that are sent again after a reconnection only the first has DUP 1",
)(lambda: _DupOnce(1))
fault(
    "resent-dup-missing-qos2-311",
    "MQTT311-3.3.1-1",
    "resent",
    4,
    2,
    "a QoS 2 PUBLISH that is sent again after a reconnection has DUP 0",
    ("X311-dup-meaning",),
)(changing(("resent",), lambda packet, d: {"dup": False} if packet.qos == 2 else None))


class _DupOnce(Rule):
    def __init__(self, qos: int) -> None:
        self._qos = qos

    def publish(self, link: Link, delivery: Delivery) -> Out:
        if delivery.path != "resent" or delivery.packet.qos != self._qos:
            return None
        if not link.memo.get("first"):
            link.memo["first"] = True
            return None
        return [published(delivery.packet, dup=False)]


@fault(
    "resent-first-only",
    "MQTT5-4.4.0-1",
    "resent",
    5,
    1,
    "after a reconnection only the first PUBLISH without acknowledgement is sent again, the others are lost",
    ("X5-session-state-outbound",),
)
def _() -> Rule:
    return _first_only()


def _first_only() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path != "resent":
            return None
        if not link.memo.get("first"):
            link.memo["first"] = True
            return None
        return skip(link, d)

    return Hooks(publish=publish)


@fault(
    "resent-pubrel-missing",
    "MQTT5-4.4.0-1",
    "resent",
    5,
    2,
    "a PUBREL without PUBCOMP is not sent again after a reconnection",
    ("MQTT5-4.3.3-5",),
)
def _() -> Rule:
    return _no_pubrel()


@fault(
    "resent-pubrel-missing-311",
    "MQTT311-4.4.0-1",
    "resent",
    4,
    2,
    "a PUBREL without PUBCOMP is not sent again after a reconnection",
    ("MQTT311-4.3.3-1",),
)
def _() -> Rule:
    return _no_pubrel()


def _no_pubrel() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        # A PUBREL on a connection in which its PUBLISH was not sent.
        return [] if isinstance(packet, Pubrel) and packet.packet_id not in link.inflight else None

    return Hooks(down=down)


@fault(
    "resent-publish-for-pubrel",
    "MQTT5-4.3.3-6",
    "resent",
    5,
    2,
    "after a reconnection the PUBLISH is sent again although its PUBREC had come and PUBREL had been sent",
)
def _() -> Rule:
    return _publish_for_pubrel()


@fault(
    "resent-publish-for-pubrel-311",
    "MQTT311-4.3.3-1",
    "resent",
    4,
    2,
    "after a reconnection the PUBLISH is sent again although its PUBREC had come and PUBREL had been sent",
)
def _() -> Rule:
    return _publish_for_pubrel()


def _publish_for_pubrel() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if link.session is not None and d.packet.qos == 2:
            link.session.memo.setdefault("sent", {})[d.packet.packet_id] = d.packet
        return None

    def down(link: Link, packet: Any) -> Out:
        if not isinstance(packet, Pubrel) or link.session is None or packet.packet_id in link.inflight:
            return None
        sent: dict[int, Publish] = link.session.memo.get("sent", {})
        again = sent.pop(packet.packet_id, None)
        return [published(again, dup=True)] if again is not None else None

    return Hooks(publish=publish, down=down)


def _renaming(offset: int, qos: int) -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path != "resent" or d.packet.qos != qos:
            return None
        link.memo.setdefault("real", {})[d.packet.packet_id + offset] = d.packet.packet_id
        return [published(d.packet, packet_id=d.packet.packet_id + offset)]

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Puback | Pubrec | Pubcomp) and packet.packet_id in link.memo.get("real", {}):
            return [packet.replace(packet_id=link.memo["real"][packet.packet_id])]
        return None

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Pubrel) and packet.packet_id + offset in link.memo.get("real", {}):
            return [packet.replace(packet_id=packet.packet_id + offset)]
        return None

    return Hooks(up=up, down=down, publish=publish)


fault(
    "resent-new-packet-id",
    "MQTT5-4.4.0-1",
    "resent",
    5,
    2,
    "a QoS 2 PUBLISH is sent again under another Packet Identifier after a reconnection",
)(lambda: _renaming(1000, 2))
fault(
    "resent-new-packet-id-311",
    "MQTT311-2.3.1-4",
    "resent",
    4,
    1,
    "a QoS 1 PUBLISH is sent again under another Packet Identifier after a reconnection",
    ("MQTT311-4.4.0-1",),
)(lambda: _renaming(500, 1))

fault(
    "resent-reversed-311",
    "MQTT311-4.6.0-6",
    "resent",
    4,
    1,
    "PUBLISH packets that are sent again after a reconnection come in reverse order",
)(lambda: After(lambda link, d: d.path == "resent", 0.15, reverse=True))


def _over(link: Link, d: Delivery) -> bool:
    limit = prop(d.message.publish, "message_expiry_interval") if d.message is not None else None
    return limit is not None and d.message is not None and link.world.now() - d.message.at >= limit


fault(
    "resent-expired-dropped-qos2",
    "MQTT5-4.3.3-7",
    "resent",
    5,
    2,
    "a QoS 2 message in flight that expires while the client is away is not sent again",
    ("MQTT5-4.4.0-1",),
)(renouncing(("resent",), lambda link, d: d.packet.qos == 2 and _over(link, d)))
fault(
    "resent-expired-dropped-qos1",
    "MQTT5-4.4.0-1",
    "resent",
    5,
    1,
    "a QoS 1 message in flight that expires while the client is away is not sent again",
)(renouncing(("resent",), lambda link, d: d.packet.qos == 1 and _over(link, d)))

fault(
    "resent-user-properties-lost",
    "MQTT5-3.3.2-17",
    "resent",
    5,
    1,
    "a PUBLISH that is sent again has no User Properties",
)(changing(("resent",), changed("user_property", lambda old: [])))

fault(
    "resent-retained-without-retain-311",
    "MQTT311-3.3.1-8",
    "resent",
    4,
    1,
    "a retained message that is sent again after a reconnection has RETAIN 0",
)(changing(("resent",), lambda packet, d: {"retain": False} if packet.retain else None))


@fault(
    "resent-on-timer",
    "MQTT5-4.4.0-1",
    "resent",
    5,
    1,
    "a QoS 1 PUBLISH without PUBACK is sent again with DUP 1 after 1.5 s although the connection is open",
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.packet.qos != 1:
            return None

        def again() -> None:
            if link.inflight.get(d.packet.packet_id) is d and link.client_open and link.server_open:
                link.to_client(published(d.packet, dup=True))
                link.fired()

        link.later(1.5, again)
        return None

    return Hooks(publish=publish)


@fault(
    "resent-after-error-puback",
    "MQTT5-4.4.0-2",
    "resent",
    5,
    1,
    "a PUBLISH answered by PUBACK with Reason Code 0x80 or greater is sent again after a reconnection",
)
def _() -> Rule:
    return _deaf_to(Puback, lambda code: code >= 0x80)


@fault(
    "resent-after-error-pubrec",
    "MQTT5-4.4.0-2",
    "resent",
    5,
    2,
    "a PUBLISH answered by PUBREC with Reason Code 0x80 or greater is sent again after a reconnection",
)
def _() -> Rule:
    return _deaf_to(Pubrec, lambda code: code >= 0x80)


@fault(
    "resent-after-puback-with-properties",
    "MQTT5-4.3.2-3",
    "resent",
    5,
    1,
    "a PUBACK 0x00 that has a Reason String or User Property does not count: the PUBLISH is sent again",
    ("MQTT5-4.4.0-1",),
)
def _() -> Rule:
    return rewriting(Puback, lambda link, packet: [] if packet.reason_code == 0 and talks(packet) else None)()


def talks(packet: Any) -> bool:
    """True if an acknowledgement has a text for people."""
    return bool(prop(packet, "reason_string") or prop(packet, "user_property"))


def _deaf_to(kind: type, test: Callable[[int], bool]) -> Rule:
    return rewriting(kind, lambda link, packet: [] if test(packet.reason_code) else None)()
