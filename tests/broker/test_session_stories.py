# SPDX-License-Identifier: MIT
"""One client identifier over several connections: what a CONNECT finds, and what it leaves behind."""

from __future__ import annotations

import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.wire.packets import ConnectProperties, Disconnect
from tests.sansio import Client, World

KEEP = ConnectProperties(session_expiry_interval=100)


def comes(world: World, clean: bool = False, lasting: bool = True) -> Client:
    """The client connects."""
    return world.client("a", clean_start=clean, properties=KEEP if lasting else None)


def kept(store: MemoryStore) -> list[str]:
    """The kinds of records that a store holds."""
    return [type(record).__name__ for record in store.load()]


def stops(world: World) -> None:
    """The link of a connected client breaks."""
    connection = world.broker.sessions.by_client_id["a"].connection
    assert connection is not None
    world.clients[connection.serial].drop()


@pytest.mark.parametrize("clean", [False, True])
def test_a_session_that_is_new(clean: bool) -> None:
    """There is nothing to go on with: Session Present is 0, whatever Clean Start says [MQTT5-3.2.2-3].

    It is kept after its connection as long as it was asked to be, with its subscriptions [MQTT5-3.1.2-23].
    """
    store = MemoryStore()
    world = World(storage=store)
    a = comes(world, clean)
    assert not a.connack.session_present
    a.subscribe("t", 1)
    a.drop()
    world.client("pub").publish("t", b"1", 1)
    assert kept(store) == ["SessionPut", "SubscriptionPut", "QueuePut"]
    a = comes(world)
    assert a.connack.session_present
    assert a.payloads() == [b"1"]
    a.drop()
    world.pass_time(101)
    assert kept(store) == []
    assert not comes(world).connack.session_present


@pytest.mark.parametrize("clean", [False, True])
def test_a_session_that_ends_with_its_connection(clean: bool) -> None:
    """With a Session Expiry Interval of 0 nothing is left of it when the connection is over [MQTT5-4.1.0-2]."""
    world = World()
    a = comes(world, clean, lasting=False)
    a.subscribe("t", 1)
    a.drop()
    assert world.broker.sessions.by_client_id == {}
    assert len(world.broker.router) == 0
    assert not comes(world).connack.session_present


def test_a_session_that_goes_on_and_then_ends() -> None:
    """Each CONNECT says anew how long the session lasts, also one that goes on with it [MQTT5-4.1.0-2]."""
    store = MemoryStore()
    world = World(storage=store)
    a = comes(world)
    a.subscribe("t", 1)
    a.drop()
    a = comes(world, lasting=False)
    assert a.connack.session_present
    world.client("pub").publish("t", b"1", 1)
    assert a.payloads() == [b"1"]
    a.send(Disconnect())
    assert kept(store) == []
    assert not comes(world).connack.session_present


def test_clean_start_discards_what_there_is() -> None:
    """Nothing of the old session is left, neither in the store nor for the messages that come [MQTT5-3.1.2-4]."""
    store = MemoryStore()
    world = World(storage=store)
    a = comes(world)
    a.subscribe("t", 1)
    a.drop()
    pub = world.client("pub")
    pub.publish("t", b"1", 1)
    a = comes(world, clean=True)
    assert not a.connack.session_present
    assert a.read() == []
    assert kept(store) == ["SessionPut"]
    assert len(world.broker.router) == 0
    assert pub.publish("t", b"2", 1).reason_code == 0x10
    a.drop()
    again = World(storage=store)
    a = comes(again)
    assert a.connack.session_present
    a.subscribe("other")
    again.client("pub").publish("t", b"3")
    assert a.read() == []


def test_a_session_that_started_afresh_ends_too() -> None:
    """It lasts no longer than its CONNECT asks for, whatever the session before it was asked [MQTT5-4.1.0-2]."""
    world = World()
    comes(world).drop()
    comes(world, clean=True, lasting=False).drop()
    assert world.broker.sessions.by_client_id == {}


@pytest.mark.parametrize("removed", [False, True])
def test_a_session_whose_client_is_away_ends(removed: bool) -> None:
    """When its time has passed, or when an administrator removes it, nothing is left of it [MQTT5-4.1.0-2]."""
    store = MemoryStore()
    world = World(storage=store)
    a = comes(world)
    a.subscribe("t", 1)
    a.drop()
    if removed:
        assert world.broker.sessions.remove("a", world.now)
        world.turn()
    else:
        world.pass_time(101)
    assert kept(store) == []
    assert world.broker.sessions.by_client_id == {}
    assert len(world.broker.router) == 0
    assert not comes(world).connack.session_present
