# SPDX-License-Identifier: MIT
"""The heap of time limits."""

from __future__ import annotations

from mqtt_ref.broker.timers import CONNECTION, EVERY, SESSION, SLACK
from mqtt_ref.wire.packets import Connect, ConnectProperties, Disconnect, Publish, PublishProperties
from tests.sansio import World


def test_the_first_due_comes_first_and_nothing_before_its_time() -> None:
    world = World()
    timers = world.broker.timers
    assert timers.next() is None
    assert timers.pop(99) is None
    first, second = world.link().connection, world.link().connection
    begun = world.now
    first.deadline = second.deadline = 0
    session = world.broker.sessions.create("a", 5)
    timers.wake(first, begun + 30)
    session.wake_at = begun + 10
    timers.add_session(begun + 10, session.handle)
    timers.wake(second, begun + 20)
    timers.wake(second, begun + 25)  # one entry for each connection is enough
    assert timers.next() == begun + 10
    assert timers.pop(begun + 9) is None
    assert timers.pop(begun + 25) == (begun + 10, SESSION, session.handle)
    assert timers.pop(begun + 25) == (begun + 20, CONNECTION, second.serial)
    assert timers.pop(begun + 25) is None


def test_an_entry_that_an_earlier_one_replaced_is_dropped_when_it_is_due() -> None:
    world = World()
    client = world.client("a", keep_alive=100)
    timers = world.broker.timers
    world.pass_time(11)  # the connect timeout
    assert len(timers) == 1
    for _ in range(20):
        timers.wake(client.connection, world.now + 1)
        world.pass_time(1)  # it looks, and waits for the end of the Keep Alive again
        client.send(Publish("t"))
    world.pass_time(120)
    client.send(Publish("t"))
    world.pass_time(120)
    assert len(timers) == 1


def test_a_retained_topic_with_ever_shorter_expiry_needs_one_entry() -> None:
    world = World()
    pub = world.client("pub")
    for n in range(2000):
        pub.publish("t", b"x", 0, retain=True, properties=PublishProperties(message_expiry_interval=100_000 - n))
    assert len(world.broker.timers) <= SLACK + 2
    world.pass_time(97_990)
    assert len(world.broker.retained.store) == 1
    world.pass_time(20)
    assert len(world.broker.retained.store) == 0
    world.pass_time(2000)
    assert len(world.broker.timers) == 0


def test_a_session_that_is_replaced_again_and_again_needs_one_entry() -> None:
    world = World()
    for n in range(500):
        expiry = ConnectProperties(session_expiry_interval=1_000_000 - n)
        world.client("a", clean_start=True, properties=expiry).drop()
    assert len(world.broker.timers) <= SLACK + 3
    world.pass_time(999_400)
    assert world.broker.sessions.by_client_id.keys() == {"a"}
    world.pass_time(200)
    assert world.broker.sessions.by_client_id == {}
    world.pass_time(500)
    assert len(world.broker.timers) == 0


def test_what_has_ended_leaves_no_entry_until_it_would_have_been_due() -> None:
    world = World()
    clients = [world.client(f"c{n}", keep_alive=60_000) for n in range(500)]
    world.pass_time(11)  # the connect timeout
    assert len(world.broker.timers) == 500
    for client in clients:
        client.send(Disconnect())
        client.drop()
    assert len(world.broker.timers) <= SLACK + EVERY
    world.pass_time(100_000)
    assert len(world.broker.timers) == 0


def test_timers_that_are_needed_stay_whatever_comes_and_goes() -> None:
    world = World()
    kept = [world.client(f"k{n}", keep_alive=1000) for n in range(100)]
    for n in range(1000):
        world.client(f"c{n % 7}", keep_alive=30_000, properties=ConnectProperties(session_expiry_interval=n)).drop()
    world.pass_time(1400)
    assert not any(client.closed for client in kept)
    world.pass_time(101)
    assert all(client.closed for client in kept)
    assert world.broker.counters.keep_alive_timeouts == 100


def test_the_work_of_compacting_is_in_proportion_to_what_was_added() -> None:
    world = World()
    looked = 0
    broker = world.broker
    size = len(broker.timers)
    for n in range(3000):
        link = world.link()
        link.send(Connect(f"c{n % 10}", keep_alive=60_000 - n))
        grown = len(broker.timers)
        if grown < size:
            looked += size  # it was compacted: every entry was looked at
        size = grown
    assert 0 < looked < 3000 * 4


def test_handles_of_sessions_that_ended_are_given_back() -> None:
    world = World()
    sessions = world.broker.sessions
    first = world.client("first")
    clients = [world.client(f"c{n}") for n in range(300)]
    assert len(sessions.by_handle) == 301
    for client in clients[::2]:
        client.drop()
    again = [world.client(f"d{n}") for n in range(100)]
    assert len(sessions.by_handle) == 301
    assert sorted(one.connection.session.handle for one in again) == list(range(1, 200, 2))  # type: ignore[union-attr]
    for client in [*clients[1::2], *again]:
        client.drop()
    assert len(sessions.by_handle) == len(sessions.connections) == 1
    assert first.connection.session is not None
    assert sessions.by_handle[0] is first.connection.session
    assert sorted(world.client(f"e{n}").connection.session.handle for n in range(3)) == [1, 2, 3]  # type: ignore[union-attr]
