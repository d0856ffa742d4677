# SPDX-License-Identifier: MIT
"""Hooks that see, or change, the packets that go out."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from mqtt_ref.broker.views import Client
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import ConnectProperties, Packet, Pingreq, Pingresp, Puback, Publish, PublishProperties
from tests.sansio import World


class Sent(Hook):
    def __init__(self) -> None:
        self.seen: list[tuple[str, Packet, bytes]] = []

    def on_packet_sent(self, client: Client, packet: Packet, data: bytes) -> None:
        self.seen.append((client.id, packet, data))


class Encode(Hook):
    """Answers for PUBLISH packets to one client."""

    def __init__(self, answer: Any, client_id: str = "c") -> None:
        self.answer = answer
        self.client_id = client_id

    def on_packet_encode(self, client: Client, packet: Packet) -> Any:
        if client.id != self.client_id or not isinstance(packet, Publish):
            return None
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(packet) if callable(self.answer) else self.answer


def world_with(*hooks: Hook) -> World:
    world = World()
    Dispatcher(world.broker, [AllowAll(), *hooks])
    return world


def test_what_is_sent_is_seen() -> None:
    sent = Sent()
    world = world_with(sent)
    client = world.client("c")
    client.subscribe("t")
    client.send(Publish("t", b"1"), Pingreq())
    assert [type(packet).__name__ for _, packet, _ in sent.seen] == ["Connack", "Suback", "Publish", "Pingresp"]
    assert {client_id for client_id, _, _ in sent.seen} == {"c"}
    assert b"".join(data for _, _, data in sent.seen) == client.raw
    assert all(encode(5, packet) == data for _, packet, data in sent.seen)


def test_a_packet_may_be_changed_for_one_client() -> None:
    sent = Sent()
    changed = lambda packet: Publish(packet.topic, b"for c", packet.qos, packet_id=packet.packet_id)  # noqa: E731
    world = world_with(Encode(changed), sent)
    clients = [world.client("c", 4), world.client("d", 4)]
    for client in clients:
        client.subscribe("#", 1)
    clients[-1].publish("t", b"for all", qos=1)
    assert [client.payloads() for client in clients] == [[b"for c"], [b"for all"]]
    assert [packet.payload for _, packet, _ in sent.seen if isinstance(packet, Publish)] == [b"for c", b"for all"]


def test_hooks_are_chained() -> None:
    more = lambda packet: Publish(packet.topic, packet.payload + b"!")  # noqa: E731
    world = world_with(Encode(more), Encode(None), Encode(more))
    client = world.client("c")
    client.subscribe("#")
    client.publish("t", b"x")
    assert client.payloads() == [b"x!!"]


@pytest.mark.parametrize(
    "wrong",
    [
        Publish("#"),
        Publish("t", qos=1, packet_id=1),
        Publish("t", b"x" * 500),
        Publish("t", properties=PublishProperties(topic_alias=0)),
        Puback(1),
        Pingresp(),
        "t",
        RuntimeError("a bug"),
    ],
    ids=lambda wrong: type(wrong).__name__,
)
def test_a_wrong_answer_is_not_sent(wrong: Any, caplog: pytest.LogCaptureFixture) -> None:
    world = world_with(Encode(wrong))
    client = world.client("c", properties=ConnectProperties(maximum_packet_size=400))
    client.subscribe("#")
    with caplog.at_level(logging.ERROR, "mqtt_ref.hooks"):
        client.publish("t", b"as it was")
    assert client.payloads() == [b"as it was"]
    assert "hook Encode failed in on_packet_encode" in caplog.text


def test_nobody_looks_without_a_hook() -> None:
    assert world_with(Hook()).broker.output is None
