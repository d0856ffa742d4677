# SPDX-License-Identifier: MIT
"""PUBLISH from a client: capabilities, access, properties, retained messages."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.access import Access
from mqtt_ref.engine.options import Bounds, Capabilities, Options
from mqtt_ref.wire.packets import Disconnect, Puback, Publish, PublishProperties, Pubrec
from tests.sansio import World


def test_properties_go_on_unaltered_and_in_order() -> None:  # MQTT5-3.3.2-4, -15 to -18, -20
    world = World()
    subs = [world.client("s0"), world.client("s1"), world.client("s2", 4)]
    for n, sub in enumerate(subs[:2]):
        sub.subscribe("t", 1, identifier=n)
    subs[2].subscribe("t", 1)
    given = PublishProperties(
        payload_format_indicator=1,
        message_expiry_interval=60,
        content_type="text/plain",
        response_topic="answers",
        correlation_data=b"\x00\x01",
        user_property=[("b", "2"), ("a", "1"), ("b", "1")],
        topic_alias=1,
    )
    world.client("pub").publish("t", b"hello", 1, properties=given)
    given.topic_alias = None
    assert subs[0].messages()[0].properties == given
    given.subscription_identifier = [1]
    assert subs[1].messages()[0].properties == given
    assert subs[2].messages()[0].properties is None


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (Publish("t", b"", 2, packet_id=1), 0x9B),
        (Publish("t", b"", 0, retain=True), 0x9A),
    ],
)
def test_what_is_not_offered(packet: Publish, code: int) -> None:
    world = World(Options(capabilities=Capabilities(maximum_qos=1, retain_available=False)))
    a = world.client("a")
    assert a.connack.properties.maximum_qos == 1
    a.send(packet)
    assert a.one(Disconnect).reason_code == code
    assert a.closed


def test_maximum_qos_0() -> None:
    world = World(Options(capabilities=Capabilities(maximum_qos=0)))
    a = world.client("a")
    a.send(Publish("t", b"", 1, packet_id=1))
    assert a.one(Disconnect).reason_code == 0x9B


@pytest.mark.parametrize("choice", ["acknowledge", "close"])
def test_unauthorized_publish(choice: str) -> None:  # ambiguity 32
    world = World(Options(decisions={"unauthorized_publish": choice}))
    world.broker.set_access(Access(on_acl_check_publish=lambda link, topic, qos, retain: 0x87 if topic == "no" else 0))
    watch = world.client("watch")
    watch.subscribe("#")
    for version in (3, 4, 5):
        open_ = choice == "acknowledge" or version == 3  # X31-publish-unauthorized
        for qos in (0, 1, 2):
            a = world.client("a", version)
            a.send(Publish("no", b"1", qos, packet_id=qos and 1, retain=True))
            got = a.read()
            assert a.closed != open_
            if open_ and qos:
                (ack,) = got
                assert isinstance(ack, Puback if qos == 1 else Pubrec)
                assert ack.reason_code == (0x87 if version == 5 else 0)
    assert watch.read() == []
    assert len(world.broker.retained.store) == 0


@pytest.mark.parametrize("topic", ["$SYS/x", "$share/g/t", "$"])
def test_dollar_topics(topic: str) -> None:  # ambiguity 9
    world = World()
    sub = world.client("sub")
    sub.subscribe("$SYS/#")
    a = world.client("a")
    assert a.publish(topic, b"", 1).reason_code == 0x90
    assert a.publish(topic, b"", 2).reason_code == 0x90
    assert a.publish(topic, b"") is None
    assert not a.closed
    assert sub.read() == []
    assert world.broker.counters.publish_refused == 3
    world = World(Options(decisions={"dollar_publish": "allow"}))
    sub = world.client("sub")
    sub.subscribe("$SYS/#")
    world.client("a").publish("$SYS/x", b"1")
    assert sub.payloads() == [b"1"]


@pytest.mark.parametrize(("choice", "code"), [("trust", 0x10), ("check", 0x99)])
def test_payload_format(choice: str, code: int) -> None:
    world = World(Options(decisions={"payload_format": choice}))
    text = PublishProperties(payload_format_indicator=1)
    a = world.client("a")
    assert a.publish("t", b"\xff", 1, properties=text).reason_code == code
    assert a.publish("t", "ü".encode(), 1, properties=text).reason_code == 0x10


def test_retained_messages() -> None:  # MQTT5-3.3.1-5 to -8
    world = World()

    def kept() -> list[bytes]:
        late = world.client("late")
        late.subscribe("t", 2)
        return late.payloads()

    pub = world.client("pub")
    live = world.client("live")
    live.subscribe("t", 1)
    pub.publish("t", b"1", 1, retain=True)
    assert kept() == [b"1"]
    pub.publish("t", b"2", 0, retain=True)
    assert kept() == [b"2"]
    pub.publish("t", b"3", 1)
    assert kept() == [b"2"]
    pub.publish("t", b"", 1)
    assert kept() == [b"2"]
    pub.publish("t", b"", 0, retain=True)
    assert kept() == []
    assert live.payloads() == [b"1", b"2", b"3", b"", b""]


def test_retained_messages_expire() -> None:  # ambiguity 19
    world = World()
    world.client("pub").publish("t", b"r", retain=True, properties=PublishProperties(message_expiry_interval=10))
    world.pass_time(4)
    a = world.client("a")
    a.subscribe("t")
    (message,) = a.messages()
    assert message.properties == PublishProperties(message_expiry_interval=6)
    world.pass_time(6)
    a.subscribe("t")
    assert a.messages() == []
    assert len(world.broker.retained.store) == 0


def test_dup_of_the_publisher_does_not_go_on() -> None:  # MQTT5-3.3.1-3
    world = World()
    sub = world.client("sub")
    sub.subscribe("t", 1)
    world.client("pub").publish("t", b"1", 1, dup=True)
    assert [p.dup for p in sub.messages()] == [False]


@pytest.mark.parametrize(("choice", "copies"), [("one", 1), ("each", 3)])
def test_overlapping(choice: str, copies: int) -> None:  # ambiguity 4
    world = World(Options(decisions={"overlapping": choice}))
    sub = world.client("sub")
    for n, name in enumerate(("t", "#", "+")):
        sub.subscribe(name, n, identifier=n + 1)
    world.client("pub").publish("t", b"1", 2)
    got = sub.messages()
    assert len(got) == copies
    identifiers = [p.properties.subscription_identifier for p in got if p.properties]
    if copies == 1:
        assert sorted(identifiers[0]) == [1, 2, 3]
        assert got[0].qos == 2
    else:
        assert sorted((p.qos, *i) for p, i in zip(got, identifiers, strict=True)) == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_without_identifiers(qos: int) -> None:
    world = World(Options(decisions={"overlapping": "each"}))
    sub = world.client("sub", 4)
    for n, name in enumerate(("t", "#", "+")):
        sub.subscribe(name, n)
    world.client("pub").publish("t", b"1", qos)
    assert sorted(p.qos for p in sub.messages()) == sorted(min(qos, n) for n in range(3))


@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("version", [3, 4, 5])
def test_qos_is_the_lower_of_both(published: int, granted: int, version: int) -> None:  # MQTT5-3.8.4-8
    world = World()
    sub = world.client("sub", version)
    sub.subscribe("t", granted)
    world.client("pub", version).publish("t", b"1", published)
    (message,) = sub.messages()
    assert message.qos == min(published, granted)


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("retain", [False, True])
def test_topics_of_3_1_have_32767_characters(qos: int, retain: bool) -> None:  # X31-topic-length
    world = World()
    subs = {version: world.client(f"s{version}", version) for version in (3, 4, 5)}
    for sub in subs.values():
        sub.subscribe("#", 1)
    longest, longer = "t" * 32_767, "t" * 32_768
    packet_id = 1 if qos else 0
    old = world.client("old", 3)
    old.send(Publish(longest, b"1", qos, retain, packet_id=packet_id))
    assert [sub.payloads() for sub in subs.values()] == [[b"1"]] * 3
    old.read()
    old.send(Publish(longer, b"2", qos, retain, packet_id=packet_id))
    assert old.closed
    assert old.read() == []
    assert world.notes[-1].statement == "X31-topic-length"
    world.client("new", 4).send(Publish(longer, b"3", qos, retain, packet_id=packet_id))
    assert [sub.payloads() for sub in subs.values()] == [[], [b"3"], [b"3"]]
    assert world.broker.counters.dropped_too_large == 1


def test_a_bound_on_levels_that_is_below_the_length() -> None:  # X5-topic-level-count
    world = World(Options(bounds=Bounds(topic_levels=3)))
    sub = world.client("s")
    sub.subscribe("#")
    a = world.client("a")
    for topic in ("a/b/c", "level one/level two/level three", "/" * 2):
        a.publish(topic)
    assert len(sub.payloads()) == 3
    assert a.publish("a/b/c/d", qos=1).reason_code == 0x90
    assert sub.payloads() == []
