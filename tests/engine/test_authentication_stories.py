# SPDX-License-Identifier: MIT
"""Enhanced authentication as a client sees it: each step out of turn, and each that takes too long."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.access import ACCEPT, CHALLENGE, REFUSE, Access, Verdict
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Pingreq,
    Pingresp,
)
from tests.sansio import Client, World

METHOD = ConnectProperties(authentication_method="M", authentication_data=b"hello")
CONTINUE, RE_AUTHENTICATE = 0x18, 0x19


def auth(code: int, data: bytes | None = None, method: str = "M") -> Auth:
    """An AUTH packet."""
    return Auth(code, AuthProperties(authentication_method=method, authentication_data=data))


def connecting(options: Options | None = None) -> tuple[World, Client]:
    """A client that has sent its CONNECT, and whose mechanism has been asked about it."""
    world = World(options)
    world.broker.set_access(Access(methods=frozenset({"M"}), on_auth_packet=lambda *_: None))
    link = world.link()
    link.send(Connect("a", properties=METHOD))
    (ask,) = world.asks
    assert (ask.method, ask.data, ask.renewal) == ("M", b"hello", False)
    assert link.raw == b""
    return world, link


def challenged(options: Options | None = None) -> tuple[World, Client]:
    """The mechanism wants more before the CONNACK."""
    world, link = connecting(options)
    world.answer(Verdict(CHALLENGE, data=b"who?"))
    assert link.one() == auth(CONTINUE, b"who?")
    return world, link


def connected(options: Options | None = None) -> tuple[World, Client]:
    """The client is accepted."""
    world, link = connecting(options)
    world.answer(Verdict(ACCEPT, data=b"welcome"))
    connack = link.one(Connack)
    assert connack.reason_code == 0
    assert connack.properties.authentication_method == "M"
    assert connack.properties.authentication_data == b"welcome"
    return world, link


def renewing(options: Options | None = None) -> tuple[World, Client]:
    """The client proves again who it is, and its mechanism has been asked."""
    world, link = connected(options)
    link.send(auth(RE_AUTHENTICATE, b"again"))
    assert link.read() == []
    (ask,) = world.asks
    assert (ask.method, ask.data, ask.renewal) == ("M", b"again", True)
    return world, link


def rechallenged(options: Options | None = None) -> tuple[World, Client]:
    """The mechanism wants more for the renewal."""
    world, link = renewing(options)
    world.answer(Verdict(CHALLENGE, data=b"who?"))
    assert link.one() == auth(CONTINUE, b"who?")
    return world, link


def test_an_exchange_of_several_steps() -> None:
    """Each answer of the client is given to the mechanism, until the CONNACK [MQTT5-4.12.0-2, MQTT5-4.12.0-3]."""
    world, link = challenged()
    for data in (b"one", b"two"):
        link.send(auth(CONTINUE, data))
        (ask,) = world.asks
        assert ask.data == data
        assert link.read() == []
        world.answer(Verdict(CHALLENGE, data=b"more"))
        assert link.one() == auth(CONTINUE, b"more")
    link.send(auth(CONTINUE, b"three"))
    world.answer(Verdict())
    assert link.one(Connack).reason_code == 0
    link.send(auth(RE_AUTHENTICATE))
    for data in (b"four", b"five"):
        world.answer(Verdict(CHALLENGE, data=b"more"))
        assert link.one() == auth(CONTINUE, b"more")
        link.send(auth(CONTINUE, data))
        (ask,) = world.asks
        assert ask.data == data
    assert link.ask(Pingreq()) == Pingresp()
    world.answer(Verdict(data=b"done"))
    assert link.one() == auth(0, b"done")
    link.send(auth(RE_AUTHENTICATE))
    assert len(world.asks) == 1
    world.answer(Verdict())
    assert link.one() == auth(0)


REACH = {
    "connecting": connecting,
    "challenged": challenged,
    "connected": connected,
    "renewing": renewing,
    "rechallenged": rechallenged,
}
WRONG = {
    "continue": auth(CONTINUE),
    "reauthenticate": auth(RE_AUTHENTICATE),
    "other method": auth(CONTINUE, method="N"),
}
RIGHT = {("challenged", "continue"), ("rechallenged", "continue"), ("connected", "reauthenticate")}


@pytest.mark.parametrize(
    ("state", "name"), [(state, name) for state in REACH for name in WRONG if (state, name) not in RIGHT]
)
def test_an_auth_out_of_turn(state: str, name: str) -> None:
    """It is a protocol error: a CONNACK says so before the client is accepted, a DISCONNECT after it.

    The client answers a challenge and nothing else [MQTT5-4.12.0-3], asks for a renewal only when none is running
    [MQTT5-4.12.1-1], and keeps to its method [MQTT5-4.12.0-5].
    """
    world, link = REACH[state]()
    link.send(WRONG[name])
    kind = Connack if state in ("connecting", "challenged") else Disconnect
    assert link.one(kind).reason_code == 0x82
    assert link.closed
    assert world.broker.sessions.by_client_id == {}


@pytest.mark.parametrize("state", REACH)
def test_an_auth_that_only_a_server_may_send(state: str) -> None:
    """A client can't say that it is authenticated [MQTT5-3.15.2-1]."""
    world, link = REACH[state]()
    link.send_raw(b"\xf0\x06\x00\x04\x15\x00\x01M")
    kind = Connack if state in ("connecting", "challenged") else Disconnect
    assert link.one(kind).reason_code in (0x81, 0x82)
    assert link.closed
    assert world.broker.sessions.by_client_id == {}


def test_a_mechanism_that_refuses() -> None:
    """Before the CONNACK it is a CONNACK that refuses [MQTT5-4.12.0-4], after it a DISCONNECT [MQTT5-4.12.1-2]."""
    world, link = connecting()
    world.answer(Verdict(REFUSE, 0x8C))
    assert link.one(Connack).reason_code == 0x8C
    assert link.closed
    world, link = renewing()
    world.answer(Verdict(REFUSE))
    assert link.one(Disconnect).reason_code == 0x87
    assert link.closed


@pytest.mark.parametrize("reach", [renewing, rechallenged])
def test_a_renewal_that_takes_too_long(reach: object) -> None:
    """It has failed, and the connection is closed with 0x87 [MQTT5-4.12.1-2]; until then all goes on as always."""
    assert callable(reach)
    world, link = reach(Options(bounds=Bounds(answer_timeout=3)))
    world.pass_time(2)
    assert link.ask(Pingreq()) == Pingresp()
    world.pass_time(2)
    assert link.one(Disconnect).reason_code == 0x87
    assert link.closed
    world.asks.clear()
    assert world.broker.sessions.by_client_id == {}


def test_a_renewal_in_time() -> None:
    """The time limit is that of the renewal alone: once it is over the connection goes on."""
    world, link = rechallenged(Options(bounds=Bounds(answer_timeout=3)))
    link.send(auth(CONTINUE))
    world.answer(Verdict())
    assert link.one() == auth(0)
    world.pass_time(10)
    assert link.ask(Pingreq()) == Pingresp()
