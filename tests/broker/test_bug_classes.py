# SPDX-License-Identifier: MIT
"""One test for each recurrent class of broker bugs; what they have in common is that somebody shipped them.

Those of sessions and wills are in `test_bug_classes_sessions.py`, what is to be refused in
`test_bug_classes_refused.py`.
"""

from __future__ import annotations

import pytest

from mqtt_ref.engine.options import Bounds, Capabilities, Options
from mqtt_ref.wire.packets import (
    Connack,
    ConnectProperties,
    Disconnect,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
)
from tests.sansio import World

KEEP = ConnectProperties(session_expiry_interval=3600)


def test_dup_is_set_when_resending_after_resume() -> None:  # MQTT5-3.3.1-1
    world = World()
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 2)
    pub = world.client("pub")
    pub.publish("t", b"1", 1)
    pub.publish("t", b"2", 2)
    first = sub.read()
    assert [p.dup for p in first] == [False, False]
    sub.drop()
    sub = world.client("sub", clean_start=False, properties=KEEP)
    again = sub.read()
    assert [(p.payload, p.packet_id, p.dup) for p in again] == [(p.payload, p.packet_id, True) for p in first]


def test_owed_pubrel_is_resent_on_resume() -> None:  # MQTT5-4.4.0-1, 4.3.3
    world = World()
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 2)
    world.client("pub").publish("t", b"1", 2)
    packet_id = sub.one(Publish).packet_id
    assert sub.ask(Pubrec(packet_id)) == Pubrel(packet_id)
    sub.drop()
    sub = world.client("sub", clean_start=False, properties=KEEP)
    assert sub.one() == Pubrel(packet_id)
    sub.send(Pubcomp(packet_id))
    sub.drop()
    sub = world.client("sub", clean_start=False, properties=KEEP)
    assert sub.read() == []


def test_owed_pubrec_is_answered_on_resume_not_with_0x92() -> None:
    world = World()
    pub = world.client("pub", properties=KEEP)
    pub.send(Publish("t", b"1", 2, packet_id=5))
    assert pub.one() == Pubrec(5, 0x10)
    pub.drop()
    pub = world.client("pub", clean_start=False, properties=KEEP)
    assert pub.ask(Pubrel(5)) == Pubcomp(5)


def test_qos2_duplicate_is_delivered_once_and_not_refused() -> None:  # MQTT5-4.3.3-10
    world = World()
    sub = world.client("sub")
    sub.subscribe("t", 2)
    pub = world.client("pub", properties=KEEP)
    assert pub.ask(Publish("t", b"1", 2, packet_id=5)) == Pubrec(5)
    assert pub.ask(Publish("t", b"1", 2, dup=True, packet_id=5)) == Pubrec(5)
    pub.drop()
    pub = world.client("pub", clean_start=False, properties=KEEP)
    assert pub.ask(Publish("t", b"1", 2, dup=True, packet_id=5)) == Pubrec(5)
    assert pub.ask(Pubrel(5)) == Pubcomp(5)
    assert sub.payloads() == [b"1"]
    assert pub.ask(Publish("t", b"2", 2, packet_id=5)) == Pubrec(5)
    assert sub.payloads() == [b"2"]


def test_no_pubrel_after_an_error_pubrec() -> None:  # MQTT5-4.3.3-4
    world = World()
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 2)
    world.client("pub").publish("t", b"1", 2)
    packet_id = sub.one(Publish).packet_id
    sub.send(Pubrec(packet_id, 0x97))
    assert sub.read() == []
    sub.drop()
    assert world.client("sub", clean_start=False, properties=KEEP).inbox == []


def test_expiry_does_not_remove_what_is_in_flight() -> None:  # MQTT5-4.3.3-7
    world = World()
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 2)
    world.client("pub").publish("t", b"1", 2, properties=PublishProperties(message_expiry_interval=5))
    assert sub.one(Publish).payload == b"1"
    sub.drop()
    world.pass_time(60)
    sub = world.client("sub", clean_start=False, properties=KEEP)
    again = sub.one(Publish)
    assert again.dup
    assert again.properties.message_expiry_interval == 0
    assert sub.ask(Pubrec(again.packet_id)) == Pubrel(again.packet_id)


@pytest.mark.parametrize("qos", [1, 2])
def test_expiry_does_not_remove_what_is_in_flight_at_takeover(qos: int) -> None:  # MQTT5-4.4.0-1
    world = World()
    old = world.client("sub", properties=KEEP)
    old.subscribe("t", qos)
    pub = world.client("pub")
    pub.publish("t", b"1", qos, properties=PublishProperties(message_expiry_interval=5))
    pub.publish("t", b"2", qos, properties=PublishProperties(message_expiry_interval=5))
    first, second = old.read()
    if qos == 2:
        assert old.ask(Pubrec(first.packet_id)) == Pubrel(first.packet_id)
    world.pass_time(60)
    new = world.client("sub", clean_start=False, properties=KEEP)
    assert old.closed
    got = new.read()
    assert [(type(p), p.packet_id) for p in got] == [
        (Publish if qos == 1 else Pubrel, first.packet_id),
        (Publish, second.packet_id),
    ]
    assert [p.dup for p in got if isinstance(p, Publish)] == [True] * (3 - qos)


def test_message_expiry_is_reduced_and_enforced() -> None:  # MQTT5-3.3.2-5, 3.3.2-6
    world = World()
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 1)
    sub.drop()
    pub = world.client("pub")
    pub.publish("t", b"long", 1, properties=PublishProperties(message_expiry_interval=100))
    pub.publish("t", b"short", 1, properties=PublishProperties(message_expiry_interval=5))
    world.pass_time(10.9)
    sub = world.client("sub", clean_start=False, properties=KEEP)
    (message,) = sub.messages()
    assert message.payload == b"long"
    assert message.properties is not None
    assert message.properties.message_expiry_interval == 90
    assert world.broker.counters.dropped_expired == 1


def test_message_expiry_of_a_retained_message_is_reduced_and_enforced() -> None:  # MQTT5-3.3.2-6
    world = World()
    world.client("pub").publish("t", b"r", retain=True, properties=PublishProperties(message_expiry_interval=10))
    world.pass_time(4.5)
    early = world.client("early")
    early.subscribe("t")
    (message,) = early.messages()
    assert message.properties is not None
    assert message.properties.message_expiry_interval == 6
    world.pass_time(5.5)
    late = world.client("late")
    late.subscribe("t")
    assert late.messages() == []


def test_retained_at_the_granted_qos() -> None:  # MQTT5-3.8.4-8
    world = World()
    world.client("pub").publish("t", b"r", 2, retain=True)
    for granted in (0, 1, 2):
        sub = world.client(f"sub{granted}")
        sub.subscribe("t", granted)
        assert sub.messages()[0].qos == granted
    world.client("pub").publish("u", b"r", 0, retain=True)
    sub = world.client("sub")
    sub.subscribe("u", 2)
    assert sub.messages()[0].qos == 0


def test_retain_handling() -> None:  # MQTT5-3.3.1-9 to -11
    world = World()
    world.client("pub").publish("t", b"r", retain=True)
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", retain_handling=2)
    assert sub.payloads() == []
    sub.subscribe("t", retain_handling=1)
    assert sub.payloads() == []
    sub.subscribe("t", retain_handling=0)
    assert sub.payloads() == [b"r"]
    sub.unsubscribe("t")
    sub.subscribe("t", retain_handling=1)
    assert sub.payloads() == [b"r"]
    sub.drop()
    sub = world.client("sub", clean_start=False, properties=KEEP)
    assert sub.payloads() == []
    sub.subscribe("t", retain_handling=1)
    assert sub.payloads() == []
    sub.subscribe("t", retain_handling=0)
    assert sub.payloads() == [b"r"]


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("dropped_first", [False, True])
def test_retained_messages_are_not_sent_again_on_resume_or_takeover(version: int, dropped_first: bool) -> None:
    world = World()
    world.client("pub").publish("t", b"r", 1, retain=True)
    properties = KEEP if version == 5 else None
    sub = world.client("sub", version, clean_start=False, properties=properties)
    sub.subscribe("t", 1)
    assert sub.payloads() == [b"r"]
    if dropped_first:
        sub.drop()
    sub = world.client("sub", version, clean_start=False, properties=properties)
    assert sub.payloads() == []
    world.client("pub").publish("t", b"live", 1)
    assert sub.payloads() == [b"live"]


def test_subscription_identifiers() -> None:  # MQTT5-3.3.4-3, 3.3.4-4
    world = World()
    pub = world.client("pub")
    pub.publish("a/b", b"r", retain=True)
    sub = world.client("sub")
    sub.subscribe("a/b", identifier=7)
    (retained,) = sub.messages()
    assert retained.properties is not None
    assert retained.properties.subscription_identifier == [7]
    sub.subscribe("a/#", identifier=9, retain_handling=2)
    sub.subscribe("#", retain_handling=2)
    pub.publish("a/b", b"live")
    (live,) = sub.messages()
    assert live.properties is not None
    assert sorted(live.properties.subscription_identifier) == [7, 9]


def test_topic_alias_never_negotiated_and_not_forwarded() -> None:  # MQTT5-3.2.2-18, 3.1.2-27
    world = World(Options(capabilities=Capabilities(topic_alias_maximum=0)))
    a = world.client("a")
    assert a.connack.properties.topic_alias_maximum is None
    a.send(Publish("t", properties=PublishProperties(topic_alias=1)))
    assert a.one(Disconnect).reason_code == 0x94
    world = World()
    sub = world.client("sub")
    sub.subscribe("t")
    pub = world.client("pub")
    pub.send(Publish("t", b"1", properties=PublishProperties(topic_alias=1)))
    pub.send(Publish("", b"2", properties=PublishProperties(topic_alias=1)))
    assert sub.read() == [Publish("t", b"1"), Publish("t", b"2")]


def test_topic_aliases_are_within_what_the_client_takes() -> None:  # MQTT5-3.1.2-26
    world = World()
    sub = world.client("sub", properties=ConnectProperties(topic_alias_maximum=1))
    sub.subscribe("#")
    pub = world.client("pub")
    for topic in ("a", "b", "a", "b"):
        pub.publish(topic)
    names: dict[int, str] = {}
    topics: list[str] = []
    for packet in sub.messages():
        alias = packet.properties.topic_alias if packet.properties else None
        assert alias in (None, 1)
        if alias and packet.topic:
            names[alias] = packet.topic
        topics.append(packet.topic or names[alias or 0])
    assert topics == ["a", "b", "a", "b"]
    assert names


def test_receive_maximum_outbound() -> None:  # MQTT5-3.3.4-9, 4.9
    world = World()
    sub = world.client("sub", properties=ConnectProperties(receive_maximum=2))
    sub.subscribe("t", 2)
    pub = world.client("pub")
    for payload in (b"1", b"2", b"3", b"4"):
        pub.publish("t", payload, 2)
    pub.publish("t", b"qos 0")
    got = sub.read()
    assert [p.payload for p in got] == [b"1", b"2", b"qos 0"]
    sub.send(Pubrec(got[0].packet_id))
    assert sub.read() == [Pubrel(got[0].packet_id)]
    sub.send(Pubcomp(got[0].packet_id))
    assert sub.one(Publish).payload == b"3"
    sub.send(Pubrec(got[1].packet_id, 0x80))
    assert sub.one(Publish).payload == b"4"


def test_maximum_packet_size_of_the_client() -> None:  # MQTT5-3.1.2-24, 3.1.2-25
    world = World()
    exact = Publish("t", b"x" * 20)
    size = 2 + 2 + 1 + 1 + 20
    sub = world.client("sub", properties=ConnectProperties(maximum_packet_size=size))
    sub.subscribe("t", 1)
    pub = world.client("pub")
    pub.send(exact)
    assert sub.payloads() == [b"x" * 20]
    pub.publish("t", b"x" * 21)
    pub.publish("t", b"x" * 20, 1)
    assert sub.read() == []
    assert world.broker.counters.dropped_too_large == 2
    pub.publish("t", b"y", 1)
    assert sub.payloads() == [b"y"]
    assert world.broker.sessions.by_handle[sub.connection.session.handle].inflight == {}  # type: ignore[union-attr]


def test_reason_string_gives_way_to_maximum_packet_size() -> None:  # MQTT5-3.4.2-2, 3.2.2-19
    world = World()
    wide = world.client("wide")
    assert wide.ask(Publish("$x", b"", 1, packet_id=1)).properties.reason_string
    narrow = world.client("narrow", properties=ConnectProperties(maximum_packet_size=20))
    assert narrow.ask(Publish("$x", b"", 1, packet_id=1)) == Puback(1, 0x90)
    silent = world.client("silent", properties=ConnectProperties(request_problem_information=0))
    assert silent.ask(Publish("$x", b"", 1, packet_id=1)) == Puback(1, 0x90)


@pytest.mark.parametrize("topic_filter", ["#", "+/x", "$share/g/#"])
def test_wildcards_do_not_match_dollar_topics(topic_filter: str) -> None:  # MQTT5-4.7.2-1
    world = World()
    sub = world.client("sub")
    sub.subscribe(topic_filter)
    world.broker.inject("$SYS/x", b"1", world.now)
    world.turn()
    assert sub.read() == []
    sub.subscribe("$SYS/#")
    world.broker.inject("$SYS/x", b"1", world.now)
    world.turn()
    assert sub.payloads() == [b"1"]


def test_shared_groups_are_apart_and_end_with_unsubscribe() -> None:  # MQTT5-4.8.2
    world = World()
    pub = world.client("pub")
    a, b, c = (world.client(name) for name in "abc")
    a.subscribe("$share/one/t")
    b.subscribe("$share/two/t")
    c.subscribe("$share/one/#")
    pub.publish("t", b"1")
    assert [x.payloads() for x in (a, b, c)] == [[b"1"]] * 3
    assert a.unsubscribe("$share/one/t").reason_codes == [0]
    pub.publish("t", b"2")
    assert [x.payloads() for x in (a, b, c)] == [[], [b"2"], [b"2"]]
    for bad in ("$share//t", "$share/g", "$share/g+/t", "$share/g/"):
        d = world.client("d")
        d.send(Subscribe(1, [Subscription(bad)]))
        assert d.closed, bad


def test_a_client_in_groups_that_overlap_gets_a_copy_by_each() -> None:  # MQTT5-4.8.2
    world = World()
    a = world.client("a")
    a.subscribe("$share/one/a/b", 1, identifier=1)
    a.subscribe("$share/one/a/#", 1, identifier=2)
    a.subscribe("$share/two/a/b", 0, identifier=3)
    a.subscribe("a/b", 2, identifier=4)
    world.client("pub").publish("a/b", b"1", 2)
    got = a.messages()
    assert all(p.properties is not None for p in got)
    assert sorted((p.properties.subscription_identifier, p.qos) for p in got if p.properties) == [
        ([1], 1),
        ([2], 1),
        ([3], 0),
        ([4], 2),
    ]


@pytest.mark.parametrize("version", [3, 4, 5])
def test_overlapping_subscriptions_get_the_maximum_qos_once(version: int) -> None:  # MQTT5-3.3.4-2
    world = World()
    sub = world.client("sub", version)
    sub.subscribe("a/b", 1)
    sub.subscribe("a/#", 2)
    sub.subscribe("#", 0)
    world.client("pub").publish("a/b", b"1", 2)
    (message,) = sub.messages()
    assert message.qos == 2


@pytest.mark.parametrize("publisher", [3, 4, 5])
@pytest.mark.parametrize("subscriber", [3, 4, 5])
def test_retained_messages_cross_versions(publisher: int, subscriber: int) -> None:
    world = World()
    world.client("pub", publisher).publish("t", b"r", 1, retain=True)
    sub = world.client("sub", subscriber)
    sub.subscribe("t", 1)
    (message,) = sub.messages()
    assert (message.payload, message.retain, message.qos) == (b"r", True, 1)
    world.client("pub", publisher).publish("t", b"", retain=True)
    late = world.client("late", subscriber)
    late.subscribe("t", 1)
    assert late.messages() == []


def test_queue_is_bounded_and_counted() -> None:
    world = World(Options(bounds=Bounds(queued_messages=3)))
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 1)
    sub.drop()
    pub = world.client("pub")
    for n in range(5):
        pub.publish("t", b"%d" % n, 1)
    assert world.broker.counters.dropped_queue_full == 2
    sub = world.client("sub", clean_start=False, properties=KEEP)
    assert sub.payloads() == [b"0", b"1", b"2"]


def test_pings_are_answered() -> None:
    world = World()
    a = world.client("a")
    a.send(Pingreq(), Pingreq())
    assert len(a.read()) == 2
    assert isinstance(a.connack, Connack)
    assert isinstance(a.ask(Subscribe(1, [Subscription("t")])), Suback)
