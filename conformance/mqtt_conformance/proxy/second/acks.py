# SPDX-License-Identifier: MIT
"""Faults of a second author: acks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.tools import answering, client_prop, fault, prop, remade, rewriting
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.packets import Pingreq, Puback, PubackProperties, Publish, Pubrec

__all__: list[str] = ["Acks", "unmatched"]


def unmatched(link: Link, topic: str) -> bool:
    """True if no session has a subscription that matches."""
    return not any(session.matching(topic) for session in link.world.sessions.values())


class Acks(Rule):
    """Changes the first answer to a PUBLISH. `change(link, publish, ack)`, where the publish may be a repeat."""

    def __init__(self, change: Callable[[Link, Publish, Any], Any]) -> None:
        self._change = change

    def up(self, link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and packet.qos:
            link.memo.setdefault("asked", {})[packet.packet_id] = packet
        return None

    def down(self, link: Link, packet: Any, data: bytes) -> Out:
        if not isinstance(packet, Puback | Pubrec):
            return None
        asked = link.memo.get("asked", {}).pop(packet.packet_id, None)
        if asked is None:
            return None
        made = self._change(link, asked, packet)
        return made if made is None or isinstance(made, list) else [made]


fault(
    "puback-missing-without-subscribers-311",
    "MQTT311-4.3.2-2",
    "acks",
    4,
    1,
    "a QoS 1 PUBLISH that matches no subscription is not acknowledged",
    ("MQTT311-3.3.4-1",),
)(lambda: Acks(lambda link, asked, ack: [] if isinstance(ack, Puback) and unmatched(link, asked.topic) else None))

fault(
    "puback-code-0x11",
    "MQTT5-3.4.2-1",
    "acks",
    5,
    1,
    "a QoS 1 PUBLISH that matches no subscription is acknowledged with 0x11, which PUBACK does not have",
)(
    lambda: Acks(
        lambda link, asked, ack: (
            remade(0x40, ack.packet_id.to_bytes(2, "big") + b"\x11\x00")
            if isinstance(ack, Puback) and unmatched(link, link.topic_up(asked))
            else None
        )
    )
)

fault(
    "puback-has-code-311",
    "X311-trailing-bytes",
    "acks",
    4,
    1,
    "a QoS 1 PUBLISH that matches no subscription is acknowledged with Reason Code 0x10 as in 5.0",
)(
    lambda: Acks(
        lambda link, asked, ack: (
            remade(0x40, ack.packet_id.to_bytes(2, "big") + b"\x10")
            if isinstance(ack, Puback) and unmatched(link, asked.topic)
            else None
        )
    )
)

fault(
    "puback-id-one-byte-311",
    "MQTT311-2.3.1-6",
    "acks",
    4,
    1,
    "the Packet Identifier of a PUBACK has its low byte only (identifiers above 256)",
    ("MQTT311-4.3.2-2",),
)(
    answering(
        Puback,
        lambda link, packet: (
            packet.replace(packet_id=packet.packet_id & 0xFF)
            if packet.packet_id > 0xFF and packet.packet_id & 0xFF
            else None
        ),
    )
)

fault(
    "pubrec-id-signed",
    "MQTT5-2.2.1-5",
    "acks",
    5,
    2,
    "the Packet Identifier of a PUBREC loses its highest bit (identifiers from 32,769 on)",
    ("MQTT5-4.3.3-8",),
)(
    answering(
        Pubrec,
        lambda link, packet: packet.replace(packet_id=packet.packet_id & 0x7FFF) if packet.packet_id > 0x8000 else None,
    )
)

fault(
    "puback-missing-for-retain-clear",
    "MQTT5-4.3.2-4",
    "acks",
    5,
    1,
    "a QoS 1 PUBLISH of zero bytes with RETAIN 1 is not acknowledged",
    ("MQTT5-3.3.4-1",),
)(lambda: Acks(lambda link, asked, ack: [] if isinstance(ack, Puback) and asked.retain and not asked.payload else None))

fault(
    "pubrec-missing-for-repeat-311",
    "MQTT311-4.3.3-2",
    "acks",
    4,
    2,
    "a QoS 2 PUBLISH that is sent again before its PUBREL is not answered by PUBREC",
)(lambda: _no_second_pubrec())


def _no_second_pubrec() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        return [] if isinstance(packet, Publish) and packet.qos == 2 and packet.packet_id in link.up_open else None

    return Hooks(up=up)


@fault(
    "pubrec-0x91-for-repeat",
    "MQTT5-4.3.3-10",
    "qos2",
    5,
    2,
    "a QoS 2 PUBLISH that is sent again before its PUBREL is answered by PUBREC 0x91 (Packet Identifier in use)",
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and packet.qos == 2 and packet.packet_id in link.up_open:
            link.memo.setdefault("repeats", set()).add(packet.packet_id)
        return None

    def down(link: Link, packet: Any) -> Out:
        repeats: set[int] = link.memo.get("repeats", set())
        if isinstance(packet, Pubrec) and packet.packet_id in repeats:
            repeats.discard(packet.packet_id)
            return [packet.replace(reason_code=0x91)]
        return None

    return Hooks(up=up, down=down)


fault(
    "qos0-acknowledged-31",
    "X31-message-id-zero",
    "acks",
    3,
    0,
    "a QoS 0 PUBLISH with RETAIN 1 is answered by a PUBACK with Message ID 0",
)(lambda: _ack_qos0(True))
fault(
    "qos0-acknowledged",
    "MQTT5-3.3.4-1",
    "acks",
    5,
    0,
    "a QoS 0 PUBLISH that matches no subscription is answered by a PUBACK with Packet Identifier 0",
    ("X5-qos0-no-response",),
)(lambda: _ack_qos0(False))


def _ack_qos0(retain: bool) -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if (
            isinstance(packet, Publish)
            and packet.qos == 0
            and (packet.retain if retain else unmatched(link, packet.topic))
        ):
            link.to_client(b"\x40\x02\x00\x00")
            link.fired()
        return None

    return Hooks(up=up)


fault(
    "puback-reason-string-above-limit",
    "MQTT5-3.4.2-2",
    "acks",
    5,
    1,
    "PUBACK with 0x10 has a Reason String by which it exceeds the client's Maximum Packet Size (below 100 bytes)",
    ("MQTT5-3.1.2-24",),
)(
    answering(
        Puback,
        lambda link, packet: (
            packet.replace(properties=PubackProperties(reason_string="no matching subscribers " * 5))
            if packet.reason_code and 0 < (client_prop(link, "maximum_packet_size") or 0) < 100
            else None
        ),
    )
)
fault(
    "puback-user-property-unasked",
    "MQTT5-3.1.2-29",
    "acks",
    5,
    1,
    "PUBACK returns the User Properties of the PUBLISH although Request Problem Information is 0",
)(
    lambda: Acks(
        lambda link, asked, ack: (
            ack.replace(properties=PubackProperties(user_property=list(prop(asked, "user_property"))))
            if isinstance(ack, Puback)
            and prop(asked, "user_property")
            and client_prop(link, "request_problem_information") == 0
            else None
        )
    )
)


@fault(
    "pingresp-missing-while-unacknowledged",
    "MQTT5-3.12.4-1",
    "acks",
    5,
    None,
    "PINGREQ is not answered while the client owes an acknowledgement for a PUBLISH",
    ("MQTT5-4.9.0-3",),
)
def _() -> Rule:
    return rewriting(Pingreq, lambda link, packet: [] if link.inflight else None)()


@fault(
    "pingresp-missing-with-keep-alive-0-311",
    "MQTT311-3.12.4-1",
    "keepalive",
    4,
    None,
    "PINGREQ is not answered if the Keep Alive is 0",
)
def _() -> Rule:
    def change(link: Link, packet: Pingreq) -> Any:
        return [] if link.connect is not None and link.connect.keep_alive == 0 else None

    return rewriting(Pingreq, change)()
