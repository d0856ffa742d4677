# SPDX-License-Identifier: MIT
"""The short way of QoS 0 in lockstep with the whole pipeline: same bytes to everyone, same counters, same effects."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_ref.engine.access import Access
from mqtt_ref.engine.counters import COUNTERS
from mqtt_ref.engine.generated.events import Intercept
from mqtt_ref.engine.intercept import Refusal
from mqtt_ref.engine.options import Options
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connect, ConnectProperties, Publish, PublishProperties, Subscribe, Subscription
from tests.sansio import Client, World

TOPICS = ("a", "a/b", "b", "$x", "c/ü")
FILTERS = ("a", "#", "a/+", "b", "$share/g/a", "$x", "+/ü")


PROPERTIES = {
    "user": PublishProperties(user_property=[("k", "v"), ("k", "ü")]),
    "many": PublishProperties(user_property=[("key", "v" * 200)], content_type="t", response_topic="r/t"),
    "expiry": PublishProperties(message_expiry_interval=7, correlation_data=b"\0"),
    "expired": PublishProperties(message_expiry_interval=0),
    "text": PublishProperties(payload_format_indicator=1),
    "alias": PublishProperties(topic_alias=3, user_property=[("k", "v")]),
}


class Twin:
    """One of two brokers that get the same input."""

    def __init__(self, burst: bool, versions: list[int], hooks: str, checks: bool) -> None:
        self.world = World(Options(decisions={"payload_format": "check" if checks else "trust"}))
        self.burst = burst
        self.items = 0
        if hooks == "refuse":
            access = Access(on_acl_check_publish=lambda c, topic, qos, retain: 0x87 if topic == "b" else 0)
            self.world.broker.set_hooks(access, None, Intercept(waits=False, on_publish=_choosy))
        if not burst:
            self.world.broker.burst_open = False
        self.clients = [self.world.client(f"c{n}", version) for n, version in enumerate(versions)]
        aliased = Client(self.world, 5)
        aliased.send(Connect("aliased", properties=ConnectProperties(topic_alias_maximum=5, maximum_packet_size=90)))
        self.clients.append(aliased)

    def do(self, step: tuple[Any, ...]) -> None:
        kind, number, *rest = step
        client = self.clients[number % len(self.clients)]
        if client.closed:
            return
        if kind == "subscribe":
            topic_filter, qos = rest
            client.send(Subscribe(1, [Subscription(topic_filter, qos)]))
        elif kind == "publish":
            client.send(*(_packet(client.version, *one) for one in rest[0]))
        elif kind == "choke":
            client.connection.choke()
        elif kind == "unchoke":
            client.connection.unchoke(self.world.now)
            self.world.turn()
        else:
            client.drop()

    def seen(self) -> tuple[Any, ...]:
        """What everybody got, what was counted, what was to be done outside."""
        counters = self.world.broker.counters
        counted = {name: getattr(counters, name) for name in COUNTERS if name != "packets_sent"}
        raw = [client.raw for client in self.clients]
        return raw, counted, [repr(note) for note in self.world.notes], self.world.broker.last_message


def _choosy(_: object, packet: Publish) -> Publish | Refusal | None:
    """Refuses one payload, drops another, changes a third."""
    if packet.payload == b"no":
        return Refusal(0x99)
    if packet.payload == b"gone":
        return Refusal(0, dropped=True)
    if packet.payload == b"old":
        return Publish(packet.topic, b"new", packet.qos, packet.retain, packet_id=packet.packet_id)
    return None


def _packet(version: int, topic: str, payload: bytes, special: str) -> Publish:
    qos = 1 if special == "qos" else 0
    properties = PROPERTIES.get(special) if version == 5 else None
    return Publish(topic, payload, qos, special == "retain", packet_id=7 if qos else 0, properties=properties)


one = st.tuples(
    st.sampled_from(TOPICS),
    st.sampled_from([b"", b"x", b"no", b"gone", b"old", b"y" * 80, b"\xff"]),
    st.sampled_from(["", "", "", "qos", "retain", *PROPERTIES]),
)
steps = st.one_of(
    st.tuples(st.just("subscribe"), st.integers(0, 4), st.sampled_from(FILTERS), st.integers(0, 2)),
    st.tuples(st.just("publish"), st.integers(0, 4), st.lists(one, min_size=1, max_size=6)),
    st.tuples(st.sampled_from(["choke", "unchoke"]), st.integers(0, 4)),
    st.tuples(st.just("drop"), st.integers(0, 4)),
)


@settings(max_examples=150, deadline=None)
@given(
    versions=st.lists(st.sampled_from([3, 4, 5]), min_size=2, max_size=4),
    hooks=st.sampled_from(["", "refuse"]),
    checks=st.booleans(),
    script=st.lists(steps, max_size=25),
)
def test_the_short_way_comes_to_the_same(
    versions: list[int], hooks: str, checks: bool, script: list[tuple[Any, ...]]
) -> None:
    short, whole = Twin(True, versions, hooks, checks), Twin(False, versions, hooks, checks)
    for step in script:
        short.do(step)
        whole.do(step)
        assert short.seen()[0] == whole.seen()[0], step
    assert short.seen()[1:3] == whole.seen()[1:3]


def test_messages_of_one_read_are_one_item() -> None:
    """So that the short way is what runs above."""
    world = World()
    sub = world.client("sub")
    sub.subscribe("t")
    pub = world.client("pub")
    pub.connection.receive(b"".join(b"\x30\x04\x00\x01t\x00" for _ in range(9)), world.now)
    assert len(sub.connection.outbox.packets) == 1
    assert world.broker.counters.packets_sent == 8  # and one for each item that the driver writes
    world.turn()
    assert sub.payloads() == [b""] * 9


def test_messages_with_properties_are_one_item_too() -> None:
    world = World()
    sub = world.client("sub")
    sub.subscribe("t")
    pub = world.client("pub")
    packets = [Publish("t", b"x", properties=PublishProperties(user_property=[("n", str(n))])) for n in range(9)]
    pub.connection.receive(b"".join(encode(5, packet) for packet in packets), world.now)
    assert len(sub.connection.outbox.packets) == 1
    world.turn()
    assert sub.raw.endswith(b"".join(encode(5, packet) for packet in packets)), "as they came"
