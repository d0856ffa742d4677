# SPDX-License-Identifier: MIT
"""Acknowledgements: short where they can be, cut down to what the client takes, right for every version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref.engine import acks
from mqtt_ref.engine.options import Options
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Disconnect,
    Packet,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Suback,
    SubackProperties,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsuback,
    Unsubscribe,
    UnsubscribeProperties,
)
from tests.sansio import Client, World

KINDS: dict[int, Callable[[int, int], Packet]] = {4: Puback, 5: Pubrec, 6: Pubrel, 7: Pubcomp}


def link(version: int = 5, limit: int = 0, options: Options | None = None) -> Client:
    world = World(options)
    client = world.client("a", version)
    if limit:
        client.connection.agreement.packet_limit = limit
    return client


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [3, 4, 5])
def test_accepting_ones_have_two_bytes_of_body(kind: int, version: int) -> None:
    client = link(version)
    before = len(client.raw)
    assert acks.answer(client.connection, kind, 7, 0)
    client.world.turn()
    assert len(client.raw) - before == 4
    assert client.one() == KINDS[kind](7, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_refusals_say_why_if_there_is_room(kind: int) -> None:  # MQTT5-3.4.2-2, 3.1.2-29
    code = 0x92 if kind > 5 else 0x87
    for limit, problem, wish, says in (
        (0, True, True, True),
        (10, True, True, False),
        (0, False, True, False),
        (0, True, False, False),
    ):
        client = link(5, limit, Options(reason_strings=wish))
        client.connection.agreement.problem_information = problem
        assert acks.answer(client.connection, kind, 7, code)
        client.world.turn()
        got = client.one()
        assert got.reason_code == code
        assert (got.properties is not None) == says


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_does_not_fit_is_not_sent(kind: int) -> None:
    client = link(5, 3)
    assert not acks.answer(client.connection, kind, 7, 0)
    assert not acks.answer(client.connection, kind, 7, 0x92)
    assert client.connection.outbox.packets == []


def test_the_limit_itself_fits() -> None:  # ambiguity 23
    client = link(5, 4)
    assert acks.answer(client.connection, 4, 7, 0)
    client.connection.agreement.packet_limit = 5
    assert acks.answer(client.connection, 4, 7, 0x87)


def test_suback_and_unsuback() -> None:
    client = link()
    assert acks.suback(client.connection, 1, [0, 0x87], "why")
    assert acks.unsuback(client.connection, 2, [0, 0x11], "why")
    client.world.turn()
    got = client.read()
    assert got[0] == Suback(1, [0, 0x87], SubackProperties(reason_string="why"))
    assert got[1].properties.reason_string == "why"
    client.connection.agreement.packet_limit = 10
    assert acks.suback(client.connection, 1, [0, 0x87], "a long reason")
    assert acks.unsuback(client.connection, 2, [0, 0x11], "a long reason")
    client.world.turn()
    assert client.read() == [Suback(1, [0, 0x87]), Unsuback(2, [0, 0x11])]


def test_disconnect_is_cut_down_step_by_step() -> None:  # MQTT5-3.14.2-3
    client = link()
    sizes: list[list[Any]] = []
    for limit in (100, 14, 8, 3, 2):
        client.connection.agreement.packet_limit = limit
        acks.disconnect(client.connection, 0x9C, "a reason that is long", "ref")
        client.world.turn()
        sizes.append([(p.reason_code, p.properties) for p in client.read() if isinstance(p, Disconnect)])
    assert sizes[0][0][1].reason_string == "a reason that is long"
    assert sizes[1][0][1].reason_string is None
    assert sizes[1][0][1].server_reference == "ref"
    assert sizes[2] == sizes[3] == [(0x9C, None)]
    assert sizes[4] == []


# -------------------------------------------------------------------- User Properties taken over

INHERIT = Options(decisions={"acknowledgement_properties": "inherit"})
PAIR = [("a", "1")]


@pytest.mark.parametrize("qos", [1, 2])
def test_acknowledgements_take_user_properties_over_if_so_decided(qos: int) -> None:
    for options, wanted in ((INHERIT, PAIR), (Options(), [])):
        client = World(options).client("a")
        client.send(Publish("t", qos=qos, packet_id=1, properties=PublishProperties(user_property=PAIR)))
        ack = client.one(Puback if qos == 1 else Pubrec)
        assert ([] if ack.properties is None else ack.properties.user_property) == wanted


def test_so_do_suback_and_unsuback() -> None:
    client = World(INHERIT).client("a")
    client.send(Subscribe(1, [Subscription("t")], SubscribeProperties(user_property=PAIR)))
    client.send(Unsubscribe(2, ["t"], UnsubscribeProperties(user_property=PAIR)))
    assert [ack.properties.user_property for ack in client.read()] == [PAIR, PAIR]


def test_not_for_a_client_that_wants_no_problem_information() -> None:  # MQTT5-3.1.2-29
    client = World(INHERIT).client("a", properties=ConnectProperties(request_problem_information=0))
    client.send(Publish("t", qos=1, packet_id=1, properties=PublishProperties(user_property=PAIR)))
    assert client.one(Puback).properties is None


def test_nor_where_they_do_not_fit() -> None:  # MQTT5-3.4.2-3, MQTT5-3.9.2-2, MQTT5-3.11.2-2
    client = World(INHERIT).client("a", properties=ConnectProperties(maximum_packet_size=60))
    long = [("a", "x" * 100)]
    client.send(Publish("t", qos=1, packet_id=1, properties=PublishProperties(user_property=long)))
    client.send(Subscribe(2, [Subscription("t")], SubscribeProperties(user_property=long)))
    client.send(Unsubscribe(3, ["t"], UnsubscribeProperties(user_property=long)))
    assert [(type(ack), ack.properties) for ack in client.read()] == [(Puback, None), (Suback, None), (Unsuback, None)]
