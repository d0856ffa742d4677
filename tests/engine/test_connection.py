# SPDX-License-Identifier: MIT
"""One connection: every state with every packet, chunking, time limits, held packets."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.access import REFUSE, Access, Verdict
from mqtt_ref.engine.generated import connection as machine
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from tests.sansio import Client, World

PACKETS: dict[str, Packet] = {
    "connect": Connect("a"),
    "publish": Publish("t", b"x", 1, packet_id=1),
    "puback": Puback(1),
    "pubrec": Pubrec(1),
    "pubrel": Pubrel(1),
    "pubcomp": Pubcomp(1),
    "subscribe": Subscribe(1, [Subscription("t")]),
    "unsubscribe": Unsubscribe(1, ["t"]),
    "pingreq": Pingreq(),
    "disconnect": Disconnect(),
    "auth": Auth(0x18, AuthProperties(authentication_method="M")),
}
LATER = Access(
    on_connect_authenticate=lambda link, connect: None, methods=frozenset({"M"}), on_auth_packet=lambda *_: None
)


def reach(world: World, state: str) -> Client:
    """A link in the state."""
    if state == "connected":
        return world.client("a")
    link = world.link()
    if state == "deciding":
        world.broker.set_access(LATER)
        link.send(Connect("a"))
    elif state == "authenticating":
        world.broker.set_access(LATER)
        link.send(Connect("a", properties=ConnectProperties(authentication_method="M")))
    elif state == "closed":
        link.drop()
    assert machine.STATES[link.connection.state] == state
    return link


@pytest.mark.parametrize("state", machine.STATES)
@pytest.mark.parametrize("name", PACKETS)
def test_every_state_with_every_packet(state: str, name: str) -> None:
    world = World()
    link = reach(world, state)
    at = machine.STATES.index(state) * machine.WIDTH + machine.INPUTS.index(name)
    action = machine.ACTIONS[machine.ACTION[at]]
    link.send(PACKETS[name])
    got = [type(packet) for packet in link.read()]
    if action == "violation":
        assert link.closed
        assert world.notes[-1].statement in machine.CITES[at]
        assert got == {"connected": [Disconnect], "await_connect": []}.get(state, [Connack])
        return
    answers: dict[str, list[type]] = {
        "publish": [Puback],
        "acknowledge": [Pubrel] if name == "pubrec" else [],
        "release": [Pubcomp],
        "subscribe": [Suback],
        "unsubscribe": [Unsuback],
        "pingresp": [Pingresp],
        "disconnect": [],
        "hold": [],
        "ignore": [],
        "connect": [Connack],
    }
    if action == "auth":
        # Nothing is asked of the client, so its AUTH is a breach of the auth machine.
        assert link.closed
    else:
        assert got == answers[action]
        assert link.closed == (machine.STATES[machine.NEXT[at]] == "closed")


@pytest.mark.parametrize("state", [s for s in machine.STATES if s != "closed"])
def test_a_violation_ends_the_connection_in_every_state(state: str) -> None:
    world = World()
    link = reach(world, state)
    link.send_raw(b"\xc1\x00")
    assert link.closed
    got = link.read()
    if state == "connected":
        assert [p.reason_code for p in got] == [0x81]
    elif state == "await_connect":
        assert got == []
    else:
        assert isinstance(got[0], Connack)
    world.turn()
    assert link.connection.serial not in world.broker.connections


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_any_chunking_gives_the_same_output(size: int) -> None:
    def talk(chunk: int) -> bytes:
        world = World()
        link = world.link()
        stream = b"".join(
            encode(5, packet)
            for packet in (
                Connect("a"),
                Subscribe(1, [Subscription("t/#", 2)]),
                Publish("t/1", b"x" * 300, 2, packet_id=4),
                Pubrel(4),
                Publish("t/2", b"y", 0),
                Pingreq(),
                Disconnect(),
            )
        )
        for at in range(0, len(stream), chunk):
            link.send_raw(stream[at : at + chunk])
        assert link.closed
        return link.raw

    assert talk(size) == talk(1_000_000)


def test_one_write_for_a_read_of_many_packets() -> None:
    world = World()
    sub = world.client("sub")
    sub.subscribe("t")
    pub = world.client("pub")
    before = sub.writes
    pub.send(*(Publish("t", b"%d" % n) for n in range(100)))
    assert sub.writes == before + 1
    assert len(sub.read()) == 100


def test_the_same_bytes_are_queued_for_all() -> None:
    world = World()
    subs = [world.client(f"s{n}", 4 + n % 2) for n in range(6)]
    for sub in subs:
        sub.subscribe("t", 1)
    pub = world.client("pub")
    pub.connection.receive(encode(5, Publish("t", b"payload")), world.now)
    queued = [sub.connection.outbox.packets for sub in subs]
    assert all(len(out) == 1 for out in queued)
    assert len({id(out[0]) for out in queued}) == 2
    world.turn()


@pytest.mark.parametrize("version", [3, 4, 5])
def test_keep_alive(version: int) -> None:  # MQTT5-3.1.2-22, ambiguity 26
    world = World()
    watch = world.client("watch")
    watch.subscribe("will")
    a = world.client("a", version, keep_alive=10, will=Will("will", b"gone"))
    a.send_raw(b"")
    world.pass_time(10)
    a.send_raw(b"\xc0")
    world.pass_time(4.9)
    assert not a.closed
    world.pass_time(0.1)
    assert a.closed
    assert [p.reason_code for p in a.read()] == ([0x8D] if version == 5 else [])
    assert watch.payloads() == [b"gone"]


def test_no_keep_alive_no_timeout() -> None:
    world = World()
    a = world.client("a", keep_alive=0)
    world.pass_time(1_000_000)
    assert not a.closed


@pytest.mark.parametrize("start", [b"", b"\x10", b"\x10\x20\x00\x04MQTT"])
def test_no_connect_in_time(start: bytes) -> None:  # X311-connect-timeout
    world = World(Options(bounds=Bounds(connect_timeout=5)))
    link = world.link()
    link.send_raw(start)
    world.pass_time(4.9)
    assert not link.closed
    world.pass_time(0.2)
    assert link.closed
    assert link.raw == b""
    assert world.broker.connections == {}


@pytest.mark.parametrize(
    "noise", [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n", b"\xff" * 99, b"\x10\xff\xff\xff\xff"]
)
def test_noise_is_closed_and_noted(noise: bytes) -> None:
    world = World()
    link = world.link()
    link.send_raw(noise)
    assert link.closed
    assert link.raw == b""
    assert len(world.notes) == 1


def test_a_huge_length_costs_nothing() -> None:
    world = World()
    a = world.client("a")
    a.send_raw(b"\x30\xff\xff\xff\x7f")
    assert a.connection.decoder.buffered < 100
    limited = World(Options())
    limited.broker.options.capabilities.maximum_packet_size = 1000
    b = limited.client("b")
    assert b.connack.properties.maximum_packet_size == 1000
    b.send_raw(b"\x30\xff\xff\xff\x7f")
    assert b.one(Disconnect).reason_code == 0x95


def test_packets_are_held_while_the_question_is_open() -> None:  # X311-pipelining
    world = World()
    world.broker.set_access(LATER)
    for version in (4, 5):
        a = world.link(version)
        a.send(Connect("a", protocol_version=version), Subscribe(1, [Subscription("t")]), Publish("t", b"1"))
        assert a.read() == []
        (ask,) = world.asks
        world.asks.clear()
        world.broker.answer(ask.question, Verdict(), world.now)
        world.turn()
        assert [type(p) for p in a.read()] == [Connack, Suback, Publish]
        assert not world.broker.answer(ask.question, Verdict(), world.now)


def test_nothing_held_is_processed_after_a_refusal() -> None:  # MQTT5-3.1.4-6, MQTT311-3.1.4-5
    world = World()
    watch = world.client("watch")
    watch.subscribe("#")
    world.broker.set_access(LATER)
    a = world.link()
    a.send(Connect("a"), Publish("t", b"1", retain=True))
    world.broker.answer(world.asks[0].question, Verdict(REFUSE, 0x86), world.now)
    world.turn()
    assert a.one(Connack).reason_code == 0x86
    assert a.closed
    assert watch.read() == []
    assert len(world.broker.retained.store) == 0


def test_what_is_held_is_bounded() -> None:
    world = World(Options(bounds=Bounds(held_bytes=1000)))
    world.broker.set_access(LATER)
    a = world.link()
    a.send(Connect("a"))
    for _ in range(20):
        a.send(Publish("t", b"x" * 100))
    assert a.closed
    assert a.one(Connack).reason_code == 0x97


def test_an_answer_that_never_comes() -> None:
    world = World(Options(bounds=Bounds(answer_timeout=7)))
    world.broker.set_access(LATER)
    a = world.link(4)
    a.send(Connect("a", protocol_version=4))
    world.pass_time(8)
    assert a.one(Connack).reason_code == 3
    assert a.closed
    assert not world.broker.answer(world.asks[0].question, Verdict(), world.now)


def test_a_link_lost_while_the_question_is_open() -> None:
    world = World()
    world.broker.set_access(LATER)
    a = world.link()
    a.send(Connect("a"))
    a.drop()
    assert not world.broker.answer(world.asks[0].question, Verdict(), world.now)
    assert world.broker.sessions.by_client_id == {}


def test_a_connect_that_does_not_end_is_not_waited_for() -> None:
    world = World(Options(bounds=Bounds(connect_bytes=1000)))
    link = world.link()
    link.send_raw(b"\x10\xff\xff\xff\x7f\x00\x04MQTT\x05\x02\x00\x00")
    assert not link.closed
    link.send_raw(b"x" * 2000)
    assert link.closed
    assert link.raw == b""
    assert link.connection.decoder.buffered <= 3000
