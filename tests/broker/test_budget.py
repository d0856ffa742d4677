# SPDX-License-Identifier: MIT
"""One budget for what is held for clients: counted right, and what gives way at which share of it."""

from __future__ import annotations

from typing import Any

import pytest

from mqtt_ref.broker.budget import SESSION, UNLIMITED, Budget
from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.counters import Counters
from mqtt_ref.engine.message import FLIGHT, LIGHT, MESSAGE, OVERHEAD, PLACE, Message
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Puback,
    Publish,
    PublishProperties,
    Pubrec,
    Suback,
    Subscribe,
    Subscription,
    Will,
    WillProperties,
)
from tests.held import held
from tests.sansio import Client, World
from tests.soak.churn import Churn

KEEP = ConnectProperties(session_expiry_interval=1000)
MEGABYTE = 1_000_000


def bounded(memory: int = MEGABYTE, decisions: dict[str, str] | None = None, **bounds: Any) -> World:
    return World(Options(bounds=Bounds(memory=memory, **bounds), decisions=decisions or {}))


def absent(world: World, client_id: str = "away", topic_filter: str = "#", qos: int = 1) -> None:
    """A session with a subscription, whose client is away."""
    client = world.client(client_id, properties=KEEP)
    client.subscribe(topic_filter, qos)
    client.drop()


def press(world: World, share: int) -> None:
    """Let so many percent of the budget be used, whatever is held: the rest waits in a link."""
    budget = world.broker.budget
    budget.measured(0)
    budget.measured(budget.maximum * share // 100 - budget.used)


def ease(world: World) -> None:
    world.broker.budget.measured(0)


def counted(world: World) -> dict[str, int]:
    return {"state": world.broker.budget.state, "messages": world.broker.budget.messages}


# ---------------------------------------------------------------- what is counted


@pytest.mark.parametrize("kind", ["plain", "stored", "asked"])
@pytest.mark.parametrize("memory", [0, 60_000])
def test_whatever_clients_do_it_is_counted_right_and_nothing_is_left(kind: str, memory: int) -> None:
    clients = Churn(5, stored=kind == "stored", asked=kind == "asked")
    broker = clients.world.broker
    broker.budget = Budget(memory, broker.budget.most, broker.counters)
    for _ in range(2):
        for _ in range(200):
            clients._step()
            assert counted(clients.world) == held(broker)
        clients.end()
        assert counted(clients.world) == held(broker) == {"state": 0, "messages": 0}
    assert (broker.counters.dropped_memory > 0) == (memory > 0)


def test_a_message_counts_once_and_each_place_of_it_too() -> None:
    world = World()
    for number in range(3):
        absent(world, f"a{number}")
    publisher = world.client("p")
    before = world.broker.budget.used
    block = PublishProperties(user_property=[("name", "value")] * 1000)
    publisher.publish("topic", bytes(5000), 1, properties=block)
    properties = 1000 * (1 + 2 + 4 + 2 + 5)
    # The topic is kept as bytes and as text.
    assert world.broker.budget.used - before == MESSAGE + 2 * 5 + 5000 + properties + 3 * PLACE
    world.broker.sessions.remove("a0", world.now)
    world.broker.sessions.remove("a1", world.now)
    last = world.client("a2", clean_start=False, properties=KEEP)
    world.turn()
    assert len(last.messages()) == 1
    assert counted(world) == held(world.broker)
    assert world.broker.budget.messages == 0


def test_encoded_forms_count_while_they_are_kept() -> None:
    world = World()
    for number, version in enumerate((4, 5, 5)):
        world.client(f"s{number}", version).subscribe("#", 1)
    publisher = world.client("p")
    publisher.publish("t", bytes(10_000), 1)
    # The payload, a form for each version, and the halves of the one that two clients get.
    assert 40_000 < world.broker.budget.messages < 42_000
    publisher.publish("u", bytes(10_000), 1, retain=True)
    message = world.broker.retained.store.get("u")
    assert message is not None
    # One that is retained keeps no forms after its first delivery.
    assert message.counted == message.weight == MESSAGE + 2 + 10_000
    world.client("late").subscribe("u", 1)
    assert message.counted == message.weight == MESSAGE + 2 + 10_000
    assert counted(world) == held(world.broker)


@pytest.mark.parametrize(("size", "cost"), [(LIGHT - 1, FLIGHT), (LIGHT, MESSAGE + PLACE + 2 * LIGHT + 11)])
def test_a_light_message_in_flight_counts_the_same_for_each_client(size: int, cost: int) -> None:
    world = World()
    sub, publisher = world.client("s"), world.client("p")
    sub.subscribe("t", 1)
    publisher.publish("t", bytes(size), 1)
    assert world.broker.budget.messages == cost
    other = world.client("o")
    other.subscribe("t", 2)
    publisher.publish("t", bytes(size), 2)
    assert counted(world) == held(world.broker)
    world.broker.sessions.remove("s", world.now)
    other.messages()
    assert counted(world) == held(world.broker)
    assert world.broker.budget.messages == 0


def test_topics_that_take_more_than_their_bytes() -> None:
    assert Message(1, "t" * 100, b"", 0, False, None, "", 0).weight == MESSAGE + 200
    assert Message(1, "ü" * 100, b"", 0, False, None, "", 0).weight == MESSAGE + 200 + 400


def test_a_restart_counts_what_it_finds() -> None:
    storage = MemoryStore()
    world = World(storage=storage)
    will = Will("w", b"x" * 100, properties=WillProperties(user_property=[("a", "b")] * 3, content_type="c"))
    sub = world.client("s", properties=ConnectProperties(session_expiry_interval=100, receive_maximum=2), will=will)
    sub.subscribe("#", 2)
    publisher = world.client("p", properties=KEEP)
    for number in range(5):
        publisher.publish(f"t/{number}", bytes(100), 1, retain=True)
    publisher.send(Publish("t/9", b"x", 2, packet_id=7))  # its PUBREL is missing
    again = World(storage=storage)
    assert counted(again) == held(again.broker)
    assert again.broker.budget.messages == world.broker.budget.messages
    assert again.broker.budget.state > 5000


def test_a_topic_alias_counts_until_its_connection_ends() -> None:
    world = World()
    client = world.client("c")
    before = world.broker.budget.used
    for topic in ("x" * 1000, "y" * 10, "z" * 500):
        client.send(Publish(topic, b"", properties=PublishProperties(topic_alias=1)))
        assert counted(world) == held(world.broker)
    assert 500 < world.broker.budget.used - before < 700
    client.drop()
    assert world.broker.budget.used == 0


# ---------------------------------------------------------------- what gives way


def test_the_shares() -> None:
    budget = Budget(1000, 10, Counters())
    assert (budget.queue_limit, budget.state_limit, budget.maximum, budget.limited) == (750, 900, 1000, True)
    assert not Budget(0, 10, Counters()).limited
    assert Budget(0, 10, Counters()).queue_limit > UNLIMITED // 2


def test_first_nothing_more_is_queued() -> None:
    """Up to three quarters. Everything else goes on."""
    world = bounded()
    absent(world)
    sub, publisher = world.client("here"), world.client("p")
    sub.subscribe("#", 1)
    press(world, 75)
    assert publisher.publish("t", b"1", 1).reason_code == 0
    assert world.broker.counters.dropped_memory == 1
    assert world.broker.counters.dropped == 1
    assert sub.payloads() == [b"1"]
    assert publisher.subscribe("more", 1) == 1
    assert publisher.publish("r", b"1", 1, retain=True).reason_code == 0
    world.client("new", will=Will("w", b"x"))
    ease(world)
    publisher.publish("t", b"2", 1)
    assert world.client("away", clean_start=False, properties=KEEP).payloads() == [b"2"]


def test_a_queue_fills_up_to_its_share() -> None:
    world = bounded(queued_messages=10_000)
    absent(world)
    publisher = world.client("p")
    for _ in range(1000):
        publisher.publish("t", bytes(1000), 1)
    budget = world.broker.budget
    assert 750_000 - 1700 < budget.used <= 750_000
    assert world.broker.counters.messages_queued + world.broker.counters.dropped_memory == 1000
    assert counted(world) == held(world.broker)


def test_if_so_decided_the_oldest_give_way() -> None:
    world = bounded(queued_messages=10_000, decisions={"queue_full": "oldest"})
    absent(world, "away", "t")
    publisher = world.client("p")
    for number in range(1000):
        publisher.publish("t", number.to_bytes(2, "big") * 500, 1)
    assert world.broker.budget.used <= 750_000
    waiting = [payload[:2] for payload in world.client("away", clean_start=False, properties=KEEP).payloads()]
    assert waiting[-1] == (999).to_bytes(2, "big")
    assert 400 < len(waiting) == 1000 - world.broker.counters.dropped_memory
    # A message that is larger than all that waits is dropped itself, and what waited with it.
    absent(world, "other", "u")
    publisher.publish("u", b"small", 1)
    publisher.publish("u", bytes(900_000), 1)
    assert world.client("other", clean_start=False, properties=KEEP).payloads() == []


def test_a_queue_that_gave_way_does_not_stop_its_client() -> None:
    world = bounded(100_000, {"queue_full": "oldest"})
    sub = world.client("s", properties=ConnectProperties(receive_maximum=1))
    sub.subscribe("#", 1)
    publisher = world.client("p")
    for payload in (b"1", b"2", bytes(80_000)):
        publisher.publish("t", payload, 1)
    assert world.broker.counters.dropped_memory == 2
    assert sub.payloads() == [b"1"]
    publisher.publish("t", b"3", 1)
    assert sub.payloads() == [b"3"]


def test_with_a_store_messages_wait_there_when_memory_is_short() -> None:
    world = World(Options(bounds=Bounds(memory=MEGABYTE)), storage=MemoryStore())
    absent(world)
    publisher, old = world.client("p"), world.client("o", 4)
    publisher.publish("t", b"1", 1)
    press(world, 75)
    publisher.publish("t", b"2", 1)
    assert world.broker.counters.queued_in_store == 1
    assert world.broker.counters.dropped_memory == 0
    assert counted(world) == held(world.broker)
    # Until the store has it, it needs memory.
    press(world, 100)
    old.publish("t", b"3", 1)
    assert world.broker.counters.dropped_memory == 1
    ease(world)
    assert world.client("away", clean_start=False, properties=KEEP).payloads() == [b"1", b"2"]
    assert counted(world) == held(world.broker)


def test_then_there_is_no_new_state() -> None:
    """From nine tenths on. Whoever has a session comes back to it, and gets its messages."""
    world = bounded()
    absent(world)
    publisher = world.client("p")
    publisher.subscribe("old", 1)
    publisher.publish("t", b"waits", 1)
    publisher.publish("r", bytes(1000), 1, retain=True)
    press(world, 90)
    link = world.link()
    link.send(Connect("new"))
    assert link.one(Connack).reason_code == 0x97
    assert link.closed
    for version in (3, 4):
        link = world.link(version)
        link.send(Connect("new", protocol_version=version))
        assert link.one(Connack).reason_code == 3
    suback = publisher.ask(Subscribe(3, [Subscription("old", 2), Subscription("new", 1)]))
    assert isinstance(suback, Suback)
    assert suback.reason_codes == [2, 0x97]
    assert publisher.publish("new", b"x", 1, retain=True).reason_code == 0x97
    assert publisher.publish("new", b"x", 2, retain=True).reason_code == 0x97
    assert publisher.publish("r", bytes(900), 1, retain=True).reason_code == 0  # it replaces a larger one
    assert publisher.publish("t", b"x", 1).reason_code == 0
    back = world.client("away", clean_start=False, properties=KEEP)
    assert b"waits" in back.payloads()
    back.drop()
    link = world.link()
    link.send(Connect("away", clean_start=False, properties=KEEP, will=Will("w", b"x")))
    assert link.one(Connack).reason_code == 0x97
    ease(world)
    world.client("new")


def test_3_1_1_is_told_as_far_as_it_can_be() -> None:
    world = bounded()
    client = world.client("c", 4)
    watcher = world.client("w")
    watcher.subscribe("#", 0)
    client.publish("r", b"old", 1, retain=True)
    watcher.read()
    press(world, 90)
    suback = client.ask(Subscribe(3, [Subscription("t", 1)]))
    assert isinstance(suback, Suback)
    assert suback.reason_codes == [0x80]
    # A message that cannot be retained is delivered. The old value of its topic goes: it is not the last one.
    assert isinstance(client.publish("r", b"new" * 1000, 1, retain=True), Puback)
    assert watcher.payloads() == [b"new" * 1000]
    assert world.broker.retained.store.get("r") is None
    assert world.broker.counters.retained_refused == 1


def test_at_last_nothing_is_sent_that_has_to_be_kept() -> None:
    world = bounded()
    sub, publisher, old = world.client("s"), world.client("p"), world.client("o", 4)
    sub.subscribe("#", 2)
    publisher.subscribe("q0", 0)
    press(world, 100)
    for qos, kind in ((1, Puback), (2, Pubrec)):
        answer = publisher.ask(Publish("t", b"x", qos, packet_id=qos))
        assert isinstance(answer, kind)
        assert answer.reason_code == 0x97
    assert world.broker.counters.publish_refused == 2
    # A 3.1.1 client gets its PUBACK, and each subscriber's copy is counted as dropped.
    old.publish("t", b"x", 1)
    assert world.broker.counters.dropped_memory == 1
    assert sub.read() == []
    # QoS 0 needs no memory once the kernel has it.
    old.publish("q0", b"x")
    assert publisher.payloads() == [b"x"]
    press(world, 101)
    assert world.link().closed
    ease(world)
    publisher.publish("t", b"y", 1)
    assert sub.payloads() == [b"x", b"y"]


def test_what_waited_before_is_sent_even_then() -> None:
    world = bounded()
    sub = world.client("s")
    sub.subscribe("t", 1)
    sub.connection.choke()
    world.client("p").publish("t", b"waits", 1)
    press(world, 100)
    sub.connection.unchoke(world.now)
    world.turn()
    assert sub.payloads() == [b"waits"]


def test_no_limit() -> None:
    world = bounded(0)
    absent(world)
    world.client("p").publish("t", bytes(1000), 1)
    world.broker.budget.measured(1 << 50)
    world.client("p").publish("t", bytes(1000), 1)
    assert world.broker.counters.messages_queued == 2


# ---------------------------------------------------------------- one session


def test_bytes_in_flight_to_one_client_have_a_bound() -> None:
    world = World(Options(bounds=Bounds(inflight_bytes=3 * (1001 + OVERHEAD))))
    sub = world.client("s")
    sub.subscribe("t", 1)
    publisher = world.client("p")
    for number in range(6):
        publisher.publish("t", bytes([number]) * 1000, 1)
    sent = sub.read()
    assert [packet.payload[0] for packet in sent] == [0, 1, 2]
    sub.send(Puback(sent[0].packet_id))
    assert [packet.payload[0] for packet in sub.inbox] == [3]
    assert [payload[0] for payload in sub.payloads()] == [3, 4, 5]
    for packet in sent[1:]:
        sub.send(Puback(packet.packet_id))
    session = sub.connection.session
    assert session is not None
    assert session.inflight_bytes == 0


def test_one_message_is_always_sent() -> None:
    world = World(Options(bounds=Bounds(inflight_bytes=1)))
    sub: Client = world.client("s")
    sub.subscribe("t", 1)
    publisher = world.client("p")
    for number in range(3):
        publisher.publish("t", bytes([number]) * 1000, 1)
    assert [payload[0] for payload in sub.payloads()] == [0, 1, 2]


def test_properties_count_where_the_queue_is_limited() -> None:
    large = PublishProperties(user_property=[("n" * 100, "v" * 100)] * 50)
    size = 1 + 50 * 205
    world = World(Options(bounds=Bounds(queued_bytes=2 * (size + OVERHEAD))))
    absent(world)
    for number in range(5):
        world.client("p").publish("t", b"", 1, properties=large, packet_id=number + 1)
    assert (world.broker.counters.messages_queued, world.broker.counters.dropped_queue_full) == (2, 3)
    assert world.broker.counters.queued_bytes == 2 * size


def test_a_session_costs_what_its_identifier_takes() -> None:
    world = World()
    client = world.client("c" * 10, properties=KEEP)
    client.drop()
    assert world.broker.budget.used == SESSION + 10
