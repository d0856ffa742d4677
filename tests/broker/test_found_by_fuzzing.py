# SPDX-License-Identifier: MIT
"""What the random clients of `tests/model` found in the broker, each as the shortest story that shows it."""

from __future__ import annotations

from mqtt_ref.wire.packets import ConnectProperties, Publish, PublishProperties
from tests.sansio import World


def test_an_expired_message_does_not_go_to_another_member_of_its_group() -> None:
    """MQTT5-3.3.2-5: what has expired is deleted for every subscriber to whom its delivery has not begun.

    Two messages of a group are with a member that has room for one: one is sent, one waits. Its session ends after
    both have expired; the other member gets neither.
    """
    world = World()
    small = world.client("small", properties=ConnectProperties(receive_maximum=1))
    small.subscribe("$share/g/a", 1)
    sender = world.client("sender")
    for payload in (b"sent", b"waits", b"lasts"):
        expiry = None if payload == b"lasts" else PublishProperties(message_expiry_interval=1)
        sender.publish("a", payload, 1, properties=expiry)
    assert [packet.payload for packet in small.read() if isinstance(packet, Publish)] == [b"sent"]
    other = world.client("other")
    other.subscribe("$share/g/a", 1)
    world.pass_time(2)
    small.drop()
    assert other.payloads() == [b"lasts"]
