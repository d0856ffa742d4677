# SPDX-License-Identifier: MIT
"""Faults of a broker that puts up with what it must not: malformed packets, and packets that break the protocol.

Each row has an example. The fault shows for every packet that breaks the same rule in the same place as the example:
the packet is ignored and the connection goes on, or, for a CONNECT, the client is accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mqtt_conformance.proxy.fault import Fault, Hooks, Out, Rule
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.fast import decode
from mqtt_ref.wire.packets import Connect
from mqtt_ref.wire.primitives import CLIENT, vbi
from mqtt_ref.wire.violation import Violation

__all__ = ["EXAMPLES", "Example", "found", "rows"]


class Example(NamedTuple):
    """A packet that a server must not put up with. `statement` is the rule that it breaks in that version."""

    id: str
    version: int
    statement: str
    data: bytes
    breaks: str
    also: tuple[str, ...] = ()


def found(version: int, data: bytes) -> Violation | None:
    """Return what the codec finds wrong with a packet of a client."""
    body = 2
    while data[body - 1] > 127:
        body += 1
    connect = data[0] >> 4 == 1
    packet = decode(0 if connect else version, CLIENT, data, 0, body, len(data))
    return packet if isinstance(packet, Violation) else None


def _p(first: int, body: bytes) -> bytes:
    return bytes((first,)) + vbi(len(body)) + body


def _s(text: bytes | str) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return len(data).to_bytes(2, "big") + data


def _props(data: bytes) -> bytes:
    return vbi(len(data)) + data


def _pub(
    version: int, topic: bytes | str = "a", props: bytes = b"", first: int = 0x30, packet_id: bytes = b""
) -> bytes:
    return _p(first, _s(topic) + packet_id + (_props(props) if version == 5 else b"") + b"x")


def _sub(
    version: int, topic: bytes | str = "a", options: int = 0, props: bytes = b"", packet_id: int = 1, first: int = 0x82
) -> bytes:
    middle = _props(props) if version == 5 else b""
    return _p(first, packet_id.to_bytes(2, "big") + middle + _s(topic) + bytes((options,)))


def _unsub(version: int, topic: bytes | str = "a", packet_id: int = 1, first: int = 0xA2) -> bytes:
    return _p(first, packet_id.to_bytes(2, "big") + (b"\0" if version == 5 else b"") + _s(topic))


def _con(
    version: int,
    flags: int = 2,
    props: bytes = b"",
    payload: bytes | None = None,
    name: bytes = b"MQTT",
    level: int = 0,
    first: int = 0x10,
) -> bytes:
    head = _s(name) + bytes((level or version, flags)) + b"\0\x3c" + (_props(props) if version == 5 else b"")
    return _p(first, head + (_s("c") if payload is None else payload))


def _both(
    identifier: str, five: str, four: str, make: Callable[[int], bytes], breaks: str, also: tuple[str, ...] = ()
) -> list[Example]:
    return [
        Example(identifier, 5, five, make(5), breaks, tuple(one for one in also if "5-" in one[:6])),
        Example(f"{identifier}-311", 4, four, make(4), breaks, tuple(one for one in also if "311-" in one[:8])),
    ]


def _always(data: bytes) -> Callable[[int], bytes]:
    return lambda version: data


def _examples() -> list[Example]:
    e: list[Example] = []
    generic = ("MQTT5-4.13.1-1", "MQTT311-4.8.0-1")
    will = b"\0"
    # PUBLISH
    e += _both(
        "publish-qos-3",
        "X5-publish-qos-malformed",
        "MQTT311-3.3.1-4",
        lambda v: _pub(v, first=0x36, packet_id=b"\0\1"),
        "a PUBLISH with QoS 3",
        ("MQTT5-3.3.1-4",),
    )
    e += _both(
        "publish-dup-qos0",
        "MQTT5-3.3.1-2",
        "MQTT311-3.3.1-2",
        lambda v: _pub(v, first=0x38),
        "a PUBLISH with DUP 1 and QoS 0",
    )
    e += _both(
        "publish-id-0",
        "MQTT5-2.2.1-3",
        "MQTT311-2.3.1-1",
        lambda v: _pub(v, first=0x32, packet_id=b"\0\0"),
        "a PUBLISH with Packet Identifier 0",
    )
    e += _both(
        "publish-topic-hash",
        "MQTT5-3.3.2-2",
        "MQTT311-3.3.2-2",
        lambda v: _pub(v, "a/#"),
        "a wildcard in a Topic Name",
        ("MQTT5-4.7.0-1", "MQTT311-4.7.1-1"),
    )
    e += _both(
        "publish-topic-empty",
        "MQTT5-4.7.3-1",
        "MQTT311-4.7.3-1",
        lambda v: _pub(v, ""),
        "an empty Topic Name",
        ("X5-publish-topic-or-alias",),
    )
    e += _both(
        "publish-topic-null",
        "MQTT5-1.5.4-2",
        "MQTT311-1.5.3-2",
        lambda v: _pub(v, b"a\0b"),
        "U+0000 in a Topic Name",
        ("MQTT5-4.7.3-2", "MQTT311-4.7.3-2", "X5-utf8-null-malformed"),
    )
    e += _both(
        "publish-topic-utf8",
        "MQTT5-1.5.4-1",
        "MQTT311-1.5.3-1",
        lambda v: _pub(v, b"a\xff"),
        "ill-formed UTF-8 in a Topic Name",
        ("X5-utf8-ill-formed-malformed", "MQTT5-3.3.2-1", "MQTT311-3.3.2-1"),
    )
    e += _both(
        "publish-cut",
        "X5-field-truncated",
        "X311-field-truncated",
        lambda v: _p(0x30, b"\0\x09abc"),
        "a Topic Name that ends after its packet",
    )
    for name, statement, props in (
        ("payload-format-2", "X5-payload_format_indicator-range", b"\1\2"),
        ("payload-format-twice", "X5-payload_format_indicator-once", b"\1\0\1\0"),
        ("expiry-twice", "X5-message_expiry_interval-once", b"\2\0\0\0\1\2\0\0\0\1"),
        ("content-type-twice", "X5-content_type-once", b"\3\0\1a\3\0\1a"),
        ("content-type-utf8", "MQTT5-3.3.2-19", b"\3\0\1\xff"),
        ("response-topic-twice", "X5-response_topic-once", b"\x08\0\1a\x08\0\1a"),
        ("response-topic-wildcard", "MQTT5-3.3.2-14", b"\x08\0\1#"),
        ("response-topic-utf8", "MQTT5-3.3.2-13", b"\x08\0\1\xff"),
        ("correlation-twice", "X5-correlation_data-once", b"\x09\0\1a\x09\0\1a"),
        ("alias-0", "X5-topic-alias-invalid", b"\x23\0\0"),
        ("alias-twice", "X5-topic_alias-once", b"\x23\0\1\x23\0\1"),
        ("identifier", "MQTT5-3.3.4-6", b"\x0b\1"),
        ("session-expiry", "X5-session_expiry_interval-placement", b"\x11\0\0\0\1"),
        ("reason-string", "X5-reason_string-placement", b"\x1f\0\1a"),
        ("unknown-property", "X5-property-unknown", b"\x7f\0"),
        ("user-property-utf8", "MQTT5-1.5.7-1", b"\x26\0\1\xff\0\1a"),
    ):
        also = {
            "alias-0": ("MQTT5-3.3.2-8",),
            "user-property-utf8": ("X5-string-pair-malformed", "MQTT5-1.5.4-1"),
            "identifier": ("X5-subscription_identifier-placement",),
        }.get(name, ())
        if name.endswith("utf8") and not also:
            also = ("MQTT5-1.5.4-1", "X5-utf8-ill-formed-malformed")
        e.append(Example(f"publish-{name}", 5, statement, _pub(5, "a", props), f"a PUBLISH with {name}", also))
    e.append(
        Example(
            "publish-property-length",
            5,
            "X5-field-truncated",
            _p(0x30, _s("a") + b"\x09\1\0"),
            "a Property Length beyond the packet",
        )
    )
    e.append(
        Example(
            "publish-property-length-long",
            5,
            "MQTT5-1.5.5-1",
            _p(0x30, _s("a") + b"\x80\0x"),
            "a Property Length with a byte too many",
        )
    )
    # fixed headers
    e += _both(
        "subscribe-flags",
        "MQTT5-3.8.1-1",
        "MQTT311-3.8.1-1",
        lambda v: _sub(v, first=0x80),
        "a SUBSCRIBE with flags 0000",
    )
    e += _both(
        "unsubscribe-flags",
        "MQTT5-3.10.1-1",
        "MQTT311-3.10.1-1",
        lambda v: _unsub(v, first=0xA0),
        "an UNSUBSCRIBE with flags 0000",
    )
    e += _both("pubrel-flags", "MQTT5-3.6.1-1", "MQTT311-3.6.1-1", lambda v: b"\x60\2\0\1", "a PUBREL with flags 0000")
    e += _both(
        "pingreq-flags",
        "MQTT5-2.1.3-1",
        "MQTT311-2.2.2-2",
        lambda v: b"\xc1\0",
        "a PINGREQ with flags 0001",
        ("X5-fixed-header-flags-malformed", "MQTT311-2.2.2-1"),
    )
    e += _both(
        "disconnect-flags", "MQTT5-3.14.1-1", "MQTT311-3.14.1-1", lambda v: b"\xe1\0", "a DISCONNECT with flags 0001"
    )
    e += _both(
        "puback-flags",
        "MQTT5-2.1.3-1",
        "MQTT311-2.2.2-2",
        lambda v: b"\x41\2\0\1",
        "a PUBACK with flags 0001",
        ("X5-fixed-header-flags-malformed", "MQTT311-2.2.2-1"),
    )
    e += _both(
        "pubrec-flags",
        "MQTT5-2.1.3-1",
        "MQTT311-2.2.2-2",
        lambda v: b"\x52\2\0\1",
        "a PUBREC with flags 0010",
        ("X5-fixed-header-flags-malformed", "MQTT311-2.2.2-1"),
    )
    e += _both(
        "pubcomp-flags",
        "MQTT5-2.1.3-1",
        "MQTT311-2.2.2-2",
        lambda v: b"\x72\2\0\1",
        "a PUBCOMP with flags 0010",
        ("X5-fixed-header-flags-malformed", "MQTT311-2.2.2-1"),
    )
    e.append(Example("auth-flags", 5, "MQTT5-3.15.1-1", b"\xf1\0", "an AUTH with flags 0001"))
    e += _both(
        "type-0", "X5-packet-type-reserved", "X311-packet-type-reserved", lambda v: b"\0\0", "a packet of type 0"
    )
    e.append(Example("type-15-311", 4, "X311-packet-type-reserved", b"\xf0\0", "a packet of type 15"))
    for name, data in (
        ("connack", b"\x20\2\0\0"),
        ("suback", b"\x90\3\0\1\0"),
        ("unsuback", b"\xb0\2\0\1"),
        ("pingresp", b"\xd0\0"),
    ):
        e += _both(
            f"{name}-from-client",
            "X5-packet-direction",
            "X311-packet-direction",
            _always(data),
            f"a client sends {name}",
            generic,
        )
    e += _both(
        "pingreq-trailing",
        "X5-trailing-bytes",
        "X311-trailing-bytes",
        lambda v: b"\xc0\1\0",
        "a PINGREQ with a byte too many",
        generic,
    )
    # SUBSCRIBE
    e += _both(
        "subscribe-empty",
        "X5-subscribe-empty-payload",
        "MQTT311-3.8.3-3",
        lambda v: _p(0x82, b"\0\1" + (b"\0" if v == 5 else b"")),
        "a SUBSCRIBE without Topic Filter",
        ("MQTT5-3.8.3-2", "MQTT311-4.8.0-1"),
    )
    e += _both(
        "subscribe-qos-3", "X5-subscribe-qos", "MQTT311-3.8.3-4", lambda v: _sub(v, options=3), "a SUBSCRIBE with QoS 3"
    )
    e.append(
        Example(
            "subscribe-reserved",
            5,
            "MQTT5-3.8.3-5",
            _sub(5, options=0x40),
            "a reserved bit of the Subscription Options is 1",
        )
    )
    e += _both(
        "subscribe-id-0",
        "MQTT5-2.2.1-3",
        "MQTT311-2.3.1-1",
        lambda v: _sub(v, packet_id=0),
        "a SUBSCRIBE with Packet Identifier 0",
    )
    e += _both(
        "subscribe-hash-inside",
        "MQTT5-4.7.1-1",
        "MQTT311-4.7.1-2",
        lambda v: _sub(v, "a/#/b"),
        "# inside a Topic Filter",
    )
    e += _both(
        "subscribe-plus-in-level",
        "MQTT5-4.7.1-2",
        "MQTT311-4.7.1-3",
        lambda v: _sub(v, "a/b+"),
        "+ that does not fill its level",
    )
    e += _both(
        "subscribe-empty-filter", "MQTT5-4.7.3-1", "MQTT311-4.7.3-1", lambda v: _sub(v, ""), "an empty Topic Filter"
    )
    e += _both(
        "subscribe-null",
        "MQTT5-4.7.3-2",
        "MQTT311-4.7.3-2",
        lambda v: _sub(v, b"a\0"),
        "U+0000 in a Topic Filter",
        ("MQTT5-1.5.4-2", "MQTT311-1.5.3-2"),
    )
    e += _both(
        "subscribe-utf8",
        "MQTT5-3.8.3-1",
        "MQTT311-3.8.3-1",
        lambda v: _sub(v, b"\xed\xa0\x80"),
        "ill-formed UTF-8 in a Topic Filter",
        ("MQTT5-1.5.4-1", "MQTT311-1.5.3-1", "X5-utf8-ill-formed-malformed"),
    )
    e += _both(
        "subscribe-cut",
        "X5-field-truncated",
        "X311-field-truncated",
        lambda v: _p(0x82, b"\0\1" + (b"\0" if v == 5 else b"") + _s("a")),
        "a Topic Filter without options",
    )
    e.append(
        Example("subscribe-handling-3", 5, "X5-subscribe-retain-handling", _sub(5, options=0x30), "Retain Handling 3")
    )
    e.append(
        Example(
            "subscribe-no-local-shared",
            5,
            "MQTT5-3.8.3-4",
            _sub(5, "$share/g/a", 4),
            "No Local on a Shared Subscription",
        )
    )
    e.append(
        Example(
            "subscribe-share-empty-name", 5, "MQTT5-4.8.2-1", _sub(5, "$share//a"), "a ShareName without characters"
        )
    )
    e.append(
        Example(
            "subscribe-share-no-filter",
            5,
            "MQTT5-4.8.2-2",
            _sub(5, "$share/g"),
            "a ShareName without a Topic Filter",
            ("MQTT5-4.8.2-1",),
        )
    )
    e.append(
        Example(
            "subscribe-identifier-0",
            5,
            "X5-subscription_identifier-range",
            _sub(5, props=b"\x0b\0"),
            "Subscription Identifier 0",
        )
    )
    e.append(
        Example(
            "subscribe-identifier-twice",
            5,
            "X5-subscription_identifier-once",
            _sub(5, props=b"\x0b\1\x0b\2"),
            "two Subscription Identifiers",
        )
    )
    e.append(
        Example(
            "subscribe-content-type",
            5,
            "X5-content_type-placement",
            _sub(5, props=b"\3\0\1a"),
            "a SUBSCRIBE with Content Type",
        )
    )
    # UNSUBSCRIBE
    e += _both(
        "unsubscribe-empty",
        "X5-unsubscribe-empty-payload",
        "MQTT311-3.10.3-2",
        lambda v: _p(0xA2, b"\0\1" + (b"\0" if v == 5 else b"")),
        "an UNSUBSCRIBE without Topic Filter",
        ("MQTT5-3.10.3-2", "MQTT311-4.8.0-1"),
    )
    e += _both(
        "unsubscribe-id-0",
        "MQTT5-2.2.1-3",
        "MQTT311-2.3.1-1",
        lambda v: _unsub(v, packet_id=0),
        "an UNSUBSCRIBE with Packet Identifier 0",
    )
    e += _both(
        "unsubscribe-utf8",
        "MQTT5-3.10.3-1",
        "MQTT311-3.10.3-1",
        lambda v: _unsub(v, b"\xff"),
        "ill-formed UTF-8 in an UNSUBSCRIBE",
        ("MQTT5-1.5.4-1", "MQTT311-1.5.3-1", "X5-utf8-ill-formed-malformed"),
    )
    e += _both(
        "unsubscribe-hash-inside",
        "MQTT5-4.7.1-1",
        "MQTT311-4.7.1-2",
        lambda v: _unsub(v, "#/b"),
        "# inside a Topic Filter of UNSUBSCRIBE",
    )
    # acknowledgements, DISCONNECT
    e.append(Example("puback-code", 5, "MQTT5-3.4.2-1", b"\x40\3\0\1\x18", "a PUBACK with an unknown code"))
    e.append(Example("pubrec-code", 5, "MQTT5-3.5.2-1", b"\x50\3\0\1\x18", "a PUBREC with an unknown code"))
    e.append(Example("pubrel-code", 5, "MQTT5-3.6.2-1", b"\x62\3\0\1\x10", "a PUBREL with an unknown code"))
    e.append(Example("pubcomp-code", 5, "MQTT5-3.7.2-1", b"\x70\3\0\1\x10", "a PUBCOMP with an unknown code"))
    e.append(
        Example(
            "puback-reason-twice",
            5,
            "X5-reason_string-once",
            b"\x40\x0c\0\1\0\x08\x1f\0\1a\x1f\0\1a",
            "a PUBACK with two Reason Strings",
        )
    )
    e.append(Example("disconnect-code", 5, "MQTT5-3.14.2-1", b"\xe0\1\x01", "a DISCONNECT with an unknown code"))
    e.append(
        Example(
            "disconnect-expiry-twice",
            5,
            "X5-session_expiry_interval-once",
            b"\xe0\x0c\0\x0a\x11\0\0\0\1\x11\0\0\0\1",
            "a DISCONNECT with two Session Expiry Intervals",
        )
    )
    # CONNECT
    c = "connect-"
    e += _both(
        c + "reserved-flag",
        "MQTT5-3.1.2-3",
        "MQTT311-3.1.2-3",
        lambda v: _con(v, 3),
        "a CONNECT with the reserved flag",
        ("X5-connect-reserved-flag-malformed",),
    )
    e += _both(
        c + "header-flags",
        "MQTT5-2.1.3-1",
        "MQTT311-2.2.2-2",
        lambda v: _con(v, first=0x11),
        "a CONNECT with flags 0001",
        ("X5-fixed-header-flags-malformed", "MQTT311-2.2.2-1"),
    )
    e += _both(
        c + "will-qos-3",
        "X5-will-qos-malformed",
        "MQTT311-3.1.2-14",
        lambda v: _con(v, 0x1E, payload=_s("c") + (will if v == 5 else b"") + _s("w") + _s("x")),
        "Will QoS 3",
        ("MQTT5-3.1.2-12",),
    )
    e += _both(
        c + "no-will-qos", "MQTT5-3.1.2-11", "MQTT311-3.1.2-13", lambda v: _con(v, 0x0A), "a Will QoS without a will"
    )
    e += _both(
        c + "no-will-retain",
        "MQTT5-3.1.2-13",
        "MQTT311-3.1.2-15",
        lambda v: _con(v, 0x22),
        "Will Retain without a will",
    )
    e += _both(
        c + "user-missing",
        "MQTT5-3.1.2-17",
        "MQTT311-3.1.2-19",
        lambda v: _con(v, 0x82),
        "the User Name Flag without a User Name",
        ("X5-field-truncated", "X311-field-truncated"),
    )
    e += _both(
        c + "password-missing",
        "MQTT5-3.1.2-19",
        "MQTT311-3.1.2-21",
        lambda v: _con(v, 0xC2, payload=_s("c") + _s("u")),
        "the Password Flag without a Password",
        ("X5-field-truncated", "X311-field-truncated"),
    )
    e += _both(
        c + "user-unannounced",
        "MQTT5-3.1.2-16",
        "MQTT311-3.1.2-18",
        lambda v: _con(v, 2, payload=_s("c") + _s("u")),
        "bytes after the last field of a CONNECT",
        ("X5-trailing-bytes", "X311-trailing-bytes", "MQTT5-3.1.2-18", "MQTT311-3.1.2-20"),
    )
    e.append(
        Example(
            c + "password-alone-311",
            4,
            "MQTT311-3.1.2-22",
            _con(4, 0x42, payload=_s("c") + _s("p")),
            "a Password without User Name",
        )
    )
    e += _both(c + "name", "MQTT5-3.1.2-1", "MQTT311-3.1.2-1", lambda v: _con(v, name=b"MQTX"), "another protocol name")
    e += _both(c + "level", "MQTT5-3.1.2-2", "MQTT311-3.1.2-2", lambda v: _con(v, level=9), "another protocol level")
    e += _both(
        c + "id-utf8",
        "MQTT5-3.1.3-4",
        "MQTT311-3.1.3-4",
        lambda v: _con(v, payload=_s(b"\xff")),
        "ill-formed UTF-8 in the Client Identifier",
        ("MQTT5-1.5.4-1", "MQTT311-1.5.3-1", "X5-utf8-ill-formed-malformed"),
    )
    e += _both(
        c + "id-null",
        "MQTT5-1.5.4-2",
        "MQTT311-1.5.3-2",
        lambda v: _con(v, payload=_s(b"a\0")),
        "U+0000 in the Client Identifier",
        ("X5-utf8-null-malformed",),
    )
    e += _both(
        c + "id-absent",
        "MQTT5-3.1.3-3",
        "MQTT311-3.1.3-3",
        lambda v: _con(v, payload=b""),
        "a CONNECT without Client Identifier",
        ("X5-field-truncated", "X311-field-truncated"),
    )
    e += _both(
        c + "will-topic-utf8",
        "MQTT5-3.1.3-11",
        "MQTT311-3.1.3-10",
        lambda v: _con(v, 6, payload=_s("c") + (will if v == 5 else b"") + _s(b"\xff") + _s("x")),
        "ill-formed UTF-8 in the Will Topic",
        ("MQTT5-1.5.4-1", "MQTT311-1.5.3-1"),
    )
    e += _both(
        c + "will-topic-wildcard",
        "MQTT5-4.7.0-1",
        "MQTT311-4.7.1-1",
        lambda v: _con(v, 6, payload=_s("c") + (will if v == 5 else b"") + _s("w/+") + _s("x")),
        "a wildcard in the Will Topic",
    )
    e += _both(
        c + "will-missing",
        "MQTT5-3.1.2-9",
        "MQTT311-3.1.2-9",
        lambda v: _con(v, 6),
        "the Will Flag without a will",
        ("X5-field-truncated", "X311-field-truncated"),
    )
    e += _both(
        c + "user-utf8",
        "MQTT5-3.1.3-12",
        "MQTT311-3.1.3-11",
        lambda v: _con(v, 0x82, payload=_s("c") + _s(b"\xff")),
        "ill-formed UTF-8 in the User Name",
        ("MQTT5-1.5.4-1", "MQTT311-1.5.3-1"),
    )
    for name, statement, props in (
        ("receive-maximum-0", "X5-receive_maximum-range", b"\x21\0\0"),
        ("receive-maximum-twice", "X5-receive_maximum-once", b"\x21\0\1\x21\0\1"),
        ("packet-size-0", "X5-maximum_packet_size-range", b"\x27\0\0\0\0"),
        ("packet-size-twice", "X5-maximum_packet_size-once", b"\x27\0\0\1\0\x27\0\0\1\0"),
        ("problem-information-2", "X5-request_problem_information-range", b"\x17\2"),
        ("response-information-2", "X5-request_response_information-range", b"\x19\2"),
        ("session-expiry-twice", "X5-session_expiry_interval-once", b"\x11\0\0\0\1\x11\0\0\0\1"),
        ("alias-maximum-twice", "X5-topic_alias_maximum-once", b"\x22\0\1\x22\0\1"),
        ("authentication-data-alone", "X5-authentication_data-needs", b"\x16\0\1a"),
        ("topic-alias", "X5-topic_alias-placement", b"\x23\0\1"),
        ("server-keep-alive", "X5-server_keep_alive-placement", b"\x13\0\1"),
        ("unknown-property", "X5-property-unknown", b"\x7f\0"),
    ):
        e.append(Example(c + name, 5, statement, _con(5, props=props), f"a CONNECT with {name}", ("MQTT5-3.1.4-1",)))

    def wills(props: bytes) -> bytes:
        return _con(5, 6, payload=_s("c") + _props(props) + _s("w") + _s("x"))

    e.append(
        Example(
            c + "will-delay-twice",
            5,
            "X5-will_delay_interval-once",
            wills(b"\x18\0\0\0\1\x18\0\0\0\1"),
            "a Will Delay Interval twice",
        )
    )
    e.append(
        Example(
            c + "will-alias", 5, "X5-topic_alias-placement", wills(b"\x23\0\1"), "a Topic Alias in the Will Properties"
        )
    )
    e.append(
        Example(
            c + "will-format-2",
            5,
            "X5-payload_format_indicator-range",
            wills(b"\1\2"),
            "Payload Format Indicator 2 of a will",
        )
    )
    return e


EXAMPLES: tuple[Example, ...] = tuple(_examples())
"""One malformed packet for each row of this module."""


def _same(one: Violation, other: Violation) -> bool:
    return one.statement == other.statement and one.packet == other.packet and one.field == other.field


def _tolerate(example: Example) -> Callable[[], Rule]:
    def make() -> Rule:
        wanted = found(example.version, example.data)
        connect = example.data[0] >> 4 == 1

        def up(link: Link, packet: Any, data: bytes) -> Out:
            if not isinstance(packet, Violation) or wanted is None or not _same(packet, wanted):
                return None
            if not connect:
                return []
            if link.packets_up > 1:
                return None
            link.version = link.level = example.version
            made = Connect(f"tolerated{link.world.next()}", example.version)
            link.connect = made
            link.client_id = made.client_id
            return [made]

        return Hooks(up=up)

    return make


def _length_not_minimal() -> Rule:
    """A Remaining Length with a byte too many is shortened."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if link.packets_up > 1 and len(data) > 2 and data[1] & 128:
            at = 2
            while data[at] & 128:
                at += 1
            if not data[at]:
                return [_p(data[0], data[at + 1 :])]
        return None

    return Hooks(up=up)


def _length_of_five() -> Rule:
    """A Remaining Length of five bytes is ignored with all that follows."""

    def lost(link: Link, data: bytes) -> Out:
        return [b"\xc0\0"]

    return Hooks(lost=lost)


def rows() -> list[Fault]:
    """Return the faults of this module."""
    made = []
    for one in EXAMPLES:
        connect = one.data[0] >> 4 == 1
        path = "malformed-connect" if connect else "malformed"
        says = f"{one.breaks} is {'accepted' if connect else 'ignored'}"
        made.append(
            Fault(f"tolerates-{one.id}", one.statement, path, one.version, None, says, _tolerate(one), one.also)
        )
    made.append(
        Fault(
            "tolerates-length-not-minimal",
            "MQTT5-1.5.5-1",
            "malformed",
            5,
            None,
            "a Remaining Length with a byte too many is taken",
            _length_not_minimal,
        )
    )
    made.append(
        Fault(
            "tolerates-length-of-five",
            "X5-vbi-four-bytes",
            "malformed",
            5,
            None,
            "a Remaining Length of five bytes is tolerated",
            _length_of_five,
        )
    )
    made.append(
        Fault(
            "tolerates-length-of-five-311",
            "X311-vbi-four-bytes",
            "malformed",
            4,
            None,
            "a Remaining Length of five bytes is tolerated",
            _length_of_five,
        )
    )
    return made
