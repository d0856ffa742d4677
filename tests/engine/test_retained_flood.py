# SPDX-License-Identifier: MIT
"""A few bytes may ask for any number of retained messages: what that costs is bounded, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.wire.packets import (
    ConnectProperties,
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
from tests.sansio import Client, World

RETAINED = 50
PAYLOAD = b"x" * 1000
SUBSCRIBES = 40
KEEP = ConnectProperties(session_expiry_interval=3600)


@pytest.fixture
def world() -> World:
    """A world with retained messages, a few times which come to more than a client is written at once."""
    world = World(Options(bounds=Bounds(write_buffer=32 * 1024)))
    pub = world.client("pub")
    for number in range(RETAINED):
        pub.publish(f"r/{number}", PAYLOAD, qos=1, retain=True)
    return world


def flood(client: Client) -> None:
    """Ask again and again for everything, and for a PINGRESP at the end, in one read."""
    client.send(*[Subscribe(number, [Subscription("#")]) for number in range(1, SUBSCRIBES + 1)], Pingreq())


def publishes(packets: list[Any]) -> int:
    return sum(isinstance(packet, Publish) for packet in packets)


def test_a_flood_of_subscriptions_is_answered_and_replayed_write_by_write(world: World) -> None:
    client = world.client("a")
    flood(client)
    first = client.read()
    assert [packet.packet_id for packet in first if isinstance(packet, Suback)] == list(range(1, SUBSCRIBES + 1))
    assert Pingresp() in first
    assert 0 < publishes(first) < 5 * RETAINED
    world.pass_time(0.001)
    assert publishes(first) + publishes(client.read()) == SUBSCRIBES * RETAINED
    assert client.ask(Pingreq()) == Pingresp()


def test_a_client_that_does_not_read_is_sent_no_more(world: World) -> None:
    client = world.client("a", keep_alive=0)
    flood(client)
    first = publishes(client.read())
    client.connection.choke()
    world.pass_time(10)
    assert client.read() == []
    client.connection.unchoke(world.now)
    world.broker.on_deadline(world.now)
    world.turn()
    more = publishes(client.read())
    assert 0 < more < 5 * RETAINED
    world.pass_time(0.001)
    assert first + more + publishes(client.read()) == SUBSCRIBES * RETAINED


def test_an_unsubscribed_filter_is_replayed_no_more(world: World) -> None:
    client = world.client("a")
    flood(client)
    client.send(Unsubscribe(99, ["#"]))
    got = client.read()
    assert got[-1] == Unsuback(99, [0])
    world.pass_time(1)
    assert client.read() == []
    assert world.broker.sessions.by_client_id["a"].replay is None


def test_what_is_published_meanwhile_comes_once(world: World) -> None:
    client = world.client("a")
    flood(client)
    got = client.read()
    world.client("pub2").publish("r/49", b"new", retain=True)
    world.pass_time(1)
    got += client.read()
    assert [packet.retain for packet in got if isinstance(packet, Publish) and packet.payload == b"new"] == [False]


@pytest.mark.parametrize("version", [4, 5])
def test_a_session_gets_what_was_on_its_way_when_the_link_was_lost(world: World, version: int) -> None:
    world.broker.options.bounds.queued_messages = 10_000
    more: dict[str, Any] = {"properties": KEEP} if version == 5 else {"clean_start": False}
    client = world.client("a", version, **more)
    client.send(*[Subscribe(number, [Subscription("#", 1)]) for number in range(1, SUBSCRIBES + 1)])
    got = publishes(client.read())
    assert got < SUBSCRIBES * RETAINED
    client.drop()
    world.pass_time(1)
    session = world.broker.sessions.by_client_id["a"]
    assert session.replay is None
    assert got + session.queued == SUBSCRIBES * RETAINED


def test_a_link_lost_in_the_middle_is_lost(world: World) -> None:
    watch = world.client("watch")
    watch.subscribe("w")
    client = world.client("a", will=Will("w", b"gone"))
    flood(client)
    client.drop()
    world.pass_time(1)
    assert watch.payloads() == [b"gone"]
    assert client.connection.outbox.packets == []


def test_one_subscribe_gets_everything_as_it_takes_it(world: World) -> None:
    filters = ("#", "+/+", "r/#", "r/+", "none")
    client = world.client("a")
    for number in range(5):
        client.send(Subscribe(number + 1, [Subscription(topic_filter, 1) for topic_filter in filters]))
    got = client.read()
    assert got[0].reason_codes == [1] * 5
    assert 0 < len(got) < 4 * RETAINED
    world.pass_time(0.001)
    got += client.read()
    assert sum(isinstance(packet, Publish) for packet in got) == 5 * 4 * RETAINED
    assert client.subscribe("none") == 0


def test_a_client_that_acknowledges_nothing_holds_up_nothing(world: World) -> None:
    """Retained messages beyond the send quota and a short queue stay where they are until it acknowledges."""
    watch = world.client("watch")
    pub = world.client("pub2")
    for number in range(400):
        pub.publish(f"many/{number:03}", b"x", qos=1, retain=True)
    client = world.client("a", keep_alive=0, properties=ConnectProperties(receive_maximum=10))
    client.send(Subscribe(1, [Subscription("many/#", 1)]))
    world.pass_time(1)
    session = world.broker.sessions.by_client_id["a"]
    assert len(session.inflight) == 10
    assert session.queued <= 300
    assert world.broker.next_deadline() is None or world.broker.next_deadline() > world.now
    assert watch.ask(Pingreq()) == Pingresp()
    got = [packet for packet in client.read() if isinstance(packet, Publish)]
    done = 0
    while done < len(got):
        client.send(Puback(got[done].packet_id))
        done += 1
        world.pass_time(0.001)
        got += [packet for packet in client.read() if isinstance(packet, Publish)]
    assert sorted(packet.topic for packet in got) == [f"many/{number:03}" for number in range(400)]
