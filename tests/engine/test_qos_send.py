# SPDX-License-Identifier: MIT
"""Delivery to a client: every state of a packet identifier with every input, order, quota and packet identifiers."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.generated import qos_send as machine
from mqtt_ref.engine.message import OVERHEAD
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Disconnect,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
)
from tests.sansio import Client, World

KEEP = ConnectProperties(session_expiry_interval=3600)


def reach(world: World, state: str) -> tuple[Client, int]:
    """A client with one packet identifier in the state."""
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 2)
    if state == "idle":
        return sub, 9
    world.client("pub").publish("t", b"1", 1 if state == "await_puback" else 2, packet_id=3)
    packet_id = sub.one(Publish).packet_id
    if state == "await_pubcomp":
        assert sub.ask(Pubrec(packet_id)) == Pubrel(packet_id)
    return sub, packet_id


@pytest.mark.parametrize("state", machine.STATES)
@pytest.mark.parametrize("name", ["puback", "puback_error", "pubrec", "pubrec_error", "pubcomp", "resumed"])
def test_every_state_with_every_input(state: str, name: str) -> None:
    world = World()
    sub, packet_id = reach(world, state)
    at = machine.STATES.index(state) * machine.WIDTH + machine.INPUTS.index(name)
    action = machine.ACTIONS[machine.ACTION[at]]
    after = machine.STATES[machine.NEXT[at]]
    if name == "resumed":
        sub.drop()
        sub = world.client("sub", clean_start=False, properties=KEEP)
        got = sub.read()
    else:
        error = 0x80 if name.endswith("error") else 0
        kind = {"puback": Puback, "pubrec": Pubrec, "pubcomp": Pubcomp}[name.split("_")[0]]
        sub.send(kind(packet_id, error))
        got = sub.read()
    if at in machine.IMPOSSIBLE:
        assert got == []
        return
    expected: dict[str, list[object]] = {
        "ignore": [],
        "complete": [],
        "send_pubrel": [Pubrel(packet_id)],
        "resend_pubrel": [Pubrel(packet_id)],
        "pubrel_not_found": [Pubrel(packet_id, 0x92)],
    }
    if action == "violation":
        (goodbye,) = got
        assert isinstance(goodbye, Disconnect)
        assert goodbye.reason_code == 0x82
        assert sub.closed
        assert world.notes[-1].statement in machine.CITES[at]
        return
    if action == "resend_publish":
        assert got == [Publish("t", b"1", 1 if state == "await_puback" else 2, dup=True, packet_id=packet_id)]
    else:
        for packet in got:
            packet.properties = None
        assert got == expected[action]
    session = world.broker.sessions.by_client_id["sub"]
    assert (packet_id in session.inflight) == (after != "idle")
    if after != "idle":
        assert machine.STATES[session.inflight[packet_id].state] == after


def test_wrong_acknowledgements_of_old_clients_close_without_a_packet() -> None:
    world = World()
    sub = world.client("sub", 4)
    sub.subscribe("t", 2)
    world.client("pub").publish("t", b"1", 1)
    sub.send(Pubrec(sub.one(Publish).packet_id))
    assert sub.closed
    assert sub.read() == []
    assert world.notes[-1].statement == "MQTT311-3.3.4-1"


def test_order_over_a_reconnect() -> None:  # MQTT5-4.6.0-5, ambiguity 34
    world = World()
    sub = world.client("sub", properties=ConnectProperties(session_expiry_interval=99, receive_maximum=2))
    sub.subscribe("t", 1)
    pub = world.client("pub")
    for n in range(4):
        pub.publish("t", b"%d" % n, 1)
    assert [p.payload for p in sub.read()] == [b"0", b"1"]
    sub.drop()
    pub.publish("t", b"4", 1)
    # A lower Receive Maximum than the number in flight: in the original order as far as the quota allows.
    sub = world.client(
        "sub", clean_start=False, properties=ConnectProperties(session_expiry_interval=99, receive_maximum=1)
    )
    pub.publish("t", b"5", 1)
    seen: list[tuple[bytes, bool]] = []
    for _ in range(6):
        packet = sub.one(Publish)
        seen.append((packet.payload, packet.dup))
        sub.send(Puback(packet.packet_id))
    assert seen == [(b"%d" % n, n < 2) for n in range(6)]
    assert sub.read() == []


def test_resent_pubrel_takes_no_quota_and_gives_none() -> None:  # MQTT5-4.9.0-3, X5-quota-ceiling
    world = World()
    one = ConnectProperties(session_expiry_interval=99, receive_maximum=1)
    sub = world.client("sub", properties=one)
    sub.subscribe("t", 2)
    pub = world.client("pub")
    pub.publish("t", b"1", 2)
    packet_id = sub.one(Publish).packet_id
    sub.send(Pubrec(packet_id))
    sub.drop()
    for payload in (b"2", b"3"):
        pub.publish("t", payload, 2)
    sub = world.client("sub", clean_start=False, properties=one)
    rel, second = sub.read()
    assert rel == Pubrel(packet_id)
    assert second.payload == b"2"
    sub.send(Pubcomp(packet_id))
    assert sub.read() == []
    assert sub.connection.quota == 0


def test_packet_identifiers_wrap_and_skip_those_in_use() -> None:  # MQTT5-2.2.1-4
    world = World()
    sub = world.client("sub")
    sub.subscribe("t", 1)
    session = world.broker.sessions.by_client_id["sub"]
    session.next_packet_id = 65_535
    pub = world.client("pub")
    for n in range(3):
        pub.publish("t", b"%d" % n, 1)
    session.next_packet_id = 65_535
    pub.publish("t", b"3", 1)
    assert [p.packet_id for p in sub.read()] == [65_535, 1, 2, 3]


def test_maximum_inflight_holds_for_clients_without_receive_maximum() -> None:
    world = World(Options(bounds=Bounds(maximum_inflight=3)))
    sub = world.client("sub", 4)
    sub.subscribe("t", 1)
    pub = world.client("pub")
    for n in range(5):
        pub.publish("t", b"%d" % n, 1)
    assert [p.payload for p in sub.read()] == [b"0", b"1", b"2"]


def test_a_client_that_does_not_read_costs_bounded_memory() -> None:
    world = World(Options(bounds=Bounds(queued_bytes=10 * (100 + OVERHEAD))))
    sub = world.client("sub")
    other = world.client("other")
    for client in (sub, other):
        client.subscribe("t", 1)
    sub.connection.choke()
    pub = world.client("pub")
    for _ in range(50):
        pub.publish("t", b"x" * 99, 0)
        pub.publish("t", b"x" * 99, 1)
    counters = world.broker.counters
    assert sub.connection.outbox.packets == []
    assert counters.dropped_slow == 50
    assert counters.dropped_queue_full == 40
    assert len(other.payloads()) == 100
    sub.connection.unchoke(world.now)
    world.turn()
    assert len(sub.payloads()) == 10


def test_oldest_is_dropped_where_that_is_decided() -> None:
    world = World(Options(bounds=Bounds(queued_messages=2), decisions={"queue_full": "oldest"}))
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 1)
    sub.drop()
    for n in range(4):
        world.client("pub").publish("t", b"%d" % n, 1)
    sub = world.client("sub", clean_start=False, properties=KEEP)
    assert sub.payloads() == [b"2", b"3"]


def test_expired_messages_make_room() -> None:
    world = World(Options(bounds=Bounds(queued_messages=1)))
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 1)
    sub.drop()
    pub = world.client("pub")
    pub.publish("t", b"old", 1, properties=PublishProperties(message_expiry_interval=1))
    world.pass_time(2)
    pub.publish("t", b"new", 1)
    assert world.broker.counters.dropped_expired == 1
    sub = world.client("sub", clean_start=False, properties=KEEP)
    assert sub.payloads() == [b"new"]


@pytest.mark.parametrize(("choice", "kept"), [("drop", []), ("queue", [b"1"])])
def test_qos_0_for_a_client_that_is_away(choice: str, kept: list[bytes]) -> None:
    world = World(Options(decisions={"offline_qos0": choice}))
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 0)
    sub.drop()
    world.client("pub").publish("t", b"1", 0)
    assert world.broker.counters.dropped_offline == 1 - len(kept)
    sub = world.client("sub", clean_start=False, properties=KEEP)
    assert sub.payloads() == kept


def test_qos_0_is_never_queued_for_3_1() -> None:  # X31-qos0-not-stored
    world = World(Options(decisions={"offline_qos0": "queue"}))
    sub = world.client("sub", 3, clean_start=False)
    sub.subscribe("t", 1)
    sub.drop()
    world.client("pub").publish("t", b"1", 0)
    assert world.client("sub", 3, clean_start=False).inbox == []


def test_expiry_0_goes_to_who_is_connected_and_is_never_kept() -> None:  # ambiguity 18
    world = World()
    here = world.client("here")
    away = world.client("away", properties=KEEP)
    for client in (here, away):
        client.subscribe("t", 1)
    away.drop()
    now_or_never = PublishProperties(message_expiry_interval=0)
    world.client("pub").publish("t", b"1", 1, retain=True, properties=now_or_never)
    (message,) = here.messages()
    assert message.properties == now_or_never
    assert world.client("away", clean_start=False, properties=KEEP).inbox == []
    late = world.client("late")
    late.subscribe("t")
    assert late.messages() == []


def test_what_is_too_large_after_a_resume_is_given_up() -> None:  # MQTT5-3.1.2-25
    world = World()
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 1)
    world.client("pub").publish("t", b"x" * 100, 1)
    sub.drop()
    small = ConnectProperties(session_expiry_interval=99, maximum_packet_size=50)
    sub = world.client("sub", clean_start=False, properties=small)
    assert sub.inbox == []
    assert world.broker.sessions.by_client_id["sub"].inflight == {}
    world.client("pub").publish("t", b"y", 1)
    assert sub.payloads() == [b"y"]
    assert sub.connection.quota == sub.connection.agreement.quota_maximum


@pytest.mark.parametrize("interval", [None, 100])
def test_no_message_waits_longer_than_the_operator_wants(interval: int | None) -> None:
    world = World(Options(bounds=Bounds(message_expiry=10)))
    keep = ConnectProperties(session_expiry_interval=1000)
    sub = world.client("sub", properties=keep)
    sub.subscribe("t", 1)
    sub.drop()
    properties = None if interval is None else PublishProperties(message_expiry_interval=interval)
    world.client("pub").publish("t", b"early", 1, properties=properties)
    world.client("pub").publish("r", b"early", retain=True, properties=properties)
    world.pass_time(6)
    world.client("pub").publish("t", b"late", 1, properties=properties)
    world.pass_time(6)
    back = world.client("sub", clean_start=False, properties=keep)
    [message] = back.messages()
    assert message.payload == b"late"
    told = None if message.properties is None else message.properties.message_expiry_interval
    assert told == (None if interval is None else interval - 6)
    back.subscribe("r")
    assert back.messages() == []


def test_nothing_is_published_again_after_its_pubrel() -> None:  # MQTT5-4.3.3-6
    """A PUBREC that comes before the PUBLISH had its turn to be sent again."""
    world = World()
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 2)
    pub = world.client("pub")
    for payload in (b"1", b"2", b"3"):
        pub.publish("t", payload, 2)
    sub.drop()
    sub = world.client("sub", clean_start=False, properties=ConnectProperties(receive_maximum=1))
    assert [packet.payload for packet in sub.read()] == [b"1"]
    assert sub.ask(Pubrec(2)) == Pubrel(2)
    assert sub.ask(Pubcomp(2), Pubrec(1)) == Pubrel(1)
    sub.send(Pubcomp(1))
    assert [(packet.payload, packet.dup) for packet in sub.read()] == [(b"3", True)]
