# SPDX-License-Identifier: MIT
"""Faults of CONNACK, and of what may come before and after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Fault, Hooks, Out, Rule, both
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.fast import decode, encode
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    ConnackProperties,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Publish,
    Subscribe,
)
from mqtt_ref.wire.violation import Violation

__all__ = ["connack", "rows"]


def connack(change: Callable[[Link, Connack], Out]) -> Callable[[], Rule]:
    """Change each CONNACK."""

    def make() -> Rule:
        def down(link: Link, packet: Any) -> Out:
            return change(link, packet) if isinstance(packet, Connack) else None

        return Hooks(down=down)

    return make


def _clean(link: Link) -> bool:
    return link.connect is not None and link.connect.clean_start


def _with(when: Callable[[Link, Connack], bool], **changes: Any) -> Callable[[], Rule]:
    return connack(lambda link, p: [p.replace(**changes)] if when(link, p) else None)


def _prop(
    when: Callable[[Link, Connack], bool] = lambda link, p: p.reason_code == 0, **changes: Any
) -> Callable[[], Rule]:
    def change(link: Link, p: Connack) -> Out:
        return (
            [p.replace(properties=(p.properties or ConnackProperties()).replace(**changes))] if when(link, p) else None
        )

    return connack(change)


def _bytes(
    change: Callable[[bytes], bytes], when: Callable[[Link, Connack], bool] = lambda link, p: p.reason_code == 0
) -> Callable[[], Rule]:
    return connack(lambda link, p: [change(encode(link.version or link.level, p))] if when(link, p) else None)


def _add_property(data: bytes) -> Callable[[], Rule]:
    """Put the bytes of a property, legal or not, into an accepting CONNACK."""

    def change(link: Link, p: Connack) -> Out:
        if p.reason_code:
            return None
        made = encode(5, p)
        props = made[5:] + data
        return [bytes((0x20, 3 + len(props))) + made[2:4] + bytes((len(props),)) + props]

    return connack(change)


def _refused_present(link: Link, p: Connack) -> Out:
    if not p.reason_code:
        return None
    data = encode(link.version or link.level or 4, p)
    return [data[:2] + b"\1" + data[3:]]


def _no_close() -> Callable[[], Rule]:
    """A refused client stays connected, and its PINGREQ is answered."""

    def make() -> Rule:
        def down(link: Link, packet: Any) -> Out:
            if isinstance(packet, Connack) and packet.reason_code:
                link.memo["refused"] = True
            return None

        def gone(link: Link) -> bool:
            if link.memo.get("refused"):
                link.fired()
                return True
            return False

        def up(link: Link, packet: Any, data: bytes) -> Out:
            if link.memo.get("refused") and isinstance(packet, Pingreq):
                link.to_client(Pingresp())
                return []
            return None

        return Hooks(down=down, server_gone=gone, up=up)

    return make


def _before(packet: Callable[[Link], Any]) -> Callable[[], Rule]:
    def change(link: Link, p: Connack) -> Out:
        return [packet(link), p] if p.reason_code == 0 else None

    return connack(change)


def _processed_after_refusal() -> Rule:
    """What follows a CONNECT that is refused is carried out all the same."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        first = link.packets_up == 1
        if first and isinstance(packet, Violation):
            link.memo["bad"] = True
        elif link.memo.get("bad") or link.memo.get("refused"):
            _carry_out(link, data)
        elif not first and not link.accepted:
            link.memo.setdefault("early", []).append(data)
        return None

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.reason_code:
            link.memo["refused"] = True
            for data in link.memo.get("early", ()):
                _carry_out(link, data)
        return None

    def _carry_out(link: Link, data: bytes) -> None:
        version = link.version or link.level or 5
        head = 1
        while data[head] > 127:
            head += 1
        packet = decode(version, 0, data, 0, head + 1, len(data))
        if isinstance(packet, Publish) and packet.topic:
            link.fired()
            link.world.publish(Publish(packet.topic, packet.payload, 0, packet.retain))

    return Hooks(up=up, down=down)


def _id_given(link: Link, p: Connack) -> bool:
    return p.reason_code == 0 and link.connect is not None and bool(link.connect.client_id)


def _id_missing(link: Link, p: Connack) -> bool:
    return p.reason_code == 0 and link.connect is not None and not link.connect.client_id


def _same_assigned() -> Rule:
    """Every client without a Client Identifier is told the same one."""

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and _id_missing(link, packet):
            given = (packet.properties or ConnackProperties()).replace(assigned_client_identifier="assigned")
            return [packet.replace(properties=given)]
        return None

    return Hooks(down=down)


def _assigned_in_use() -> Rule:
    """The Assigned Client Identifier is that of a client that is connected."""

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and _id_missing(link, packet):
            used = [one.client_id for one in link.world.others(link) if one.client_id]
            if used:
                given = (packet.properties or ConnackProperties()).replace(assigned_client_identifier=used[-1])
                return [packet.replace(properties=given)]
        return None

    return Hooks(down=down)


def _assigned_without_session() -> Rule:
    """A client that comes back with its Assigned Client Identifier finds nothing: another one was really used."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and packet.client_id in link.world.memo.get("assigned", ()):
            return [packet.replace(client_id=packet.client_id + "x")]
        return None

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and _id_missing(link, packet) and packet.properties is not None:
            link.world.memo.setdefault("assigned", set()).add(packet.properties.assigned_client_identifier)
        return None

    return Hooks(up=up, down=down)


def _refuse(when: Callable[[Connect], bool], code: int) -> Callable[[], Rule]:
    """Refuse a CONNECT that has to be accepted."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, Connect) and link.packets_up == 1 and when(packet):
                link.to_client(Connack(code))
                link.end_client()
                link.end_server()
                return []
            return None

        return Hooks(up=up)

    return make


def _no_connack() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        return [] if isinstance(packet, Connack) and not packet.reason_code else None

    return Hooks(down=down)


def _second_connack() -> Rule:
    """A CONNACK comes again after the first SUBSCRIBE."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Subscribe) and not link.memo.get("again"):
            link.memo["again"] = True
            link.fired()
            link.to_client(Connack())
        return None

    return Hooks(up=up)


def _disconnect_first() -> Rule:
    """A refusal is a DISCONNECT in place of a CONNACK."""

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.reason_code:
            return [Disconnect(packet.reason_code)]
        return None

    return Hooks(down=down)


def rows() -> list[Fault]:
    """Return the faults of this module."""
    found: list[Fault] = []
    found += both(
        "present-clean",
        "MQTT5-3.2.2-2",
        "MQTT311-3.2.2-1",
        "connack",
        None,
        "Session Present 1 after a clean start",
        _with(lambda link, p: p.reason_code == 0 and _clean(link), session_present=True),
    )
    found += both(
        "present-new",
        "MQTT5-3.2.2-3",
        "MQTT311-3.2.2-3",
        "connack",
        None,
        "Session Present 1 without a session",
        _with(lambda link, p: p.reason_code == 0 and not _clean(link) and not p.session_present, session_present=True),
    )
    found += both(
        "present-missing",
        "MQTT5-3.2.2-3",
        "MQTT311-3.2.2-2",
        "connack",
        None,
        "Session Present 0 with a session",
        _with(lambda link, p: p.session_present, session_present=False),
        ("MQTT5-3.1.2-5",),
    )
    found += both(
        "present-refused",
        "MQTT5-3.2.2-6",
        "MQTT311-3.2.2-4",
        "refusal",
        None,
        "Session Present 1 in a refusal",
        connack(_refused_present),
    )
    found += both(
        "connack-reserved-flags",
        "MQTT5-3.2.2-1",
        "X311-connack-reserved-bits",
        "connack",
        None,
        "a reserved bit of the Connect Acknowledge Flags is 1",
        _bytes(lambda b: b[:2] + bytes((b[2] | 2,)) + b[3:]),
    )
    found += both(
        "connack-flags",
        "MQTT5-2.1.3-1",
        "MQTT311-2.2.2-1",
        "connack",
        None,
        "CONNACK has the flags 0010",
        _bytes(lambda b: b"\x22" + b[1:]),
    )
    found += both(
        "connack-twice",
        "MQTT5-3.2.0-2",
        "X311-packet-direction",
        "connack",
        None,
        "CONNACK is sent twice",
        connack(lambda link, p: [p, p] if p.reason_code == 0 else None),
    )[:1]
    found.append(
        Fault(
            "connack-again-later",
            "MQTT5-3.2.0-2",
            "connack",
            5,
            None,
            "CONNACK comes again after the first SUBSCRIBE",
            _second_connack,
        )
    )
    found += both(
        "connack-missing",
        "MQTT5-3.1.4-5",
        "MQTT311-3.1.4-4",
        "connack",
        None,
        "an accepted CONNECT is not acknowledged",
        _no_connack,
    )
    found += both(
        "publish-before-connack",
        "MQTT5-3.2.0-1",
        "MQTT311-3.2.0-1",
        "connack",
        None,
        "a PUBLISH comes before CONNACK",
        _before(lambda link: Publish("early/topic", b"early")),
    )
    found += both(
        "pingresp-before-connack",
        "MQTT5-3.2.0-1",
        "MQTT311-3.2.0-1",
        "connack",
        None,
        "a PINGRESP comes before CONNACK",
        _before(lambda link: Pingresp()),
    )
    found += both(
        "connack-code-unknown",
        "MQTT5-3.2.2-8",
        "X311-connack-codes-reserved",
        "refusal",
        None,
        "a refusal has a code that no table has",
        _bytes(lambda b: b[:3] + (b"\x8e" if len(b) > 4 else b"\x07") + b[4:], lambda link, p: p.reason_code != 0),
    )
    found += both(
        "connack-code-0x01",
        "MQTT5-3.2.2-8",
        "MQTT311-3.1.4-4",
        "connack",
        None,
        "an acceptance has the code 0x01",
        _bytes(lambda b: b[:3] + b"\x01" + b[4:]),
    )
    found += both(
        "refusal-not-closed",
        "MQTT5-3.2.2-7",
        "MQTT311-3.2.2-5",
        "refusal",
        None,
        "a refused client stays connected",
        _no_close(),
        ("MQTT5-4.13.2-1",),
    )
    found += both(
        "refused-but-processed",
        "MQTT5-3.1.4-6",
        "MQTT311-3.1.4-5",
        "refusal",
        None,
        "what follows a refused CONNECT is carried out",
        _processed_after_refusal,
    )
    found.append(
        Fault(
            "disconnect-for-connack",
            "MQTT5-3.14.0-1",
            "refusal",
            5,
            None,
            "a refusal is a DISCONNECT",
            _disconnect_first,
        )
    )
    found.append(
        Fault(
            "assigned-missing",
            "MQTT5-3.2.2-16",
            "connack",
            5,
            None,
            "no Assigned Client Identifier",
            _prop(_id_missing, assigned_client_identifier=None),
            ("MQTT5-3.1.3-7", "MQTT5-3.1.3-6"),
        )
    )
    found.append(
        Fault(
            "assigned-same",
            "MQTT5-3.2.2-16",
            "connack",
            5,
            None,
            "all clients get the same Assigned Client Identifier",
            _same_assigned,
            ("MQTT5-3.1.3-6",),
        )
    )
    found.append(
        Fault(
            "assigned-in-use",
            "MQTT5-3.2.2-16",
            "connack",
            5,
            None,
            "the Assigned Client Identifier is in use",
            _assigned_in_use,
            ("MQTT5-3.1.3-6",),
        )
    )
    found.append(
        Fault(
            "assigned-not-used",
            "MQTT5-3.1.3-7",
            "connack",
            5,
            None,
            "the session does not belong to the Assigned Client Identifier",
            _assigned_without_session,
            ("MQTT5-3.2.2-16",),
        )
    )
    found.append(
        Fault(
            "assigned-to-named",
            "X5-assigned-client-id-reason",
            "connack",
            5,
            None,
            "a client with an identifier gets an Assigned Client Identifier",
            _prop(_id_given, assigned_client_identifier="other"),
        )
    )
    found.append(
        Fault(
            "response-information-unasked",
            "MQTT5-3.1.2-28",
            "connack",
            5,
            None,
            "Response Information that nobody requested",
            _prop(
                lambda link, p: (
                    p.reason_code == 0
                    and not getattr(
                        link.connect.properties if link.connect else None, "request_response_information", 0
                    )
                ),
                response_information="reply",
            ),
            ("X5-request-response-information-absent",),
        )
    )
    found.append(
        Fault(
            "auth-method-unasked",
            "MQTT5-4.12.0-6",
            "auth",
            5,
            None,
            "an Authentication Method in the CONNACK of a client without one",
            _prop(authentication_method="x"),
        )
    )
    found.append(
        Fault(
            "auth-unasked",
            "MQTT5-4.12.0-6",
            "auth",
            5,
            None,
            "an AUTH to a client without Authentication Method",
            _before(lambda link: Auth(0x18, AuthProperties(authentication_method="x"))),
        )
    )
    found.append(
        Fault(
            "auth-after-connack",
            "MQTT5-4.12.0-6",
            "auth",
            5,
            None,
            "an AUTH after CONNACK to a client without Authentication Method",
            connack(
                lambda link, p: (
                    [p, Auth(0x18, AuthProperties(authentication_method="x"))] if p.reason_code == 0 else None
                )
            ),
        )
    )
    found.append(
        Fault(
            "auth-reauthenticate",
            "X5-auth-reauthenticate-client",
            "auth",
            5,
            None,
            "the server sends AUTH 0x19",
            connack(
                lambda link, p: (
                    [p, Auth(0x19, AuthProperties(authentication_method="x"))] if p.reason_code == 0 else None
                )
            ),
            ("MQTT5-4.12.0-6",),
        )
    )
    for name, data, statement in (
        ("maximum-qos-2", b"\x24\x02", "X5-maximum_qos-range"),
        ("retain-available-2", b"\x25\x02", "X5-retain_available-range"),
        ("wildcard-available-2", b"\x28\x02", "X5-wildcard_subscription_available-range"),
        ("identifiers-available-2", b"\x29\x02", "X5-subscription_identifier_available-range"),
        ("shared-available-2", b"\x2a\x02", "X5-shared_subscription_available-range"),
        ("session-expiry-twice", b"\x11\0\0\0\1\x11\0\0\0\1", "X5-session_expiry_interval-once"),
        ("keep-alive-twice", b"\x13\0\x64\x13\0\x64", "X5-server_keep_alive-once"),
        ("reason-string-twice", b"\x1f\0\1a\x1f\0\1a", "X5-reason_string-once"),
        ("will-delay", b"\x18\0\0\0\1", "X5-will_delay_interval-placement"),
        ("topic-alias", b"\x23\0\1", "X5-topic_alias-placement"),
        ("message-expiry", b"\x02\0\0\0\1", "X5-message_expiry_interval-placement"),
        ("content-type", b"\x03\0\1a", "X5-content_type-placement"),
        ("unknown-property", b"\x7e\0", "X5-property-unknown"),
        ("ill-formed-user-property", b"\x26\0\1\xff\0\1a", "MQTT5-1.5.7-1"),
        ("null-in-reason", b"\x1f\0\1\0", "MQTT5-1.5.4-2"),
        ("ill-formed-reason", b"\x1f\0\1\xff", "MQTT5-1.5.4-1"),
    ):
        also = ("MQTT5-1.5.4-1",) if name == "ill-formed-user-property" else ()
        found.append(
            Fault(
                f"connack-{name}",
                statement,
                "connack",
                5,
                None,
                f"CONNACK breaks the rule: {name}",
                _add_property(data),
                also,
            )
        )
    found.append(
        Fault(
            "connack-receive-maximum-0",
            "X5-receive_maximum-range",
            "connack",
            5,
            None,
            "Receive Maximum 0",
            _zero(0x21, 2),
        )
    )
    found.append(
        Fault(
            "connack-maximum-packet-size-0",
            "X5-maximum_packet_size-range",
            "connack",
            5,
            None,
            "Maximum Packet Size 0",
            _zero(0x27, 4),
        )
    )
    found.append(
        Fault(
            "connack-server-reference",
            "X5-server-reference-codes",
            "connack",
            5,
            None,
            "an accepting CONNACK has a Server Reference",
            _prop(server_reference="other:1883"),
        )
    )
    found.append(
        Fault(
            "connack-property-length-missing",
            "MQTT5-2.2.2-1",
            "connack",
            5,
            None,
            "CONNACK has no Property Length",
            connack(lambda link, p: [encode(4, Connack(0, p.session_present))] if p.reason_code == 0 else None),
        )
    )
    found.append(
        Fault(
            "connack-length-not-minimal",
            "MQTT5-1.5.5-1",
            "connack",
            5,
            None,
            "the Remaining Length of CONNACK has a byte too many",
            _bytes(lambda b: bytes((b[0], b[1] | 128, 0)) + b[2:]),
        )
    )
    found.append(
        Fault(
            "connack-properties-311",
            "X311-trailing-bytes",
            "connack",
            4,
            None,
            "CONNACK has a Property Length",
            _bytes(lambda b: b[:1] + b"\3" + b[2:] + b"\0"),
        )
    )
    found += both(
        "client-id-23-refused",
        "MQTT5-3.1.3-5",
        "MQTT311-3.1.3-5",
        "refusal",
        None,
        "a Client Identifier of 23 letters and digits is refused",
        _refuse(lambda p: len(p.client_id) == 23 and p.client_id.isalnum(), 2),
        (),
    )
    found += both(
        "client-id-upper-refused",
        "MQTT5-3.1.3-5",
        "MQTT311-3.1.3-5",
        "refusal",
        None,
        "a Client Identifier with capital letters is refused",
        _refuse(lambda p: p.client_id.isalnum() and p.client_id != p.client_id.lower() and len(p.client_id) < 24, 2),
    )
    found += both(
        "client-id-1-refused",
        "MQTT5-3.1.3-5",
        "MQTT311-3.1.3-5",
        "refusal",
        None,
        "a Client Identifier of one character is refused",
        _refuse(lambda p: len(p.client_id) == 1, 2),
    )
    found.append(
        Fault(
            "clean-0-refused",
            "MQTT5-3.1.2-6",
            "refusal",
            5,
            None,
            "Clean Start 0 without a session is refused",
            _refuse_new,
        )
    )
    found.append(
        Fault(
            "empty-id-kept-311",
            "MQTT311-3.1.3-8",
            "refusal",
            4,
            None,
            "an empty Client Identifier with CleanSession 0 is accepted",
            _empty_id,
        )
    )
    found.append(
        Fault(
            "empty-id-code-311",
            "MQTT311-3.1.3-8",
            "refusal",
            4,
            None,
            "an empty Client Identifier with CleanSession 0 is refused with another code",
            _with(lambda link, p: p.reason_code == 2, reason_code=5),
        )
    )
    found.append(
        Fault(
            "client-id-missing-refused",
            "MQTT311-3.1.3-6",
            "refusal",
            4,
            None,
            "an accepted empty Client Identifier is shared by all",
            _shared_empty_id,
        )
    )
    found += both(
        "session-present-after-expiry-0",
        "MQTT5-3.2.2-3",
        "MQTT311-3.2.2-3",
        "session",
        None,
        "Session Present 1 for a session that ended with its connection",
        _remember_ended,
        ("MQTT5-4.1.0-2", "X5-session-expiry-zero"),
    )
    return found


def _zero(identifier: int, size: int) -> Callable[[], Rule]:
    """Set a number of CONNACK to 0, which it must not be."""
    name = {0x21: "receive_maximum", 0x27: "maximum_packet_size"}[identifier]

    def change(link: Link, p: Connack) -> Out:
        if p.reason_code:
            return None
        made = encode(5, p.replace(properties=(p.properties or ConnackProperties()).replace(**{name: None})))
        props = made[5:] + bytes((identifier,)) + bytes(size)
        return [bytes((0x20, 3 + len(props))) + made[2:4] + bytes((len(props),)) + props]

    return connack(change)


def _refuse_new() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and link.packets_up == 1 and not packet.clean_start:
            if packet.client_id and packet.client_id not in link.world.sessions:
                link.to_client(Connack(0x85))
                link.end_client()
                link.end_server()
                return []
        return None

    return Hooks(up=up)


def _empty_id() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and not packet.client_id and not packet.clean_start:
            return [packet.replace(client_id=f"made{link.seq}")]
        if isinstance(packet, Violation) and link.packets_up == 1 and link.level == 4:
            if data[0] == 0x10 and data[9:10] and not data[9] & 2 and data[12:14] == b"\0\0":
                return [Connect(f"made{link.seq}", 4, False)]
        return None

    return Hooks(up=up)


def _shared_empty_id() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and not packet.client_id:
            return [packet.replace(client_id="anonymous")]
        return None

    return Hooks(up=up)


def _remember_ended() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.reason_code == 0 and link.connect is not None:
            seen: set[str] = link.world.memo.setdefault("ids", set())
            known = link.client_id in seen
            seen.add(link.client_id)
            if known and not packet.session_present and not link.connect.clean_start:
                return [packet.replace(session_present=True)]
        return None

    return Hooks(down=down)
