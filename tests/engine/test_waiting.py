# SPDX-License-Identifier: MIT
"""Questions that leave as effects: that connection waits, what comes behind is held, and the time is bounded."""

from __future__ import annotations

from typing import Any

import pytest

from mqtt_ref.engine.access import ACCEPT, CHALLENGE, REFUSE, Access, Verdict
from mqtt_ref.engine.generated.events import Intercept, Watch
from mqtt_ref.engine.intercept import ASK, LATER, Refusal
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from tests.sansio import SECOND, Client, World

REFUSED = Refusal(0x97, "not now")
DROPPED = Refusal(0, "", True)


def world_with(access: Access | None = None, watch: Watch | None = None, **more: Any) -> World:
    """`more` are the slots of an Intercept; and `options`."""
    world = World(more.pop("options", None))
    world.broker.set_hooks(access, watch, Intercept(**more))
    return world


def later(*_: object) -> Any:
    return LATER


def ask(*_: object) -> int:
    return ASK


def publisher(world: World) -> tuple[Client, Client]:
    """A client that publishes, and one that hears it."""
    watch = world.client("watch")
    watch.subscribe("#", 2)
    return world.client("c"), watch


# ---------------------------------------------------------------- order


def test_what_comes_behind_is_held_and_keeps_its_order() -> None:
    world = world_with(on_publish=later)
    client, watch = publisher(world)
    client.send(Publish("t", b"1"), Publish("t", b"2"), Pingreq())
    client.send(Publish("t", b"3", 1, packet_id=7))
    assert client.read() == []
    assert len(world.asks) == 1
    for payload in (b"1", b"2", b"3"):
        assert watch.messages() == []
        asked = world.answer(None)
        assert (asked.event, asked.connection) == ("on_publish", client.connection)
        assert watch.payloads() == [payload]
    assert [type(packet) for packet in client.read()] == [Pingresp, Puback]


def test_others_do_not_wait() -> None:
    world = world_with(on_publish=lambda link, packet: LATER if packet.topic == "slow" else None)
    client, watch = publisher(world)
    client.send(Publish("slow", b"1"))
    world.client("other").publish("t", b"2")
    assert watch.payloads() == [b"2"]
    world.answer(None)
    assert watch.payloads() == [b"1"]


def test_who_waits_gets_its_messages() -> None:
    world = world_with(on_publish=lambda link, packet: LATER if packet.topic == "slow" else None)
    client, _ = publisher(world)
    client.subscribe("t")
    client.send(Publish("slow"))
    world.client("other").publish("t", b"2")
    assert client.payloads() == [b"2"]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_any_chunking_gives_the_same(size: int) -> None:
    world = world_with(on_publish=later, on_packet_read=later)
    watch = world.link()
    watch.send(Connect("watch"), Subscribe(1, [Subscription("#")]))
    world.answer(None)
    world.answer(None)
    client = world.link()
    data = bytes.fromhex(
        "100d 00044d515454 05 02 0000 00 0000 3005 0001 74 00 31 3005 0001 74 00 32 c000".replace(" ", "")
    )
    for at in range(0, len(data), size):
        client.send_raw(data[at : at + size])
    events = []
    while world.asks:
        events.append(world.answer(None).event)
    assert events == ["on_packet_read", *["on_packet_read", "on_publish"] * 2, "on_packet_read"]
    assert [type(packet) for packet in client.read()] == [Connack, Pingresp]
    assert [packet.payload for packet in watch.read() if isinstance(packet, Publish)] == [b"1", b"2"]


def test_nobody_hooks_any_more_while_one_waits() -> None:
    world = world_with(on_publish=later)
    client, watch = publisher(world)
    client.send(Publish("t", b"1"))
    world.broker.set_hooks(None, None, None)
    client.send(Publish("t", b"2"))
    assert watch.messages() == []
    world.answer(None)
    assert watch.payloads() == [b"1", b"2"]


def test_processed_is_told_when_it_is_done() -> None:
    told: list[str] = []
    watch = Watch(on_packet_processed=lambda link, packet: told.append(type(packet).__name__))
    world = world_with(watch=watch, on_publish=later)
    client = world.client("c")
    client.send(Publish("t"), Pingreq())
    assert told == ["Connect"]
    world.answer(None)
    assert told == ["Connect", "Publish", "Pingreq"]


# ---------------------------------------------------------------- every place where an answer is waited for


def test_publish_changed_refused_and_dropped() -> None:
    world = world_with(on_publish=later)
    client, watch = publisher(world)
    for n, answer in enumerate((Publish("other", b"changed", 1, packet_id=1), REFUSED, DROPPED), 1):
        client.send(Publish("t", b"x", 1, packet_id=n))
        world.answer(answer)
    assert [packet.reason_code for packet in client.read()] == [0, 0x97, 0]
    assert [(m.topic, m.payload) for m in watch.messages()] == [("other", b"changed")]


def test_access_to_publish() -> None:
    world = world_with(Access(on_acl_check_publish=ask, waits=True))
    client, watch = publisher(world)
    for n, code in enumerate((0, 0x87), 1):
        client.send(Publish("t", bytes([n]), 1, packet_id=n))
        asked = world.answer(code)
        assert (asked.event, asked.topic, asked.write) == ("on_acl_check", "t", True)
    assert [packet.reason_code for packet in client.read()] == [0, 0x87]
    assert watch.payloads() == [b"\x01"]


def test_access_then_publish() -> None:
    world = world_with(Access(on_acl_check_publish=ask, waits=True), on_publish=later)
    client, watch = publisher(world)
    client.send(Publish("t", b"1"))
    assert world.answer(0).event == "on_acl_check"
    assert world.answer(None).event == "on_publish"
    assert watch.payloads() == [b"1"]


def test_subscribe() -> None:
    world = world_with(on_subscribe=later)
    client = world.client("c")
    client.send(Subscribe(1, [Subscription("a", 1)]), Pingreq())
    world.answer(Subscribe(1, [Subscription("b", 2)]))
    got = client.read()
    assert [type(packet) for packet in got] == [Suback, Pingresp]
    assert got[0].reason_codes == [2]
    client.send(Subscribe(1, [Subscription("a", 1)]))
    world.answer(REFUSED)
    assert client.one(Suback).reason_codes == [0x97]
    client.send(Subscribe(1, [Subscription("a", 1)]))
    world.answer(None)
    assert client.one(Suback).reason_codes == [1]


def test_access_to_subscribe_is_asked_filter_by_filter() -> None:
    world = world_with(Access(on_acl_check_subscribe=ask, waits=True))
    client = world.client("c")
    client.send(Subscribe(1, [Subscription("a", 1), Subscription("b", 2), Subscription("c")]), Pingreq())
    topics = [world.answer(code).topic for code in (0, 0x87, 0)]
    assert topics == ["a", "b", "c"]
    got = client.read()
    assert got[0].reason_codes == [1, 0x87, 0]
    assert isinstance(got[1], Pingresp)


def test_unsubscribe() -> None:
    world = world_with(on_unsubscribe=later)
    client = world.client("c")
    for answer, codes in ((Unsubscribe(3, ["a"]), [0]), (REFUSED, [0x80]), (None, [0x11])):
        client.subscribe("a")
        client.send(Unsubscribe(3, ["x"]))
        world.answer(answer)
        assert client.one(Unsuback).reason_codes == codes


def test_connect() -> None:
    world = world_with(on_connect=later)
    client = world.link()
    client.send(Connect("c"), Pingreq())
    assert world.answer(None).event == "on_connect"
    assert [type(packet) for packet in client.read()] == [Connack, Pingresp]
    other = world.link()
    other.send(Connect("d"))
    world.answer(REFUSED)
    assert other.one(Connack).reason_code == 0x97
    assert other.closed


def test_connect_then_authentication_then_will() -> None:
    access = Access(on_connect_authenticate=lambda link, connect: None, on_acl_check_publish=ask, waits=True)
    world = world_with(access, on_connect=later)
    client = world.link()
    client.send(Connect("c", will=Will("w")), Pingreq())
    events = [world.answer(answer).event for answer in (None, Verdict(ACCEPT), 0)]
    assert events == ["on_connect", "on_connect_authenticate", "on_acl_check"]
    assert [type(packet) for packet in client.read()] == [Connack, Pingresp]


@pytest.mark.parametrize("version", [4, 5])
def test_a_will_that_may_not_be(version: int) -> None:
    world = world_with(Access(on_acl_check_publish=ask, waits=True))
    client = world.link(version)
    client.send(Connect("c", protocol_version=version, will=Will("w")))
    world.answer(0x87)
    assert client.one(Connack).reason_code == (0x87 if version == 5 else 0)
    assert (client.connection.session is None) == (version == 5)


def test_nothing_is_read_before_it_is_known_who_sent_it() -> None:
    access = Access(on_connect_authenticate=lambda link, connect: None, on_acl_check_publish=ask, waits=True)
    world = world_with(access, on_packet_read=later)
    client = world.link()
    client.send(Connect("c", will=Will("w")), Pingreq(), Publish("t", qos=1, packet_id=1))
    answers: list[object] = [None, Verdict(ACCEPT), 0, None, None, 0]
    assert [world.answer(answer).event for answer in answers] == [
        "on_packet_read",
        "on_connect_authenticate",
        "on_acl_check",
        "on_packet_read",
        "on_packet_read",
        "on_acl_check",
    ]
    assert [type(packet) for packet in client.read()] == [Connack, Pingresp, Puback]


def test_what_was_held_before_there_were_hooks_goes_first() -> None:
    world = World()
    world.broker.set_access(Access(on_connect_authenticate=lambda link, connect: None))
    client = world.link()
    client.send(Connect("c"), Pingreq())
    world.broker.set_hooks(world.broker.access, None, Intercept(on_publish=later))
    client.send(Publish("t", qos=1, packet_id=1))
    world.answer(Verdict(ACCEPT))
    world.answer(None)
    assert [type(packet) for packet in client.read()] == [Connack, Pingresp, Puback]


def test_an_exchange_whose_packets_are_read() -> None:
    access = Access(methods=frozenset({"M"}), on_auth_packet=lambda *_: None)
    world = world_with(access, on_packet_read=later)
    client = world.link()
    client.send(Connect("c", properties=ConnectProperties(authentication_method="M")))
    world.answer(None)
    world.answer(Verdict(CHALLENGE, data=b"?"))
    client.read()
    client.send(Auth(0x18, AuthProperties(authentication_method="M", authentication_data=b"!")), Pingreq())
    world.answer(None)
    assert world.answer(Verdict(ACCEPT)).data == b"!"
    world.answer(None)
    assert [type(packet) for packet in client.read()] == [Connack, Pingresp]


def test_read_refused_and_dropped() -> None:
    world = world_with(on_packet_read=lambda link, packet: None if isinstance(packet, Connect) else LATER)
    client = world.client("c")
    client.send(Pingreq(), Pingreq(), Publish("t"), Pingreq())
    world.answer(DROPPED)
    world.answer(None)
    world.answer(REFUSED)
    got = client.read()
    assert isinstance(got[0], Pingresp)
    assert got[1].reason_code == 0x97
    assert client.closed
    assert world.asks == []


def test_wills_wait_for_nobody() -> None:
    world = world_with(on_will=later)
    _, watch = publisher(world)
    for answer, payloads in ((None, [b"gone"]), (Will("w", b"changed"), [b"changed"]), (REFUSED, []), (DROPPED, [])):
        world.client("c", will=Will("w", b"gone")).drop()
        assert watch.messages() == []
        asked = world.answer(answer)
        assert (asked.event, asked.connection) == ("on_will", None)
        assert watch.payloads() == payloads


# ---------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("slots", "sent", "code"),
    [
        ({"on_publish": later}, Publish("t", qos=1, packet_id=1), 0x80),
        ({"access": Access(on_acl_check_publish=ask, waits=True)}, Publish("t", qos=1, packet_id=1), 0x87),
        ({"on_subscribe": later}, Subscribe(1, [Subscription("t")]), [0x80]),
        ({"access": Access(on_acl_check_subscribe=ask, waits=True)}, Subscribe(1, [Subscription("t")]), [0x87]),
        ({"on_unsubscribe": later}, Unsubscribe(1, ["t"]), [0x11]),
    ],
)
def test_too_late_is_no(slots: dict[str, Any], sent: Packet, code: int | list[int]) -> None:
    world = world_with(**slots)
    client = world.client("c")
    client.send(sent, Pingreq())
    world.pass_time(4.9)
    assert client.read() == []
    world.pass_time(0.2)
    got = client.read()
    assert (got[0].reason_codes if isinstance(code, list) else got[0].reason_code) == code
    assert isinstance(got[1], Pingresp)
    assert [(one.question, one.overdue) for one in world.withdrawn] == [(world.asks[0].question, True)]
    assert not world.broker.answer(world.asks[0].question, None, world.now)


@pytest.mark.parametrize(
    ("slots", "code"),
    [
        ({"on_packet_read": later}, 0x80),
        ({"on_connect": later}, 0x80),
        ({"access": Access(on_connect_authenticate=lambda link, connect: None)}, 0x88),
        ({"access": Access(on_acl_check_publish=ask, waits=True)}, 0x87),
    ],
)
def test_too_late_to_connect(slots: dict[str, Any], code: int) -> None:
    world = world_with(**slots)
    client = world.link()
    client.send(Connect("c", will=Will("w")))
    world.pass_time(5.1)
    assert client.one(Connack).reason_code == code
    assert client.closed


def test_too_late_to_read_closes() -> None:
    world = world_with(on_packet_read=lambda link, packet: None if isinstance(packet, Connect) else LATER)
    client = world.client("c")
    client.send(Pingreq())
    world.pass_time(5.1)
    assert client.one(Disconnect).reason_code == 0x80


def test_too_late_for_a_will() -> None:
    world = world_with(on_will=later)
    _, watch = publisher(world)
    world.client("c", will=Will("w")).drop()
    world.pass_time(5.1)
    assert watch.messages() == []
    assert not world.broker.answer(world.asks[0].question, None, world.now)


def test_the_time_is_an_option() -> None:
    world = world_with(options=Options(bounds=Bounds(hook_timeout=0.25)), on_publish=later)
    client = world.client("c")
    client.send(Publish("t", qos=1, packet_id=1))
    world.pass_time(0.3)
    assert client.one(Puback).reason_code == 0x80


def test_keep_alive_goes_on_while_one_waits() -> None:
    world = world_with(options=Options(bounds=Bounds(hook_timeout=100)), on_publish=later)
    client = world.client("c", keep_alive=10)
    client.send(Publish("t"))
    world.pass_time(14)
    client.send(Pingreq())
    world.pass_time(14)
    assert not client.closed
    world.pass_time(2)
    assert client.closed
    assert [one.overdue for one in world.withdrawn] == [False]


def test_the_connect_timeout_does_not_end_a_question() -> None:
    world = world_with(options=Options(bounds=Bounds(hook_timeout=100, connect_timeout=1)), on_connect=later)
    client = world.link()
    client.send(Connect("c"))
    world.pass_time(20)
    world.answer(None)
    assert client.one(Connack).reason_code == 0


# ---------------------------------------------------------------- bounds


def test_what_is_held_is_bounded() -> None:
    world = world_with(options=Options(bounds=Bounds(held_bytes=1000)), on_publish=later)
    client = world.client("c")
    for _ in range(4):
        client.send(Publish("t", b"x" * 300))
    assert not client.closed
    client.send_raw(b"\x30\x7f")
    client.send_raw(b"y" * 100)
    assert client.one(Disconnect).reason_code == 0x97
    assert [one.overdue for one in world.withdrawn] == [False]


def test_what_is_held_before_the_connack_is_bounded() -> None:
    world = world_with(options=Options(bounds=Bounds(held_bytes=1000)), on_connect=later)
    client = world.link()
    client.send(Connect("c"))
    for _ in range(4):
        client.send(Publish("t", b"x" * 300))
    assert client.one(Connack).reason_code == 0x97


def test_the_bound_is_for_what_is_held_at_once() -> None:
    world = world_with(options=Options(bounds=Bounds(held_bytes=1000)), on_publish=later)
    client = world.client("c")
    for _ in range(10):
        client.send(Publish("t", b"x" * 300), Publish("t", b"x" * 300))
        world.answer(None)
        world.answer(None)
    assert not client.closed


# ---------------------------------------------------------------- the end of the connection meanwhile


def test_a_client_that_said_all_it_had_to_say_and_left() -> None:
    """It published, said goodbye and closed: both count, though the answer came after the link was gone."""
    world = world_with(on_publish=later)
    watch = world.client("watch")
    watch.subscribe("#")
    client = world.client("c", will=Will("w", b"gone"))
    client.send(Publish("t", b"1"), Publish("t", b"2"), Disconnect())
    client.drop()
    assert "c" in world.broker.sessions.by_client_id
    world.answer(None)
    world.answer(None)
    assert watch.payloads() == [b"1", b"2"]
    assert "c" not in world.broker.sessions.by_client_id
    assert world.asks == []


def test_a_client_that_left_without_a_word() -> None:
    world = world_with(on_publish=lambda link, packet: LATER if packet.topic == "t" else None)
    watch = world.client("watch")
    watch.subscribe("#")
    client = world.client("c", will=Will("w", b"gone"))
    client.send(Publish("t", b"1"), Pingreq())
    client.drop()
    assert watch.messages() == []
    world.answer(None)
    assert watch.payloads() == [b"1", b"gone"]
    assert client.raw.endswith(b"\x20") is False


def test_a_client_that_left_is_not_waited_for_long() -> None:
    world = world_with(on_publish=later)
    watch = world.client("watch")
    watch.subscribe("#")
    client = world.client("c", will=Will("w", b"gone"))
    client.send(*[Publish("t", bytes([n])) for n in range(100)])
    world.pass_time(3)
    client.drop()
    world.pass_time(10)
    assert "c" not in world.broker.sessions.by_client_id
    assert [m.topic for m in watch.messages()] == ["w"]
    waiting = client.connection.waiting
    assert waiting is None or waiting.behind is None


def test_a_takeover_ends_what_was_pending() -> None:
    world = world_with(on_publish=later)
    client, watch = publisher(world)
    client.send(Publish("t", b"1"))
    world.client("c")
    assert client.one(Disconnect).reason_code == 0x8E
    assert [one.overdue for one in world.withdrawn] == [False]
    assert not world.broker.answer(world.asks[0].question, None, world.now)
    assert watch.messages() == []


def test_a_link_that_is_lost_before_the_connack() -> None:
    world = world_with(on_connect=later)
    client = world.link()
    client.send(Connect("c"))
    client.drop()
    assert [one.question for one in world.withdrawn] == [world.asks[0].question]
    assert not world.broker.answer(world.asks[0].question, None, world.now)
    assert world.broker.sessions.by_client_id == {}


def test_shutdown_while_one_waits() -> None:
    world = world_with(on_publish=later)
    client = world.client("c")
    client.send(Publish("t"))
    world.broker.shutdown(world.now)
    world.turn()
    assert client.one(Disconnect).reason_code == 0x8B
    assert len(world.withdrawn) == 1


def test_a_violation_behind_waits_too() -> None:
    world = world_with(on_publish=later)
    client, watch = publisher(world)
    client.send(Publish("t", b"1"))
    client.send_raw(b"\xf1\x00")
    assert not client.closed
    world.answer(None)
    assert watch.payloads() == [b"1"]
    assert client.one(Disconnect).reason_code >= 0x80


# ---------------------------------------------------------------- answers


def test_an_answer_of_the_wrong_kind() -> None:
    world = world_with(Access(on_connect_authenticate=lambda link, connect: None))
    world.link().send(Connect("c"))
    with pytest.raises(TypeError, match="Verdict"):
        world.broker.answer(world.asks[0].question, True, world.now)


def test_an_answer_that_nobody_asked_for() -> None:
    assert not World().broker.answer(99, None, 1)


def test_a_late_refusal_of_authentication() -> None:
    world = world_with(Access(on_connect_authenticate=lambda link, connect: None))
    client = world.link()
    client.send(Connect("c"))
    world.answer(Verdict(REFUSE, 0x86))
    assert client.one(Connack).reason_code == 0x86


def test_renewal_goes_on_beside_a_pending_publish() -> None:
    access = Access(methods=frozenset({"M"}), on_auth_packet=lambda *_: None)
    world = world_with(access, on_publish=later)
    client = world.link()
    client.send(Connect("c", properties=ConnectProperties(authentication_method="M")))
    world.answer(Verdict(ACCEPT))
    client.read()
    client.send(Auth(0x19, AuthProperties(authentication_method="M")), Publish("t", qos=1, packet_id=1))
    assert [one.event for one in world.asks] == ["on_auth_packet", "on_publish"]
    renewal, publish = world.asks
    world.broker.answer(publish.question, None, world.now)
    world.broker.answer(renewal.question, Verdict(ACCEPT), world.now)
    world.turn()
    assert [type(packet) for packet in client.read()] == [Puback, Auth]


def test_effects_say_what_they_are() -> None:
    world = world_with(on_publish=later)
    client = world.client("c")
    client.send(Publish("t"))
    world.pass_time(6)
    assert "on_publish" in repr(world.asks[0])
    assert "overdue=True" in repr(world.withdrawn[0])
    assert "0x97" in repr(REFUSED)
    assert world.now > 1000 * SECOND
