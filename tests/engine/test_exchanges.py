# SPDX-License-Identifier: MIT
"""Exchanges of QoS 1 and 2 that do not run as they should: twice, out of order, about nothing, over two links."""

from __future__ import annotations

import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.access import Access
from mqtt_ref.engine.generated.events import Watch
from mqtt_ref.engine.message import Message
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.engine.session import Session
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
)
from tests.sansio import Client, World

KEEP = ConnectProperties(session_expiry_interval=3600)
SECRET = Access(on_acl_check_publish=lambda connection, topic, qos, retain: 0x87 if topic == "secret" else 0)
"""Nobody may publish to `secret`."""


def back(world: World, client_id: str = "sub", version: int = 5) -> Client:
    """The client comes back and goes on with its session."""
    properties = KEEP if version == 5 else None
    return world.client(client_id, version, clean_start=False, properties=properties)


def in_flight(world: World, qos: int, **properties: int) -> tuple[Client, int]:
    """A subscriber, and the identifier of the message that was sent to it."""
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 2)
    given = PublishProperties(**properties) if properties else None  # type: ignore[arg-type]
    world.client("pub").publish("t", b"1", qos, properties=given)
    return sub, sub.one(Publish).packet_id


# ---------------------------------------------------------------- to a client


@pytest.mark.parametrize(
    ("ack", "answer"),
    [
        (Puback(9), []),
        (Puback(9, 0x80), []),
        (Pubrec(9), [0x92]),
        (Pubrec(9, 0x80), []),
        (Pubcomp(9), []),
        (Pubcomp(9, 0x92), []),
    ],
)
def test_an_acknowledgement_of_nothing(ack: Packet, answer: list[int]) -> None:
    """No message has this identifier: a PUBREC is told so in its PUBREL (4.3.3), everything else is ignored.

    It completes nothing, the identifier stays free, and nothing is sent or stored for it later. [MQTT5-4.4.0-2]
    """
    completed: list[int] = []
    store = MemoryStore()
    world = World(storage=store)
    world.broker.set_hooks(None, Watch(on_qos_complete=lambda session, message, at: completed.append(at)), None)
    sub = world.client("sub", properties=KEEP)
    before = list(store.load())
    sub.send(ack)
    assert [(packet.packet_id, packet.reason_code) for packet in sub.read()] == [(9, code) for code in answer]
    assert not sub.closed
    assert completed == []
    assert list(store.load()) == before
    sub.drop()
    sub = back(world)
    assert sub.read() == []


def test_a_puback_that_refuses() -> None:
    """The message is not sent again, and its identifier is free: a PUBACK for it means nothing [MQTT5-4.4.0-2]."""
    world = World(Options(bounds=Bounds(maximum_inflight=1)))
    sub, packet_id = in_flight(world, 1)
    sub.send(Puback(packet_id, 0x80))
    assert sub.read() == []
    world.client("pub").publish("t", b"2", 1)
    assert sub.one(Publish).payload == b"2"
    sub.drop()
    sub = back(world)
    assert sub.payloads() == [b"2"]


def test_a_pubrec_that_refuses() -> None:
    """No PUBREL follows and the message is not sent again [MQTT5-4.3.3-4, MQTT5-4.4.0-2]."""
    world = World(Options(bounds=Bounds(maximum_inflight=1)))
    sub, packet_id = in_flight(world, 2)
    sub.send(Pubrec(packet_id, 0x80))
    assert sub.read() == []
    world.client("pub").publish("t", b"2", 1)
    assert sub.one(Publish).payload == b"2"
    sub.drop()
    assert back(world).payloads() == [b"2"]


def test_a_second_pubrec() -> None:
    """It is answered with a PUBREL again [MQTT5-4.3.3-4]; the exchange is where it was, also over a new link."""
    world = World()
    sub, packet_id = in_flight(world, 2)
    assert sub.ask(Pubrec(packet_id)) == Pubrel(packet_id)
    assert sub.ask(Pubrec(packet_id)) == Pubrel(packet_id)
    sub.drop()
    sub = back(world)
    assert sub.read() == [Pubrel(packet_id)]
    sub.drop()
    sub = back(world)
    assert sub.read() == [Pubrel(packet_id)]
    sub.send(Pubcomp(packet_id))
    sub.drop()
    assert back(world).read() == []


def test_a_pubrec_that_refuses_too_late() -> None:
    """After the PUBREL the exchange ends with a PUBCOMP and with nothing else [MQTT5-4.3.3-5]."""
    completed: list[int] = []
    world = World()
    world.broker.set_hooks(None, Watch(on_qos_complete=lambda session, message, at: completed.append(at)), None)
    sub, packet_id = in_flight(world, 2)
    assert sub.ask(Pubrec(packet_id)) == Pubrel(packet_id)
    sub.send(Pubrec(packet_id, 0x80))
    assert sub.read() == []
    assert completed == []
    sub.drop()
    sub = back(world)
    assert sub.read() == [Pubrel(packet_id)]
    sub.send(Pubcomp(packet_id))
    assert completed == [packet_id]


@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_in_flight_does_not_expire(qos: int) -> None:
    """Once it was sent it is sent again, with DUP 1, however long that takes [MQTT5-4.3.3-7, MQTT5-3.3.1-1]."""
    dropped: list[str] = []

    def note(session: Session, message: Message, packet_id: int, why: str) -> None:
        dropped.append(why)

    world = World()
    world.broker.set_hooks(None, Watch(on_qos_dropped=note), None)
    sub, packet_id = in_flight(world, qos, message_expiry_interval=5)
    sub.drop()
    world.pass_time(60)
    for _ in range(2):
        sub = back(world)
        again = sub.one(Publish)
        assert (again.packet_id, again.dup, again.qos, again.payload) == (packet_id, True, qos, b"1")
        sub.drop()
    sub = back(world)
    sub.read()
    if qos == 1:
        sub.send(Puback(packet_id))
    else:
        assert sub.ask(Pubrec(packet_id)) == Pubrel(packet_id)
        sub.send(Pubcomp(packet_id))
    assert sub.ask(Pingreq()) == Pingresp()
    assert dropped == []
    sub.drop()
    assert back(world).read() == []


@pytest.mark.parametrize(
    ("qos", "far", "wrong"),
    [
        (1, False, Pubrec(1)),
        (1, False, Pubrec(1, 0x80)),
        (1, False, Pubcomp(1)),
        (2, False, Puback(1)),
        (2, False, Puback(1, 0x80)),
        (2, False, Pubcomp(1)),
        (2, True, Puback(1)),
        (2, True, Puback(1, 0x80)),
    ],
)
def test_an_acknowledgement_of_another_kind(qos: int, far: bool, wrong: Packet) -> None:
    """QoS 1 is answered with a PUBACK, QoS 2 with PUBREC and PUBCOMP; everything else is an error [MQTT5-3.3.4-1]."""
    world = World()
    sub, packet_id = in_flight(world, qos)
    assert packet_id == 1
    if far:
        assert sub.ask(Pubrec(1)) == Pubrel(1)
    sub.send(wrong)
    assert sub.one(Disconnect).reason_code == 0x82
    assert sub.closed
    sub = back(world)
    assert sub.read() == ([Pubrel(1)] if far else [Publish("t", b"1", qos, dup=True, packet_id=1)])


# ---------------------------------------------------------------- from a client


@pytest.mark.parametrize(("version", "code"), [(3, 0), (4, 0), (5, 0x92)])
def test_a_pubrel_for_an_identifier_that_is_free(version: int, code: int) -> None:
    """5.0 is told that it is not known, 3.x has one kind of PUBCOMP [MQTT5-4.3.3-11, MQTT311-4.3.3-2].

    The identifier is still free: a message with it is delivered.
    """
    world = World()
    sub = world.client("sub")
    sub.subscribe("t")
    pub = world.client("pub", version)
    pub.send(Pubrel(7))
    got = pub.one(Pubcomp)
    assert (got.packet_id, got.reason_code) == (7, code)
    assert pub.publish("t", b"1", 2, packet_id=7).reason_code == 0
    assert sub.payloads() == [b"1"]


def held(world: World, version: int = 5) -> tuple[Client, Client]:
    """A subscriber to everything, and a client with a message of QoS 2 whose identifier 7 is not released."""
    sub = world.client("sub")
    sub.subscribe("#")
    properties = KEEP if version == 5 else None
    pub = world.client("pub", version, clean_start=version == 5, properties=properties)
    assert pub.ask(Publish("t", b"1", 2, packet_id=7)) == Pubrec(7)
    assert sub.payloads() == [b"1"]
    return sub, pub


@pytest.mark.parametrize("topic", ["t", "secret"])
def test_qos_1_with_an_identifier_that_is_held(topic: str) -> None:
    """A client may not use an identifier before its exchange is over [MQTT5-2.2.1-3]: it is told 0x91.

    That is so whatever else would be said to the message; and the exchange of QoS 2 goes on.
    """
    world = World()
    world.broker.set_access(SECRET)
    sub, pub = held(world)
    got = pub.ask(Publish(topic, b"2", 1, packet_id=7))
    assert (type(got), got.packet_id, got.reason_code) == (Puback, 7, 0x91)
    assert sub.payloads() == []
    assert pub.ask(Publish("t", b"1", 2, dup=True, packet_id=7)) == Pubrec(7)
    assert sub.payloads() == []
    assert pub.ask(Pubrel(7)) == Pubcomp(7)


@pytest.mark.parametrize("topic", ["t", "secret"])
def test_qos_1_of_3_1_1_with_an_identifier_that_is_held(topic: str) -> None:
    """3.1.1 has no word for it: the connection is closed [MQTT311-2.3.1-2], and the exchange goes on over the next."""
    world = World()
    world.broker.set_access(SECRET)
    sub, pub = held(world, 4)
    pub.send(Publish(topic, b"2", 1, packet_id=7))
    assert pub.read() == []
    assert pub.closed
    pub = back(world, "pub", 4)
    assert pub.ask(Publish("t", b"1", 2, dup=True, packet_id=7)) == Pubrec(7)
    assert sub.payloads() == []


def test_a_repeat_that_would_be_refused_now() -> None:
    """What was accepted once is acknowledged again, though its client has lost the right since [MQTT5-4.3.3-10]."""
    world = World()
    rights = [0]
    world.broker.set_access(Access(on_acl_check_publish=lambda connection, name, qos, retain: rights[0]))
    sub, pub = held(world)
    rights[0] = 0x87
    assert pub.ask(Publish("t", b"1", 2, dup=True, packet_id=7)) == Pubrec(7)
    rights[0] = 0
    assert pub.ask(Publish("t", b"1", 2, dup=True, packet_id=7)) == Pubrec(7)
    assert sub.payloads() == []
    assert pub.ask(Pubrel(7)) == Pubcomp(7)
    assert pub.ask(Publish("t", b"2", 2, packet_id=7)) == Pubrec(7)
    assert sub.payloads() == [b"2"]


@pytest.mark.parametrize("qos", [1, 2])
def test_an_identifier_of_a_message_that_was_refused(qos: int) -> None:
    """It is free at once [MQTT5-4.3.3-9]: the next message with it is delivered."""
    world = World()
    world.broker.set_access(SECRET)
    sub = world.client("sub")
    sub.subscribe("#")
    pub = world.client("pub")
    refused = pub.ask(Publish("secret", b"1", qos, packet_id=7))
    assert (refused.packet_id, refused.reason_code) == (7, 0x87)
    assert type(refused) is (Puback if qos == 1 else Pubrec)
    assert pub.publish("t", b"2", 2, packet_id=7).reason_code == 0
    assert sub.payloads() == [b"2"]


def test_the_identifier_of_qos_1_is_free_after_its_puback() -> None:
    """Nothing is kept of a message of QoS 1: the next with its identifier is delivered [MQTT5-4.3.2-5]."""
    world = World()
    sub = world.client("sub")
    sub.subscribe("t")
    pub = world.client("pub")
    for payload in (b"1", b"2"):
        assert pub.ask(Publish("t", payload, 1, packet_id=7)) == Puback(7)
    assert pub.ask(Publish("t", b"3", 2, packet_id=7)) == Pubrec(7)
    assert sub.payloads() == [b"1", b"2", b"3"]
