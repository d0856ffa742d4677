# SPDX-License-Identifier: MIT
"""Topic Aliases, both ways."""

from __future__ import annotations

from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.wire.packets import ConnectProperties, Publish, PublishProperties
from tests.sansio import World


def alias(packet: Publish) -> int | None:
    return packet.properties.topic_alias if packet.properties else None


def test_the_server_assigns_aliases_up_to_the_maximum_of_the_client() -> None:  # MQTT5-3.1.2-26, 3.3.2-11
    world = World()
    sub = world.client("sub", properties=ConnectProperties(topic_alias_maximum=2))
    sub.subscribe("#", 1)
    pub = world.client("pub")
    for topic in ("a", "b", "c", "a", "b", "c"):
        pub.publish(topic, topic.encode())
    got = sub.messages()
    assert [(p.topic, alias(p)) for p in got] == [("a", 1), ("b", 2), ("c", None), ("", 1), ("", 2), ("c", None)]
    pub.publish("a", b"", 1)
    assert [(p.topic, alias(p)) for p in sub.messages()] == [("", 1)]


def test_no_alias_where_the_client_allows_none() -> None:  # MQTT5-3.1.2-27
    world = World()
    for properties in (None, ConnectProperties(topic_alias_maximum=0)):
        sub = world.client("sub", properties=properties)
        sub.subscribe("#")
        world.client("pub").publish("a")
        assert [alias(p) for p in sub.messages()] == [None]


def test_outbound_aliases_are_bounded() -> None:
    world = World(Options(bounds=Bounds(outbound_aliases=1)))
    sub = world.client("sub", properties=ConnectProperties(topic_alias_maximum=65_535))
    sub.subscribe("#")
    pub = world.client("pub")
    pub.publish("a")
    pub.publish("b")
    assert [alias(p) for p in sub.messages()] == [1, None]


def test_aliases_die_with_the_connection_and_repeats_carry_the_name() -> None:  # MQTT5-3.3.2-7, ambiguity 12
    world = World()
    properties = ConnectProperties(topic_alias_maximum=5, session_expiry_interval=100)
    sub = world.client("sub", properties=properties)
    sub.subscribe("a", 1)
    pub = world.client("pub")
    pub.publish("a", b"1", 1)
    pub.publish("a", b"2", 1)
    assert [(p.topic, alias(p)) for p in sub.read()] == [("a", 1), ("", 1)]
    sub.drop()
    sub = world.client("sub", clean_start=False, properties=properties)
    pub.publish("a", b"3", 1)
    assert [(p.topic, alias(p)) for p in sub.read()] == [("a", None), ("a", None), ("a", 1)]


def test_an_alias_in_a_discarded_packet_was_not_set() -> None:
    world = World()
    sub = world.client("sub", properties=ConnectProperties(topic_alias_maximum=5, maximum_packet_size=30))
    sub.subscribe("a")
    pub = world.client("pub")
    pub.publish("a", b"x" * 100)
    pub.publish("a", b"y")
    assert [(p.topic, p.payload, alias(p)) for p in sub.messages()] == [("a", b"y", 1)]


def test_a_refused_publish_still_sets_the_alias() -> None:  # ambiguity 12
    world = World()
    sub = world.client("sub")
    sub.subscribe("t")
    a = world.client("a")
    one = PublishProperties(topic_alias=1)
    a.send(Publish("$SYS/x", properties=one))
    assert a.ask(Publish("", b"", 1, packet_id=1, properties=one)).reason_code == 0x90
    a.send(Publish("t", b"1", properties=one), Publish("", b"2", properties=one))
    assert sub.payloads() == [b"1", b"2"]


def test_the_maximum_itself_is_accepted() -> None:  # MQTT5-3.3.2-12
    world = World()
    a = world.client("a")
    most = a.connack.properties.topic_alias_maximum
    a.send(Publish("t", properties=PublishProperties(topic_alias=most)))
    assert not a.closed
