# SPDX-License-Identifier: MIT
"""Messages from a client: every state of a packet identifier with every input, and our Receive Maximum."""

from __future__ import annotations

import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.generated import qos_receive as machine
from mqtt_ref.engine.options import Capabilities, Options
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Disconnect,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsubscribe,
)
from tests.sansio import World

KEEP = ConnectProperties(session_expiry_interval=3600)


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("state", machine.STATES)
@pytest.mark.parametrize("name", machine.INPUTS)
def test_every_state_with_every_input(version: int, state: str, name: str) -> None:
    world = World()
    sub = world.client("sub")
    sub.subscribe("#", 2)
    pub = world.client("pub", version)
    if state == "held":
        assert pub.ask(Publish("t", b"0", 2, packet_id=5)) == Pubrec(5)
    sub.messages()
    at = machine.STATES.index(state) * machine.WIDTH + machine.INPUTS.index(name)
    action = machine.ACTIONS[machine.ACTION[at]]
    topic = "$x" if name.startswith("refused") else "t"
    if name == "pubrel":
        pub.send(Pubrel(5))
    else:
        pub.send(Publish(topic, b"1", int(name[-1]), packet_id=5))
    got = pub.read()
    v5 = version == 5
    for packet in got:
        packet.properties = None
    expected = {
        "deliver_puback": [Puback(5)],
        "deliver_pubrec": [Pubrec(5)],
        "refuse_puback": [Puback(5, 0x90 if v5 else 0)],
        "refuse_pubrec": [Pubrec(5, 0x90 if v5 else 0)],
        "pubrec": [Pubrec(5)],
        "pubcomp": [Pubcomp(5)],
        "pubcomp_not_found": [Pubcomp(5, 0x92 if v5 else 0)],
        "in_use": [Puback(5, 0x91)] if v5 else [],
    }
    assert got == expected[action]
    assert pub.closed == (action == "in_use" and not v5)
    assert sub.payloads() == ([b"1"] if action.startswith("deliver") else [])
    if not pub.closed:
        held = 5 in world.broker.sessions.by_client_id["pub"].received
        assert held == (machine.STATES[machine.NEXT[at]] == "held")


def test_qos_1_is_new_after_each_puback_whatever_dup_says() -> None:  # MQTT5-4.3.2-5
    world = World()
    sub = world.client("sub")
    sub.subscribe("t", 1)
    pub = world.client("pub")
    pub.send(Publish("t", b"1", 1, packet_id=1), Publish("t", b"1", 1, dup=True, packet_id=1))
    assert pub.read() == [Puback(1), Puback(1)]
    assert sub.payloads() == [b"1", b"1"]


def test_nobody_subscribed_is_told_or_not() -> None:
    for choice, code in (("tell", 0x10), ("hide", 0)):
        world = World(Options(decisions={"no_matching_subscribers": choice}))
        assert world.client("a").publish("t", b"", 1) == Puback(10, code)
        assert world.client("b").publish("t", b"", 2) == Pubrec(10, code)
        assert world.client("c", 4).publish("t", b"", 1) == Puback(10)


def test_identifiers_held_from_an_older_connection_do_not_count() -> None:  # X5-quota-reset
    world = World(Options(capabilities=Capabilities(receive_maximum=2)))
    pub = world.client("pub", properties=KEEP)
    pub.send(Publish("t", b"1", 2, packet_id=1), Publish("t", b"2", 2, packet_id=2))
    pub.drop()
    pub = world.client("pub", clean_start=False, properties=KEEP)
    pub.send(Publish("t", b"3", 2, packet_id=3), Publish("t", b"4", 2, packet_id=4))
    assert [type(p) for p in pub.read()] == [Pubrec, Pubrec]
    pub.send(Pubrel(1), Pubrel(2))
    assert pub.read() == [Pubcomp(1), Pubcomp(2)]
    pub.send(Publish("t", b"5", 2, packet_id=5))
    assert pub.one(Disconnect).reason_code == 0x93


def test_quota_comes_back_with_pubcomp_and_with_a_refusal() -> None:  # MQTT5-3.3.4-7
    world = World(Options(capabilities=Capabilities(receive_maximum=1)))
    pub = world.client("pub")
    for packet_id in (1, 2, 3):
        assert pub.ask(Publish("$x", b"", 2, packet_id=packet_id)).reason_code == 0x90
    for packet_id in (1, 2, 3):
        pub.ask(Publish("t", b"", 2, packet_id=packet_id))
        assert pub.ask(Pubrel(packet_id)) == Pubcomp(packet_id)
    assert not pub.closed


def test_pubacks_that_wait_for_the_store_count() -> None:
    store = MemoryStore()
    world = World(Options(capabilities=Capabilities(receive_maximum=2)), storage=store, auto=False)
    sub = world.client("sub")
    sub.subscribe("t", 1)
    world.auto = True
    away = world.client("away", properties=KEEP)
    away.subscribe("t", 1)
    away.drop()
    world.auto = False
    pub = world.client("pub")
    pub.send(Publish("t", b"1", 1, packet_id=1), Publish("t", b"2", 1, packet_id=2))
    assert pub.read() == []
    assert pub.connection.outbox.unsettled == 2
    world.commit()
    assert pub.read() == [Puback(1), Puback(2)]
    assert pub.connection.outbox.unsettled == 0
    pub.send(*(Publish("t", b"", 1, packet_id=n) for n in (3, 4, 5)))
    while world.commits:
        world.commit()
    assert [p.reason_code for p in pub.read()] == [0, 0, 0x93]
    assert pub.closed


def test_subscribe_with_an_identifier_in_use() -> None:  # ambiguity 17
    world = World()
    a = world.client("a")
    a.send(Publish("t", b"", 2, packet_id=5))
    a.read()
    got = a.ask(Subscribe(5, [Subscription("t"), Subscription("u")]))
    assert isinstance(got, Suback)
    assert got.reason_codes == [0x91, 0x91]
    assert a.ask(Unsubscribe(5, ["t"])).reason_codes == [0x91]


def test_an_expired_message_is_acknowledged_to_the_end() -> None:  # MQTT5-4.3.3-13
    world = World()
    sub = world.client("sub", properties=ConnectProperties(session_expiry_interval=100))
    sub.subscribe("t", 2)
    sub.drop()
    a = world.client("a")
    properties = PublishProperties(message_expiry_interval=5)
    assert a.ask(Publish("t", b"late", 2, packet_id=1, properties=properties)) == Pubrec(1)
    world.pass_time(6)
    assert a.ask(Publish("t", b"late", 2, dup=True, packet_id=1, properties=properties)) == Pubrec(1)
    assert a.ask(Pubrel(1)) == Pubcomp(1)
    again = ConnectProperties(session_expiry_interval=100)
    assert world.client("sub", clean_start=False, properties=again).payloads() == []
