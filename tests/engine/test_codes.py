# SPDX-License-Identifier: MIT
"""No packet has a Reason Code that it cannot have, whatever an embedder asks for."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.access import REFUSE, Access, Verdict
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Puback,
    Publish,
    Pubrec,
    Suback,
    Subscribe,
    Subscription,
)
from tests.sansio import World


@pytest.mark.parametrize(("code", "said"), [(0x87, 0x87), (0x8E, 0x80), (0x9E, 0x80), (0x8B, 0x88), (0x04, 0x80)])
def test_connack(code: int, said: int) -> None:  # MQTT5-3.2.2-8
    world = World()
    world.broker.set_access(Access(on_connect_authenticate=lambda link, connect: Verdict(REFUSE, code)))
    link = world.link()
    link.send(Connect("a"))
    assert link.one(Connack).reason_code == said
    assert link.closed


@pytest.mark.parametrize(("version", "said"), [(5, 0x88), (4, 3)])
def test_a_shutdown_while_a_client_is_being_judged(version: int, said: int) -> None:  # MQTT5-3.2.2-8
    world = World()
    world.broker.set_access(
        Access(
            methods=frozenset({"m"}),
            on_auth_packet=lambda link, method, data, renewal: None,
            on_connect_authenticate=lambda link, connect: None,
        )
    )
    link = world.link(version)
    properties = ConnectProperties(authentication_method="m") if version == 5 else None
    link.send(Connect("a", protocol_version=version, properties=properties))
    assert link.read() == []
    world.broker.shutdown(world.now)
    world.turn()
    assert link.one(Connack).reason_code == said
    assert link.closed


@pytest.mark.parametrize("qos", [1, 2])
def test_puback_and_pubrec(qos: int) -> None:  # MQTT5-3.4.2-1, MQTT5-3.5.2-1
    for code, said in ((0x87, 0x87), (0x97, 0x97), (0x8A, 0x80), (0x9B, 0x80), (0x02, 0x80)):
        world = World()
        world.broker.set_access(Access(on_acl_check_publish=lambda link, topic, qos, retain, code=code: code))  # type: ignore[misc]
        got = world.client("a").ask(Publish("t", b"", qos, packet_id=1))
        assert isinstance(got, Puback if qos == 1 else Pubrec)
        assert got.reason_code == said


def test_suback() -> None:  # MQTT5-3.9.3-2
    world = World()
    world.broker.set_access(Access(on_acl_check_subscribe=lambda link, name, qos: int(name, 16)))
    a = world.client("a")
    wanted = [Subscription(name) for name in ("87", "8f", "90", "8a", "03", "0")]
    got = a.ask(Subscribe(1, wanted))
    assert isinstance(got, Suback)
    assert got.reason_codes == [0x87, 0x8F, 0x80, 0x80, 0x80, 0]


@pytest.mark.parametrize(("code", "said"), [(0x98, 0x98), (0x00, 0x00), (0x04, 0x80), (0x88, 0x80)])
def test_disconnect(code: int, said: int) -> None:  # MQTT5-3.14.2-1, X5-disconnect-with-will-client
    world = World()
    a = world.client("a")
    world.broker.disconnect("a", code, "", world.now)
    world.turn()
    assert a.one(Disconnect) == Disconnect(said)
    assert a.raw.endswith(b"\xe0\x00" if said == 0 else bytes((0xE0, 1, said)))  # X5-disconnect-short-sent
