# SPDX-License-Identifier: MIT
"""Each row of the reaction table, by a packet that breaks its rule; what must follow is typed in by hand."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.access import Access
from mqtt_ref.wire.packets import Connack, Connect, Disconnect, Pingreq
from tests.sansio import Client, World

V5 = b"\x00\x04MQTT\x05"
V311 = b"\x00\x04MQTT\x04"
V31 = b"\x00\x06MQIsdp\x03"


def packet(first: int, body: bytes) -> bytes:
    """A packet with a remaining length of one byte."""
    assert len(body) < 128
    return bytes([first, len(body)]) + body


def connect(head: bytes, rest: bytes, flags: int = 0x02) -> bytes:
    """A CONNECT with Clean Start and a Keep Alive of 60 s."""
    return packet(0x10, head + bytes([flags]) + b"\x00\x3c" + rest)


def publish(properties: bytes = b"", topic: bytes = b"t", first: int = 0x30) -> bytes:
    """A PUBLISH of 5.0 with QoS 0."""
    return packet(first, len(topic).to_bytes(2, "big") + topic + bytes([len(properties)]) + properties)


def old_publish(topic: bytes, first: int = 0x30, rest: bytes = b"") -> bytes:
    """A PUBLISH of 3.x."""
    return packet(first, len(topic).to_bytes(2, "big") + topic + rest)


def subscribe(topic_filter: bytes, version: int, packet_id: int = 1) -> bytes:
    """A SUBSCRIBE with one filter."""
    properties = b"\x00" if version == 5 else b""
    return packet(
        0x82, packet_id.to_bytes(2, "big") + properties + len(topic_filter).to_bytes(2, "big") + topic_filter + b"\x00"
    )


WILL = 0x06  # the flags of a CONNECT with a will


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        # A name that is not "MQTT": closed without a word [MQTT5-3.1.2-1].
        (connect(b"\x00\x04MQTS\x05", b"\x00\x00\x01a"), b""),
        # A version that is not spoken: each family of versions has a CONNACK of its own for it
        # [MQTT5-3.1.2-2, MQTT311-3.1.2-2, X31-protocol-version].
        (connect(b"\x00\x04MQTT\x06", b"\x00\x00\x01a"), b"\x20\x03\x00\x84\x00"),
        (connect(b"\x00\x04MQTT\x02", b"\x00\x01a"), b"\x20\x02\x00\x01"),
        (connect(b"\x00\x06MQIsdp\x02", b"\x00\x01a"), b"\x20\x02\x00\x01"),
        # A remaining length in more bytes than it needs is malformed [MQTT5-1.5.5-1].
        (b"\x10\x8e\x00" + V5 + b"\x02\x00\x3c\x00\x00\x01a", b"\x20\x03\x00\x81\x00"),
        # A will with a Payload Format Indicator that is neither 0 nor 1, or that is there twice.
        (connect(V5, b"\x00\x00\x01a" + b"\x02\x01\x02" + b"\x00\x01w\x00\x00", WILL), b"\x20\x03\x00\x82\x00"),
        (connect(V5, b"\x00\x00\x01a" + b"\x04\x01\x01\x01\x01" + b"\x00\x01w\x00\x00", WILL), b"\x20\x03\x00\x82\x00"),
        # A will with two Message Expiry Intervals.
        (
            connect(V5, b"\x00\x00\x01a" + b"\x0a" + b"\x02\x00\x00\x00\x01" * 2 + b"\x00\x01w\x00\x00", WILL),
            b"\x20\x03\x00\x82\x00",
        ),
        # A Client Identifier of 3.1.1 that is not UTF-8, or has a null character [MQTT311-1.5.3-1, MQTT311-1.5.3-2].
        (connect(V311, b"\x00\x01\xff"), b""),
        (connect(V311, b"\x00\x01\x00"), b""),
        # A Will Topic of 3.1.1 with a wildcard, and an empty one [MQTT311-4.7.1-1, MQTT311-4.7.3-1].
        (connect(V311, b"\x00\x01a" + b"\x00\x03w/+" + b"\x00\x00", WILL), b""),
        (connect(V311, b"\x00\x01a" + b"\x00\x00" + b"\x00\x00", WILL), b""),
        # A protocol name that is none, with the level of 3.1.1 [MQTT311-3.1.2-1].
        (connect(b"\x00\x04MQTS\x04", b"\x00\x01a"), b""),
        # The reserved flag of a CONNECT: 3.x is closed without a word, 5.0 says that it is malformed [MQTT5-3.1.2-3].
        (connect(V31, b"\x00\x01a" + b"x" * 20), b""),
        (connect(V311, b"\x00\x01a", 0x03), b""),
        (connect(V5, b"\x00\x00\x01a", 0x03), b"\x20\x03\x00\x81\x00"),
    ],
)
def test_before_a_connect_is_accepted(data: bytes, answer: bytes) -> None:
    """A CONNECT that breaks a rule ends the connection, with a CONNACK where the version has one for it.

    Reason Strings are left out here: which words they have is nobody's business.
    """
    world = World()
    world.broker.options.reason_strings = False
    link = world.link(4 if len(answer) == 4 else 5)
    link.send_raw(data)
    assert link.raw == answer
    assert link.closed


@pytest.mark.parametrize("version", [3, 4, 5])
def test_while_a_connect_is_being_answered(version: int) -> None:
    """Before the answer, 5.0 is refused with a CONNACK [MQTT5-4.13.1-1]; 3.x is closed without a word."""
    world = World()
    world.broker.set_access(Access(on_connect_authenticate=lambda *_: None))
    link = world.link(version)
    link.send(Connect("a", protocol_version=version))
    link.send_raw(b"\x00\x00")  # a packet type that does not exist
    if version == 5:
        assert link.one(Connack).reason_code == 0x81
    else:
        assert link.raw == b""
    assert link.closed


@pytest.mark.parametrize(
    ("data", "code"),
    [
        # Reason Codes that the packet can't have [MQTT5-3.4.2-1, MQTT5-3.5.2-1, MQTT5-3.6.2-1, MQTT5-3.7.2-1,
        # MQTT5-3.14.2-1].
        (b"\x40\x04\x00\x07\x01\x00", 0x82),
        (b"\x50\x04\x00\x07\x01\x00", 0x82),
        (b"\x62\x04\x00\x07\x01\x00", 0x82),
        (b"\x70\x04\x00\x07\x01\x00", 0x82),
        (b"\xe0\x02\x01\x00", 0x82),
        # A packet identifier of 0 [MQTT5-2.2.1-5, MQTT5-2.2.1-3].
        (b"\x40\x02\x00\x00", 0x82),
        (subscribe(b"t", 5, 0), 0x82),
        # DUP with QoS 0 [MQTT5-3.3.1-2].
        (publish(first=0x38), 0x82),
        # A remaining length in more bytes than it needs [MQTT5-1.5.5-1].
        (b"\xc0\x80\x00", 0x81),
        # A Payload Format Indicator of 2, two of them, and two Message Expiry Intervals.
        (publish(b"\x01\x02"), 0x82),
        (publish(b"\x01\x01\x01\x01"), 0x82),
        (publish(b"\x02\x00\x00\x00\x01" * 2), 0x82),
        # Filters with `#` or `+` in the wrong place, and an empty one [MQTT5-4.7.1-1, MQTT5-4.7.1-2, MQTT5-4.7.3-1].
        (subscribe(b"a#", 5), 0x81),
        (subscribe(b"a+", 5), 0x81),
        (subscribe(b"", 5), 0x81),
        # A Shared Subscription without a ShareName, and one without a filter [MQTT5-4.8.2-1, MQTT5-4.8.2-2].
        (subscribe(b"$share//t", 5), 0x81),
        (subscribe(b"$share/g", 5), 0x81),
        # A Topic Name with a wildcard [MQTT5-3.3.2-2].
        (publish(topic=b"a/+"), 0x81),
        # Any other rule, here the flags of a PINGREQ [MQTT5-2.1.3-1].
        (b"\xc1\x00", 0x81),
    ],
)
def test_of_a_connected_client_of_5_0(data: bytes, code: int) -> None:
    """The client is told the reason in a DISCONNECT, then the connection is closed [MQTT5-4.13.1-1]."""
    world = World()
    a = world.client("a")
    a.send_raw(data)
    assert a.one(Disconnect).reason_code == code
    assert a.closed


@pytest.mark.parametrize(
    ("version", "data"),
    [
        # DUP with QoS 0, packet identifiers of 0 [MQTT311-3.3.1-2, MQTT311-2.3.1-6, X311-pubcomp-packet-id].
        (4, old_publish(b"t", 0x38)),
        (4, b"\x50\x02\x00\x00"),
        (4, b"\x70\x02\x00\x00"),
        # Filters with `#` or `+` in the wrong place, and an empty one
        # [MQTT311-4.7.1-2, MQTT311-4.7.1-3, MQTT311-4.7.3-1].
        (4, subscribe(b"a#", 4)),
        (4, subscribe(b"a+", 4)),
        (4, subscribe(b"", 4)),
        # A packet identifier of 0 where there has to be one, a Topic Name with a wildcard
        # [MQTT311-2.3.1-1, MQTT311-3.3.2-2].
        (4, subscribe(b"t", 4, 0)),
        (4, old_publish(b"a/+")),
        # Any other rule, here the flags of a PINGREQ.
        (4, b"\xc1\x00"),
        # The same for 3.1, whose Message IDs are not 0 either, and whose text is UTF-8 without null characters.
        (3, old_publish(b"t", 0x32, b"\x00\x00")),
        (3, old_publish(b"\xff")),
        (3, old_publish(b"\x00")),
        (3, subscribe(b"a#", 3)),
        (3, subscribe(b"a+", 3)),
        (3, subscribe(b"", 3)),
        (3, old_publish(b"a/+")),
        (3, b"\x40\x03\x00\x01\x00"),
    ],
)
def test_of_a_connected_client_of_3_x(version: int, data: bytes) -> None:
    """The connection is closed; 3.x has no packet in which a server could say why [MQTT311-4.8.0-1]."""
    world = World()
    a = world.client("a", version)
    before = a.raw
    a.send_raw(data)
    assert a.raw == before
    assert a.closed


FIRST = {
    "PUBLISH": b"\x32\x06\x00\x01t\x00\x01\x00",
    "PUBACK": b"\x40\x02\x00\x01",
    "PUBREC": b"\x50\x02\x00\x01",
    "PUBREL": b"\x62\x02\x00\x01",
    "PUBCOMP": b"\x70\x02\x00\x01",
    "SUBSCRIBE": b"\x82\x07\x00\x01\x00\x00\x01t\x00",
    "UNSUBSCRIBE": b"\xa2\x06\x00\x01\x00\x00\x01t",
    "PINGREQ": b"\xc0\x00",
    "DISCONNECT": b"\xe0\x00",
    "AUTH": b"\xf0\x06\x18\x04\x15\x00\x01M",
}
"""Right packets of 5.0 that may not come now."""


@pytest.mark.parametrize("name", FIRST)
def test_the_first_packet_is_not_a_connect(name: str) -> None:
    """The link is closed, and nobody is told anything, since no CONNECT said who it is [MQTT5-3.1.0-1]."""
    world = World()
    link = world.link()
    link.send_raw(FIRST[name])
    assert link.raw == b""
    assert link.closed
    assert [note.statement for note in world.notes] == ["MQTT5-3.1.0-1"]
    assert world.broker.connections == {}


@pytest.mark.parametrize("name", [name for name in FIRST if name not in ("DISCONNECT", "AUTH")])
def test_nothing_but_auth_and_disconnect_while_a_client_is_authenticated(name: str) -> None:
    """A client that named an Authentication Method waits for the CONNACK with everything else [MQTT5-3.1.2-30]."""
    world = World()
    link = authenticating(world)
    link.send_raw(FIRST[name])
    assert link.one(Connack).reason_code == 0x82
    assert link.closed
    assert [note.statement for note in world.notes] == ["MQTT5-3.1.2-30"]


def authenticating(world: World) -> Client:
    """A link whose client is asked by a mechanism that does not answer."""
    world.broker.set_access(Access(methods=frozenset({"M"}), on_auth_packet=lambda *_: None))
    link = world.link()
    link.send_raw(connect(V5, b"\x04\x15\x00\x01M\x00\x01a"))
    assert link.read() == []
    assert not link.closed
    return link


def test_a_second_connect() -> None:
    """It is a protocol error, before the CONNACK and after it [MQTT5-3.1.0-2, MQTT311-3.1.0-2]."""
    world = World()
    a = world.client("a")
    a.send(Connect("a"))
    assert a.one(Disconnect).reason_code == 0x82
    assert a.closed
    b = world.client("b", 4)
    b.send(Connect("b", protocol_version=4))
    assert b.read() == []
    assert b.closed
    link = authenticating(world)
    link.send(Connect("a"))
    assert link.one(Connack).reason_code == 0x82
    assert link.closed
    world.broker.set_access(Access(on_connect_authenticate=lambda *_: None))
    link = world.link()
    link.send(Connect("a"))
    link.send(Connect("a"))
    assert link.one(Connack).reason_code == 0x82
    assert link.closed


def test_an_auth_of_a_client_without_a_method() -> None:
    """AUTH is for clients whose CONNECT named a method, whatever its reason [MQTT5-4.12.0-7]."""
    for data in (
        b"\xf0\x06\x18\x04\x15\x00\x01M",
        b"\xf0\x06\x19\x04\x15\x00\x01M",
        b"\xf0\x02\x18\x00",
        b"\xf0\x00",
    ):
        world = World()
        a = world.client("a")
        a.send_raw(data)
        assert a.one(Disconnect).reason_code in (0x81, 0x82)
        assert a.closed
        assert world.client("b").ask(Pingreq()) is not None
