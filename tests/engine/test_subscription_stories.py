# SPDX-License-Identifier: MIT
"""A filter that is subscribed to, again and no more: what becomes of the subscription, and which retained messages."""

from __future__ import annotations

import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.ports import SubscriptionPut
from mqtt_ref.wire.packets import ConnectProperties
from tests.sansio import Client, World

KEEP = ConnectProperties(session_expiry_interval=3600)


def start() -> tuple[World, Client, Client, MemoryStore]:
    """A subscriber, a publisher, and one retained message."""
    store = MemoryStore()
    world = World(storage=store)
    pub = world.client("pub")
    pub.publish("t", b"kept", retain=True)
    return world, world.client("sub", properties=KEEP), pub, store


def granted(store: MemoryStore) -> list[tuple[str, int]]:
    """Filters and QoS of the subscriptions that the store holds."""
    return [(r.topic_filter, r.options & 3) for r in store.load() if isinstance(r, SubscriptionPut)]


@pytest.mark.parametrize(
    ("handling", "first", "again"),
    [(0, [b"kept"], [b"kept"]), (1, [b"kept"], []), (2, [], [])],
)
def test_the_same_filter_twice(handling: int, first: list[bytes], again: list[bytes]) -> None:
    """The second SUBSCRIBE replaces the subscription [MQTT5-3.8.4-3]; retained messages come as Retain Handling says.

    0: each time, 1: if the subscription is new, 2: never [MQTT5-3.3.1-9, MQTT5-3.3.1-10, MQTT5-3.3.1-11].
    """
    _, sub, pub, store = start()
    assert sub.subscribe("t", 0, retain_handling=handling) == 0
    assert sub.payloads() == first
    assert granted(store) == [("t", 0)]
    assert sub.subscribe("t", 1, retain_handling=handling) == 1
    assert sub.payloads() == again
    assert granted(store) == [("t", 1)]
    pub.publish("t", b"live", 1)
    (message,) = sub.messages()
    assert (message.payload, message.qos) == (b"live", 1)


@pytest.mark.parametrize("handling", [0, 1, 2])
def test_a_shared_subscription_twice(handling: int) -> None:
    """It is replaced like any other, and gets no retained messages (4.8.2)."""
    _, sub, pub, store = start()
    for qos in (0, 1):
        assert sub.subscribe("$share/g/t", qos, retain_handling=handling) == qos
        assert sub.read() == []
        assert granted(store) == [("$share/g/t", qos)]
    pub.publish("t", b"live", 1)
    (message,) = sub.messages()
    assert (message.payload, message.qos) == (b"live", 1)


@pytest.mark.parametrize("topic_filter", ["t", "$share/g/t"])
def test_unsubscribe(topic_filter: str) -> None:
    """A subscription that is there is deleted, one that is not is not made [MQTT5-3.10.4-1, MQTT5-3.10.4-5]."""
    _, sub, pub, store = start()
    assert sub.unsubscribe(topic_filter).reason_codes == [0x11]
    assert granted(store) == []
    pub.publish("t", b"1")
    assert sub.read() == []
    sub.subscribe(topic_filter, retain_handling=2)
    assert sub.unsubscribe(topic_filter).reason_codes == [0]
    assert granted(store) == []
    pub.publish("t", b"2")
    assert sub.read() == []
    assert sub.unsubscribe(topic_filter).reason_codes == [0x11]
