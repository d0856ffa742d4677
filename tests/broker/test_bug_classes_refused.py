# SPDX-License-Identifier: MIT
"""Recurrent classes of broker bugs in what is to be refused, and how; the others are in `test_bug_classes.py`."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.options import Capabilities, Options
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Disconnect,
    DisconnectProperties,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
    Will,
)
from tests.sansio import World

KEEP = ConnectProperties(session_expiry_interval=3600)


def test_subscription_identifier_from_a_client_or_0_is_refused() -> None:  # MQTT5-3.3.4-6
    world = World()
    a = world.client("a")
    a.send(Publish("t", properties=PublishProperties(subscription_identifier=[1])))
    assert a.one(Disconnect).reason_code == 0x82
    assert a.closed
    b = world.client("b")
    b.send_raw(bytes.fromhex("82 08 0001 02 0b00 0000 00".replace(" ", "")))
    assert b.one(Disconnect).reason_code in (0x81, 0x82)
    assert b.closed


@pytest.mark.parametrize(
    ("topic", "alias", "code"), [("t", 0, 0x94), ("t", 11, 0x94), ("", 3, 0x82), ("t", 65535, 0x94)]
)
def test_bad_topic_aliases(topic: str, alias: int, code: int) -> None:  # MQTT5-3.3.2-7 to -12
    world = World(Options(capabilities=Capabilities(topic_alias_maximum=10)))
    a = world.client("a")
    a.send(Publish(topic, properties=PublishProperties(topic_alias=alias)))
    assert a.one(Disconnect).reason_code == code
    assert a.closed


def test_receive_maximum_inbound_is_answered_0x93() -> None:  # MQTT5-3.3.4-7
    world = World(Options(capabilities=Capabilities(receive_maximum=2)))
    pub = world.client("pub")
    assert pub.connack.properties.receive_maximum == 2
    pub.send(Publish("t", b"1", 2, packet_id=1), Publish("t", b"2", 2, packet_id=2))
    pub.send(Publish("t", b"2", 2, dup=True, packet_id=2))
    assert not pub.closed
    pub.read()
    pub.send(Publish("t", b"3", 2, packet_id=3))
    assert pub.one(Disconnect).reason_code == 0x93
    assert pub.closed


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("text", [b"\xc0\x80", b"\xed\xa0\x80", b"a\x00", b"\xff"])
def test_bad_utf8_is_refused(version: int, text: bytes) -> None:  # MQTT311-1.5.3-1, MQTT5-1.5.4-1
    world = World()
    a = world.client("a", version)
    body = len(text).to_bytes(2, "big") + text + (b"\x00" if version == 5 else b"")
    a.send_raw(bytes((0x30, len(body))) + body)
    assert a.closed
    assert [p.reason_code for p in a.read()] == ([0x81] if version == 5 else [])


def connect_with_flags(version: int, flags: int, tail: bytes) -> bytes:
    body = b"\x00\x04MQTT" + bytes((version, flags)) + b"\x00\x3c" + (b"\x00" if version == 5 else b"") + tail
    return bytes((0x10, len(body))) + body


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("flags", [0x0A, 0x22, 0x1A])
def test_will_bits_without_will_flag_are_refused(version: int, flags: int) -> None:  # MQTT5-3.1.2-11 to -13
    world = World()
    link = world.link(version)
    link.send_raw(connect_with_flags(version, flags, b"\x00\x01a"))
    assert link.closed
    assert all(p.reason_code >= 0x80 for p in link.read())


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("flags", [0x82, 0xC2, 0x06])
def test_flags_and_payload_that_disagree_are_refused(version: int, flags: int) -> None:
    world = World()
    link = world.link(version)
    link.send_raw(connect_with_flags(version, flags, b"\x00\x01a"))
    assert link.closed
    assert all(p.reason_code >= 0x80 for p in link.read())


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize(
    "packet",
    [
        "80 PP 0001 QQ 0001 61 00",
        "82 PP 0001 QQ 0001 61 c0",
        "82 PP 0001 QQ",
        "a0 PP 0001 QQ 0001 61",
    ],
)
def test_reserved_bits_and_empty_lists_are_refused(version: int, packet: str) -> None:  # MQTT5-3.8.1-1, 3.8.3-2, -5
    world = World()
    a = world.client("a", version)
    data = bytes.fromhex(packet.replace("QQ", "00" if version == 5 else "").replace("PP", "00").replace(" ", ""))
    a.send_raw(data[:1] + bytes((len(data) - 2,)) + data[2:])
    assert a.closed
    assert all(isinstance(p, Disconnect) for p in a.read())


@pytest.mark.parametrize("first", [b"\xc0\x00", b"\x30\x04\x00\x01t\x00", b"\xe0\x00", b"GET / HTTP/1.1\r\n\r\n"])
def test_first_packet_not_connect_is_not_answered(first: bytes) -> None:  # MQTT5-3.1.0-1
    world = World()
    link = world.link()
    link.send_raw(first)
    assert link.closed
    assert link.raw == b""


def test_duplicate_single_use_property_is_refused() -> None:
    world = World()
    a = world.client("a")
    a.send_raw(bytes.fromhex("300800017404010101" + "01"))
    assert a.one(Disconnect).reason_code == 0x82
    assert a.closed


def test_no_local_on_a_shared_subscription_is_refused() -> None:  # MQTT5-3.8.3-4
    world = World()
    a = world.client("a")
    a.send(Subscribe(1, [Subscription("fine"), Subscription("$share/g/t", no_local=True)]))
    assert a.one(Disconnect).reason_code == 0x82
    assert a.closed


@pytest.mark.parametrize("version", [3, 4])
def test_denied_publish_is_acknowledged(version: int) -> None:  # MQTT311-3.3.5-2
    world = World()
    a = world.client("a", version)
    assert a.ask(Publish("$SYS/x", b"", 1, packet_id=1)) == Puback(1)
    assert a.ask(Publish("$SYS/x", b"", 2, packet_id=2)) == Pubrec(2)
    assert a.ask(Pubrel(2)) == Pubcomp(2)
    assert not a.closed


def test_session_expiry_in_disconnect() -> None:  # ambiguity 24
    world = World()
    watch = world.client("watch")
    watch.subscribe("will")
    a = world.client("a", will=Will("will", b"gone"))
    a.send(Disconnect(0, DisconnectProperties(session_expiry_interval=5)))
    assert a.one(Disconnect).reason_code == 0x82
    assert watch.payloads() == [b"gone"]
    b = world.client("b", properties=KEEP)
    b.send(Disconnect(0, DisconnectProperties(session_expiry_interval=0)))
    assert not world.client("b", clean_start=False).connack.session_present
    c = world.client("c", properties=KEEP)
    c.send(Disconnect(0, DisconnectProperties(session_expiry_interval=10)))
    world.pass_time(11)
    assert not world.client("c", clean_start=False).connack.session_present


def test_second_connect_is_a_protocol_error() -> None:
    world = World()
    a = world.client("a")
    a.send(Connect("a"))
    assert a.one(Disconnect).reason_code == 0x82
    b = world.client("b", 4)
    b.send(Connect("b", protocol_version=4))
    assert b.closed
    assert b.read() == []


def test_session_expiry_in_disconnect_after_one_that_was_cut_to_0() -> None:  # X5-disconnect-session-expiry-after-zero
    """What the CONNECT asked for counts, not what was granted."""
    world = World(Options(capabilities=Capabilities(maximum_session_expiry=0)))
    a = world.client("a", properties=KEEP)
    assert a.connack.properties.session_expiry_interval == 0
    a.send(Disconnect(0, DisconnectProperties(session_expiry_interval=5)))
    assert a.closed
    assert a.read() == []
    assert world.broker.sessions.by_handle == []
