# SPDX-License-Identifier: MIT
"""One test for each recurrent class of broker bugs; what they have in common is that somebody shipped them."""

from __future__ import annotations

import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.options import Bounds, Capabilities, Options
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    DisconnectProperties,
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
    Will,
    WillProperties,
)
from tests.sansio import SECOND, World

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
    assert world.broker.sessions[sub.connection.session.handle].inflight == {}  # type: ignore[union-attr]


def test_reason_string_gives_way_to_maximum_packet_size() -> None:  # MQTT5-3.4.2-2, 3.2.2-19
    world = World()
    wide = world.client("wide")
    assert wide.ask(Publish("$x", b"", 1, packet_id=1)).properties.reason_string
    narrow = world.client("narrow", properties=ConnectProperties(maximum_packet_size=20))
    assert narrow.ask(Publish("$x", b"", 1, packet_id=1)) == Puback(1, 0x90)
    silent = world.client("silent", properties=ConnectProperties(request_problem_information=0))
    assert silent.ask(Publish("$x", b"", 1, packet_id=1)) == Puback(1, 0x90)


def test_changed_session_expiry_is_told() -> None:
    world = World(Options(capabilities=Capabilities(maximum_session_expiry=60)))
    a = world.client("a", properties=KEEP)
    assert a.connack.properties.session_expiry_interval == 60
    b = world.client("b", properties=ConnectProperties(session_expiry_interval=30))
    assert b.connack.properties.session_expiry_interval is None
    a.drop()
    world.pass_time(61)
    assert not world.client("a", clean_start=False).connack.session_present


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


@pytest.mark.parametrize("version", [3, 4])
def test_denied_publish_is_acknowledged(version: int) -> None:  # MQTT311-3.3.5-2
    world = World()
    a = world.client("a", version)
    assert a.ask(Publish("$SYS/x", b"", 1, packet_id=1)) == Puback(1)
    assert a.ask(Publish("$SYS/x", b"", 2, packet_id=2)) == Pubrec(2)
    assert a.ask(Pubrel(2)) == Pubcomp(2)
    assert not a.closed


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


def test_second_connect_is_a_protocol_error() -> None:
    world = World()
    a = world.client("a")
    a.send(Connect("a"))
    assert a.one(Disconnect).reason_code == 0x82
    b = world.client("b", 4)
    b.send(Connect("b", protocol_version=4))
    assert b.closed
    assert b.read() == []


def test_pings_are_answered() -> None:
    world = World()
    a = world.client("a")
    a.send(Pingreq(), Pingreq())
    assert len(a.read()) == 2
    assert isinstance(a.connack, Connack)
    assert isinstance(a.ask(Subscribe(1, [Subscription("t")])), Suback)
