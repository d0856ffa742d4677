# SPDX-License-Identifier: MIT
"""The `$SYS` topics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.broker.sys_topics import COUNTS, SYS_TOPICS, Outside, SysTopics, Value
from mqtt_ref.engine.generated.events import Watch
from mqtt_ref.engine.options import Options
from mqtt_ref.wire.packets import ConnectProperties, Will
from tests.sansio import SECOND, World

UTC = 1_800_000_000
MOCHI = """
version time uptime started load/bytes/received load/bytes/sent clients/connected clients/disconnected clients/maximum
clients/total packets/received packets/sent messages/received messages/sent messages/dropped messages/inflight retained
subscriptions system/memory system/threads
"""
MOSQUITTO = """
version uptime clients/total clients/connected clients/disconnected clients/maximum clients/expired messages/received
messages/sent messages/stored messages/inflight publish/messages/received publish/messages/sent publish/messages/dropped
publish/bytes/received publish/bytes/sent bytes/received bytes/sent store/messages/count store/messages/bytes
subscriptions/count shared_subscriptions/count retained_messages/count heap/current heap/maximum
"""


class Topics:
    """The `$SYS` topics of a world, with its clock."""

    def __init__(self, world: World, interval: int = 10) -> None:
        self.world = world
        self.sys = SysTopics(world.broker, "x 1", world.now, self.outside(), interval)

    def outside(self, memory: int = 0) -> Outside:
        return Outside(UTC * SECOND + self.world.now, memory, memory * 2, 3)

    def due(self, after: float = 0.0) -> None:
        self.world.pass_time(after)
        self.sys.due(self.world.now, self.outside())
        self.world.turn()

    def __getitem__(self, name: str) -> Value:
        return self.sys.values(self.world.now, self.outside(5000))[f"$SYS/broker/{name}"]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def topics(world: World) -> Topics:
    return Topics(world)


def test_the_names_that_others_read_are_there() -> None:
    names = {topic.replace(" ", "_") for topic in SYS_TOPICS}
    assert {f"$SYS/broker/{name}" for name in f"{MOCHI} {MOSQUITTO}".split()} <= names
    assert "$SYS/broker/retained messages/count" in SYS_TOPICS
    for name in ("messages", "publish", "bytes"):
        for minutes in (1, 5, 15):
            assert {f"$SYS/broker/load/{name}/{way}/{minutes}min" for way in ("received", "sent")} <= names
    for name in ("publish/dropped", "connections", "sockets"):
        assert {f"$SYS/broker/load/{name}/{minutes}min" for minutes in (1, 5, 15)} <= names
    assert SYS_TOPICS.keys() >= COUNTS


def test_values_are_published_when_they_change(world: World, topics: Topics) -> None:
    topics.due()
    a = world.client("a", keep_alive=0)
    a.subscribe("$SYS/#")
    told = {p.topic: p.payload for p in a.messages()}
    assert told.keys() == SYS_TOPICS.keys()
    assert told["$SYS/broker/version"] == b"x 1"
    assert told["$SYS/broker/clients/connected"] == b"0"
    assert told["$SYS/broker/started"] == b"1800001000"
    assert told["$SYS/broker/load/bytes/sent/1min"] == b"0.00"
    topics.due(9)
    assert a.messages() == []
    topics.due(1)
    changed = {p.topic: p.payload for p in a.messages()}
    assert changed["$SYS/broker/clients/connected"] == b"1"
    assert changed["$SYS/broker/uptime"] == b"10 seconds"
    assert changed["$SYS/broker/time"] == b"1800001010"
    assert changed["$SYS/broker/subscriptions/count"] == b"1"
    assert "$SYS/broker/version" not in changed
    assert "$SYS/broker/load/publish/dropped/1min" not in changed


def test_nothing_is_published_without_an_interval(world: World) -> None:
    topics = Topics(world, 0)
    topics.due()
    topics.due(1000)
    assert len(world.broker.retained.store) == 0
    assert topics["uptime"] == 1000


def test_who_wants_to_know_is_told_the_values(world: World, topics: Topics) -> None:
    ticks: list[Mapping[str, str]] = []
    world.broker.watch = Watch(on_sys_info_tick=ticks.append)
    topics.due()
    topics.due(3)
    topics.due(7)
    assert [tick["$SYS/broker/uptime"] for tick in ticks] == ["0 seconds", "10 seconds"]


def test_they_are_kept_from_the_store() -> None:
    storage = MemoryStore()
    world = World(storage=storage)
    Topics(world).due()
    world.client("a").publish("kept", b"x", retain=True)
    assert [record.message.topic for record in storage.load() if hasattr(record, "message")] == ["kept"]


def test_clients(world: World, topics: Topics) -> None:
    def clients() -> list[Any]:
        return [topics[f"clients/{name}"] for name in ("connected", "disconnected", "total", "maximum", "expired")]

    assert clients() == [0, 0, 0, 0, 0]
    world.link()  # no CONNECT yet
    keep = {"properties": ConnectProperties(session_expiry_interval=60)}
    a = world.client("a", **keep)
    b = world.client("b", version=4, clean_start=True)
    assert clients() == [2, 0, 2, 2, 0]
    a.drop()
    b.drop()
    assert clients() == [0, 1, 1, 2, 0]
    world.client("a", clean_start=False)
    world.client("a", **keep)  # takes over
    assert clients() == [1, 0, 1, 2, 0]
    world.clients[max(world.clients)].drop()
    world.pass_time(61)
    assert clients() == [0, 0, 0, 2, 1]


def test_messages_in_flight_and_waiting(world: World, topics: Topics) -> None:
    def held() -> list[Any]:
        return [topics[name] for name in ("messages/inflight", "messages/stored", "store/messages/bytes")]

    a = world.client("a", properties=ConnectProperties(session_expiry_interval=60, receive_maximum=2))
    a.subscribe("t", 2)
    b = world.client("b")
    for qos in (1, 2, 1, 2, 0):
        b.publish("t", b"12345", qos)
    assert held() == [2, 2, 12]
    a.drop()
    assert held() == [2, 2, 12]
    b.publish("t", b"1", 1)
    assert held() == [2, 3, 14]
    a = world.client("a", clean_start=False, properties=ConnectProperties(session_expiry_interval=60))
    assert len(a.messages()) == 5
    assert held() == [0, 0, 0]
    a.drop()
    b.publish("t", b"1", 1)
    assert held() == [0, 1, 2]
    world.client("a")
    assert held() == [0, 0, 0]
    a = world.clients[max(world.clients)]
    a.subscribe("t", 1)
    b.publish("t", b"1", 1)
    assert held() == [1, 0, 0]
    a.drop()
    assert held() == [0, 0, 0]


def test_memory_that_is_held(world: World, topics: Topics) -> None:
    before = topics["memory/held"]
    assert isinstance(before, int)
    a = world.client("a", properties=ConnectProperties(session_expiry_interval=60))
    a.subscribe("t", 1)
    a.drop()
    world.client("b").publish("t", b"12345", 1)
    # A session, a subscription, a message with its topic twice, its place, and the link and the session of `b`.
    assert topics["memory/held"] == before + 1001 + 602 + 400 + 7 + 200 + 6000 + 1001


def test_the_queue_makes_room_and_what_expires_goes(world: World) -> None:
    options = Options(decisions={"queue_full": "oldest"})
    options.bounds.queued_messages = 2
    world = World(options)
    topics = Topics(world)
    a = world.client("a", properties=ConnectProperties(session_expiry_interval=60))
    a.subscribe("t", 1)
    a.drop()
    b = world.client("b")
    for size in (1, 2, 3):
        b.publish("t", b"x" * size, 1)
    assert (topics["messages/stored"], topics["store/messages/bytes"]) == (2, 7)
    assert topics["messages/dropped"] == topics["publish/messages/dropped"] == 1
    world.pass_time(61)
    assert (topics["messages/stored"], topics["store/messages/bytes"]) == (0, 0)


def test_what_a_restart_finds_is_counted() -> None:
    storage = MemoryStore()
    world = World(storage=storage)
    a = world.client("a", properties=ConnectProperties(session_expiry_interval=60, receive_maximum=1))
    a.subscribe("t", 1)
    b = world.client("b")
    for _ in range(3):
        b.publish("t", b"12345", 1)
    topics = Topics(World(storage=storage))
    assert [topics[name] for name in ("messages/inflight", "messages/stored", "store/messages/bytes")] == [1, 2, 12]
    assert topics["clients/disconnected"] == 1


def test_retained_messages_of_others_are_counted(world: World, topics: Topics) -> None:
    topics.due()
    own, size = topics["store/messages/count"], topics["store/messages/bytes"]
    assert isinstance(size, int)
    a = world.client("a")
    a.publish("t", b"12345", retain=True)
    a.publish("t", b"123", retain=True)
    a.publish("u", b"1", retain=True)
    assert topics["retained"] == topics["retained messages/count"] == 2
    assert topics["store/messages/count"] == len(SYS_TOPICS) + 2 == int(own) + 2
    assert topics["store/messages/bytes"] == size + 6
    a.publish("t", b"", retain=True)
    assert topics["retained"] == 1
    assert topics["store/messages/bytes"] == size + 2


def test_publish_packets_are_counted_without_our_own(world: World, topics: Topics) -> None:
    topics.due()
    a = world.client("a")
    a.subscribe("#")
    a.subscribe("q/#", 2)
    b = world.client("b", will=Will("q/will", b"w"))
    b.publish("t", b"1234")
    b.publish("t", b"1234", retain=True)
    b.publish("q/t", b"1234", 1)
    b.drop()
    names = [f"publish/{kind}/{way}" for kind in ("messages", "bytes") for way in ("received", "sent")]
    assert [topics[name] for name in names] == [3, 4, 12, 13]


def test_subscriptions(world: World, topics: Topics) -> None:
    a = world.client("a")
    a.subscribe("x")
    a.subscribe("$share/g/x")
    assert topics["subscriptions"] == topics["subscriptions/count"] == 2
    assert topics["shared_subscriptions/count"] == 1


def test_what_comes_from_outside(topics: Topics) -> None:
    assert topics["system/memory"] == topics["heap/current"] == 5000
    assert topics["heap/maximum"] == 10_000
    assert topics["system/threads"] == 3


def test_loads_are_averages_in_which_the_past_fades(world: World, topics: Topics) -> None:
    counters = world.broker.counters
    for _ in range(60):  # ten minutes of 100 bytes in each second
        counters.received_bytes += 1000
        topics.due(10)
    for minutes in (1, 5, 15):
        wanted = 6000 * (1 - math.exp(-10 / minutes))
        assert topics[f"load/bytes/received/{minutes}min"] == pytest.approx(wanted)
    for _ in range(6):  # one of silence
        topics.due(10)
    for minutes in (1, 5, 15):
        wanted = 6000 * (1 - math.exp(-10 / minutes)) * math.exp(-1 / minutes)
        assert topics[f"load/bytes/received/{minutes}min"] == pytest.approx(wanted)
    assert topics["load/bytes/received"] == topics["bytes/received"] == 60_000


def test_loads_do_not_depend_on_when_they_are_worked_out(world: World) -> None:
    often, seldom = Topics(world, 1), Topics(world, 60)
    often.due()
    seldom.due()
    for _ in range(120):
        world.broker.counters.packets_received += 10
        world.pass_time(1)
        often.due()
        seldom.due()
    for minutes in (1, 5, 15):
        name = f"load/messages/received/{minutes}min"
        assert often[name] == pytest.approx(seldom[name])
        assert often[name] == pytest.approx(600 * (1 - math.exp(-2 / minutes)))


def test_loads_of_links_and_connects(world: World, topics: Topics) -> None:
    for _ in range(5):
        world.link()
    world.client("a")
    topics.due(60)
    expected = 1 - math.exp(-1)
    assert topics["load/sockets/1min"] == pytest.approx(6 * expected)
    assert topics["load/connections/1min"] == pytest.approx(1 * expected)


def test_every_load_and_every_count_is_that_of_what_passed(world: World, topics: Topics) -> None:
    """Over one minute, all that is counted in two ways and three averages."""
    a = world.client("a")
    a.subscribe("t", 1)
    for _ in range(5):
        a.publish("t", b"1234", 1)
    a.messages()
    counters = world.broker.counters
    counters.dropped_queue_full += 2
    counters.received_bytes, counters.sent_bytes, counters.packets_sent = 700, 600, 12  # what the driver counts
    topics.due(60)
    passed = {
        "messages/received": counters.packets_received,
        "messages/sent": counters.packets_sent,
        "publish/received": 5,
        "publish/sent": 5,
        "publish/dropped": 2,
        "bytes/received": counters.received_bytes,
        "bytes/sent": counters.sent_bytes,
        "sockets": 1,
        "connections": 1,
    }
    assert counters.packets_received == 1 + 1 + 5 + 5  # CONNECT, SUBSCRIBE, PUBLISH and PUBACK
    names = {topic.removeprefix("$SYS/broker/load/") for topic in SYS_TOPICS if topic.endswith("min")}
    assert names == {f"{name}/{minutes}min" for name in passed for minutes in (1, 5, 15)}
    for name, count in passed.items():
        assert count
        for minutes in (1, 5, 15):
            assert topics[f"load/{name}/{minutes}min"] == pytest.approx(count * (1 - math.exp(-1 / minutes)))
    for way in ("received", "sent"):
        assert topics[f"packets/{way}"] == topics[f"messages/{way}"] == passed[f"messages/{way}"]
        assert topics[f"bytes/{way}"] == topics[f"load/bytes/{way}"] == passed[f"bytes/{way}"]
        assert topics[f"publish/messages/{way}"] == 5
    assert topics["messages/dropped"] == topics["publish/messages/dropped"] == 2
