# SPDX-License-Identifier: MIT
"""Hooks that change, refuse or drop what comes in, and what becomes of an answer that is wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref.broker.views import Client
from mqtt_ref.engine.options import Capabilities, Options
from mqtt_ref.hooks import AllowAll, Drop, Hook, Reject
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    PublishProperties,
    Suback,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from tests.sansio import World

Answer = Callable[..., Any]


def hook_on(event: str, answer: Answer) -> Hook:
    """A hook whose handler of one event returns, or raises, what `answer` makes of its arguments."""

    def method(self: Hook, *args: Any) -> Any:
        result = answer(*args)
        if isinstance(result, Exception):
            raise result
        return result

    made: Hook = type(f"Test_{event}", (Hook,), {event: method})()
    return made


def world_with(event: str, *answers: Answer, **more: Any) -> World:
    world = World(**more)
    Dispatcher(world.broker, [AllowAll(), *(hook_on(event, answer) for answer in answers)])
    return world


# ---------------------------------------------------------------- PUBLISH


def test_a_changed_publish_is_delivered() -> None:
    def shout(client: Client, packet: Publish) -> Publish:
        return Publish(packet.topic + "/" + client.id, packet.payload.upper(), packet.qos, packet.retain)

    world = world_with("on_publish", shout)
    client = world.client("c")
    client.subscribe("#", 2)
    for qos in range(3):
        assert client.publish("t", b"hello", qos=qos) is None or qos
    assert [(m.topic, m.payload, m.qos) for m in client.messages()] == [("t/c", b"HELLO", qos) for qos in range(3)]


def test_each_hook_gets_what_the_one_before_returned() -> None:
    first = lambda client, packet: Publish(packet.topic, packet.payload + b"1", packet.qos)  # noqa: E731
    nothing = lambda client, packet: None  # noqa: E731
    second = lambda client, packet: Publish(packet.topic, packet.payload + b"2", packet.qos)  # noqa: E731
    world = world_with("on_publish", first, nothing, second)
    client = world.client("c")
    client.subscribe("#")
    client.publish("t", b"0")
    assert client.payloads() == [b"012"]


def test_what_is_changed_does_not_change_the_answer() -> None:
    other = lambda client, packet: Publish(packet.topic, packet.payload, 2 - packet.qos)  # noqa: E731
    world = world_with("on_publish", other)
    client = world.client("c")
    client.subscribe("#", 2)
    client.send(Publish("t", b"0"))
    assert [packet.qos for packet in client.messages()] == [2]
    assert isinstance(client.publish("t", b"1", qos=1), Puback)
    client.publish("t", b"2", qos=2)  # PUBREC and PUBCOMP came
    assert [packet.qos for packet in client.messages()] == [1, 0]


def test_what_is_changed_in_place_and_returned_counts() -> None:
    def change(client: Client, packet: Publish) -> Publish:
        packet.payload = b"changed"
        packet.qos = 0
        return packet

    world = world_with("on_publish", change)
    client = world.client("c")
    client.subscribe("#", 1)
    assert isinstance(client.publish("t", qos=1), Puback)
    assert [(m.payload, m.qos) for m in client.messages()] == [(b"changed", 0)]


def test_what_is_changed_in_place_and_not_returned_does_not_count() -> None:
    def change(client: Client, packet: Publish) -> None:
        packet.topic = "#"
        packet.qos = 7
        if packet.properties is not None:
            packet.properties.user_property.append(("a", "b"))

    world = world_with("on_publish", change)
    client = world.client("c")
    client.subscribe("#", 1)
    client.publish("t", qos=1, properties=PublishProperties(user_property=[("x", "y")]))
    (message,) = client.messages()
    assert (message.topic, message.qos) == ("t", 1)
    assert message.properties is not None
    assert message.properties.user_property == [("x", "y")]


def test_a_topic_alias_is_resolved() -> None:
    seen: list[Publish] = []
    world = world_with("on_publish", lambda client, packet: seen.append(packet))
    client = world.client("c")
    client.subscribe("#")
    client.send(Publish("t", b"1", properties=PublishProperties(topic_alias=1)))
    client.send(Publish("", b"2", properties=PublishProperties(topic_alias=1)))
    assert [packet.topic for packet in seen] == ["t", "t"]
    assert [packet.topic for packet in client.messages()] == ["t", "t"]


def test_properties_may_be_added_to_what_an_older_client_sent() -> None:
    def stamp(client: Client, packet: Publish) -> Publish:
        properties = PublishProperties(message_expiry_interval=60, user_property=[("from", client.id)])
        return Publish(packet.topic, packet.payload, packet.qos, packet.retain, properties=properties)

    world = world_with("on_publish", stamp)
    new = world.client("new")
    new.subscribe("#")
    world.client("old", 4).publish("t")
    (message,) = new.messages()
    assert message.properties is not None
    assert message.properties.user_property == [("from", "old")]
    assert message.properties.message_expiry_interval == 60


def test_a_dropped_publish_is_acknowledged_and_delivered_to_nobody() -> None:
    world = world_with("on_publish", lambda client, packet: Drop())
    client = world.client("c")
    client.subscribe("#", 2)
    client.publish("t")
    assert client.publish("t", qos=1).reason_code == 0
    assert client.publish("t", qos=2, retain=True).reason_code == 0
    assert client.messages() == []
    assert len(world.broker.retained.store) == 0
    assert world.broker.counters.dropped_by_hook == 3


@pytest.mark.parametrize(("given", "told"), [(0x97, 0x97), (0x87, 0x87), (0x83, 0x83), (0x8B, 0x80), (0, 0x80)])
@pytest.mark.parametrize("qos", [1, 2])
def test_a_rejected_publish(given: int, told: int, qos: int) -> None:
    world = world_with("on_publish", lambda client, packet: Reject(given))
    client = world.client("c")
    client.subscribe("#")
    assert client.publish("t", qos=qos).reason_code == told
    assert client.messages() == []
    assert world.broker.counters.publish_refused == 1


def test_an_older_client_is_not_told() -> None:
    world = world_with("on_publish", lambda client, packet: Reject(0x97))
    client = world.client("c", 4)
    client.subscribe("#")
    assert isinstance(client.publish("t", qos=1), Puback)
    assert client.messages() == []


@pytest.mark.parametrize(
    "wrong",
    [
        Publish("#"),
        Publish(""),
        Publish("t", qos=3),
        Publish("t" * 70_000),
        Publish("t", properties=PublishProperties(subscription_identifier=[1])),
        Publish("t", properties=PublishProperties(message_expiry_interval=-1)),
        Pingreq(),
        "t",
        True,
        RuntimeError("a bug"),
        Drop,
    ],
    ids=str,
)
def test_a_wrong_answer_refuses_the_message(wrong: Any, caplog: pytest.LogCaptureFixture) -> None:
    world = world_with("on_publish", lambda client, packet: wrong)
    client = world.client("c")
    client.subscribe("#")
    with caplog.at_level(logging.ERROR, "mqtt_ref.hooks"):
        assert client.publish("t", qos=1).reason_code == 0x80
    assert client.messages() == []
    assert "hook Test_on_publish failed in on_publish" in caplog.text
    assert client.ask(Pingreq()) == Pingresp()


def test_capabilities_bind_hooks_too() -> None:
    options = Options(capabilities=Capabilities(maximum_qos=1, retain_available=False))
    for answer in (Publish("t", qos=2), Publish("t", retain=True)):
        world = world_with("on_publish", lambda client, packet, answer=answer: answer, options=options)
        client = world.client("c")
        client.subscribe("#")
        client.publish("t")
        assert client.messages() == []


def test_a_repeat_is_not_shown_again() -> None:
    seen: list[Publish] = []
    world = world_with("on_publish", lambda client, packet: seen.append(packet))
    client = world.client("c")
    client.send(Publish("t", qos=2, packet_id=1), Publish("t", qos=2, packet_id=1, dup=True))
    assert len(seen) == 1


# ---------------------------------------------------------------- CONNECT


@pytest.mark.parametrize(("error", "code"), [(Reject(0x97), 0x97), (Reject(0), 0x80), (ValueError(), 0x80)])
def test_connect_may_be_refused(error: Exception, code: int) -> None:
    asked: list[str] = []

    class Asked(Hook):
        def on_connect_authenticate(self, client: Client, connect: Connect) -> bool:
            asked.append(client.id)
            return True

    world = World()
    Dispatcher(world.broker, [hook_on("on_connect", lambda client, connect: error), Asked()])
    client = world.link()
    client.send(Connect("c"))
    assert client.one(Connack).reason_code == code
    assert client.closed
    assert asked == []


def test_connect_comes_before_authentication() -> None:
    seen: list[tuple[str, int]] = []
    world = world_with("on_connect", lambda client, connect: seen.append((client.id, client.protocol_version)))
    world.client("c", 4)
    assert seen == [("c", 4)]


def test_connect_cannot_be_changed() -> None:
    world = world_with("on_connect", lambda client, connect: Connect("other"))
    client = world.link()
    client.send(Connect("c"))
    assert client.one(Connack).reason_code == 0x80


# ---------------------------------------------------------------- any packet


def test_a_packet_is_changed_as_it_is_read() -> None:
    def change(client: Client, packet: Any) -> Any:
        if isinstance(packet, Subscribe):
            return Subscribe(packet.packet_id, [Subscription("other", 1)])
        return None

    world = world_with("on_packet_read", change)
    client = world.client("c")
    assert client.subscribe("t", 0) == 1
    assert list(world.broker.sessions.by_client_id["c"].subscriptions) == ["other"]


def test_every_packet_is_read() -> None:
    seen: list[str] = []
    world = world_with("on_packet_read", lambda client, packet: seen.append(f"{client.id}:{type(packet).__name__}"))
    client = world.client("c")
    client.subscribe("t")
    client.send(Publish("t"), Pingreq(), Disconnect(), Pingreq())
    assert seen == [":Connect", "c:Subscribe", "c:Publish", "c:Pingreq", "c:Disconnect"]


def test_a_connect_may_be_changed_as_it_is_read() -> None:
    def rename(client: Client, packet: Any) -> Any:
        if not isinstance(packet, Connect):
            return None
        return Connect("tenant/" + packet.client_id, protocol_version=packet.protocol_version)

    world = world_with("on_packet_read", rename)
    world.client("c", 4)
    assert list(world.broker.sessions.by_client_id) == ["tenant/c"]


def test_a_dropped_packet_is_as_if_it_had_not_come() -> None:
    def drop(client: Client, packet: Any) -> Any:
        return Drop() if isinstance(packet, Pingreq) else None

    world = world_with("on_packet_read", drop)
    client = world.client("c")
    client.send(Pingreq())
    assert client.read() == []
    assert not client.closed


@pytest.mark.parametrize(("error", "code"), [(Reject(0x97, "too often"), 0x97), (ValueError(), 0x80)])
def test_a_rejected_packet_closes_the_connection(error: Exception, code: int) -> None:
    world = world_with("on_packet_read", lambda client, packet: None if isinstance(packet, Connect) else error)
    client = world.client("c")
    client.send(Pingreq())
    assert client.one(Disconnect).reason_code == code
    assert client.closed


def test_a_rejected_connect_gets_a_connack() -> None:
    world = world_with("on_packet_read", lambda client, packet: Reject(0x97))
    for version, code in ((5, 0x97), (4, 3)):
        client = world.link(version)
        client.send(Connect("c", protocol_version=version))
        assert client.one(Connack).reason_code == code
        assert client.closed


@pytest.mark.parametrize(
    "wrong", [Pingreq(), Subscribe(9, [Subscription("t")]), Subscribe(1, []), Subscribe(1, [Subscription("a#")]), 7]
)
def test_a_packet_that_may_not_take_its_place(wrong: Any) -> None:
    world = world_with("on_packet_read", lambda client, packet: wrong if isinstance(packet, Subscribe) else None)
    client = world.client("c")
    client.send(Subscribe(1, [Subscription("t")]))
    assert client.one(Disconnect).reason_code == 0x80


# ---------------------------------------------------------------- SUBSCRIBE and UNSUBSCRIBE


def test_a_subscription_may_be_changed() -> None:
    def lower(client: Client, packet: Subscribe) -> Subscribe:
        wanted = [Subscription(f"{client.id}/{one.topic_filter}", 0) for one in packet.subscriptions]
        return Subscribe(packet.packet_id, wanted, SubscribeProperties(subscription_identifier=5))

    world = world_with("on_subscribe", lower)
    client = world.client("c")
    assert client.subscribe("t", 2) == 0
    assert world.broker.sessions.by_client_id["c"].subscriptions == {"c/t": (0, 5)}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Reject(0x97), 0x97),
        (Reject(0x99), 0x80),
        (ValueError("a bug"), 0x80),
        (Subscribe(1, [Subscription("a")]), 0x80),
        (Subscribe(3, [Subscription("a"), Subscription("b")]), 0x80),
        (Subscribe(1, [Subscription("a"), Subscription("b#")]), 0x80),
        (Drop(), 0x80),
    ],
    ids=str,
)
def test_all_filters_are_refused(answer: Any, code: int) -> None:
    world = world_with("on_subscribe", lambda client, packet: answer)
    client = world.client("c")
    suback = client.ask(Subscribe(1, [Subscription("x"), Subscription("y")]))
    assert isinstance(suback, Suback)
    assert suback.reason_codes == [code, code]
    assert world.broker.sessions.by_client_id["c"].subscriptions == {}


def test_access_is_checked_for_what_a_hook_made_of_it() -> None:
    class Rules(Hook):
        def on_connect_authenticate(self, client: Client, connect: Connect) -> bool:
            return True

        def on_acl_check(self, client: Client, topic: str, write: bool) -> bool:
            return topic == "good"

    world = World()
    good = lambda client, packet: Subscribe(packet.packet_id, [Subscription("good")])  # noqa: E731
    Dispatcher(world.broker, [Rules(), hook_on("on_subscribe", good)])
    assert world.client("c").subscribe("bad") == 0


def test_an_unsubscribe_may_be_changed() -> None:
    world = world_with("on_unsubscribe", lambda client, packet: Unsubscribe(packet.packet_id, ["b"]))
    client = world.client("c")
    client.subscribe("a")
    client.subscribe("b")
    client.unsubscribe("a")
    assert list(world.broker.sessions.by_client_id["c"].subscriptions) == ["a"]


@pytest.mark.parametrize(("given", "told"), [(0x87, 0x87), (0x97, 0x80)])
def test_an_unsubscribe_may_be_refused(given: int, told: int) -> None:
    world = world_with("on_unsubscribe", lambda client, packet: Reject(given))
    for version, codes in ((5, [told]), (4, [])):
        client = world.client("c", version)
        client.subscribe("a")
        unsuback = client.ask(Unsubscribe(3, ["a"]))
        assert isinstance(unsuback, Unsuback)
        assert unsuback.reason_codes == codes
        assert list(world.broker.sessions.by_client_id["c"].subscriptions) == ["a"]


@pytest.mark.parametrize("wrong", [ValueError("a bug"), Unsubscribe(9, ["a"]), Unsubscribe(2, ["a", "b"]), Drop()])
def test_a_hook_that_fails_keeps_nobody_subscribed(wrong: Any) -> None:
    world = world_with("on_unsubscribe", lambda client, packet: wrong)
    client = world.client("c")
    client.subscribe("a")
    assert client.unsubscribe("a").reason_codes == [0]


# ---------------------------------------------------------------- wills


def test_a_will_may_be_changed() -> None:
    world = world_with("on_will", lambda client, will: Will(will.topic, client.id.encode() + will.payload, 1))
    watch = world.client("watch")
    watch.subscribe("#", 2)
    world.client("c", will=Will("w", b" is gone")).drop()
    assert [(m.payload, m.qos) for m in watch.messages()] == [(b"c is gone", 1)]


@pytest.mark.parametrize("answer", [Drop(), Reject(0x87), ValueError("a bug"), Will("#"), Publish("w")], ids=repr)
def test_a_will_may_be_withheld(answer: Any) -> None:
    world = world_with("on_will", lambda client, will: answer)
    watch = world.client("watch")
    watch.subscribe("#")
    world.client("c", will=Will("w")).drop()
    assert watch.messages() == []
    assert world.broker.counters.dropped_by_hook == 1


def test_a_will_that_nobody_changes() -> None:
    world = world_with("on_will", lambda client, will: None)
    watch = world.client("watch")
    watch.subscribe("#")
    world.client("c", will=Will("w", b"gone")).drop()
    assert watch.payloads() == [b"gone"]
