# SPDX-License-Identifier: MIT
"""While the store fails, what needs it is refused with a Reason Code; the rest goes on, and nothing is lost."""

from __future__ import annotations

import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Puback,
    Publish,
    Pubrec,
    Suback,
    Subscribe,
    Subscription,
    Will,
)
from tests.sansio import World

KEEP = ConnectProperties(session_expiry_interval=3600)


def failing() -> World:
    """A broker with a persistent subscriber `kept` and a plain one `plain`, whose last batch was not stored."""
    world = World(storage=MemoryStore())
    kept = world.client("kept", properties=KEEP)
    kept.subscribe("t", 1)
    world.client("plain").subscribe("t", 0)
    lost = world.client("lost", properties=KEEP)
    world.auto = False
    lost.send(Subscribe(1, [Subscription("t", 1)]))
    while world.commits:
        world.commit(fail=True)
    assert lost.closed
    assert world.broker.store_fails
    return world


@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_that_needs_the_store_is_refused(qos: int) -> None:
    world = failing()
    pub = world.client("pub")
    pub.send(Publish("t", b"x", qos, packet_id=5))
    answer = pub.one()
    assert isinstance(answer, Puback | Pubrec)
    assert (answer.packet_id, answer.reason_code) == (5, 0x83)
    assert world.commits == []


@pytest.mark.parametrize("version", [3, 4])
def test_an_older_version_has_no_code_and_is_closed(version: int) -> None:
    world = failing()
    pub = world.client("pub", version=version)
    pub.send(Publish("t", b"x", 1, packet_id=5))
    assert pub.read() == []
    assert pub.closed


def test_qos_0_goes_on() -> None:
    world = failing()
    world.client("pub").send(Publish("t", b"x"))
    plain, kept = (client for client in world.clients.values() if client.connection.client_id in ("plain", "kept"))
    assert plain.payloads() == kept.payloads() == [b"x"]


@pytest.mark.parametrize(
    "connect",
    [
        Connect("new", properties=KEEP),
        Connect("new", will=Will("t", b"w")),
        Connect("lost"),
        Connect("lost", clean_start=False, properties=KEEP),
    ],
)
def test_a_session_that_needs_the_store_is_refused(connect: Connect) -> None:
    link = failing().link()
    link.send(connect)
    answer = link.one()
    assert isinstance(answer, Connack)
    assert answer.reason_code == 0x88
    assert link.closed


def test_a_session_of_an_older_version_is_told_that_the_server_is_unavailable() -> None:
    link = failing().link(4)
    link.send(Connect("new", 4, clean_start=False))
    answer = link.one()
    assert isinstance(answer, Connack)
    assert answer.reason_code == 3


def test_a_subscription_is_refused_if_its_session_is_stored() -> None:
    world = failing()
    kept = next(client for client in world.clients.values() if client.connection.client_id == "kept")
    kept.send(Subscribe(9, [Subscription("other", 1)]))
    answer = kept.one()
    assert isinstance(answer, Suback)
    assert answer.reason_codes == [0x83]
    plain = world.client("plain-2")
    plain.subscribe("other", 1)


def test_the_store_gets_what_it_lacks_as_soon_as_it_works_again() -> None:
    world = failing()
    journal = world.broker.journal
    assert journal is not None
    assert journal.owed
    journal.retry()
    world.turn()
    world.auto = True
    world.commit()
    assert not world.broker.store_fails
    assert not journal.owed
    assert isinstance(world.storage, MemoryStore)
    again = World(storage=world.storage)
    assert again.broker.sessions.by_client_id["lost"].subscriptions == {"t": (1, 0)}
    pub = world.client("pub")
    pub.send(Publish("t", b"x", 1, packet_id=5))
    assert [type(packet) for packet in pub.read()] == [Puback]


def test_a_retry_writes_nothing_while_a_batch_is_under_way() -> None:
    world = failing()
    journal = world.broker.journal
    assert journal is not None
    journal.retry()
    world.turn()
    assert len(world.commits) == 1
    journal.retry()
    world.turn()
    assert len(world.commits) == 1


@pytest.mark.parametrize("first", ["mortal", "sub"])
def test_a_will_of_a_failed_commit_does_not_overtake_what_was_discarded(first: str) -> None:
    """Found by tests/kills: a will went out on a connection that was being closed, before the message it follows."""
    world = World(storage=MemoryStore())
    pub = world.client("pub", properties=KEEP)
    for client_id in (first, "sub" if first == "mortal" else "mortal"):
        if client_id == "sub":
            sub = world.client("sub", properties=KEEP)
            sub.subscribe("w", 2)
        else:
            mortal = world.client("mortal", properties=KEEP, will=Will("w", b"second", 2))
            mortal.subscribe("w", 1)
    world.auto = False
    pub.send(Publish("w", b"first", 1, packet_id=1))
    world.commit(fail=True)
    while world.commits:
        world.commit()
    assert sub.closed
    assert mortal.closed
    assert sub.read() == []
    world.auto = True
    sub = world.client("sub", clean_start=False, properties=KEEP)
    assert sub.payloads() == [b"first", b"second"]
