# SPDX-License-Identifier: MIT
"""Packets as lines for people."""

from __future__ import annotations

import pytest
from hypothesis import given

from mqtt_ref.testing import strategies
from mqtt_ref.wire.describe import describe
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Puback,
    Publish,
    PublishProperties,
    Suback,
    Subscribe,
    Subscription,
    Will,
)
from mqtt_ref.wire.violation import Violation


@pytest.mark.parametrize(
    ("packet", "version", "line"),
    [
        (
            Connect(
                "c",
                clean_start=False,
                will=Will("w", retain=True),
                properties=ConnectProperties(user_property=[("k", "v")]),
            ),
            5,
            "CONNECT client_id='c' version=5.0 will=(topic='w' payload=b'' qos=0 retain=1) user_property=[('k', 'v')]",
        ),
        (
            Connect("", protocol_version=3, password=b"secret"),
            3,
            "CONNECT client_id='' version=3.1 clean_start=1 password=***",
        ),
        (
            Auth(0x18, AuthProperties("SCRAM-SHA-256", b"n,,n=user,r=secret")),
            5,
            "AUTH reason=0x18 (Continue authentication) authentication_method='SCRAM-SHA-256' authentication_data=***",
        ),
        (Connack(0x87), 5, "CONNACK reason=0x87 (Not authorized)"),
        (Connack(5), 4, "CONNACK reason=5 (Not authorized)"),
        (Publish("t", b"x" * 50), 5, f"PUBLISH topic='t' payload={b'x' * 40!r}... (50 bytes) qos=0"),
        (
            Publish("", b"", 2, packet_id=7, dup=True, properties=PublishProperties(topic_alias=4)),
            5,
            "PUBLISH topic='' payload=b'' qos=2 dup=1 id=7 topic_alias=4",
        ),
        (Puback(7), 5, "PUBACK id=7 reason=0x00 (Success)"),
        (Puback(7), 4, "PUBACK id=7"),
        (
            Subscribe(1, [Subscription("a/#", 1, no_local=True), Subscription("b")]),
            5,
            "SUBSCRIBE id=1 ['a/#' qos=1 no_local=1, 'b' qos=0]",
        ),
        (Suback(1, [1, 0x87]), 5, "SUBACK id=1 reasons=[0x01 (Granted QoS 1), 0x87 (Not authorized)]"),
        (Suback(1, [2, 0x80]), 4, "SUBACK id=1 reasons=[0x02 (Granted QoS 2), 0x80 (Failure)]"),
        (Disconnect(), 5, "DISCONNECT reason=0x00 (Normal disconnection)"),
        (Disconnect(), 4, "DISCONNECT"),
        (
            Violation("MQTT5-3.3.1-4", 0x81, 3, 0, 5, 0, "qos"),
            5,
            "broken PUBLISH: byte 0 in qos, 0x81 Malformed Packet [MQTT5-3.3.1-4]",
        ),
    ],
)
def test_lines(packet: Packet | Violation, version: int, line: str) -> None:
    assert describe(packet, version) == line


@given(strategies.packets(5), strategies.packets(4))
def test_every_packet_is_one_printable_line(five: Packet, three: Packet) -> None:
    for packet, version in ((five, 5), (three, 4)):
        line = describe(packet, version)
        assert line.isprintable()
        assert len(line) < 100_000
