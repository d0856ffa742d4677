# SPDX-License-Identifier: MIT
"""What a listener has of its own: versions, QoS, connections, time."""

from __future__ import annotations

from typing import Any

import pytest

from mqtt_ref.engine.options import Bounds, Capabilities, Options, Terms
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Disconnect,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Will,
)
from tests.sansio import Client, World


def client(world: World, terms: Terms, version: int = 5, listener: str = "one") -> Client:
    """A link of a listener with terms of its own; nothing was sent yet."""
    return Client(world, version, listener, terms)


def test_without_terms_nothing_is_copied() -> None:
    capabilities = Capabilities()
    assert Terms(maximum_connections=5, bytes_per_second=10).limit(capabilities) is capabilities


@pytest.mark.parametrize(
    ("terms", "versions", "qos"),
    [
        (Terms(versions=(5,)), (5,), 1),
        (Terms(versions=(3, 5)), (5,), 1),
        (Terms(maximum_qos=2), (4, 5), 1),
        (Terms(maximum_qos=0), (4, 5), 0),
    ],
)
def test_a_listener_offers_no_more_than_the_broker(terms: Terms, versions: tuple[int, ...], qos: int) -> None:
    offered = terms.limit(Capabilities(versions=(4, 5), maximum_qos=1, topic_alias_maximum=7))
    assert (offered.versions, offered.maximum_qos, offered.topic_alias_maximum) == (versions, qos, 7)


@pytest.mark.parametrize(
    ("version", "refusal"), [(5, Connack(0x84)), (4, Connack(1)), (3, Connack(1))], ids=["5.0", "3.1.1", "3.1"]
)
def test_a_version_that_is_not_spoken_here_is_refused(version: int, refusal: Connack) -> None:
    world = World()
    others = tuple({3, 4, 5} - {version})
    one = client(world, Terms(versions=others), version)
    got = one.ask(Connect("one", protocol_version=version))
    assert got.reason_code == refusal.reason_code
    assert one.closed
    two = client(world, Terms(versions=(version,)), version, "two")
    assert two.ask(Connect("two", protocol_version=version)).reason_code == 0


def test_the_maximum_qos_of_a_listener_is_told_and_kept() -> None:
    """[MQTT5-3.2.2-9, MQTT5-3.2.2-10, MQTT5-3.2.2-11, MQTT5-3.2.2-12]: here, and not at another listener."""
    world = World()
    terms = Terms(maximum_qos=1)
    one = client(world, terms)
    assert one.ask(Connect("one")).properties.maximum_qos == 1
    suback = one.ask(Subscribe(1, [Subscription("a", 2), Subscription("b", 1), Subscription("c", 0)]))
    assert isinstance(suback, Suback)
    assert suback.reason_codes == [1, 1, 0]
    assert isinstance(one.ask(Publish("x", b"", 1, packet_id=1)), Puback)
    got: Any = one.ask(Publish("x", b"", 2, packet_id=2))
    assert isinstance(got, Disconnect)
    assert got.reason_code == 0x9B
    with_will = client(world, terms)
    assert with_will.ask(Connect("will", will=Will("w", b"", qos=2))).reason_code == 0x9B
    free = client(world, Terms(), listener="free")
    connack = free.ask(Connect("free"))
    assert connack.properties.maximum_qos is None
    assert free.subscribe("a", 2) == 2
    assert free.publish("x", qos=2) is not None


def test_qos_0_alone_takes_no_short_way() -> None:
    world = World()
    one = client(world, Terms(maximum_qos=0))
    assert one.ask(Connect("one")).properties.maximum_qos == 0
    got: Any = one.ask(Publish("x", b"", 1, packet_id=1))
    assert got.reason_code == 0x9B


def test_a_listener_has_only_so_many_connections() -> None:
    world = World()
    terms = Terms(maximum_connections=2)
    first, second = client(world, terms), client(world, terms)
    third = client(world, terms)
    assert third.closed
    assert world.notes[-1].text == "The listener has as many connections as it may, 2"
    assert world.broker.counters.connections_refused == 1
    assert not client(world, terms, listener="another").closed
    first.send(Connect("first"), Disconnect())
    assert first.closed
    assert not client(world, terms).closed
    second.drop()
    assert not client(world, terms).closed
    assert client(world, terms).closed


@pytest.mark.parametrize(("timeout", "wait"), [(None, 10), (3, 3), (30, 30), (0, 0)])
def test_a_listener_gives_its_own_time_for_the_connect(timeout: int | None, wait: int) -> None:
    world = World(Options(bounds=Bounds(connect_timeout=10)))
    one = client(world, Terms(connect_timeout=timeout))
    if wait:
        world.pass_time(wait - 0.1)
        assert not one.closed
        world.pass_time(0.2)
        assert one.closed
        assert world.notes[-1].text == "No CONNECT within the connect timeout"
    else:
        world.pass_time(10_000)
        assert not one.closed


def test_a_link_that_is_turned_away_is_so_once() -> None:
    world = World()
    one = client(world, Terms())
    for _ in range(2):
        one.connection.turn_away("It came at a bad time", world.now)
    world.turn()
    assert one.closed
    assert [note.text for note in world.notes] == ["It came at a bad time"]
    assert world.broker.counters.connections_refused == 1
