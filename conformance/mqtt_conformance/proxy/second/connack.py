# SPDX-License-Identifier: MIT
"""Faults of a second author: connack."""

from __future__ import annotations

from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.tools import Make, answering, body_of, client_prop, fault, prop, remade
from mqtt_conformance.proxy.world import Delivery, Link
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, ConnackProperties
from mqtt_ref.wire.primitives import read_vbi

__all__: list[str] = []


@fault(
    "connack-session-present-on-clean-start",
    "MQTT5-3.2.2-2",
    "connack",
    5,
    None,
    "CONNACK has Session Present 1 for Clean Start 1 if there was a Session for the client before",
)
def _() -> Rule:
    return _present_before()


@fault(
    "connack-session-present-on-clean-session-311",
    "MQTT311-3.2.2-1",
    "connack",
    4,
    None,
    "CONNACK has Session Present 1 for CleanSession 1 if there was a stored Session for the client before",
)
def _() -> Rule:
    return _present_before()


def _present_before() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if not isinstance(packet, Connack) or packet.reason_code or link.connect is None:
            return None
        stored: set[str] = link.world.memo.setdefault("stored", set())
        was = link.client_id in stored
        keeps = not link.connect.clean_start if link.version < 5 else bool(client_prop(link, "session_expiry_interval"))
        (stored.add if keeps else stored.discard)(link.client_id)
        return [packet.replace(session_present=True)] if was and link.connect.clean_start else None

    return Hooks(down=down)


def _empty_absent(link: Link, packet: Connack) -> Any:
    if packet.session_present and link.session is not None and not link.session.subs:
        return packet.replace(session_present=False)
    return None


fault(
    "connack-empty-session-absent",
    "X5-session-state-existence",
    "connack",
    5,
    None,
    "CONNACK has Session Present 0 for a stored Session that has no subscriptions",
    ("MQTT5-3.2.2-3",),
)(answering(Connack, _empty_absent))
fault(
    "connack-empty-session-absent-311",
    "MQTT311-3.2.2-2",
    "connack",
    4,
    None,
    "CONNACK has Session Present 0 for a stored Session that has no subscriptions",
    ("X311-session-state-server",),
)(answering(Connack, _empty_absent))

fault(
    "connack-new-session-present-311",
    "MQTT311-3.2.2-3",
    "connack",
    4,
    None,
    "CONNACK has Session Present 1 for each CleanSession 0, also if there is no stored Session",
)(
    answering(
        Connack,
        lambda link, packet: (
            packet.replace(session_present=True)
            if link.connect is not None
            and not link.connect.clean_start
            and not packet.session_present
            and not packet.reason_code
            else None
        ),
    )
)
fault(
    "connack-session-present-31",
    "X31-connack-reserved-byte",
    "connack",
    3,
    None,
    "CONNACK has the Session Present bit of 3.1.1 when a Session is resumed",
)(lambda: _present_31())


def _present_31() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if not isinstance(packet, Connack) or packet.reason_code or link.connect is None:
            return None
        stored: set[str] = link.world.memo.setdefault("stored", set())
        was = link.client_id in stored
        (stored.discard if link.connect.clean_start else stored.add)(link.client_id)
        return [b"\x20\x02\x01\x00"] if was and not link.connect.clean_start else None

    return Hooks(down=down)


def _raw_connack(packet: Connack, flags: int) -> bytes:
    data = bytearray(encode(5, packet))
    data[body_of(bytes(data))] = flags
    return bytes(data)


fault(
    "connack-reserved-bit",
    "MQTT5-3.2.2-1",
    "connack",
    5,
    None,
    "the Connect Acknowledge Flags are 0x03 when a Session is resumed",
)(answering(Connack, lambda link, packet: _raw_connack(packet, 3) if packet.session_present else None))

fault(
    "connack-error-with-session-present",
    "MQTT5-3.2.2-6",
    "connack",
    5,
    None,
    "a CONNACK that refuses a client has Session Present 1 if there is a stored Session for its Client Identifier",
)(lambda: _error_present())


def _error_present() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.reason_code >= 0x80 and link.client_id in link.world.sessions:
            return [_raw_connack(packet, 1)]
        return None

    return Hooks(down=down)


fault(
    "connack-assigned-id-missing-without-clean-start",
    "MQTT5-3.2.2-16",
    "connack",
    5,
    None,
    "the Assigned Client Identifier is missing in CONNACK if the client with an empty identifier has Clean Start 0",
    ("MQTT5-3.1.3-7",),
)(
    answering(
        Connack,
        lambda link, packet: (
            packet.replace(properties=packet.properties.replace(assigned_client_identifier=None))
            if link.connect is not None and not link.connect.clean_start and prop(packet, "assigned_client_identifier")
            else None
        ),
    )
)


@fault(
    "connack-assigned-id-repeated",
    "MQTT5-3.2.2-16",
    "connack",
    5,
    None,
    "all clients with an empty Client Identifier are told the identifier that the first of them got",
    ("MQTT5-3.1.3-6",),
)
def _() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        mine = prop(packet, "assigned_client_identifier") if isinstance(packet, Connack) else None
        if not mine:
            return None
        first = link.world.memo.setdefault("assigned", mine)
        if first == mine:
            return None
        return [packet.replace(properties=packet.properties.replace(assigned_client_identifier=first))]

    return Hooks(down=down)


fault(
    "connack-assigned-id-unasked",
    "X5-assigned-client-id-reason",
    "connack",
    5,
    None,
    "CONNACK has an Assigned Client Identifier although the client supplied one, if that is longer than 23 bytes",
)(
    answering(
        Connack,
        lambda link, packet: (
            packet.replace(
                properties=(packet.properties or ConnackProperties()).replace(assigned_client_identifier=link.client_id)
            )
            if packet.reason_code == 0 and link.connect is not None and len(link.connect.client_id.encode()) > 23
            else None
        ),
    )
)


def _untold(name: str) -> Make:
    """Make a rule that takes a property out of each CONNACK that has it."""

    def change(link: Link, packet: Connack) -> Connack | None:
        if packet.properties is None or prop(packet, name) is None:
            return None
        return packet.replace(properties=packet.properties.replace(**{name: None}))

    return answering(Connack, change)


fault(
    "connack-session-expiry-cap-untold",
    "X5-session-expiry-changed-connack",
    "connack",
    5,
    None,
    "the broker keeps Sessions for at most 60 s but does not tell a client that asked for more",
    (),
    (("maximum_session_expiry_interval", "60"),),
)(_untold("session_expiry_interval"))


def _with_property(packet: Connack, extra: bytes) -> bytes:
    """The bytes of a CONNACK with a further property."""
    data = encode(5, packet)
    at = body_of(data)
    found = read_vbi(data, at + 2, len(data), False)
    size, width = found >> 3, found & 7
    rest = data[at + 2 + width :]
    size += len(extra)
    head = bytes((size,)) if size < 128 else bytes((size & 127 | 128, size >> 7))
    return remade(0x20, data[at : at + 2] + head + extra + rest)


fault(
    "connack-maximum-qos-is-2",
    "X5-maximum_qos-range",
    "connack",
    5,
    None,
    "CONNACK has a Maximum QoS of 2 for a client that connects with Clean Start 1",
)(
    answering(
        Connack,
        lambda link, packet: (
            _with_property(packet, b"\x24\x02")
            if packet.reason_code == 0
            and link.connect is not None
            and link.connect.clean_start
            and prop(packet, "maximum_qos") is None
            else None
        ),
    )
)
fault(
    "connack-receive-maximum-twice",
    "X5-receive_maximum-once",
    "connack",
    5,
    None,
    "CONNACK has the Receive Maximum twice if the client has given one itself",
)(
    answering(
        Connack,
        lambda link, packet: (
            _with_property(packet, b"\x21\x04\x00")
            if packet.reason_code == 0 and client_prop(link, "receive_maximum") and prop(packet, "receive_maximum")
            else None
        ),
    )
)
fault(
    "connack-maximum-qos-untold",
    "MQTT5-3.2.2-9",
    "connack",
    5,
    None,
    "a broker that supports no QoS 2 sends no Maximum QoS",
    (),
    (("maximum_qos", "1"),),
)(_untold("maximum_qos"))
fault(
    "connack-retain-available-untold",
    "X5-retain-available-absent",
    "connack",
    5,
    None,
    "a broker without retained messages sends no Retain Available 0",
    (),
    (("retain_available", "false"),),
)(_untold("retain_available"))
fault(
    "connack-shared-available-untold",
    "X5-shared-subscription-absent",
    "connack",
    5,
    None,
    "a broker without Shared Subscriptions sends no Shared Subscription Available 0",
    (),
    (("shared_sub_available", "false"),),
)(_untold("shared_subscription_available"))
fault(
    "connack-reason-string-above-limit",
    "MQTT5-3.2.2-19",
    "connack",
    5,
    None,
    "CONNACK has a Reason String by which it exceeds the Maximum Packet Size of the client (one of 20 to 100 bytes)",
    ("MQTT5-3.1.2-24",),
)(
    answering(
        Connack,
        lambda link, packet: (
            packet.replace(properties=(packet.properties or ConnackProperties()).replace(reason_string="welcome " * 16))
            if 20 <= (client_prop(link, "maximum_packet_size") or 0) <= 100
            else None
        ),
    )
)
fault(
    "connack-response-information-unasked",
    "X5-request-response-information-absent",
    "connack",
    5,
    None,
    "CONNACK has Response Information for a client whose CONNECT has no Request Response Information",
    ("MQTT5-3.1.2-28",),
)(
    answering(
        Connack,
        lambda link, packet: (
            packet.replace(
                properties=(packet.properties or ConnackProperties()).replace(response_information="responses/")
            )
            if packet.reason_code == 0 and client_prop(link, "request_response_information") is None
            else None
        ),
    )
)


@fault(
    "connack-behind-queued-311",
    "MQTT311-3.2.0-1",
    "connack",
    4,
    1,
    "when a Session with waiting messages is resumed, the first of them is sent ahead of CONNACK",
)
def _() -> Rule:
    return _connack_late()


@fault(
    "connack-behind-resent",
    "MQTT5-3.2.0-1",
    "connack",
    5,
    1,
    "when a Session with messages to be sent is resumed, the first of them is sent ahead of CONNACK",
)
def _() -> Rule:
    return _connack_late()


def _connack_late() -> Rule:
    def send(link: Link) -> None:
        held = link.memo.pop("held", None)
        if held is not None:
            link.to_client(held)

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.session_present:
            link.memo["held"] = packet
            link.later(0.15, lambda: send(link))
            return []
        return None

    def publish(link: Link, d: Delivery) -> Out:
        held = link.memo.pop("held", None)
        return [d.packet, held] if held is not None else None

    return Hooks(down=down, publish=publish)
