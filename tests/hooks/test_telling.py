# SPDX-License-Identifier: MIT
"""Hooks that are told: each event at its moment, with what belongs to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref.broker.sys_topics import Outside, SysTopics
from mqtt_ref.broker.views import Client
from mqtt_ref.engine.message import Message
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.engine.tables import TABLES, changed
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.hooks.declare import EVENTS
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.server import Server
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Disconnect,
    Pingreq,
    Puback,
    Publish,
    PublishProperties,
    Pubrec,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
    WillProperties,
)
from tests.sansio import World

KEEP = ConnectProperties(session_expiry_interval=100)
NOTIFY = [name for name, event in EVENTS.items() if event.kind == "notify"]


def recorder(*events: str) -> tuple[Hook, list[tuple[Any, ...]]]:
    """A hook that writes down what it is told of some events: a client by its id, a message by its payload."""
    told: list[tuple[Any, ...]] = []

    def plain(value: Any) -> Any:
        if isinstance(value, Client):
            return value.id
        return value.payload if isinstance(value, Message) else value

    def handler(event: str) -> Callable[..., None]:
        def method(self: Hook, *args: Any) -> None:
            told.append((event.removeprefix("on_"), *map(plain, args)))

        return method

    hook: Hook = type("Recorder", (Hook,), {event: handler(event) for event in events})()
    return hook, told


def watched(*events: str, **more: Any) -> tuple[World, list[tuple[Any, ...]]]:
    world = World(**more)
    hook, told = recorder(*events)
    Dispatcher(world.broker, [AllowAll(), hook])
    return world, told


def test_the_life_of_a_connection() -> None:
    world, told = watched("on_session_establish", "on_session_established", "on_disconnect")
    client = world.client("c", properties=KEEP)
    assert told[0][:2] == ("session_establish", "c")
    assert isinstance(told[0][2], Connect)
    assert told[1:] == [("session_established", "c", False)]
    told.clear()
    client.send(Disconnect())
    world.client("c", clean_start=False).drop()
    assert told[0] == ("disconnect", "c", 0, "")
    assert told[2:] == [("session_established", "c", True), ("disconnect", "c", 0, "The link was lost")]


def test_a_takeover_in_its_order() -> None:
    world, told = watched("on_session_establish", "on_session_established", "on_disconnect")
    world.client("c")
    told.clear()
    world.client("c")
    assert [row[0] for row in told] == ["session_establish", "disconnect", "session_established"]
    assert told[1][2] == 0x8E


def test_who_was_refused_has_not_connected() -> None:
    world, told = watched("on_session_establish", "on_session_established", "on_disconnect")
    world.link().send(Connect("c", will=Will("$SYS/x")))
    assert told == []


@pytest.mark.parametrize("code", [0x04, 0x8B])
def test_the_reason_of_a_disconnect(code: int) -> None:
    world, told = watched("on_disconnect")
    client = world.client("c")
    if code == 0x04:
        client.send(Disconnect(code))
    else:
        world.broker.shutdown(world.now)
    assert told[0][2] == code
    assert told[0][3]


def test_a_client_is_the_same_object_for_the_life_of_its_connection() -> None:
    seen: list[Client] = []

    class Keeps(Hook):
        def on_session_established(self, client: Client, session_present: bool) -> None:
            assert client.connected
            seen.append(client)

        def on_disconnect(self, client: Client, reason_code: int, text: str) -> None:
            assert not client.connected
            seen.append(client)

    world = World()
    Dispatcher(world.broker, [AllowAll(), Keeps()])
    client = world.client("c", username="carol", keep_alive=30, properties=KEEP)
    client.connection.peer_certificate = {"subject": ()}
    client.subscribe("t", 1, 7)
    first = seen[0]
    assert (first.id, first.username, first.remote, first.listener) == ("c", "carol", "peer", "test")
    assert (first.protocol_version, first.clean_start, first.keep_alive, first.session_expiry) == (5, True, 30, 100)
    assert first.certificate == {"subject": ()}
    assert first.subscriptions == {"t": (1, 7)}
    client.publish("t", qos=1)
    assert (first.inflight, first.queued) == (1, 0)
    client.drop()
    world.client("other").publish("t", qos=1)
    assert seen[1] is first
    assert (first.id, first.queued, first.remote) == ("c", 1, "peer")
    assert repr(first) == "Client('c', 'peer')"


def test_packets_processed() -> None:
    world, told = watched("on_packet_processed")
    client = world.client("c")
    client.send(Pingreq(), Publish("t"))
    client.send_raw(b"\xf0\xff")
    assert [type(row[2]).__name__ for row in told] == ["Connect", "Pingreq", "Publish"]
    assert {row[1] for row in told} == {"c"}


def test_subscribed_and_unsubscribed() -> None:
    world, told = watched("on_subscribed", "on_unsubscribed", "on_retain_published")
    pub = world.client("pub")
    pub.publish("a", b"kept", retain=True)
    client = world.client("c", 4)
    client.send(Subscribe(1, [Subscription("a", 1), Subscription("b", 2)]))
    client.send(Unsubscribe(2, ["a", "x"]))
    (first, retained, last) = told
    assert first[:2] == ("subscribed", "c")
    assert isinstance(first[2], Subscribe)
    assert first[3] == [1, 2]
    assert retained == ("retain_published", "c", b"kept")
    assert last[3] == [0, 0x11]


def test_published() -> None:
    world, told = watched("on_published")
    client = world.client("c")
    client.publish("t", b"1")
    client.subscribe("t")
    client.publish("t", b"2", qos=1)
    client.publish("t", b"3", retain=True)
    world.broker.inject("$SYS/x", b"own", world.now)
    assert told == [
        ("published", "c", b"1", False),
        ("published", "c", b"2", True),
        ("published", "c", b"3", True),
        ("published", None, b"own", False),
    ]


def queue_full(world: World) -> None:
    client = world.client("c", properties=KEEP)
    client.subscribe("t", 1)
    client.drop()
    pub = world.client("pub")
    pub.publish("t", b"kept", qos=1)
    pub.publish("t", b"late", qos=1)


def slow(world: World) -> None:
    client = world.client("c")
    client.subscribe("t")
    client.connection.choke()
    world.client("pub").publish("t", b"late")


def too_large(world: World) -> None:
    client = world.client("c", properties=ConnectProperties(maximum_packet_size=20))
    client.subscribe("t")
    world.client("pub").publish("t", b"late" * 10)


def too_large_queued(world: World) -> None:
    client = world.client("c", properties=ConnectProperties(maximum_packet_size=20))
    client.subscribe("t", 1)
    world.client("pub").publish("t", b"late" * 10, qos=1)


def expired(world: World) -> None:
    client = world.client("c", properties=KEEP)
    client.subscribe("t", 1)
    client.drop()
    world.client("pub").publish("t", b"late", qos=1, properties=PublishProperties(message_expiry_interval=5))
    world.pass_time(10)
    world.client("c", clean_start=False, properties=KEEP)


def offline(world: World) -> None:
    client = world.client("c", properties=KEEP)
    client.subscribe("t")
    client.drop()
    world.client("pub").publish("t", b"late")


def denied(world: World) -> None:
    class Unreadable(Hook):
        def on_acl_check(self, client: Client, topic: str, write: bool) -> bool | None:
            return False if topic == "t" and not write else None

    world.client("pub").publish("t", b"late", retain=True)
    hooks = world.hooks.hooks  # type: ignore[attr-defined]
    Dispatcher(world.broker, [Unreadable(), *hooks])
    world.client("c").subscribe("#")


def unshared(world: World) -> None:
    client = world.client("c", properties=KEEP)
    client.subscribe("$share/g/t")
    client.drop()
    world.client("pub").publish("t", b"late")


@pytest.mark.parametrize(
    ("scene", "reason"),
    [
        (queue_full, "queue_full"),
        (slow, "slow"),
        (too_large, "too_large"),
        (too_large_queued, "too_large"),
        (expired, "expired"),
        (offline, "offline"),
        (denied, "denied"),
        (unshared, "unshared"),
    ],
)
def test_publish_dropped(scene: Callable[[World], None], reason: str) -> None:
    world = World(Options(bounds=Bounds(queued_messages=1)))
    hook, told = recorder("on_publish_dropped")
    world.hooks = Dispatcher(world.broker, [AllowAll(), hook])  # type: ignore[attr-defined]
    scene(world)
    (row,) = told
    assert row[0] == "publish_dropped"
    assert row[1] == (None if reason == "unshared" else "c")
    assert row[2].startswith(b"late")
    assert row[3] == reason


def test_retained_messages() -> None:
    world, told = watched("on_retain_message", "on_retained_expired")
    client = world.client("c")
    client.publish("a", b"1", retain=True, properties=PublishProperties(message_expiry_interval=5))
    client.publish("b", b"2", retain=True)
    client.publish("b", b"", retain=True)
    client.publish("b", b"", retain=True)
    client.publish("c", b"not retained")
    world.pass_time(10)
    assert told == [
        ("retain_message", "c", b"1", True),
        ("retain_message", "c", b"2", True),
        ("retain_message", "c", b"", False),
        ("retained_expired", "a"),
    ]


@pytest.mark.parametrize("properties", [None, PublishProperties(content_type="x")])
def test_qos_of_what_goes_out(properties: PublishProperties | None) -> None:
    world, told = watched("on_qos_publish", "on_qos_complete")
    client = world.client("c")
    client.subscribe("t", 2)
    client.publish("t", b"0")
    client.publish("t", b"1", qos=1, properties=properties)
    client.publish("t", b"2", qos=2, packet_id=11, properties=properties)
    assert told == [("qos_publish", "c", b"1", 1, False), ("qos_publish", "c", b"2", 2, False)]
    told.clear()
    client.messages()
    assert told == [("qos_complete", "c", b"1", 1), ("qos_complete", "c", b"2", 2)]


def test_what_is_sent_again() -> None:
    world, told = watched("on_qos_publish", "on_qos_complete")
    client = world.client("c", properties=KEEP)
    client.subscribe("t", 1)
    client.publish("t", b"1", qos=1)
    client.drop()
    back = world.client("c", clean_start=False, properties=KEEP)
    back.messages()
    assert told == [
        ("qos_publish", "c", b"1", 1, False),
        ("qos_publish", "c", b"1", 1, True),
        ("qos_complete", "c", b"1", 1),
    ]


def test_what_is_given_up() -> None:
    world, told = watched("on_qos_dropped")
    client = world.client("c", properties=KEEP)
    client.subscribe("t", 1)
    client.publish("t", b"large" * 10, qos=1)
    client.drop()
    again = world.client(
        "c", clean_start=False, properties=ConnectProperties(session_expiry_interval=100, maximum_packet_size=20)
    )
    assert told == [("qos_dropped", "c", b"large" * 10, 1, "too_large")]
    told.clear()
    again.publish("t", b"y", qos=1)
    again.drop()
    world.pass_time(200)
    assert told == [("qos_dropped", "c", b"y", 2, "session_ended")]


def test_all_packet_identifiers_in_use() -> None:
    tables = changed(TABLES, limits={"packet_id_maximum": 2})
    world, told = watched("on_packet_id_exhausted", tables=tables)
    client = world.client("c")
    client.subscribe("t", 2)
    for payload in (b"1", b"2", b"3"):
        client.publish("t", payload, qos=2)
    client.publish("t", b"4", qos=1, properties=PublishProperties(content_type="x"))
    assert told == [("packet_id_exhausted", "c", b"3")]
    sent = [packet for packet in client.read() if isinstance(packet, Publish)]
    assert [packet.payload for packet in sent] == [b"1", b"2"]
    client.send(Pubrec(1, 0x80), Pubrec(2, 0x80))
    sent = [packet for packet in client.read() if isinstance(packet, Publish)]
    assert [packet.payload for packet in sent] == [b"3", b"4"]


def test_a_client_that_never_completes_does_not_hang_the_broker() -> None:
    """Each time it resumes its session it has its whole quota again, while its PUBRELs hold their identifiers."""
    tables = changed(TABLES, limits={"packet_id_maximum": 8})
    world, told = watched("on_packet_id_exhausted", tables=tables)
    pub = world.client("pub")
    properties = ConnectProperties(session_expiry_interval=100, receive_maximum=4)
    for _ in range(4):
        client = world.client("c", clean_start=False, properties=properties)
        if not client.connack.session_present:
            client.subscribe("t", 2)
        for n in range(4):
            pub.publish("t", bytes([n]), qos=2)
        sent = [packet for packet in client.read() if isinstance(packet, Publish)]
        client.send(*(Pubrec(packet.packet_id) for packet in sent))
        client.drop()
    assert len(world.broker.sessions.by_client_id["c"].inflight) == 8
    assert told


def test_wills() -> None:
    world, told = watched("on_will_sent", "on_published")
    world.client("c", will=Will("w", b"gone")).drop()
    assert told == [("published", None, b"gone", False), ("will_sent", "c", b"gone")]
    told.clear()
    delayed = Will("w", b"later", properties=WillProperties(will_delay_interval=5))
    world.client("d", will=delayed, properties=KEEP).drop()
    assert told == []
    world.pass_time(6)
    assert told[-1] == ("will_sent", "d", b"later")


def test_clients_that_expire() -> None:
    world, told = watched("on_client_expired")
    world.client("c", properties=KEEP).drop()
    world.client("d").drop()
    world.client("e", properties=KEEP).drop()
    world.broker.sessions.remove("e", world.now)
    world.pass_time(200)
    assert told == [("client_expired", "c")]


def test_sys_info() -> None:
    world, told = watched("on_sys_info_tick")
    SysTopics(world.broker, "mqtt_ref 1", world.now, Outside()).due(world.now, Outside())
    ((_, values),) = told
    assert values["$SYS/broker/version"] == "mqtt_ref 1"


def test_started_and_stopped() -> None:
    hook, told = recorder("on_started", "on_stopped")
    late, told_late = recorder("on_started", "on_stopped")

    async def run() -> None:
        server = Server(hooks=[hook])
        assert told == []
        async with server:
            assert told == [("started",)]
            server.add_hook(late)
            for _ in range(3):
                await asyncio.sleep(0)
            assert told_late == [("started",)]
            server.remove_hook(late)
        assert told == [("started",), ("stopped",)]
        assert told_late == [("started",), ("stopped",)]

    asyncio.run(run())


def test_a_puback_of_an_error_completes_too() -> None:
    world, told = watched("on_qos_complete")
    client = world.client("c")
    client.subscribe("t", 1)
    client.publish("t", b"1", qos=1)
    client.send(Puback(1, 0x80))
    assert told == [("qos_complete", "c", b"1", 1)]
