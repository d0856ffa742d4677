# SPDX-License-Identifier: MIT
"""Clients inside the broker: what reaches their handlers, and what they publish."""

from __future__ import annotations

from typing import Any

import pytest

from mqtt_ref.broker.inline import InlineClient, Received
from mqtt_ref.engine.access import Access
from mqtt_ref.wire.packets import (
    Connect,
    Packet,
    Pingreq,
    Puback,
    Publish,
    PublishProperties,
    Suback,
    Subscribe,
    Subscription,
)
from tests.sansio import SECOND, World


class Inside:
    """An inline client whose handlers note what they get."""

    def __init__(self, world: World, client_id: str = "inline") -> None:
        self.world = world
        self.client = InlineClient(world.broker, client_id)
        self.got: list[tuple[int, Received]] = []

    def subscribe(self, topic_filter: str, identifier: int = 0) -> None:
        self.client.subscribe(
            topic_filter,
            lambda received: self.got.append((identifier, received)),
            self.world.now,
            identifier=identifier,
        )

    def topics(self) -> list[tuple[int, str]]:
        self.world.turn()
        return [(identifier, received.topic) for identifier, received in self.got]


@pytest.fixture
def world() -> World:
    return World()


def put(world: World, topic: str, payload: bytes = b"x", **more: object) -> bool:
    return world.broker.inject(topic, payload, world.now, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_clients_publish_reaches_the_handler(world: World, qos: int) -> None:
    inside = Inside(world)
    inside.subscribe("a/+")
    world.client("pub").publish("a/b", b"hello", qos)
    [(_, received)] = inside.got
    assert (received.topic, received.payload, received.qos, received.publisher) == ("a/b", b"hello", qos, "pub")


def test_each_handler_has_its_own_copy(world: World) -> None:
    inside = Inside(world)
    inside.subscribe("a", 1)
    inside.subscribe("a", 2)
    inside.subscribe("#", 3)
    put(world, "a")
    assert sorted(inside.topics()) == [(1, "a"), (2, "a"), (3, "a")]


def test_the_same_filter_and_identifier_replaces(world: World) -> None:
    inside = Inside(world)
    inside.subscribe("a", 1)
    inside.subscribe("a", 1)
    put(world, "a")
    assert inside.topics() == [(1, "a")]


def test_unsubscribing_ends_one_handler(world: World) -> None:
    inside = Inside(world)
    inside.subscribe("a", 1)
    inside.subscribe("a", 2)
    assert inside.client.unsubscribe("a", 1)
    assert not inside.client.unsubscribe("a", 1)
    put(world, "a")
    assert inside.topics() == [(2, "a")]


def test_closing_ends_all(world: World) -> None:
    inside = Inside(world)
    inside.subscribe("a")
    inside.subscribe("$share/g/a")
    inside.client.close()
    assert not put(world, "a")
    assert inside.topics() == []
    assert len(world.broker.router) == 0


def test_retained_messages_come_first(world: World) -> None:
    put(world, "a", b"kept", retain=True)
    inside = Inside(world)
    inside.subscribe("a")
    put(world, "a", b"live")
    world.turn()
    assert [(received.payload, received.retain) for _, received in inside.got] == [(b"kept", True), (b"live", False)]


def test_a_shared_subscription_gets_no_retained_messages(world: World) -> None:
    put(world, "a", b"kept", retain=True)
    inside = Inside(world)
    inside.subscribe("$share/g/a")
    assert inside.topics() == []


def test_a_group_may_be_half_inside(world: World) -> None:
    inside = Inside(world)
    inside.subscribe("$share/g/a")
    outside = world.client("out")
    outside.subscribe("$share/g/a")
    for _ in range(4):
        put(world, "a")
        world.turn()
    assert len(inside.got) == 2
    assert len(outside.payloads()) == 2


def test_rules_do_not_hold_inside(world: World) -> None:
    world.broker.set_access(Access(on_acl_check_read=lambda *_: False, on_acl_check_publish=lambda *_: 0x87))
    inside = Inside(world)
    inside.subscribe("#")
    assert inside.client.publish("a", b"x", world.now)
    assert inside.topics() == [(0, "a")]


def test_it_may_publish_to_sys_topics_and_retain(world: World) -> None:
    inside = Inside(world)
    inside.client.publish("$SYS/mine", b"1", world.now, retain=True, properties=PublishProperties(content_type="t"))
    sub = world.client("sub")
    sub.subscribe("$SYS/mine")
    [message] = sub.messages()
    assert (message.payload, message.retain) == (b"1", True)
    assert message.properties is not None
    assert message.properties.content_type == "t"


def test_wildcards_do_not_reach_sys_topics(world: World) -> None:
    inside = Inside(world)
    inside.subscribe("#")
    put(world, "$SYS/a")
    assert inside.topics() == []


def test_what_expired_is_not_delivered(world: World) -> None:
    put(world, "a", retain=True, properties=PublishProperties(message_expiry_interval=1))
    world.now += 2 * SECOND
    inside = Inside(world)
    inside.subscribe("a")
    assert inside.topics() == []


def test_numbers_are_used_again(world: World) -> None:
    before = len(world.broker.sessions.by_handle)
    inside = Inside(world)
    for _ in range(10):
        inside.subscribe("a")
    assert len(world.broker.sessions.by_handle) <= before + 2


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0b", "x" * 65_536])
def test_a_topic_that_is_none_is_refused(world: World, topic: str) -> None:
    with pytest.raises(ValueError, match="not a Topic Name"):
        Inside(world).client.publish(topic, b"", world.now)


@pytest.mark.parametrize("topic_filter", ["", "a#", "#/a", "$share/g", "$share//a", "a\0b"])
def test_a_filter_that_is_none_is_refused(world: World, topic_filter: str) -> None:
    with pytest.raises(ValueError, match="not a Topic Filter"):
        Inside(world).subscribe(topic_filter)


def test_a_qos_that_is_none_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="0, 1 or 2"):
        Inside(world).client.publish("a", b"", world.now, qos=3)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"response_topic": "a/#"}, "MQTT5-3.3.2-14"),
        ({"content_type": "a\0b"}, "MQTT5-1.5.4-2"),
        ({"content_type": "x" * 65_536}, "at most 65,535 bytes"),
        ({"payload_format_indicator": 7}, "payload_format_indicator"),
        ({"message_expiry_interval": -1}, "not properties that can be sent"),
        ({"message_expiry_interval": 1 << 32}, "not properties that can be sent"),
        ({"correlation_data": "text"}, "not properties that can be sent|bytes or None object expected"),
        ({"user_property": [("one",)]}, "not properties that can be sent"),
        ({"subscription_identifier": [7]}, "MQTT5-3.3.4-6"),
        ({"topic_alias": 5}, "belongs to a connection"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_properties_that_no_client_could_send_reach_nobody(world: World, wrong: dict[str, Any], why: str) -> None:
    sub = world.client("sub")
    sub.subscribe("a", 1)
    with pytest.raises((TypeError, ValueError), match=why):  # compiled, some can't be made in the first place
        Inside(world).client.publish("a", b"", world.now, retain=True, properties=PublishProperties(**wrong))
    world.turn()
    assert sub.inbox == []
    assert world.broker.retained.matching("a", world.now) == []


def test_a_payload_that_is_none_is_refused(world: World) -> None:
    inside = Inside(world)
    for wrong in (5, None, "text", bytearray(b"changes later")):
        with pytest.raises(TypeError):
            inside.client.publish("a", wrong, world.now)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at most 268,000,000 bytes"):
        inside.client.publish("a", bytes(268_000_001), world.now)


def test_a_handler_that_is_none_is_refused(world: World) -> None:
    with pytest.raises(TypeError):
        Inside(world).client.subscribe("a", None, world.now)  # type: ignore[arg-type]
    assert not world.broker.inline


# -------------------------------------------------------------------- packets of others


def test_a_packet_may_be_put_in_a_client_s_mouth(world: World) -> None:
    sub = world.client("sub")
    sub.subscribe("t")
    quiet = world.client("quiet")
    world.broker.inject_packet("quiet", Publish("t", b"said", qos=1, packet_id=7), world.now)
    world.broker.inject_packet("quiet", Subscribe(8, [Subscription("mine")]), world.now)
    world.turn()
    assert sub.payloads() == [b"said"]
    assert [type(packet) for packet in quiet.read()] == [Puback, Suback]
    put(world, "mine")
    world.turn()
    assert quiet.payloads() == [b"x"]


def test_nobody_speaks_for_a_client_that_is_away(world: World) -> None:
    with pytest.raises(LookupError, match="no client 'gone' is connected"):
        world.broker.inject_packet("gone", Pingreq(), world.now)


@pytest.mark.parametrize("packet", [Publish("a/#", b""), Subscribe(0, [Subscription("a")]), Suback(1, [0])])
def test_what_no_client_may_send_is_refused(world: World, packet: Packet) -> None:
    client = world.client("a")
    with pytest.raises(ValueError, match=r"not a packet that a client may send|Packet Identifier is 1 to 65,535"):
        world.broker.inject_packet("a", packet, world.now)
    assert not client.closed


def test_a_second_connect_is_punished_like_any_other(world: World) -> None:
    client = world.client("a")
    world.broker.inject_packet("a", Connect("a"), world.now)
    world.turn()
    assert client.closed
