# SPDX-License-Identifier: MIT
"""Enhanced authentication: every state with every input, challenge and response, renewal, time limits."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.access import ACCEPT, CHALLENGE, REFUSE, Access, Verdict
from mqtt_ref.engine.generated import auth as machine
from mqtt_ref.engine.options import Bounds, Options
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
    Publish,
)
from tests.sansio import Client, World

METHOD = ConnectProperties(authentication_method="M", authentication_data=b"hello")


def auth(code: int, data: bytes | None = None, method: str = "M") -> Auth:
    return Auth(code, AuthProperties(authentication_method=method, authentication_data=data))


def asking(options: Options | None = None) -> World:
    """A world whose mechanism always answers later."""
    world = World(options)
    world.broker.set_access(Access(methods=frozenset({"M"}), on_auth_packet=lambda *_: None))
    return world


def answer(world: World, outcome: int, data: bytes | None = None, code: int = 0) -> None:
    question = world.asks.pop().question
    assert world.broker.answer(question, Verdict(outcome, code, data), world.now)
    world.turn()


def exchange_state(link: Client) -> int:
    auth = link.connection.auth
    return machine.UNUSED if auth is None else auth.state


def reach(world: World, state: str) -> Client:
    link = world.link()
    if state == "unused":
        link.send(Connect("a"))
        link.read()
        return link
    link.send(Connect("a", properties=METHOD))
    if state == "challenged":
        answer(world, CHALLENGE, b"1")
    elif state != "asked":
        answer(world, ACCEPT)
        if state != "settled":
            link.send(auth(0x19))
        if state == "rechallenged":
            answer(world, CHALLENGE, b"1")
    link.read()
    assert machine.STATES[exchange_state(link)] == state
    return link


@pytest.mark.parametrize("state", machine.STATES)
@pytest.mark.parametrize("name", machine.INPUTS)
def test_every_state_with_every_input(state: str, name: str) -> None:
    world = asking()
    link = reach(world, state)
    at = machine.STATES.index(state) * machine.WIDTH + machine.INPUTS.index(name)
    action = machine.ACTIONS[machine.ACTION[at]]
    packets: dict[str, Packet] = {
        "continue": auth(0x18),
        "reauthenticate": auth(0x19),
        "other_method": auth(0x18, method="other"),
    }
    asked = bool(world.asks)
    if at in machine.IMPOSSIBLE or name == "method":
        return
    if name in packets:
        link.send(packets[name])
    elif name == "timeout":
        world.pass_time(100)
    else:
        assert asked
        answer(world, {"challenge": CHALLENGE, "success": ACCEPT, "failure": REFUSE}[name], b"d")
    got = link.read()
    expected: dict[str, list[type]] = {
        "ask": [],
        "send_continue": [Auth],
        "accept": [Connack],
        "refuse": [Connack],
        "send_success": [Auth],
        "expel": [Disconnect],
    }
    connected = state in ("unused", "settled", "reasked", "rechallenged")
    if action == "violation":
        assert link.closed
        assert [type(p) for p in got] == [Disconnect if connected else Connack]
        assert got[0].reason_code in (0x81, 0x82)
        return
    assert [type(p) for p in got] == expected[action]
    assert link.closed == (action in ("refuse", "expel"))
    if action == "ask":
        assert world.asks
        assert world.asks[-1].method == "M"
        assert world.asks[-1].renewal == connected
    elif action == "send_continue":
        assert got[0] == auth(0x18, b"d")
    elif action == "send_success":
        assert got[0] == auth(0, b"d")
    elif action == "accept":
        assert got[0].properties.authentication_method == "M"
        assert got[0].properties.authentication_data == b"d"
    elif action == "expel":
        assert got[0].reason_code == 0x87
    if not link.closed:
        assert machine.STATES[exchange_state(link)] == machine.STATES[machine.NEXT[at]]


def test_unknown_method() -> None:  # MQTT5-4.12.0-1
    for world in (World(), asking()):
        link = world.link()
        link.send(Connect("a", properties=ConnectProperties(authentication_method="unknown")))
        assert link.one(Connack).reason_code == 0x8C
        assert link.closed


def test_a_mechanism_that_answers_at_once() -> None:
    steps: list[bytes | None] = []

    def exchange(link: object, method: str, data: bytes | None, renewal: bool) -> Verdict:
        steps.append(data)
        if data == b"hello":
            return Verdict(CHALLENGE, data=b"prove it")
        return Verdict(ACCEPT, data=b"welcome", username="boss")

    world = World()
    world.broker.set_access(Access(methods=frozenset({"M"}), on_auth_packet=exchange))
    link = world.link()
    link.send(Connect("a", properties=METHOD))
    assert link.one() == auth(0x18, b"prove it")
    connack = link.ask(auth(0x18, b"proof"))
    assert connack.properties.authentication_data == b"welcome"
    assert world.broker.sessions.by_client_id["a"].username == "boss"
    assert steps == [b"hello", b"proof"]


def test_only_auth_and_disconnect_before_the_connack() -> None:  # MQTT5-3.1.2-30
    world = asking()
    link = world.link()
    link.send(Connect("a", properties=METHOD))
    link.send(Publish("t"))
    assert link.closed
    assert world.notes[-1].statement == "MQTT5-3.1.2-30"


def test_other_traffic_goes_on_during_a_renewal() -> None:  # X5-reauthentication-other-packets
    world = asking()
    link = reach(world, "rechallenged")
    assert link.ask(Pingreq()) == Pingresp()
    link.send(auth(0x18, b"2"))
    answer(world, ACCEPT)
    assert link.one() == auth(0)
    link.send(auth(0x19))
    assert not link.closed


def test_a_failed_renewal_with_a_code() -> None:
    world = asking()
    link = reach(world, "reasked")
    answer(world, REFUSE, code=0x8C)
    assert link.one(Disconnect).reason_code == 0x87
    assert link.closed


def test_the_exchange_is_bounded() -> None:
    world = asking(Options(bounds=Bounds(answer_timeout=5)))
    link = world.link()
    link.send(Connect("a", properties=METHOD))
    for _ in range(3):
        world.pass_time(2)
        if link.closed:
            break
        answer(world, CHALLENGE, b"more")
        link.send(auth(0x18))
    assert link.closed
    assert link.read()[-1].reason_code == 0x88  # the last AUTH of the client was not judged in time


def test_without_a_method_no_auth_is_sent() -> None:  # MQTT5-4.12.0-6
    world = asking()
    a = world.client("a")
    assert a.connack.properties.authentication_method is None
    a.send(auth(0x19))
    assert a.one(Disconnect).reason_code == 0x82
