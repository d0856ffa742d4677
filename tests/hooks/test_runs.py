# SPDX-License-Identifier: MIT
"""QoS 0 messages that came in one read: each is shown to the hooks, and those that may pass go on together."""

from __future__ import annotations

import pytest

from mqtt_ref.broker.views import Client
from mqtt_ref.hooks import AllowAll, Drop, Hook, Reject
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Publish
from tests.sansio import World


class Picky(Hook):
    """Does to a message what its payload says; notes what it has seen and was asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen: list[bytes] = []
        self.asked = 0

    def on_acl_check(self, client: Client, topic: str, write: bool) -> bool:
        self.asked += write
        return topic != "closed"

    def on_publish(self, client: Client, packet: Publish) -> Publish | None:
        self.seen.append(packet.payload)
        if packet.payload == b"drop":
            raise Drop
        if packet.payload == b"reject":
            raise Reject(0x87)
        if packet.payload == b"fail":
            raise RuntimeError("a hook that fails")
        if packet.payload == b"change":
            return Publish(packet.topic, b"changed")
        if packet.payload == b"move":
            return Publish("elsewhere", b"moved")
        if packet.payload == b"end":
            self.world.broker.disconnect(client.id, 0x98, "enough", self.world.now)
        return None


@pytest.fixture
def world() -> World:
    return World()


def sent(world: World, *payloads: bytes, topic: str = "t") -> tuple[Picky, list[tuple[str, bytes]]]:
    """What hooks saw, and a subscriber got, of messages that one client sent in one write."""
    hook = Picky(world)
    Dispatcher(world.broker, [hook, AllowAll()])
    sub = world.client("sub")
    sub.subscribe("#")
    pub = world.client("pub")
    pub.send_raw(b"".join(encode(5, Publish(topic, payload)) for payload in payloads))
    return hook, [(message.topic, message.payload) for message in sub.messages()]


def test_each_is_shown_and_all_that_may_pass_arrive_in_order(world: World) -> None:
    payloads = [b"%d" % n for n in range(20)]
    hook, got = sent(world, *payloads)
    assert hook.seen == payloads
    assert got == [("t", payload) for payload in payloads]
    assert hook.asked == 1


@pytest.mark.parametrize("word", [b"drop", b"reject", b"fail"])
def test_one_that_may_not_pass_holds_up_no_other(world: World, word: bytes) -> None:
    hook, got = sent(world, b"1", word, b"2", word, word, b"3")
    assert hook.seen == [b"1", word, b"2", word, word, b"3"]
    assert got == [("t", b"1"), ("t", b"2"), ("t", b"3")]


def test_one_that_is_changed_keeps_its_place(world: World) -> None:
    _, got = sent(world, b"1", b"change", b"2", b"move", b"3", b"change")
    assert got == [
        ("t", b"1"),
        ("t", b"changed"),
        ("t", b"2"),
        ("elsewhere", b"moved"),
        ("t", b"3"),
        ("t", b"changed"),
    ]


def test_nothing_is_taken_from_a_client_that_a_hook_has_disconnected(world: World) -> None:
    hook, got = sent(world, b"1", b"end", b"2", b"3")
    assert hook.seen == [b"1", b"end"]
    assert got == [("t", b"1"), ("t", b"end")]


def test_where_nobody_may_publish_nothing_is_shown(world: World) -> None:
    hook, got = sent(world, b"1", b"2", topic="closed")
    assert hook.seen == []
    assert got == []
    assert world.broker.counters.publish_refused == 2
