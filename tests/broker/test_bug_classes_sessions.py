# SPDX-License-Identifier: MIT
"""Recurrent classes of broker bugs in sessions and wills; the others are in `test_bug_classes.py`."""

from __future__ import annotations

import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.options import Capabilities, Options
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Disconnect,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Will,
    WillProperties,
)
from tests.sansio import SECOND, World

KEEP = ConnectProperties(session_expiry_interval=3600)


@pytest.mark.parametrize(
    ("expiry", "delay", "clean", "published"),
    [
        (100, 0, False, True),
        (100, 0, True, True),
        (0, 50, False, True),
        (100, 50, True, True),
        (100, 50, False, False),
    ],
)
def test_will_at_takeover(expiry: int, delay: int, clean: bool, published: bool) -> None:  # MQTT5-3.1.2-8, 3.1.3-9
    world = World()
    watch = world.client("watch")
    watch.subscribe("will")
    will = Will("will", b"gone", properties=WillProperties(will_delay_interval=delay))
    properties = ConnectProperties(session_expiry_interval=expiry)
    world.client("a", will=will, properties=properties)
    world.client("a", clean_start=clean, properties=properties)
    assert watch.payloads() == ([b"gone"] if published else [])
    world.pass_time(1000)
    assert watch.payloads() == []


@pytest.mark.parametrize("version", [3, 4])
def test_will_at_takeover_of_old_clients(version: int) -> None:
    world = World()
    watch = world.client("watch")
    watch.subscribe("will")
    world.client("a", version, clean_start=False, will=Will("will", b"gone"))
    world.client("a", version, clean_start=False)
    assert watch.payloads() == [b"gone"]


def test_will_only_on_the_right_events() -> None:
    world = World()
    watch = world.client("watch")
    watch.subscribe("will")
    will = Will("will", b"gone")
    world.client("a", will=will).send(Disconnect())
    assert watch.payloads() == []
    world.client("a", will=will).send(Disconnect(0x04))
    assert watch.payloads() == [b"gone"]
    world.client("a", will=will).drop()
    assert watch.payloads() == [b"gone"]
    world.client("a", will=will).send_raw(b"\x00\x00")
    assert watch.payloads() == [b"gone"]
    world.client("a", will=will, keep_alive=10)
    world.pass_time(16)
    assert watch.payloads() == [b"gone"]


@pytest.mark.parametrize("dropped_first", [False, True])
def test_session_with_expiry_0_is_not_inherited(dropped_first: bool) -> None:  # MQTT5-3.1.2-23, 3.2.2-3
    world = World()
    old = world.client("a")
    old.subscribe("t")
    if dropped_first:
        old.drop()
    new = world.client("a", clean_start=False)
    assert not new.connack.session_present
    world.client("b").publish("t")
    assert new.read() == []


def test_session_is_not_resumed_after_it_expired() -> None:
    world = World()
    a = world.client("a", properties=ConnectProperties(session_expiry_interval=10))
    a.subscribe("t", 1)
    a.drop()
    world.pass_time(9)
    a = world.client("a", clean_start=False, properties=ConnectProperties(session_expiry_interval=10))
    assert a.connack.session_present
    a.drop()
    world.pass_time(11)
    assert not world.client("a", clean_start=False).connack.session_present


def test_takeover_says_0x8e() -> None:  # MQTT5-3.1.4-3
    world = World()
    old = world.client("a")
    world.client("a")
    assert old.closed
    assert old.one(Disconnect).reason_code == 0x8E
    old = world.client("b", 4)
    world.client("b", 4)
    assert old.closed
    assert old.read() == []


def test_changed_session_expiry_is_told() -> None:
    world = World(Options(capabilities=Capabilities(maximum_session_expiry=60)))
    a = world.client("a", properties=KEEP)
    assert a.connack.properties.session_expiry_interval == 60
    b = world.client("b", properties=ConnectProperties(session_expiry_interval=30))
    assert b.connack.properties.session_expiry_interval is None
    a.drop()
    world.pass_time(61)
    assert not world.client("a", clean_start=False).connack.session_present


def test_will_delay_does_not_leak_into_the_publish() -> None:  # MQTT5-3.1.3
    world = World()
    watch = world.client("watch")
    watch.subscribe("will")
    properties = WillProperties(will_delay_interval=5, content_type="x", user_property=[("b", "1"), ("a", "2")])
    world.client("a", will=Will("will", b"gone", properties=properties), properties=KEEP).drop()
    world.pass_time(4.9)
    assert watch.read() == []
    world.pass_time(0.1)
    (message,) = watch.messages()
    assert message.properties == PublishProperties(content_type="x", user_property=[("b", "1"), ("a", "2")])


def test_keep_alive_counts_every_packet() -> None:  # MQTT5-3.1.2-22
    world = World()
    a = world.client("a", keep_alive=10)
    for _ in range(10):
        world.pass_time(14)
        a.send(Publish("t"))
    assert not a.closed
    world.pass_time(14.9)
    assert not a.closed
    world.pass_time(0.2)
    assert a.closed
    assert a.one(Disconnect).reason_code == 0x8D


def test_qos_1_and_2_survive_a_restart() -> None:  # MQTT5-4.1
    store = MemoryStore()
    world = World(storage=store)
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 2, identifier=5)
    pub = world.client("pub", properties=KEEP)
    pub.publish("t", b"sent 1", 1)
    pub.publish("t", b"sent 2", 2)
    first = sub.read()
    sub.send(Pubrec(first[1].packet_id))
    sub.drop()
    pub.publish("t", b"queued", 1)
    pub.send(Publish("t", b"half", 2, packet_id=77))
    again = World(storage=store, now=world.now + SECOND)
    sub = again.client("sub", clean_start=False, properties=KEEP)
    assert sub.connack.session_present
    got = sub.read()
    assert got[0] == Pubrel(first[1].packet_id)
    assert [(p.payload, p.dup) for p in got[1:]] == [(b"sent 1", True), (b"queued", False), (b"half", False)]
    assert got[1].properties.subscription_identifier == [5]
    pub = again.client("pub", clean_start=False, properties=KEEP)
    assert pub.ask(Publish("t", b"half", 2, dup=True, packet_id=77)) == Pubrec(77)
    assert sub.read() == []
    pub.publish("t", b"live")
    assert sub.payloads() == [b"live"]


def test_session_is_not_resumed_after_it_expired_while_its_timer_is_late() -> None:  # MQTT5-4.1.0-2, 3.1.2-8
    """A broker that was busy reads first; the CONNECT comes after the end of the session all the same."""
    world = World()
    watch = world.client("watch")
    watch.subscribe("w", 1)
    keep = ConnectProperties(session_expiry_interval=10)
    will = Will("w", b"gone", properties=WillProperties(will_delay_interval=5))
    world.client("a", properties=keep, will=will).drop()
    world.now += 7 * SECOND
    a = world.client("a", clean_start=False, properties=keep)
    assert a.connack.session_present
    assert watch.payloads() == [b"gone"]
    a.drop()
    world.now += 10 * SECOND
    assert not world.client("a", clean_start=False, properties=keep).connack.session_present
    assert world.broker.counters.sessions_expired == 1
