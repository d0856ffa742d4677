# SPDX-License-Identifier: MIT
"""The end of a connection: what comes after it has no effect, and what ends it says no more than it may."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mqtt_ref.engine.access import CHALLENGE, REFUSE, Access, Verdict
from mqtt_ref.engine.connection import Connection
from mqtt_ref.engine.generated.events import Intercept
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
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
)
from tests.sansio import Client, World

METHOD = ConnectProperties(authentication_method="M")
SILENT = Access(on_connect_authenticate=lambda *_: None, methods=frozenset({"M"}), on_auth_packet=lambda *_: None)
"""Whoever is asked answers later."""
BEHIND: dict[str, Packet] = {
    "CONNECT": Connect("b"),
    "PUBLISH": Publish("t", b"late", 1, packet_id=1),
    "PUBACK": Puback(1),
    "PUBREC": Pubrec(1),
    "PUBREL": Pubrel(1),
    "PUBCOMP": Pubcomp(1),
    "SUBSCRIBE": Subscribe(1, [Subscription("t")]),
    "UNSUBSCRIBE": Unsubscribe(1, ["t"]),
    "PINGREQ": Pingreq(),
    "DISCONNECT": Disconnect(4),
    "AUTH": Auth(0x19, AuthProperties(authentication_method="M")),
}


class Asked:
    """Hooks that note what they are asked, and let everybody in."""

    def __init__(self, world: World) -> None:
        self.seen: list[str] = []
        world.broker.set_access(
            Access(
                on_connect_authenticate=lambda connection, packet: self.said(packet.client_id),
                methods=frozenset({"M"}),
                on_auth_packet=lambda connection, method, data, renewal: self.said(method),
            )
        )

    def said(self, what: str) -> Verdict:
        self.seen.append(what)
        return Verdict()


@pytest.mark.parametrize("name", BEHIND)
def test_what_a_client_sends_behind_its_disconnect(name: str) -> None:
    """Nothing is done with it, and nothing is said: not to the client, to a hook or in the log [MQTT5-3.14.4-1].

    Neither does it bring the connection back to life, so the packet after it has no effect either.
    """
    world = World()
    asked = Asked(world)
    watch = world.client("watch")
    watch.subscribe("t")
    a = world.client("a", properties=METHOD)
    asked.seen.clear()
    before = a.raw
    a.send(Disconnect(), BEHIND[name], Pingreq())
    assert a.raw == before
    assert a.closed
    assert watch.read() == []
    assert asked.seen == []
    assert world.notes == []
    assert list(world.broker.sessions.by_client_id) == ["watch"]
    dismissed_again(world, a)


def dismissed_again(world: World, client: Client) -> None:
    """Nothing follows when the broker ends a connection that is over: no packet, no line in the log."""
    before, notes = client.raw, len(world.notes)
    client.connection.dismiss(0x98, "An administrator's late wish", world.now)
    client.connection.turn_away("A late reason", world.now)
    world.turn()
    assert client.raw == before
    assert len(world.notes) == notes


def test_a_broken_packet_behind_a_disconnect() -> None:
    """It is not looked at: neither a DISCONNECT nor a line in the log follows [MQTT5-3.14.4-1]."""
    world = World()
    a = world.client("a")
    before = a.raw
    a.connection.receive(encode(5, Disconnect()) + b"\xc1\x00", world.now)
    a.connection.dismiss(0x98, "An administrator's late wish", world.now)
    world.turn()
    assert a.raw == before
    assert a.closed
    assert world.notes == []


def test_a_connection_that_is_over_is_not_ended_again() -> None:
    """Its link is reported as lost after it was closed, and the client may be sent away late: nobody is told twice."""
    world = World()
    a = world.client("a")
    a.send_raw(b"\xc1\x00")
    assert a.closed
    a.connection.lost(world.now)
    world.turn()
    assert len(world.notes) == 1
    dismissed_again(world, a)
    a.connection.receive(encode(5, Pingreq()), world.now)
    world.turn()
    assert [type(packet) for packet in a.read()] == [Disconnect]
    b = world.client("b")
    b.drop()
    dismissed_again(world, b)
    assert len(world.notes) == 1


def sent_away_while_asked(verdict: Verdict | None, **connect: object) -> tuple[World, Client]:
    """A client that a hook disconnects while it is asked about the CONNECT, and then decides on all the same."""
    world = World()

    def decide(connection: Connection, *_: object) -> Verdict | None:
        connection.dismiss(0x89, "Too busy for this one", world.now)
        return verdict

    def see(connection: Connection, packet: Connect) -> None:
        connection.dismiss(0x89, "Too busy for this one", world.now)

    if connect:
        world.broker.set_hooks(
            Access(methods=frozenset({"M"}), on_auth_packet=lambda *_: None),
            None,
            Intercept(waits=False, on_connect=see),
        )
    else:
        world.broker.set_access(Access(on_connect_authenticate=decide))
    link = world.link()
    link.send(Connect("a", **connect), Pingreq())  # type: ignore[arg-type]
    return world, link


@pytest.mark.parametrize("verdict", [Verdict(), Verdict(REFUSE, 0x87), None])
def test_an_answer_about_a_client_that_was_sent_away(verdict: Verdict | None) -> None:
    """The connection is over: there is no session, no CONNACK and no question, whatever the answer is.

    The server may end a connection at any time, and after that it sends nothing [MQTT5-3.14.4-1, MQTT5-3.14.0-1].
    """
    world, link = sent_away_while_asked(verdict)
    assert link.raw == b""
    assert link.closed
    assert world.asks == []
    assert world.broker.sessions.by_client_id == {}
    assert [note.text for note in world.notes] == ["Too busy for this one"]
    dismissed_again(world, link)


def test_a_client_with_a_method_that_was_sent_away() -> None:
    """Its mechanism is not asked any more."""
    world, link = sent_away_while_asked(None, properties=METHOD)
    assert link.raw == b""
    assert link.closed
    assert world.asks == []
    assert [note.text for note in world.notes] == ["Too busy for this one"]
    dismissed_again(world, link)


def waiting_for_an_answer(world: World, **connect: object) -> Client:
    """A client whose CONNECT is not answered yet."""
    world.broker.set_access(SILENT)
    link = world.link()
    link.send(Connect("a", **connect))  # type: ignore[arg-type]
    assert link.raw == b""
    return link


REACH: dict[str, Callable[[World], Client]] = {
    "await_connect": lambda world: world.link(),
    "authenticating": lambda world: waiting_for_an_answer(world, properties=METHOD),
    "deciding": waiting_for_an_answer,
    "connected": lambda world: world.client("a"),
}


@pytest.mark.parametrize("state", REACH)
@pytest.mark.parametrize("turned_away", [False, True])
def test_a_link_that_is_lost(state: str, turned_away: bool) -> None:
    """Nothing can be sent on it, in whatever state it was, and it has no time limit any more.

    The same holds for one that is closed for something that is not MQTT.
    """
    world = World()
    link = REACH[state](world)
    before = link.raw
    if turned_away:
        link.connection.turn_away("Not MQTT", world.now)
        world.turn()
        assert [note.text for note in world.notes] == ["Not MQTT"]
    else:
        link.drop()
        assert world.notes == []
    assert link.raw == before
    assert link.closed
    assert world.broker.connections == {}
    notes = len(world.notes)
    world.pass_time(1000)
    assert len(world.notes) == notes
    assert link.raw == before
    dismissed_again(world, link)


def test_a_link_that_is_turned_away_while_its_connect_is_looked_at() -> None:
    """A hook closes the link without a packet: not even a CONNACK that refuses is sent."""
    world = World()

    def see(connection: Connection, packet: Connect) -> Verdict:
        connection.turn_away("A port for others", world.now)
        return Verdict()

    world.broker.set_access(Access(on_connect_authenticate=see))
    link = world.link()
    link.send(Connect("a"))
    assert link.raw == b""
    assert link.closed


@pytest.mark.parametrize(("version", "code"), [(4, 3), (5, 0x88)])
def test_no_answer_in_time_about_a_client(version: int, code: int) -> None:
    """No hook has judged the client: the CONNACK says unavailable [MQTT5-3.1.4-2, X311-connack-code-3]."""
    world = World(Options(bounds=Bounds(answer_timeout=3)))
    world.broker.set_access(Access(on_connect_authenticate=lambda *_: None))
    link = world.link(version)
    link.send(Connect("a", protocol_version=version))
    world.pass_time(4)
    assert link.one(Connack).reason_code == code
    assert link.closed
    assert world.broker.connections == {}


def test_no_end_of_an_exchange_in_time() -> None:
    """A client that does not go on with its exchange of AUTH packets is refused in a CONNACK [MQTT5-4.12.0-4]."""
    world = World(Options(bounds=Bounds(answer_timeout=3)))
    challenge = Verdict(CHALLENGE, data=b"?")
    world.broker.set_access(Access(methods=frozenset({"M"}), on_auth_packet=lambda *_: challenge))
    link = world.link()
    link.send(Connect("a", properties=METHOD))
    assert link.one(Auth).reason_code == 0x18
    world.pass_time(4)
    assert link.one(Connack).reason_code == 0x87
    assert link.closed
    assert world.broker.connections == {}


@pytest.mark.parametrize("state", REACH)
def test_a_client_that_is_sent_away(state: str) -> None:
    """Before a CONNECT nothing is sent, before the CONNACK a CONNACK, after it a DISCONNECT [MQTT5-3.14.0-1]."""
    world = World()
    link = REACH[state](world)
    link.read()
    link.connection.dismiss(0x8B, "Shutting down", world.now)
    world.turn()
    kinds = {"await_connect": [], "connected": [Disconnect]}.get(state, [Connack])
    assert [type(packet) for packet in link.read()] == kinds
    assert link.closed
    assert world.broker.connections == {}
    dismissed_again(world, link)


def test_a_disconnect_with_a_reason_before_the_connack() -> None:
    """A client that is being authenticated may leave; its reason is noted, and it is sent nothing [MQTT5-3.1.2-30]."""
    world = World()
    watch = world.client("watch")
    watch.subscribe("will")
    link = waiting_for_an_answer(world, properties=METHOD, will=Will("will", b"gone"))
    link.send(Disconnect(0x80))
    assert link.raw == b""
    assert link.closed
    assert [note.code for note in world.notes] == [0x80]
    assert watch.read() == []
    dismissed_again(world, link)


@pytest.mark.parametrize("name", BEHIND)
@pytest.mark.parametrize("reads", [1, 2])
def test_a_packet_while_the_question_is_open(name: str, reads: int) -> None:
    """Nothing is done with it before the answer, and it is handled right after the CONNACK [MQTT5-3.1.4-6].

    A second CONNECT is an error at once [MQTT5-3.1.0-2]; an AUTH and a DISCONNECT wait for their turn like all others.
    """
    world = World()
    link = world.link()
    world.broker.set_access(SILENT)
    data = [encode(5, Connect("a")), encode(5, BEHIND[name]) + encode(5, Pingreq())]
    for part in data if reads == 2 else [b"".join(data)]:
        link.send_raw(part)
    if name == "CONNECT":
        assert link.one(Connack).reason_code == 0x82
        assert link.closed
        return
    assert link.raw == b""
    assert not link.closed
    assert world.notes == []
    world.answer(Verdict())
    got = [(packet.TYPE, getattr(packet, "reason_code", 0)) for packet in link.read()]
    connack, pingresp = (2, 0), (13, 0)
    answers = {
        "PUBLISH": [(4, 0x10)],  # nobody has subscribed
        "PUBREC": [(6, 0x92)],
        "PUBREL": [(7, 0x92)],
        "SUBSCRIBE": [(9, 0)],
        "UNSUBSCRIBE": [(11, 0)],
        "PINGREQ": [pingresp],
        "AUTH": [(14, 0x82)],
    }
    last = [] if name in ("DISCONNECT", "AUTH") else [pingresp]
    assert got == [connack, *answers.get(name, []), *last]
    assert link.closed == (name in ("DISCONNECT", "AUTH"))
    assert [note.code for note in world.notes] == {"DISCONNECT": [4], "AUTH": [0x82]}.get(name, [])


def test_an_auth_leaves_the_client_where_it_is() -> None:
    """After an AUTH the exchange goes on: everything but AUTH and DISCONNECT is still an error [MQTT5-3.1.2-30]."""
    world = World()
    link = waiting_for_an_answer(world, properties=METHOD)
    world.answer(Verdict(1, data=b"prove it"))
    link.read()
    link.send(Auth(0x18, AuthProperties(authentication_method="M")))
    link.send(Pingreq())
    assert link.one(Connack).reason_code == 0x82
    assert link.closed
