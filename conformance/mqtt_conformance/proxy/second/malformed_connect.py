# SPDX-License-Identifier: MIT
"""Faults of a second author: malformed-connect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.tools import Make, body_of, fault, remade
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.packets import Connect
from mqtt_ref.wire.primitives import read_vbi
from mqtt_ref.wire.violation import Violation

__all__: list[str] = ["bad_connect", "with_flags"]


def _connect_at(data: bytes) -> int:
    """Offset of the Connect Flags."""
    at = body_of(data)
    return at + 2 + int.from_bytes(data[at : at + 2], "big") + 1


def bad_connect(test: Callable[[bytes, int], bool], repair: Callable[[bytes, int], bytes]) -> Make:
    """A rule that accepts an illegal CONNECT. `test` and `repair` get the offset of its flags."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if not isinstance(packet, Violation) or data[0] >> 4 != 1 or link.connect is not None or link.accepted:
                return None
            at = _connect_at(data)
            if len(data) <= at or not test(data, at):
                return None
            link.version = link.level
            return [repair(data, at)]

        return Hooks(up=up)

    return make


def with_flags(data: bytes, at: int, flags: int) -> bytes:
    """Return a CONNECT with other Connect Flags."""
    return data[:at] + bytes((flags,)) + data[at + 1 :]


fault(
    "connect-reserved-flag-accepted",
    "MQTT5-3.1.2-3",
    "malformed-connect",
    5,
    None,
    "a CONNECT whose reserved flag is 1 is accepted",
    ("X5-connect-reserved-flag-malformed", "MQTT5-3.1.4-1"),
)(bad_connect(lambda data, at: bool(data[at] & 1), lambda data, at: with_flags(data, at, data[at] & 0xFE)))
fault(
    "connect-reserved-flag-accepted-311",
    "MQTT311-3.1.2-3",
    "malformed-connect",
    4,
    None,
    "a CONNECT whose reserved flag is 1 is accepted",
    ("MQTT311-3.1.4-1",),
)(bad_connect(lambda data, at: bool(data[at] & 1), lambda data, at: with_flags(data, at, data[at] & 0xFE)))
fault(
    "connect-will-qos3-accepted-311",
    "MQTT311-3.1.2-14",
    "malformed-connect",
    4,
    None,
    "a CONNECT with Will QoS 3 is accepted, the Will Message has QoS 2",
    ("MQTT311-3.1.4-1",),
)(bad_connect(lambda data, at: data[at] & 0x1C == 0x1C, lambda data, at: with_flags(data, at, data[at] & 0xF7)))
fault(
    "connect-will-qos-without-will-accepted",
    "MQTT5-3.1.2-11",
    "malformed-connect",
    5,
    None,
    "a CONNECT with Will Flag 0 and another Will QoS than 0 is accepted",
    ("MQTT5-3.1.4-1", "MQTT5-4.13.1-1"),
)(
    bad_connect(
        lambda data, at: not data[at] & 4 and bool(data[at] & 0x18),
        lambda data, at: with_flags(data, at, data[at] & 0xE7),
    )
)
fault(
    "connect-will-retain-without-will-accepted-311",
    "MQTT311-3.1.2-15",
    "malformed-connect",
    4,
    None,
    "a CONNECT with Will Flag 0 and Will Retain 1 is accepted",
    ("MQTT311-3.1.2-11", "MQTT311-3.1.4-1"),
)(
    bad_connect(
        lambda data, at: not data[at] & 4 and bool(data[at] & 0x20),
        lambda data, at: with_flags(data, at, data[at] & 0xDF),
    )
)


def _without_password(data: bytes, at: int) -> bytes:
    """Drop the password, the last field of the payload."""
    pos = at + 3
    pos += 2 + int.from_bytes(data[pos : pos + 2], "big")
    return remade(0x10, data[body_of(data) : at] + bytes((data[at] & 0x3F,)) + data[at + 1 : pos])


fault(
    "connect-password-without-user-name-accepted-311",
    "MQTT311-3.1.2-22",
    "malformed-connect",
    4,
    None,
    "a CONNECT with a Password and no User Name is accepted",
    ("MQTT311-3.1.4-1",),
)(bad_connect(lambda data, at: data[at] & 0xC4 == 0x40, _without_password))


def _second_connect(answer: bytes) -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if data[0] >> 4 == 1 and link.connect is not None:
            if answer:
                link.to_client(answer)
            return []
        return None

    return Hooks(up=up)


fault(
    "connect-second-answered",
    "MQTT5-3.1.0-2",
    "malformed-connect",
    5,
    None,
    "a second CONNECT is answered by a second CONNACK",
    ("MQTT5-3.2.0-2", "MQTT5-4.13.1-1"),
)(lambda: _second_connect(b"\x20\x03\x00\x00\x00"))
fault(
    "connect-second-ignored-311",
    "MQTT311-3.1.0-2",
    "malformed-connect",
    4,
    None,
    "a second CONNECT is ignored",
    ("MQTT311-4.8.0-1",),
)(lambda: _second_connect(b""))


@fault(
    "connect-malformed-answered-311",
    "MQTT311-3.1.4-1",
    "malformed-connect",
    4,
    None,
    "a CONNECT of the wrong format is answered by CONNACK 0x02 before the broker closes",
    ("MQTT311-3.2.2-6",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        # Version 4, named rightly, so that no CONNACK is due.
        if isinstance(packet, Violation) and data[0] == 0x10 and link.connect is None and b"\0\4MQTT\4" in data[:12]:
            at = _connect_at(data)
            empty = data[at + 3 : at + 5] == b"\0\0"
            if not empty:
                link.memo["bad"] = True
        return None

    def server_gone(link: Link) -> bool:
        if link.memo.get("bad"):
            link.to_client(b"\x20\x02\x00\x02")
            link.fired()
        return False

    return Hooks(up=up, server_gone=server_gone)


def _without_properties(data: bytes, at: int) -> bytes:
    """Replace the properties of a CONNECT by none."""
    pos = at + 3
    found = read_vbi(data, pos, len(data), False)
    end = pos + (found & 7) + (found >> 3)
    return remade(0x10, data[body_of(data) : pos] + b"\0" + data[end:])


def _connect_starts(first: bytes) -> Callable[[bytes, int], bool]:
    """The properties of the CONNECT begin with these bytes."""
    return lambda data, at: data[at + 4 : at + 4 + len(first)] == first


fault(
    "connect-receive-maximum-0-accepted",
    "X5-receive_maximum-range",
    "malformed-connect",
    5,
    None,
    "a CONNECT with Receive Maximum 0 is accepted",
    ("MQTT5-3.1.4-1", "MQTT5-4.13.1-1"),
)(bad_connect(_connect_starts(b"\x21\0\0"), _without_properties))
fault(
    "connect-maximum-packet-size-0-accepted",
    "X5-maximum_packet_size-range",
    "malformed-connect",
    5,
    None,
    "a CONNECT with Maximum Packet Size 0 is accepted",
    ("MQTT5-3.1.4-1", "MQTT5-4.13.1-1"),
)(bad_connect(_connect_starts(b"\x27\0\0\0\0"), _without_properties))
fault(
    "connect-request-problem-information-2-accepted",
    "X5-request_problem_information-range",
    "malformed-connect",
    5,
    None,
    "a CONNECT with Request Problem Information 2 is accepted",
    ("MQTT5-3.1.4-1", "MQTT5-4.13.1-1"),
)(bad_connect(_connect_starts(b"\x17\x02"), _without_properties))
fault(
    "connect-session-expiry-twice-accepted",
    "X5-session_expiry_interval-once",
    "malformed-connect",
    5,
    None,
    "a CONNECT with two Session Expiry Intervals is accepted",
    ("MQTT5-3.1.4-1", "MQTT5-4.13.1-1"),
)(bad_connect(_connect_starts(b"\x11"), _without_properties))
fault(
    "connect-authentication-data-alone-accepted",
    "X5-authentication_data-needs",
    "auth",
    5,
    None,
    "a CONNECT with Authentication Data and no Authentication Method is accepted",
    ("MQTT5-3.1.4-1", "MQTT5-4.13.1-1"),
)(bad_connect(_connect_starts(b"\x16"), _without_properties))
fault(
    "connect-trailing-bytes-accepted",
    "X5-trailing-bytes",
    "malformed-connect",
    5,
    None,
    "a CONNECT with bytes behind its last field is accepted",
    ("MQTT5-3.1.4-1", "MQTT5-4.13.1-1"),
)(
    bad_connect(
        lambda data, at: not data[at] & 0xC4 and len(data) > _end_of_id(data, at),
        lambda data, at: remade(0x10, data[body_of(data) : _end_of_id(data, at)]),
    )
)


def _end_of_id(data: bytes, at: int) -> int:
    """Offset behind the Client Identifier of a CONNECT of 5.0."""
    pos = at + 3
    found = read_vbi(data, pos, len(data), False)
    if found < 0:
        return len(data)
    pos += (found & 7) + (found >> 3)
    return pos + 2 + int.from_bytes(data[pos : pos + 2], "big")


fault(
    "connect-nul-in-id-accepted-311",
    "MQTT311-1.5.3-2",
    "malformed-connect",
    4,
    None,
    "a ClientId with U+0000 in it is accepted",
    ("MQTT311-3.1.4-1", "MQTT311-3.1.3-4"),
)(
    bad_connect(
        lambda data, at: b"\0" in data[at + 5 : at + 5 + int.from_bytes(data[at + 3 : at + 5], "big")],
        lambda data, at: (
            data[: at + 5]
            + data[at + 5 : at + 5 + int.from_bytes(data[at + 3 : at + 5], "big")].replace(b"\0", b"_")
            + data[at + 5 + int.from_bytes(data[at + 3 : at + 5], "big") :]
        ),
    )
)


@fault(
    "connect-missing-user-name-refused-31",
    "X31-user-name-missing",
    "malformed-connect",
    3,
    None,
    "a CONNECT that ends before the User Name for which its flag is set is closed without CONNACK",
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if data[0] == 0x10 and link.connect is None and isinstance(packet, Connect) and packet.username is None:
            at = _connect_at(data)
            if data[at] & 0x80:
                link.end_client()
                link.end_server()
                return []
        return None

    return Hooks(up=up)
