# SPDX-License-Identifier: MIT
"""Faults of a second author: limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.retained import RETAINED
from mqtt_conformance.proxy.second.tools import (
    Make,
    answering,
    client_prop,
    connect_props,
    fault,
    prop,
    rewriting,
    skip,
)
from mqtt_conformance.proxy.second.will import will_retain
from mqtt_conformance.proxy.world import Delivery, Link
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Connect,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Suback,
    Subscribe,
    Unsuback,
    UnsubackProperties,
)

__all__: list[str] = []


def _packet_limit(change: Callable[[int], int | None], test: Callable[[Connect], bool] = lambda packet: True) -> Make:
    def make(link: Link, packet: Connect) -> Any:
        limit = prop(packet, "maximum_packet_size")
        return connect_props(packet, maximum_packet_size=change(limit)) if limit and test(packet) else None

    return rewriting(Connect, make)


fault(
    "limits-packet-size-without-header",
    "MQTT5-3.1.2-24",
    "limits",
    5,
    None,
    "a packet's size is taken without its Fixed Header: it may be up to 2 bytes above the Maximum Packet Size",
    ("X5-packet-size-definition",),
)(_packet_limit(lambda limit: limit + 2))
fault(
    "limits-packet-of-exact-size-lost",
    "X5-packet-size-definition",
    "limits",
    5,
    None,
    "a PUBLISH exactly as large as the Maximum Packet Size of the client is discarded",
    ("MQTT5-4.5.0-1", "MQTT5-3.1.2-25"),
)(
    lambda: Hooks(
        publish=lambda link, d: (
            skip(link, d) if len(encode(5, d.packet)) == (client_prop(link, "maximum_packet_size") or 0) else None
        )
    )
)


class Unlimited(Rule):
    """Hides the Maximum Packet Size of the client from the broker. `over` says what to do with a larger PUBLISH."""

    def __init__(self, over: Callable[[Link, Delivery], Out]) -> None:
        self._over = over

    def up(self, link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and prop(packet, "maximum_packet_size"):
            return [connect_props(packet, maximum_packet_size=None)]
        return None

    def publish(self, link: Link, delivery: Delivery) -> Out:
        limit = client_prop(link, "maximum_packet_size")
        if link.memo.get("stalled") and delivery.packet.qos:
            return []
        return self._over(link, delivery) if limit and len(encode(5, delivery.packet)) > limit else None


def _stall(link: Link, d: Delivery) -> Out:
    if d.packet.qos:
        link.memo["stalled"] = True
        return []
    return skip(link, d)


def _close_client(link: Link, d: Delivery) -> Out:
    link.end_client()
    link.end_server()
    return []


fault(
    "limits-packet-size-at-qos0-only",
    "MQTT5-3.1.2-24",
    "limits",
    5,
    1,
    "QoS 1 and 2 messages are sent although they exceed the Maximum Packet Size of the client, QoS 0 messages are not",
)(lambda: Unlimited(lambda link, d: None if d.packet.qos else []))
fault(
    "limits-too-large-stalls",
    "MQTT5-3.1.2-25",
    "limits",
    5,
    1,
    "a QoS 1 or 2 message that is too large for the client is not discarded: later ones wait behind it",
)(lambda: Unlimited(_stall))
fault(
    "limits-too-large-closes",
    "MQTT5-3.1.2-25",
    "limits",
    5,
    0,
    "the broker closes the connection of a client for which a message is too large",
)(lambda: Unlimited(_close_client))
fault(
    "limits-packet-size-ignored-for-retained",
    "MQTT5-3.1.2-24",
    "limits",
    5,
    None,
    "retained messages are sent although they exceed the Maximum Packet Size of the client",
)(lambda: Unlimited(lambda link, d: None if d.path in RETAINED else skip(link, d)))

fault(
    "limits-receive-maximum-plus-one",
    "MQTT5-3.3.4-9",
    "limits",
    5,
    1,
    "one PUBLISH more than the Receive Maximum of the client (2 or more) is in flight",
    ("MQTT5-4.9.0-2",),
)(
    rewriting(
        Connect,
        lambda link, packet: (
            connect_props(packet, receive_maximum=prop(packet, "receive_maximum") + 1)
            if 2 <= (prop(packet, "receive_maximum") or 0) < 65535
            else None
        ),
    )
)
fault(
    "limits-receive-maximum-forgotten-on-resume",
    "MQTT5-3.3.4-9",
    "limits",
    5,
    1,
    "the Receive Maximum of the client has no effect when it resumes a Session",
    ("MQTT5-4.9.0-1", "X5-quota-reset"),
)(
    rewriting(
        Connect,
        lambda link, packet: (
            connect_props(packet, receive_maximum=None)
            if prop(packet, "receive_maximum") and not packet.clean_start and packet.client_id in link.world.sessions
            else None
        ),
    )
)


@fault(
    "limits-quota-back-at-pubrec",
    "MQTT5-4.9.0-2",
    "limits",
    5,
    2,
    "the send quota of a QoS 2 message is returned at PUBREC instead of PUBCOMP: too many are in flight",
    ("MQTT5-3.3.4-9",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and prop(packet, "receive_maximum"):
            link.memo["quota"] = prop(packet, "receive_maximum")
            return [connect_props(packet, receive_maximum=None)]
        if isinstance(packet, Puback | Pubrec) and "quota" in link.memo:
            link.memo["quota"] += 1
            waiting: list[Publish] = link.memo.setdefault("waiting", [])
            if waiting:
                link.memo["quota"] -= 1
                link.to_client(waiting.pop(0))
        return None

    def publish(link: Link, d: Delivery) -> Out:
        if "quota" not in link.memo or not d.packet.qos:
            return None
        if link.memo["quota"]:
            link.memo["quota"] -= 1
            return None
        link.memo.setdefault("waiting", []).append(d.packet)
        return []

    return Hooks(up=up, publish=publish)


def _error_keeps_quota(kind: type) -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, kind) and packet.reason_code >= 0x80:  # type: ignore[attr-defined]
            link.memo.setdefault("kept", []).append(packet)
            return []
        return None

    def client_gone(link: Link) -> None:
        link.to_server(*link.memo.pop("kept", []))

    return Hooks(up=up, client_gone=client_gone)


fault(
    "limits-error-pubrec-keeps-quota",
    "X5-quota-pubrec",
    "limits",
    5,
    2,
    "a PUBREC with 0x80 or greater does not return the send quota: with Receive Maximum 1 nothing is sent after it",
)(lambda: _error_keeps_quota(Pubrec))
fault(
    "limits-error-puback-keeps-quota",
    "X5-quota-ack",
    "limits",
    5,
    1,
    "a PUBACK with 0x80 or greater does not return the send quota: with Receive Maximum 1 nothing is sent after it",
)(lambda: _error_keeps_quota(Puback))


@fault(
    "limits-full-quota-holds-all",
    "MQTT5-3.3.4-10",
    "limits",
    5,
    1,
    "while the Receive Maximum of the client is used up, SUBACK, UNSUBACK and PINGRESP are held back too",
    ("MQTT5-4.9.0-3",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Puback | Pubcomp) and link.memo.get("waiting"):
            link.later(0.01, lambda: link.to_client(*link.memo.pop("waiting", [])))
        return None

    def down(link: Link, packet: Any) -> Out:
        limit = client_prop(link, "receive_maximum")
        if limit and len(link.inflight) >= limit and isinstance(packet, Suback | Unsuback | Pingresp):
            link.memo.setdefault("waiting", []).append(packet)
            return []
        return None

    return Hooks(up=up, down=down)


@fault(
    "limits-receive-maximum-excess-refused-softly",
    "X5-receive-maximum-exceeded-server",
    "limits",
    5,
    2,
    "a QoS 2 PUBLISH beyond the Receive Maximum of the broker is answered by PUBREC 0x97, the connection stays open",
    ("MQTT5-4.13.1-1",),
    (("receive_maximum", "5"),),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if (
            isinstance(packet, Publish)
            and packet.qos == 2
            and packet.packet_id not in link.up_open
            and len(link.up_open) >= 5
        ):
            link.to_client(Pubrec(packet.packet_id, 0x97))
            link.memo.setdefault("refused", set()).add(packet.packet_id)
            return []
        return None

    return Hooks(up=up)


@fault(
    "limits-too-large-refused-softly",
    "X5-packet-too-large-server",
    "limits",
    5,
    1,
    "a QoS 1 PUBLISH above the Maximum Packet Size of the broker is answered by PUBACK 0x97, the connection stays open",
    ("MQTT5-4.13.1-1",),
    (("maximum_packet_size", "2000"),),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and packet.qos == 1 and len(data) > 2000:
            link.to_client(Puback(packet.packet_id, 0x97))
            return []
        return None

    return Hooks(up=up)


@fault(
    "limits-qos2-refused-softly",
    "X5-maximum-qos-exceeded",
    "limits",
    5,
    2,
    "a QoS 2 PUBLISH to a broker whose Maximum QoS is 1 is answered by PUBREC 0x83, the connection stays open",
    ("MQTT5-4.13.1-1",),
    (("maximum_qos", "1"),),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and packet.qos == 2:
            link.to_client(Pubrec(packet.packet_id, 0x83))
            return []
        return None

    return Hooks(up=up)


fault(
    "limits-retain-accepted-without-support",
    "X5-retain-not-supported-protocol-error",
    "limits",
    5,
    None,
    "a PUBLISH with RETAIN 1 to a broker that sent Retain Available 0 is taken as one with RETAIN 0",
    ("MQTT5-4.13.1-1",),
    (("retain_available", "false"),),
)(rewriting(Publish, lambda link, packet: packet.replace(retain=False) if packet.retain else None))
fault(
    "limits-will-retain-accepted-without-support",
    "MQTT5-3.2.2-13",
    "refusal",
    5,
    None,
    "a CONNECT with Will Retain 1 is accepted by a broker that does not support retained messages",
    (),
    (("retain_available", "false"),),
)(will_retain(False))
fault(
    "limits-will-qos2-accepted-without-support",
    "MQTT5-3.2.2-12",
    "refusal",
    5,
    2,
    "a CONNECT with Will QoS 2 is accepted by a broker whose Maximum QoS is 1",
    (),
    (("maximum_qos", "1"),),
)(
    rewriting(
        Connect,
        lambda link, packet: (
            packet.replace(will=packet.will.replace(qos=1))
            if packet.will is not None and packet.will.qos == 2
            else None
        ),
    )
)
fault(
    "limits-subscription-identifier-accepted-without-support",
    "X5-subscription-identifier-not-supported",
    "limits",
    5,
    None,
    "a SUBSCRIBE with a Subscription Identifier is granted by a broker that says it supports none",
    ("MQTT5-4.13.1-1",),
    (("sub_id_available", "false"),),
)(
    rewriting(
        Subscribe,
        lambda link, packet: (
            packet.replace(properties=packet.properties.replace(subscription_identifier=None))
            if prop(packet, "subscription_identifier")
            else None
        ),
    )
)
fault(
    "limits-unsuback-reason-string-too-large",
    "MQTT5-3.11.2-1",
    "limits",
    5,
    None,
    "UNSUBACK with 0x11 has a Reason String by which it exceeds the client's Maximum Packet Size (below 100 bytes)",
    ("MQTT5-3.1.2-24",),
)(
    answering(
        Unsuback,
        lambda link, packet: (
            packet.replace(properties=UnsubackProperties(reason_string="no subscription " * 8))
            if 0x11 in packet.reason_codes and 0 < (client_prop(link, "maximum_packet_size") or 0) < 100
            else None
        ),
    )
)
