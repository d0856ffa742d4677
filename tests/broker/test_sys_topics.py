# SPDX-License-Identifier: MIT
"""The `$SYS` topics."""

from __future__ import annotations

from mqtt_ref.broker.sys_topics import SYS_TOPICS, SysTopics
from tests.sansio import SECOND, World


def test_values_are_published_when_they_change() -> None:
    world = World()
    topics = SysTopics(world.broker, "x 1", world.now, 10)
    topics.due(world.now)
    a = world.client("a")
    a.subscribe("$SYS/#")
    told = {p.topic: p.payload for p in a.messages()}
    assert told.keys() == SYS_TOPICS.keys()
    assert told["$SYS/broker/version"] == b"x 1"
    assert told["$SYS/broker/clients/connected"] == b"0"
    topics.due(world.now + 9 * SECOND)
    world.turn()
    assert a.messages() == []
    topics.due(world.now + 10 * SECOND)
    world.turn()
    changed = {p.topic: p.payload for p in a.messages()}
    assert changed["$SYS/broker/clients/connected"] == b"1"
    assert changed["$SYS/broker/uptime"] == b"10 seconds"
    assert changed["$SYS/broker/subscriptions/count"] == b"1"
    assert "$SYS/broker/version" not in changed
