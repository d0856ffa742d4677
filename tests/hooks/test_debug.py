# SPDX-License-Identifier: MIT
"""The debug hook and its four options."""

from __future__ import annotations

import logging

import pytest

from mqtt_ref.hooks import AllowAll, Debug
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Disconnect,
    Pingreq,
    Publish,
    PublishProperties,
    Unsubscribe,
    Will,
)
from tests.sansio import World


def lines(caplog: pytest.LogCaptureFixture, level: int = logging.DEBUG, **options: bool) -> str:
    """What is logged while a client does a bit of everything."""
    world = World()
    Dispatcher(world.broker, [AllowAll(), Debug(**options)])
    with caplog.at_level(level, "mqtt_ref.hooks.debug"):
        keep = ConnectProperties(session_expiry_interval=10)
        client = world.client("c", username="carol", password=b"secret word", will=Will("w"), properties=keep)
        client.subscribe("t", 1)
        client.publish("t", b"the payload", retain=True, properties=PublishProperties(message_expiry_interval=5))
        client.send(Pingreq(), Unsubscribe(3, ["t"]))
        client.read()
        client.subscribe("q")
        client.send(Disconnect(4))
        world.client("other").publish("q")
        world.pass_time(20)
    return caplog.text


def test_what_happens_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    text = lines(caplog)
    for words in (
        "read: '' at peer, CONNECT",
        "connected: 'c' at peer, MQTT 5.0, user 'carol', resumed: False",
        "sent: 'c' at peer, CONNACK",
        "subscribed: 'c' at peer, ['t'], ['0x01']",
        "read: 'c' at peer, PUBLISH, 't', 11 bytes, QoS 0",
        "retained: 'c' at peer, 't'",
        "unsubscribed: 'c' at peer, ['t'], ['0x00']",
        "disconnected: 'c' at peer, 0x04",
        "will: 'c' at peer, 'w'",
        "dropped: 'c' at peer, 'q', offline",
        "retained message expired: 't'",
        "session expired: 'c' at peer",
    ):
        assert words in text
    for secret in ("secret word", "the payload", "PINGREQ", "PINGRESP"):
        assert secret not in text


def test_enable(caplog: pytest.LogCaptureFixture) -> None:
    assert lines(caplog, enable=False, show_pings=True, show_packet_data=True, show_passwords=True) == ""


def test_nothing_is_put_together_for_a_level_that_is_off(caplog: pytest.LogCaptureFixture) -> None:
    assert lines(caplog, logging.INFO) == ""


def test_show_packet_data(caplog: pytest.LogCaptureFixture) -> None:
    text = lines(caplog, show_packet_data=True)
    assert "payload=b'the payload'" in text
    assert "password=b'***'" in text
    assert "secret word" not in text


def test_show_pings(caplog: pytest.LogCaptureFixture) -> None:
    text = lines(caplog, show_pings=True)
    assert "read: 'c' at peer, PINGREQ" in text
    assert "sent: 'c' at peer, PINGRESP" in text


def test_show_passwords(caplog: pytest.LogCaptureFixture) -> None:
    text = lines(caplog, show_passwords=True)
    assert "secret word" not in text  # nothing of any packet is shown
    assert "secret word" not in lines(caplog, show_packet_data=True)
    assert "secret word" in lines(caplog, show_passwords=True, show_packet_data=True)


def test_authentication_data_is_a_password(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    Dispatcher(world.broker, [AllowAll(), Debug(show_packet_data=True)])
    properties = ConnectProperties(authentication_method="M", authentication_data=b"secret word")
    connect = Connect("c", properties=properties)
    with caplog.at_level(logging.DEBUG, "mqtt_ref.hooks.debug"):
        world.link().send(connect)
    assert "authentication_data=b'***'" in caplog.text
    assert properties.authentication_data == b"secret word"


def test_long_packets_are_cut(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    Dispatcher(world.broker, [AllowAll(), Debug(show_packet_data=True)])
    with caplog.at_level(logging.DEBUG, "mqtt_ref.hooks.debug"):
        world.client("c").send(Publish("t", b"x" * 10_000))
    assert max(map(len, caplog.text.splitlines())) < 600
