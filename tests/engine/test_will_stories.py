# SPDX-License-Identifier: MIT
"""Wills over several connections of one client: what a goodbye, a return or an end leaves of them."""

from __future__ import annotations

import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.options import Options
from mqtt_ref.ports import SessionPut
from mqtt_ref.wire.packets import ConnectProperties, Disconnect, DisconnectProperties, Will, WillProperties
from tests.sansio import Client, World

KEEP = ConnectProperties(session_expiry_interval=1000)


def delayed(seconds: int, payload: bytes = b"gone") -> Will:
    """A will with a Will Delay Interval."""
    return Will("will", payload, properties=WillProperties(will_delay_interval=seconds))


def watched(world: World) -> Client:
    """A client that gets every will."""
    watch = world.client("watch")
    watch.subscribe("will")
    return watch


def comes(world: World, will: Will | None = None, clean: bool = False) -> Client:
    """The client connects, goes on with its session if there is one, and leaves one that lasts."""
    return world.client("a", clean_start=clean, will=will, properties=KEEP)


def says_goodbye(client: Client) -> None:
    """A DISCONNECT with reason 0x00."""
    client.send(Disconnect())


def is_lost(client: Client) -> None:
    """The link breaks."""
    client.drop()


@pytest.mark.parametrize("leave", [says_goodbye, is_lost])
def test_a_client_without_a_will(leave: object) -> None:
    """Nothing is published when it goes, when it comes back and when its session ends [MQTT311-3.1.2-12].

    The next CONNECT may bring a will, which is published as always [MQTT5-3.1.2-7, MQTT5-3.1.2-8].
    """
    assert callable(leave)
    world = World()
    watch = watched(world)
    leave(comes(world))
    leave(comes(world))
    assert watch.read() == []
    comes(world, Will("will", b"gone")).drop()
    assert watch.payloads() == [b"gone"]
    leave(comes(world, clean=True))
    world.pass_time(2000)
    assert list(world.broker.sessions.by_client_id) == ["watch"]
    assert watch.read() == []


def test_a_client_without_a_will_that_is_taken_over() -> None:
    """Nothing is published, and the will of the new connection is kept."""
    world = World()
    watch = watched(world)
    comes(world)
    comes(world)
    third = comes(world, Will("will", b"gone"))
    assert watch.read() == []
    third.drop()
    assert watch.payloads() == [b"gone"]


def wills_in(store: MemoryStore) -> list[bytes]:
    """The payloads of the wills that a store holds."""
    return [record.will.payload for record in store.load() if isinstance(record, SessionPut) and record.will]


def test_a_goodbye_deletes_the_will_for_good() -> None:
    """It is neither published nor stored any more [MQTT5-3.14.4-3, MQTT5-3.1.2-10]; the next one is like the first."""
    store = MemoryStore()
    world = World(storage=store)
    watch = watched(world)
    a = comes(world, Will("will", b"first"))
    assert wills_in(store) == [b"first"]
    says_goodbye(a)
    assert wills_in(store) == []
    again = World(storage=store)
    later = watched(again)
    again.pass_time(10)
    assert later.read() == []
    comes(world, Will("will", b"second")).drop()
    assert watch.payloads() == [b"second"]


@pytest.mark.parametrize("clean", [False, True])
def test_a_published_will_is_gone(clean: bool) -> None:
    """It is published once [MQTT5-3.1.2-10]: not again on return, at the end of the session or after a restart."""
    store = MemoryStore()
    world = World(storage=store)
    watch = watched(world)
    comes(world, Will("will", b"first")).drop()
    assert watch.payloads() == [b"first"]
    assert wills_in(store) == []
    comes(world, Will("will", b"second"), clean).drop()
    assert watch.payloads() == [b"second"]
    world.pass_time(2000)
    assert watch.read() == []


def test_a_takeover_deletes_a_will_with_a_delay() -> None:
    """The client is back before the delay is over, so the will is deleted, also from the store [MQTT5-3.1.3-9]."""
    store = MemoryStore()
    world = World(storage=store)
    watch = watched(world)
    first = comes(world, delayed(10))
    assert wills_in(store) == [b"gone"]
    second = comes(world)
    assert first.closed
    assert wills_in(store) == []
    second.drop()
    world.pass_time(2000)
    assert watch.read() == []


def test_a_takeover_with_a_will_of_its_own() -> None:
    """The new connection has the will of its own CONNECT [MQTT5-3.1.2-7]."""
    world = World()
    watch = watched(world)
    comes(world, delayed(10, b"first"))
    second = comes(world, Will("will", b"second"))
    assert watch.read() == []
    second.drop()
    assert watch.payloads() == [b"second"]


def test_a_delay_that_is_over() -> None:
    """The will is published once, and the next CONNECT may bring another one [MQTT5-3.1.2-8, MQTT5-3.1.2-10]."""
    store = MemoryStore()
    world = World(storage=store)
    watch = watched(world)
    comes(world, delayed(10)).drop()
    world.pass_time(9)
    assert watch.read() == []
    assert wills_in(store) == [b"gone"]
    world.pass_time(2)
    assert watch.payloads() == [b"gone"]
    assert wills_in(store) == []
    comes(world, Will("will", b"second")).drop()
    assert watch.payloads() == [b"second"]


def test_a_return_within_the_delay() -> None:
    """The will is deleted, also from the store, and the new one takes its place [MQTT5-3.1.3-9]."""
    store = MemoryStore()
    world = World(storage=store)
    watch = watched(world)
    comes(world, delayed(10)).drop()
    comes(world)
    assert wills_in(store) == []
    comes(world, delayed(10)).drop()
    comes(world, Will("will", b"second")).drop()
    world.pass_time(20)
    assert watch.payloads() == [b"second"]


def test_a_session_that_ends_while_the_server_shuts_down() -> None:
    """A will that was left to the restart is due when its session ends before that [MQTT5-3.1.2-8]."""
    store = MemoryStore()
    world = World(Options(decisions={"shutdown_wills": "keep"}), storage=store)
    seen = world.client("seen", 4, clean_start=False)
    seen.subscribe("will", 1)
    short = ConnectProperties(session_expiry_interval=5)
    world.client("a", will=Will("will", b"gone", 1), properties=short)
    world.broker.shutdown(world.now)
    world.turn()
    assert wills_in(store) == [b"gone"]
    world.pass_time(6)
    assert wills_in(store) == []
    again = World(storage=store)
    back = again.client("seen", 4, clean_start=False)
    assert back.payloads() == [b"gone"]


def test_a_server_reference_of_a_client_changes_nothing() -> None:
    """The standard says what a server means by it, and forbids it to no sender: the DISCONNECT is a normal one."""
    world = World()
    watch = watched(world)
    client = comes(world, Will("will", b"gone"))
    client.send(Disconnect(0, DisconnectProperties(server_reference="other:1883")))
    assert client.read() == [], "no DISCONNECT with a reason"
    assert client.closed
    world.pass_time(2000)
    assert watch.read() == [], "the will is deleted [MQTT5-3.14.4-3]"
