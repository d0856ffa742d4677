# SPDX-License-Identifier: MIT
"""Work for more than one turn continues after the others had theirs, and nothing else changes by that."""

from __future__ import annotations

import pytest

from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from tests.sansio import Client, World

CROWD = 200
UNITS = 8
KEEP = ConnectProperties(session_expiry_interval=3600)


class Slow(World):
    """A world whose turns are short, and which gives one only when it is asked to."""

    def __init__(self) -> None:
        super().__init__(turn=UNITS)
        self.at_once = False

    def crowd(self, topic_filter: str = "t") -> list[Client]:
        crowd = [self.client(f"s{number}") for number in range(CROWD)]
        for client in crowd:
            client.send(Subscribe(1, [Subscription(topic_filter, 1)]))
        self.finish()
        for client in crowd:
            client.read()
        return crowd

    def finish(self) -> int:
        """Give turns until there is nothing left to do; how many it took."""
        turns = 0
        while self.broker.turns.jobs:
            turns += 1
            assert turns < 10_000
            self.broker.on_deadline(self.now)
            self.turn()
        return turns


@pytest.fixture
def world() -> Slow:
    return Slow()


def payloads(client: Client) -> list[bytes]:
    return [packet.payload for packet in client.read() if isinstance(packet, Publish)]


def test_a_message_to_many_is_acknowledged_when_all_have_it_and_others_are_served_meanwhile(world: Slow) -> None:
    crowd = world.crowd()
    pub, other = world.client("pub"), world.client("other")
    pub.send(Publish("t", b"1", 1, packet_id=1), Publish("t", b"2", 1, packet_id=2), Pingreq())
    assert pub.read() == []
    assert pub.connection.busy
    assert other.ask(Pingreq()) == Pingresp()
    assert sum(len(client.inbox) for client in crowd) < CROWD
    assert world.finish() > 2 * CROWD // 64
    assert pub.read() == [Puback(1), Puback(2), Pingresp()]
    assert not pub.connection.busy
    assert [payloads(client) for client in crowd] == [[b"1", b"2"]] * CROWD


def lattice(world: Slow, tail: str = "") -> list[Client]:
    """Clients with filters of which each node leads to two others."""
    crowd = [world.client(f"s{number}") for number in range(CROWD)]
    for number, client in enumerate(crowd):
        levels = ["+" if number >> bit & 1 else "a" for bit in range(8)]
        client.send(Subscribe(1, [Subscription("/".join(levels) + tail, 1)]))
    world.finish()
    for client in crowd:
        client.read()
    return crowd


TOPIC = "/".join("a" * 8)


def test_a_topic_that_many_filters_match_is_matched_in_turns(world: Slow) -> None:
    crowd = lattice(world)
    pub, other = world.client("pub"), world.client("other")
    pub.send(Publish(TOPIC, b"1", 1, packet_id=1), Publish(TOPIC, b"2"), Pingreq())
    assert pub.read() == []
    assert other.ask(Pingreq()) == Pingresp()
    assert sum(len(client.inbox) for client in crowd) == 0
    assert world.finish() > 2 * CROWD // UNITS
    assert pub.read() == [Puback(1), Pingresp()]
    assert [payloads(client) for client in crowd] == [[b"1", b"2"]] * CROWD


def test_many_subscription_identifiers_are_charged(world: Slow) -> None:
    one = world.client("one")
    for number in range(CROWD):
        levels = ["+" if number >> bit & 1 else "a" for bit in range(8)]
        identified = SubscribeProperties(subscription_identifier=number + 1)
        one.send(Subscribe(1, [Subscription("/".join(levels))], identified))
    world.finish()
    one.read()
    for qos in (0, 1):
        turns = []
        for _ in range(2):  # the second time, the answer is remembered
            one.send(*[Publish(TOPIC, b"x", qos, packet_id=n + 1 if qos else 0) for n in range(10)])
            turns.append(world.finish())
            found = [packet for packet in one.read() if isinstance(packet, Publish)]
            assert len(found) == 10
            assert found[0].properties is not None
            assert len(found[0].properties.subscription_identifier or ()) == CROWD
        assert turns[1] >= 9


def test_a_search_that_finds_nobody_is_divided_too(world: Slow) -> None:
    lattice(world, "/x")
    pub = world.client("pub")
    pub.send(Publish(f"{TOPIC}/y", b"1", 1, packet_id=1))
    assert pub.read() == []
    assert world.finish() > CROWD // UNITS
    assert pub.read() == [Puback(1, 0x10)]


def test_subscriptions_that_change_during_a_search(world: Slow) -> None:
    crowd = lattice(world)
    pub = world.client("pub")
    pub.send(Publish(TOPIC, b"1"))
    for number in (0, CROWD // 2, CROWD - 1):
        levels = ["+" if number >> bit & 1 else "a" for bit in range(8)]
        crowd[number].send(Unsubscribe(2, ["/".join(levels)]))
        assert crowd[number].read() == [Unsuback(2, [0])]
    crowd[1].drop()
    late = world.client("late")
    late.send(Subscribe(1, [Subscription("other")]))
    world.finish()
    gone = {0, 1, CROWD // 2, CROWD - 1}
    assert [payloads(client) for number, client in enumerate(crowd) if number not in gone] == [[b"1"]] * (CROWD - 4)
    assert not any(payloads(crowd[number]) for number in gone)
    assert payloads(late) == []
    pub.send(Publish(TOPIC, b"2"))
    world.finish()
    assert [payloads(client) for number, client in enumerate(crowd) if number not in gone] == [[b"2"]] * (CROWD - 4)


def test_a_will_whose_topic_many_filters_match(world: Slow) -> None:
    crowd = lattice(world)
    pub = world.client("pub", will=Will(TOPIC, b"will"))
    pub.send(Publish(TOPIC, b"1"))
    pub.drop()
    world.finish()
    assert [payloads(client) for client in crowd] == [[b"1", b"will"]] * CROWD


def test_who_unsubscribes_or_leaves_meanwhile_gets_no_more(world: Slow) -> None:
    crowd = world.crowd()
    pub = world.client("pub")
    pub.send(Publish("t", b"1"))
    crowd[-1].send(Unsubscribe(2, ["t"]))
    crowd[-2].drop()
    late = world.client("late")  # it may have the handle of the one that left
    late.send(Subscribe(1, [Subscription("other")]))
    world.finish()
    assert crowd[-1].read() == [Unsuback(2, [0])]
    assert payloads(late) == []
    assert [payloads(client) for client in crowd[:-2]] == [[b"1"]] * (CROWD - 2)


@pytest.mark.parametrize("goodbye", [True, False])
def test_what_a_client_published_before_it_left_is_delivered_before_its_will(world: Slow, goodbye: bool) -> None:
    crowd = world.crowd()
    pub = world.client("pub", will=Will("t", b"will"))
    pub.send(Publish("t", b"1"), Publish("t", b"2"), *([Disconnect()] if goodbye else []))
    pub.drop()
    world.finish()
    expected = [b"1", b"2"] if goodbye else [b"1", b"2", b"will"]
    assert [payloads(client) for client in crowd] == [expected] * CROWD


def test_a_taken_over_client_keeps_the_order_of_its_messages(world: Slow) -> None:
    crowd = world.crowd()
    world.client("pub").send(Publish("t", b"1"))
    again = world.client("pub")
    again.send(Publish("t", b"2"))
    world.finish()
    assert [payloads(client) for client in crowd] == [[b"1", b"2"]] * CROWD


def test_a_subscribe_and_an_unsubscribe_with_many_filters(world: Slow) -> None:
    client, other = world.client("a"), world.client("other")
    names = [f"f/{number}" for number in range(CROWD)]
    for packet, answer in (
        (Subscribe(1, [Subscription(name) for name in names]), Suback(1, [0] * CROWD)),
        (Unsubscribe(2, names), Unsuback(2, [0] * CROWD)),
    ):
        client.send(packet, Pingreq())
        assert client.read() == []
        assert other.ask(Pingreq()) == Pingresp()
        assert world.finish() > 1
        assert client.read() == [answer, Pingresp()]
    assert len(world.broker.router) == 0


def test_a_large_session_ends_in_turns_and_its_handle_is_free_afterwards(world: Slow) -> None:
    client = world.client("a", properties=KEEP)
    client.send(Subscribe(1, [Subscription(f"f/{number}") for number in range(CROWD)]))
    world.finish()
    client.drop()
    world.client("a", clean_start=True)
    assert world.broker.turns.jobs
    assert len(world.broker.router) == 0
    pub = world.client("pub")
    pub.send(Publish("f/0", b"to nobody"))
    world.finish()
    assert world.broker.router.filters == 0


def test_a_read_full_of_packets(world: Slow) -> None:
    client = world.client("a")
    client.connection.receive(encode(5, Pingreq()) * 100, world.now)
    world.turn()
    assert 0 < len(client.read()) <= UNITS
    assert client.connection.busy
    world.finish()
    assert not client.connection.busy


def test_a_packet_with_too_many_parts_ends_the_connection_after_those_before_it(world: Slow) -> None:
    world.broker.options.bounds.parts = 5
    crowd = world.crowd()
    client = world.client("a")
    too_many: list[Packet] = [Subscribe(1, [Subscription(f"f/{number}") for number in range(6)])]
    client.send(Publish("t", b"before"), *too_many, Publish("t", b"after"))
    assert not client.closed
    world.finish()
    assert [payloads(one) for one in crowd] == [[b"before"]] * CROWD
    assert client.one(Disconnect).reason_code == 0x97
    assert client.closed
