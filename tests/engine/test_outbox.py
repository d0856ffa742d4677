# SPDX-License-Identifier: MIT
"""Large payloads in the output: one object for all subscribers, and whole packets for whoever looks at them."""

from __future__ import annotations

import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.broker.views import Client as View
from mqtt_ref.engine.message import APART
from mqtt_ref.engine.outbox import heads, whole
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Packet,
    Pingresp,
    Puback,
    Publish,
    PublishProperties,
)
from tests.sansio import Client, World

LARGE = bytes(range(256)) * (APART // 256)


def queued(client: Client) -> list[bytes]:
    """The output of a client that its driver has not taken yet."""
    return client.connection.outbox.packets


def publish(world: World, publisher: Client, packet: Publish) -> None:
    """Hand a packet to the broker, without the end of the turn."""
    publisher.connection.inject(packet, world.now)


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_all_subscribers_share_a_large_payload(version: int, qos: int) -> None:
    world = World()
    subs = [world.client(f"s{number}", version) for number in range(3)]
    for sub in subs:
        sub.subscribe("t", qos)
    publisher = world.client("p", version)
    payload = bytes(LARGE)
    publish(world, publisher, Publish("t", payload, qos, packet_id=9 if qos else 0))
    for sub in subs:
        head, body = queued(sub)
        assert body is payload
        assert head + body == encode(version, Publish("t", payload, qos, packet_id=1 if qos else 0))


def test_the_last_byte_decides() -> None:
    world = World()
    sub, publisher = world.client("s"), world.client("p")
    sub.subscribe("t")
    publish(world, publisher, Publish("t", LARGE[1:]))
    assert len(queued(sub)) == 1
    publish(world, publisher, Publish("t", LARGE))
    assert len(queued(sub)) == 3


def test_a_form_of_its_own_shares_it_too() -> None:
    """A Subscription Identifier, an alias and an expiry belong to one subscriber: only the head is made for it."""
    world = World()
    sub = world.client("s", properties=ConnectProperties(topic_alias_maximum=1))
    sub.subscribe("t", 1, identifier=7)
    publisher = world.client("p")
    publish(
        world, publisher, Publish("t", LARGE, 1, packet_id=1, properties=PublishProperties(message_expiry_interval=9))
    )
    head, body = queued(sub)
    assert body is LARGE
    (packet,) = sub.decoder.feed(head + body)
    assert packet == Publish(
        "t",
        LARGE,
        1,
        packet_id=1,
        properties=PublishProperties(message_expiry_interval=9, subscription_identifier=[7], topic_alias=1),
    )


def test_a_retransmission_and_a_retained_message_share_it() -> None:
    world = World()
    lasting = ConnectProperties(session_expiry_interval=100)
    sub = world.client("s", properties=lasting)
    sub.subscribe("t", 1)
    publish(world, world.client("p"), Publish("t", LARGE, 1, True, packet_id=1))
    world.turn()
    sub.drop()
    sub = world.client("s", clean_start=False, properties=lasting)
    assert sub.inbox == [Publish("t", LARGE, 1, dup=True, packet_id=1)]
    other = world.client("o")
    other.subscribe("t", 0)
    assert other.inbox == [Publish("t", LARGE, 0, True)]
    message = world.broker.retained.store.get("t")
    assert message is not None
    assert message.payload is LARGE


def test_a_large_message_above_the_client_s_limit_is_not_sent() -> None:
    world = World()
    size = len(encode(5, Publish("t", LARGE, 1, packet_id=1)))
    for limit, count in ((size, 1), (size - 1, 0)):
        sub = world.client(f"s{limit}", properties=ConnectProperties(maximum_packet_size=limit))
        sub.subscribe("t", 1)
        world.client("p").send(Publish("t", LARGE, 1, packet_id=1))
        assert len([packet for packet in sub.inbox if isinstance(packet, Publish)]) == count
        assert world.broker.counters.dropped_too_large == 1 - count
        world.broker.counters.dropped_too_large = 0


class Seen(Hook):
    """Notes the packets that go out, and their bytes."""

    def __init__(self) -> None:
        self.seen: list[tuple[Packet, bytes]] = []

    def on_packet_sent(self, client: View, packet: Packet, data: bytes) -> None:
        if client.id == "s" and isinstance(packet, Publish):
            self.seen.append((packet, data))


def test_hooks_see_whole_packets() -> None:
    seen = Seen()
    world = World()
    Dispatcher(world.broker, [AllowAll(), seen])
    sub, publisher = world.client("s"), world.client("p")
    sub.subscribe("t", 1)
    packets = [Publish("t", LARGE), Publish("t", b"small"), Publish("t", LARGE, 1, packet_id=1)]
    publisher.send(*packets)
    assert [packet for packet, _ in seen.seen] == packets
    assert [data for _, data in seen.seen] == [encode(5, packet) for packet in packets]
    assert [packet for packet in sub.inbox if isinstance(packet, Publish)] == packets


def test_small_messages_of_one_read_are_seen_one_by_one() -> None:
    seen = Seen()
    world = World()
    Dispatcher(world.broker, [AllowAll(), seen])
    sub, publisher = world.client("s"), world.client("p")
    sub.subscribe("t")
    packets = [Publish("t", b"1"), Publish("t", b"2"), Publish("t", b"3")]
    publisher.send(*packets)
    assert [packet for packet, _ in seen.seen] == packets


def test_output_that_waits_for_the_store_shares_it() -> None:
    world = World(storage=MemoryStore())
    sub = world.client("s", properties=ConnectProperties(session_expiry_interval=100))
    sub.subscribe("t", 1)
    publisher = world.client("p")
    world.auto = False
    publish(world, publisher, Publish("t", LARGE, 1, packet_id=1))
    world.turn()
    gates = sub.connection.outbox.gates
    assert gates is not None
    assert gates[0].out[1] is LARGE
    assert sub.connection.outbox.apart
    world.commit()
    assert sub.inbox[-1] == Publish("t", LARGE, 1, packet_id=1)


def test_heads_and_packets() -> None:
    large = encode(5, Publish("t", LARGE, 1, packet_id=1))
    head, small = large[: -len(LARGE)], encode(5, Publish("t", b"s"))
    empty, ping, ack = encode(5, Publish("t", b"")), encode(5, Pingresp()), encode(5, Puback(1))
    out = [ack, head, LARGE, small + small, head, LARGE, empty, large, ping]
    assert heads(out) == 2
    assert whole(out) == [ack, large, small + small, large, empty, large, ping]
    # A payload that looks like a head is still a payload.
    assert heads([head, head * (len(LARGE) // len(head))]) == 1
