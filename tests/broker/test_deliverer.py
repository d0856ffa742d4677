# SPDX-License-Identifier: MIT
"""Who gets a message: shared groups, what becomes of their messages, encode once, several versions, many in a read."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.options import Options
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Disconnect,
    Puback,
    Publish,
    PublishProperties,
    Pubrec,
    Subscribe,
    Subscription,
)
from tests.sansio import Client, World

KEEP = ConnectProperties(session_expiry_interval=3600)
SHARED = "$share/g/t"


def members(world: World, count: int = 2, qos: int = 1) -> list[Client]:
    out = [world.client(f"m{n}", properties=KEEP) for n in range(count)]
    for member in out:
        member.subscribe(SHARED, qos)
    return out


def test_each_message_goes_to_one_member_in_turn() -> None:  # X5-shared-one-receiver
    world = World()
    group = members(world, 3)
    pub = world.client("pub")
    for n in range(9):
        pub.publish("t", b"%d" % n, 1)
    got = [member.payloads() for member in group]
    assert sorted(len(one) for one in got) == [3, 3, 3]
    assert sorted(payload for one in got for payload in one) == [b"%d" % n for n in range(9)]


def test_a_group_and_a_plain_subscription_are_apart() -> None:  # X5-shared-and-nonshared
    world = World()
    a = world.client("a")
    a.subscribe("t")
    a.subscribe(SHARED)
    world.client("pub").publish("t", b"1")
    assert a.payloads() == [b"1", b"1"]


def test_the_qos_of_the_member_holds() -> None:  # MQTT5-4.8.2-3
    world = World()
    a = world.client("a")
    a.subscribe(SHARED, 1)
    world.client("pub").publish("t", b"1", 2)
    assert [p.qos for p in a.messages()] == [1]


def test_members_without_quota_are_passed_over() -> None:
    world = World()
    one = ConnectProperties(receive_maximum=1)
    a = world.client("a", properties=one)
    b = world.client("b")
    for member in (a, b):
        member.subscribe(SHARED, 1)
    pub = world.client("pub")
    for n in range(5):
        pub.publish("t", b"%d" % n, 1)
    (first,) = a.read()
    assert len(b.payloads()) == 4
    a.send(Puback(first.packet_id))
    for n in range(2):
        pub.publish("t", b"%d" % n, 1)
    assert len(a.payloads()) == 1


def test_members_that_are_away_are_passed_over() -> None:  # ambiguity 11
    world = World()
    a, b = members(world)
    a.drop()
    pub = world.client("pub")
    for n in range(3):
        pub.publish("t", b"%d" % n, 1)
    assert b.payloads() == [b"0", b"1", b"2"]
    b.drop()
    pub.publish("t", b"3", 1)
    pub.publish("t", b"4", 1)
    pub.publish("t", b"qos 0", 0)
    got = [world.client(name, clean_start=False, properties=KEEP).payloads() for name in ("m0", "m1")]
    assert sorted(got) == [[b"3"], [b"4"]]
    assert world.broker.counters.dropped_unshared == 1


def test_nothing_is_queued_where_that_is_decided() -> None:
    world = World(Options(decisions={"publish_unsubscribed_shared": "drop"}))
    (a,) = members(world, 1)
    a.drop()
    world.client("pub").publish("t", b"1", 1)
    assert world.broker.counters.dropped_unshared == 1
    assert world.client("m0", clean_start=False, properties=KEEP).inbox == []


def test_delivery_is_completed_when_the_member_returns() -> None:  # MQTT5-4.8.2-4
    world = World()
    a, b = members(world)
    pub = world.client("pub")
    pub.publish("t", b"1", 1)
    started, other = (a, b) if a.inbox else (b, a)
    packet = started.one(Publish)
    started.drop()
    assert other.read() == []
    name = "m0" if started is a else "m1"
    again = world.client(name, clean_start=False, properties=KEEP)
    assert again.one() == Publish("t", b"1", 1, dup=True, packet_id=packet.packet_id)


@pytest.mark.parametrize(("qos", "passed_on"), [(1, [b"1"]), (2, [])])
def test_when_the_session_of_the_member_ends(qos: int, passed_on: list[bytes]) -> None:  # MQTT5-4.8.2-5
    world = World()
    a, b = members(world, 2, 2)
    pub = world.client("pub")
    pub.publish("t", b"1", qos)
    started, other = (a, b) if a.inbox else (b, a)
    assert started.one(Publish).payload == b"1"
    started.send(Disconnect())
    assert other.read() == []
    world.pass_time(3601) if not other.closed else None
    assert other.payloads() == passed_on


def test_what_was_queued_for_a_member_goes_to_another_when_its_session_ends() -> None:
    world = World()
    a, b = members(world)
    a.drop()
    b.drop()
    pub = world.client("pub")
    for n in range(4):
        pub.publish("t", b"%d" % n, 1)
    a = world.client("m0", clean_start=False, properties=KEEP)
    assert len(a.payloads()) == 2
    assert world.broker.sessions.remove("m1", world.now)
    world.turn()
    assert len(a.payloads()) == 2


def test_what_is_too_large_for_the_member_whose_turn_it_is() -> None:  # X5-shared-packet-too-large
    world = World()
    small = world.client("small", properties=ConnectProperties(maximum_packet_size=50))
    large = world.client("large")
    for member in (small, large):
        member.subscribe(SHARED, 1)
    pub = world.client("pub")
    for n in range(4):
        pub.publish("t", b"%d" % n * 100, 1)
    assert len(large.payloads()) == 2
    assert small.read() == []
    assert world.broker.counters.dropped_too_large == 2


def test_a_negative_acknowledgement_discards() -> None:  # MQTT5-4.8.2-6
    world = World()
    a, b = members(world, 2, 2)
    pub = world.client("pub")
    for qos, answer in ((1, Puback), (2, Pubrec)):
        pub.publish("t", b"1", qos)
        started, other = (a, b) if a.inbox else (b, a)
        started.send(answer(started.one(Publish).packet_id, 0x80))
        assert started.read() == other.read() == []


def test_no_retained_messages_for_shared_subscriptions() -> None:  # ambiguity 1
    world = World()
    pub = world.client("pub")
    pub.publish("t", b"r", retain=True)
    for version in (4, 5):
        a = world.client("a", version)
        a.subscribe(SHARED)
        assert a.payloads() == []
        pub.publish("t", b"live", retain=True)
        (message,) = a.messages()
        assert not message.retain


def test_inject() -> None:
    world = World()
    a = world.client("a")
    a.subscribe("$SYS/#", 1)
    assert world.broker.inject("$SYS/uptime", b"1", world.now, qos=2, retain=True)
    assert not world.broker.inject("nobody", b"1", world.now)
    world.turn()
    (message,) = a.messages()
    assert (message.topic, message.qos, message.retain) == ("$SYS/uptime", 1, False)
    late = world.client("late")
    late.subscribe("$SYS/uptime")
    assert late.payloads() == [b"1"]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_many_subscribers_of_all_versions(qos: int) -> None:
    world = World()
    subs = [world.client(f"s{n}", 3 + n % 3) for n in range(30)]
    for n, sub in enumerate(subs):
        sub.subscribe("t/+" if n % 2 else "t/1", n % 3)
    world.client("pub").publish("t/1", b"1" * 200, qos)
    for n, sub in enumerate(subs):
        (message,) = sub.messages()
        assert (message.topic, message.payload, message.qos) == ("t/1", b"1" * 200, min(qos, n % 3))
    assert world.broker.counters.messages_sent == 30


SIZES = (1, 1, 2, 0, 200, 200, 20_000, 1)
"""Of payloads: alike, empty, and with one, two and three bytes of Remaining Length."""


def test_a_read_full_of_messages_reaches_everybody_whole_and_in_order() -> None:  # MQTT5-4.6.0-5
    world = World()
    plain = [world.client(f"s{n}", 3 + n % 3) for n in range(6)]
    for sub in plain:
        sub.subscribe("t")
    own = {
        "identifier": world.client("identifier"),
        "aliases": world.client("aliases", properties=ConnectProperties(topic_alias_maximum=5)),
        "small": world.client("small", properties=ConnectProperties(maximum_packet_size=1000)),
    }
    own["identifier"].subscribe("t", identifier=3)
    own["aliases"].subscribe("t")
    own["small"].subscribe("t")
    payloads = [bytes([n]) * size for n, size in enumerate(SIZES)]
    before = world.broker.counters.messages_sent
    world.client("pub").send(*[Publish("t", payload) for payload in payloads])
    for sub in plain:
        assert sub.messages() == [Publish("t", payload) for payload in payloads]
    for name, sub in own.items():
        got = sub.messages()
        assert [packet.payload for packet in got] == [p for p in payloads if name != "small" or len(p) < 1000]
        assert all((packet.properties is not None) == (name != "small") for packet in got)
    assert world.broker.counters.messages_sent - before == 9 * len(payloads) - 1
    assert world.broker.counters.messages_routed == len(payloads)


def test_the_same_bytes_for_all_that_get_the_same_form() -> None:
    world = World()
    subs = [world.client(f"s{n}", 4 + n % 2) for n in range(4)]
    for sub in subs:
        sub.subscribe("t")
    pub = world.client("pub")
    data = b"".join(b"\x30\x05\x00\x01t\x00%d" % n for n in range(5))
    pub.connection.receive(data, world.now)
    outs = [sub.connection.outbox.packets for sub in subs]
    world.turn()
    assert [len(out) for out in outs] == [1] * 4
    assert outs[0][0] is outs[2][0]
    assert outs[1][0] is outs[3][0]
    assert outs[1][0] == data


@pytest.mark.parametrize("version", [3, 4, 5])
def test_what_differs_in_a_read_keeps_its_place(version: int) -> None:
    world = World()
    sub = world.client("sub", version)
    sub.subscribe("#", 1)
    pub = world.client("pub", version)
    sent = [
        Publish("a", b"0"),
        Publish("a", b"1"),
        Publish("a", b"2", 1, packet_id=1),
        Publish("a", b"3"),
        Publish("b", b"4"),
        Publish("a", b"5", retain=True),
        Publish("a", b"6"),
    ]
    if version == 5:
        sent.append(Publish("a", b"7", properties=PublishProperties(content_type="x")))
    sent.append(Publish("a", b"8"))
    pub.send(*sent, Subscribe(9, [Subscription("a")]), Publish("a", b"9"), Publish("a", b"10"))
    got = sub.messages()
    assert [(p.topic, p.payload, p.qos) for p in got] == [
        *((p.topic, p.payload, p.qos) for p in sent),
        ("a", b"9", 0),
        ("a", b"10", 0),
    ]
    assert pub.payloads()[-2:] == [b"9", b"10"]


def test_a_read_full_of_messages_is_shared_among_a_group() -> None:  # X5-shared-one-receiver
    world = World()
    group = members(world, 3)
    world.client("pub").send(*[Publish("t", b"%d" % n) for n in range(9)])
    got = [member.payloads() for member in group]
    assert [len(one) for one in got] == [3, 3, 3]
    assert sorted(payload for one in got for payload in one) == [b"%d" % n for n in range(9)]


def test_nothing_follows_a_broken_packet_in_a_read() -> None:
    world = World()
    sub = world.client("sub")
    sub.subscribe("t")
    pub = world.client("pub")
    plain = [encode(5, Publish("t", b"%d" % n)) for n in (1, 2, 3)]
    pub.send_raw(plain[0] + plain[1] + bytes.fromhex("32 06 0001 74 0000 00") + plain[2])
    assert pub.closed
    assert sub.payloads() == [b"1", b"2"]


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("retain", [False, True])
def test_what_fits_into_no_packet_of_the_other_version(qos: int, retain: bool) -> None:
    """The largest PUBLISH of 3.1.1 would need a byte more in 5.0, which is a byte too many: the subscriber has none."""
    world = World()
    modern = world.client("modern")
    modern.subscribe("a", 1)
    away = world.client("away", properties=ConnectProperties(session_expiry_interval=9))
    away.subscribe("a", 1)
    away.drop()
    pub = world.client("pub", 4).connection
    payload = bytes(268_435_455 - 3 - 2 * qos)
    packet = Publish("a", payload, qos, retain, packet_id=qos)
    pub.handle(packet, world.now)
    world.turn()
    assert modern.inbox == []
    assert world.broker.counters.dropped_too_large == 1
    assert world.client("away", clean_start=False).inbox == []
    assert world.broker.counters.dropped_too_large == 1 + qos
    world.client("pub2", 4).publish("a", b"goes on", 1)
    assert modern.payloads() == [b"goes on"]
    if retain:
        modern.subscribe("a", 1)
        assert modern.payloads() == []
    assert not world.clients[pub.serial].closed


def test_nothing_is_queued_for_a_member_that_gets_it_with_qos_0() -> None:  # ambiguity 11
    """It would be dropped, though another member of the group keeps it."""
    world = World()
    for name, qos in (("a", 0), ("b", 1)):
        member = world.client(name, properties=KEEP)
        member.subscribe("$share/g/t", qos)
        member.drop()
    pub = world.client("pub")
    for payload in (b"1", b"2", b"3"):
        pub.publish("t", payload, 1)
    assert world.client("a", clean_start=False, properties=KEEP).payloads() == []
    assert world.client("b", clean_start=False, properties=KEEP).payloads() == [b"1", b"2", b"3"]


def test_a_member_without_quota_gets_its_turn_with_qos_0() -> None:  # MQTT5-3.3.4-10
    world = World()
    a = world.client("a", properties=ConnectProperties(receive_maximum=1))
    a.subscribe("other", 1)
    a.subscribe("$share/g/t", 0)
    pub = world.client("pub")
    pub.publish("other", b"held", 1)
    pub.publish("t", b"now", 1)
    assert [packet.payload for packet in a.read()] == [b"held", b"now"]


def test_a_group_whose_members_keep_nothing_drops_and_counts() -> None:
    world = World()
    member = world.client("a", properties=KEEP)
    member.subscribe("$share/g/t", 0)
    member.drop()
    world.client("pub").publish("t", b"1", 1)
    assert world.broker.counters.dropped_unshared == 1
