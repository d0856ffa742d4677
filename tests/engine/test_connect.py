# SPDX-License-Identifier: MIT
"""CONNECT and CONNACK in all versions: ids, capabilities, sessions, limits, questions."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.access import REFUSE, Access, Verdict
from mqtt_ref.engine.options import Bounds, Capabilities, Options, Redirect
from mqtt_ref.wire.packets import (
    Connack,
    ConnackProperties,
    Connect,
    ConnectProperties,
    Disconnect,
    DisconnectProperties,
    Pingresp,
    Subscribe,
    Subscription,
)
from tests.sansio import World

KEEP = ConnectProperties(session_expiry_interval=3600)


def connack(world: World, packet: Connect) -> Connack:
    """The CONNACK for a CONNECT; a refusal closes."""
    link = world.link(packet.protocol_version)
    link.send(packet)
    got = link.one(Connack)
    assert isinstance(got, Connack)
    assert link.closed == (got.reason_code != 0)
    assert not (got.reason_code and got.session_present)
    return got


@pytest.mark.parametrize("version", [3, 4, 5])
def test_session_present(version: int) -> None:  # MQTT5-3.2.2-2, 3.2.2-3, MQTT311-3.2.2-1 to -3
    world = World()
    properties = KEEP if version == 5 else None

    def present(clean: bool) -> bool:
        a = world.client("a", version, clean_start=clean, properties=properties)
        a.drop()
        return bool(a.connack.session_present)

    told = version != 3
    assert [present(False), present(False), present(True)] == [False, told, False]
    # Clean Session 1 lasts as long as its connection; in 5.0 that is a matter of the expiry alone.
    assert present(False) == (version == 5)


def test_session_of_old_clients_has_no_end() -> None:
    world = World()
    world.client("a", 4, clean_start=False).drop()
    world.pass_time(10_000_000)
    assert world.client("a", 4, clean_start=False).connack.session_present


def test_a_session_crosses_versions() -> None:
    world = World()
    a = world.client("a", 4, clean_start=False)
    a.subscribe("t", 1)
    a.drop()
    world.client("pub").publish("t", b"1", 1)
    a = world.client("a", 5, clean_start=False, properties=KEEP)
    assert a.connack.session_present
    assert a.payloads() == [b"1"]


@pytest.mark.parametrize(
    ("version", "clean", "code"),
    [(3, True, 2), (3, False, 2), (4, False, 2), (4, True, 0), (5, True, 0), (5, False, 0)],
)
def test_empty_client_id(version: int, clean: bool, code: int) -> None:  # ambiguity 25
    world = World()
    got = connack(world, Connect("", protocol_version=version, clean_start=clean))
    assert got.reason_code == code
    if version == 5:
        assert got.properties is not None
        assigned = got.properties.assigned_client_identifier
        assert assigned in world.broker.sessions.by_client_id
        again = connack(world, Connect("", protocol_version=version, clean_start=clean))
        assert again.properties is not None
        assert again.properties.assigned_client_identifier != assigned


def test_empty_client_id_where_it_is_not_wanted() -> None:
    world = World(Options(capabilities=Capabilities(empty_client_id=False)))
    assert connack(world, Connect("")).reason_code == 0x85
    assert connack(world, Connect("", protocol_version=4)).reason_code == 2


def test_long_client_ids() -> None:
    world = World()
    assert connack(world, Connect("x" * 24, protocol_version=3)).reason_code == 2
    assert connack(world, Connect("é" * 23, protocol_version=3)).reason_code == 0
    assert connack(world, Connect("x" * 65_535)).reason_code == 0
    assert connack(world, Connect("x" * 65_535, protocol_version=4)).reason_code == 0
    relaxed = World(Options(decisions={"long_client_id_v31": "allow"}))
    assert connack(relaxed, Connect("x" * 24, protocol_version=3)).reason_code == 0


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        ("101000044d5154540602003c00 00 0003616263", "v5 84"),
        ("100d00044d51545400020000 0001 61", "v3 01"),
        ("100d00044d51545403020000 0001 61", "v3 01"),
        # A bridge, which adds 0x80 to its level, goes on without it once it has this answer.
        ("100d00044d51545484020000 0001 61", "v3 01"),
        ("100f00064d514973647083020000 0001 61", "v3 01"),
        ("100f00064d514973647004020000 0001 61", "v3 01"),
        ("100d00044d51545904020000 0001 61", ""),
        ("100d00046d71747404020000 0001 61", ""),
        ("100d00044d51545404030000 0001 61", ""),
        ("100e00044d5154540503000000 0001 61", "v5 81"),
    ],
)
def test_bad_connects(data: str, answer: str) -> None:  # ambiguity 31
    world = World()
    link = world.link(5 if answer.startswith("v5") else 4)
    link.send_raw(bytes.fromhex(data.replace(" ", "")))
    assert link.closed
    got = link.read()
    if answer:
        assert [f"{packet.reason_code:02x}" for packet in got] == [answer[3:]]
    else:
        assert link.raw == b""


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_a_connect_of_3_1_may_have_flags(size: int) -> None:  # X31-flags-unused
    world = World()
    link = world.link(3)
    data = bytes.fromhex("1f 0f 0006 4d5149736470 03 02 003c 0001 61" + "c5 00")
    for at in range(0, len(data), size):
        link.send_raw(data[at : at + size])
    assert link.read() == [Connack(), Pingresp()]
    assert not link.closed
    assert not world.notes


@pytest.mark.parametrize(
    ("data", "refused", "answer"),
    [
        ("11 0d 0004 4d515454 04 02 003c 0001 61", 4, ""),
        ("1f 0e 0004 4d515454 05 02 003c 00 0001 61", 4, ""),
        ("16 03 0102 00", 2, ""),  # a TLS hello
        ("1f 0f 0006 4d5149736470 02 02 003c 0001 61", 17, "20 02 0001"),
        ("1f 0e 0006 4d5149736470 03 02 003c 0000", 16, "20 02 0002"),
    ],
)
def test_a_first_connect_with_flags_is_refused_as_soon_as_it_cannot_be_of_3_1(
    data: str, refused: int, answer: str
) -> None:
    world = World()
    link = world.link(3)
    raw = bytes.fromhex(data)
    for size in range(len(raw)):
        if link.closed:
            break
        link.send_raw(raw[size : size + 1])
        assert link.closed == (size + 1 == refused)
    assert link.closed
    assert link.raw == bytes.fromhex(answer)
    assert len(world.notes) == 1


def test_versions_that_are_not_spoken() -> None:
    world = World(Options(capabilities=Capabilities(versions=(5,))))
    assert connack(world, Connect("a", protocol_version=4)).reason_code == 1
    assert connack(world, Connect("a", protocol_version=3)).reason_code == 1
    world = World(Options(capabilities=Capabilities(versions=(4,))))
    assert connack(world, Connect("a")).reason_code == 0x84


def test_connack_says_what_differs_and_nothing_else() -> None:
    plain = Options(capabilities=Capabilities(receive_maximum=65_535, topic_alias_maximum=0))
    assert connack(World(plain), Connect("a")) == Connack(0, False, ConnackProperties()) or connack(
        World(plain), Connect("a")
    ) == Connack(0)
    full = Options(
        capabilities=Capabilities(
            maximum_qos=1,
            retain_available=False,
            maximum_packet_size=1000,
            topic_alias_maximum=5,
            receive_maximum=7,
            wildcard_subscription_available=False,
            subscription_identifier_available=False,
            shared_subscription_available=False,
            maximum_keep_alive=60,
            maximum_session_expiry=100,
        )
    )
    got = connack(World(full), Connect("a", keep_alive=120, properties=KEEP))
    assert got.properties == ConnackProperties(
        session_expiry_interval=100,
        receive_maximum=7,
        maximum_qos=1,
        retain_available=0,
        maximum_packet_size=1000,
        topic_alias_maximum=5,
        wildcard_subscription_available=0,
        subscription_identifier_available=0,
        shared_subscription_available=0,
        server_keep_alive=60,
    )


@pytest.mark.parametrize(
    ("version", "asked", "told", "closes_after"),
    [(5, 120, 60, 90), (5, 0, 60, 90), (5, 60, None, 90), (5, 10, None, 15), (4, 120, None, 180)],
)
def test_server_keep_alive(version: int, asked: int, told: int | None, closes_after: int) -> None:  # ambiguity 27
    world = World(Options(capabilities=Capabilities(maximum_keep_alive=60)))
    a = world.client("a", version, keep_alive=asked)
    if version == 5:
        assert a.connack.properties.server_keep_alive == told
    world.pass_time(closes_after - 0.1)
    assert not a.closed
    world.pass_time(0.2)
    assert a.closed


def test_response_information_only_on_request() -> None:  # MQTT5-3.1.2-28
    world = World(Options(capabilities=Capabilities(response_information="answers/{client_id}/")))
    asked = connack(world, Connect("a", properties=ConnectProperties(request_response_information=1)))
    assert asked.properties is not None
    assert asked.properties.response_information == "answers/a/"
    for properties in (None, ConnectProperties(request_response_information=0)):
        silent = connack(world, Connect("b", properties=properties))
        assert silent.properties is not None
        assert silent.properties.response_information is None


def test_redirect() -> None:  # X5-redirect-codes
    world = World(Options(redirect=Redirect(0x9D, "other:1883")))
    got = connack(world, Connect("a"))
    assert got.reason_code == 0x9D
    assert got.properties is not None
    assert got.properties.server_reference == "other:1883"
    link = world.link(4)
    link.send(Connect("a", protocol_version=4))
    assert link.closed
    world = World()
    a = world.client("a")
    assert world.broker.disconnect("a", 0x9C, "elsewhere", world.now, "other:1883")
    world.turn()
    assert a.one(Disconnect) == Disconnect(
        0x9C, DisconnectProperties(reason_string="elsewhere", server_reference="other:1883")
    )
    assert a.closed


def test_no_room() -> None:
    world = World(Options(bounds=Bounds(sessions=1)))
    world.client("a")
    assert connack(world, Connect("b")).reason_code == 0x89
    assert connack(world, Connect("c", protocol_version=4)).reason_code == 3
    world.client("a")
    world = World(Options(bounds=Bounds(connections=1)))
    world.client("a")
    assert world.link().closed


def test_who_may_connect_at_once() -> None:
    def judge(link: object, connect: Connect) -> Verdict:
        if connect.password == b"right":
            return Verdict(username="boss")
        return Verdict(REFUSE, 0x86, text="wrong password")

    world = World()
    world.broker.set_access(Access(on_connect_authenticate=judge))
    a = world.client("a", username="u", password=b"right")
    assert world.broker.sessions.by_client_id["a"].username == "boss"
    assert not a.closed
    got = connack(world, Connect("b", username="u", password=b"x"))
    assert got == Connack(0x86, False, ConnackProperties(reason_string="wrong password"))
    assert connack(world, Connect("b", protocol_version=4, username="u", password=b"x")).reason_code == 4
    assert "b" not in world.broker.sessions.by_client_id


def test_a_refused_connect_does_not_take_over() -> None:
    world = World()
    a = world.client("a")
    world.broker.set_access(Access(on_connect_authenticate=lambda link, connect: Verdict(REFUSE, 0x87)))
    assert connack(world, Connect("a")).reason_code == 0x87
    assert not a.closed


def test_a_connack_that_does_not_fit() -> None:  # MQTT5-3.1.2-24
    world = World(Options(capabilities=Capabilities(response_information="x" * 100)))
    properties = ConnectProperties(request_response_information=1, maximum_packet_size=60)
    got = connack(world, Connect("a", properties=properties))
    assert got.properties is not None
    assert got.properties.response_information is None
    link = world.link()
    link.send(Connect("b", properties=ConnectProperties(maximum_packet_size=3)))
    assert link.closed
    assert link.raw == b""


def test_a_suback_that_does_not_fit() -> None:  # ambiguity 23
    world = World()
    a = world.client("a", properties=ConnectProperties(maximum_packet_size=20))
    a.send(Subscribe(1, [Subscription(f"t/{n}") for n in range(30)]))
    assert a.one(Disconnect).reason_code == 0x95
    assert a.closed


def test_response_information_for_all_if_so_decided() -> None:
    options = Options(
        capabilities=Capabilities(response_information="answers/"), decisions={"response_information": "always"}
    )
    got = connack(World(options), Connect("a"))
    assert got.properties.response_information == "answers/"


@pytest.mark.parametrize("version", [3, 4, 5])
def test_only_so_many_clients_at_once(version: int) -> None:
    world = World(Options(bounds=Bounds(clients=1)))
    first = world.client("a", version)
    refused = connack(world, Connect("b", protocol_version=version))
    assert refused.reason_code == (0x89 if version == 5 else 3)
    again = world.client("a", version)  # its own older connection does not count
    assert first.closed
    again.drop()
    assert world.client("b", version).connack.reason_code == 0
