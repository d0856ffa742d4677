# SPDX-License-Identifier: MIT
"""What each capability and compatibility of a file means to clients, in effect: a test for each, named after it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.broker.views import Client
from mqtt_ref.config.compose import compose
from mqtt_ref.config.load import load
from mqtt_ref.config.model import Capabilities, Compatibilities, Options
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.server import Server
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Puback,
    Publish,
    PublishProperties,
    Suback,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from tests.sansio import World

Made = Callable[[str], World]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """`made("maximum_qos: 1")`: a broker with that capability, from a file, that lets everybody in."""

    def world(text: str) -> World:
        file = tmp_path / "broker.yaml"
        file.write_text(f"listeners: []\noptions: {{capabilities: {{{text}}}}}\n")
        it = World(compose(load(file, {})).options)
        Dispatcher(it.broker, [AllowAll()])
        return it

    return world


def refused(world: World, packet: Connect) -> Connack:
    """The CONNACK that closes the link."""
    link = world.link(packet.protocol_version)
    link.send(packet)
    connack: Connack = link.one(Connack)
    assert link.closed
    return connack


def test_each_has_its_test() -> None:
    names = [*msgspec.structs.asdict(Capabilities()), *msgspec.structs.asdict(Compatibilities())]
    assert {f"test_{name}" for name in names if name != "compatibilities"} <= globals().keys()


# ---------------------------------------------------------------- who may come


def test_maximum_clients(made: Made) -> None:
    world = made("maximum_clients: 2")
    one = world.client("one")
    world.client("two", 4)
    assert refused(world, Connect("three")).reason_code == 0x89
    assert refused(world, Connect("three", protocol_version=4)).reason_code == 3
    world.client("two", 4)  # who comes anew takes no place more
    one.send(Disconnect())
    world.client("three")


def test_maximum_connections(made: Made) -> None:
    """Over all listeners, accepted or not."""
    world = made("maximum_connections: 2")
    first = world.link()
    second = world.link()
    third = world.link()
    assert [link.closed for link in (first, second, third)] == [False, False, True]
    first.drop()
    assert not world.link().closed


def test_maximum_message_size(made: Made) -> None:
    """A PUBACK or PUBREC cannot have 0x95, so it is 0x97 [MQTT5-3.4.2-1]. The connection stays."""
    world = made("maximum_message_size: 100")
    reader = world.client("reader")
    reader.subscribe("#", qos=2)
    client = world.client("a")
    for qos in (0, 1, 2):
        client.send(Publish("t", bytes(101), qos, packet_id=qos and 7))
    answers = client.read()
    assert [type(answer).__name__ for answer in answers] == ["Puback", "Pubrec"]
    assert [answer.reason_code for answer in answers] == [0x97, 0x97]
    old = world.client("old", 4)
    old.send(Publish("t", bytes(101), 1, packet_id=7))
    assert [type(packet).__name__ for packet in old.read()] == ["Puback"]
    assert reader.read() == []
    client.send(Publish("t", bytes(100), 1, packet_id=8))
    assert client.one(Puback).reason_code == 0
    assert len(reader.one(Publish).payload) == 100
    assert not client.closed
    assert refused(world, Connect("w", will=Will("t", bytes(101)))).reason_code == 0x97
    world.client("w", will=Will("t", bytes(100)))


def test_maximum_sessions(made: Made) -> None:
    world = made("maximum_sessions: 1")
    world.client("one", properties=ConnectProperties(session_expiry_interval=100)).send(Disconnect())
    assert refused(world, Connect("two")).reason_code == 0x89
    world.pass_time(101)
    world.client("two")


def test_minimum_protocol_version(made: Made) -> None:
    world = made("minimum_protocol_version: 4")
    assert refused(world, Connect("a", protocol_version=3)).reason_code == 1
    world.client("a", 4)
    world.client("b", 5)


def test_zero_length_client_ids(made: Made) -> None:
    assert made("zero_length_client_ids: true").client("").connack.properties.assigned_client_identifier
    world = made("zero_length_client_ids: false")
    assert refused(world, Connect("")).reason_code == 0x85
    assert refused(world, Connect("", protocol_version=4)).reason_code == 2
    world.client("named")


def test_connect_timeout(made: Made) -> None:
    world = made("connect_timeout: 3")
    link = world.link()
    world.pass_time(2.9)
    assert not link.closed
    world.pass_time(0.2)
    assert link.closed


def test_redirect(made: Made) -> None:
    found = refused(made("redirect: {server_reference: other.example.org, permanent: true}"), Connect("a"))
    assert found.reason_code == 0x9D
    assert found.properties is not None
    assert found.properties.server_reference == "other.example.org"


def test_maximum_keep_alive(made: Made) -> None:
    world = made("maximum_keep_alive: 60")
    for asked in (120, 61, 0):
        client = world.client(f"k{asked}", keep_alive=asked)
        assert client.connack.properties.server_keep_alive == 60
        world.pass_time(89)
        assert not client.closed
        world.pass_time(2)
        assert client.closed
    assert getattr(world.client("k60", keep_alive=60).connack.properties, "server_keep_alive", None) is None


def test_minimum_keep_alive(made: Made) -> None:
    world = made("minimum_keep_alive: 20")
    assert world.client("a", keep_alive=5).connack.properties.server_keep_alive == 20
    assert getattr(world.client("b", keep_alive=20).connack.properties, "server_keep_alive", None) is None


def test_maximum_session_expiry_interval(made: Made) -> None:
    world = made("maximum_session_expiry_interval: 60")
    client = world.client("a", properties=ConnectProperties(session_expiry_interval=3600))
    assert client.connack.properties.session_expiry_interval == 60
    old = world.client("b", 4, clean_start=False)
    client.drop()
    old.drop()
    world.pass_time(59)
    assert {"a", "b"} <= world.broker.sessions.by_client_id.keys()
    world.pass_time(2)
    assert not {"a", "b"} & world.broker.sessions.by_client_id.keys()


# ---------------------------------------------------------------- what is offered


def test_maximum_qos(made: Made) -> None:
    world = made("maximum_qos: 1")
    client = world.client("a")
    assert client.connack.properties.maximum_qos == 1
    assert client.subscribe("t", qos=2) == 1
    client.send(Publish("t", b"x", 2, packet_id=1))
    assert client.one(Disconnect).reason_code == 0x9B


def test_retain_available(made: Made) -> None:
    client = made("retain_available: false").client("a")
    assert client.connack.properties.retain_available == 0
    client.send(Publish("t", b"x", retain=True))
    assert client.one(Disconnect).reason_code == 0x9A


def test_wildcard_sub_available(made: Made) -> None:
    world = made("wildcard_sub_available: false")
    assert world.client("old", 4).subscribe("t/#") == 0x80
    client = world.client("a")
    assert client.connack.properties.wildcard_subscription_available == 0
    assert client.subscribe("t") == 0
    client.send(Subscribe(2, [Subscription("t/+")]))
    assert client.read()[-1].reason_code == 0xA2


def test_shared_sub_available(made: Made) -> None:
    client = made("shared_sub_available: false").client("a")
    assert client.connack.properties.shared_subscription_available == 0
    client.send(Subscribe(2, [Subscription("$share/g/t")]))
    assert client.read()[-1].reason_code == 0x9E


def test_sub_id_available(made: Made) -> None:
    client = made("sub_id_available: false").client("a")
    assert client.connack.properties.subscription_identifier_available == 0
    with pytest.raises(AssertionError):  # no SUBACK comes
        client.subscribe("t", identifier=3)
    assert client.closed


def test_response_information(made: Made) -> None:
    world = made('response_information: "answers/{client_id}"')
    asks = world.client("a", properties=ConnectProperties(request_response_information=1))
    assert asks.connack.properties.response_information == "answers/a"
    assert getattr(world.client("b").connack.properties, "response_information", None) is None


def test_refused_filters(made: Made) -> None:
    world = made('refused_filters: [test/nosubscribe, "#"]')
    assert [world.client("a").subscribe(name) for name in ("test/nosubscribe", "#", "test/+")] == [0x87, 0x87, 0]
    assert world.client("b", 4).subscribe("test/nosubscribe") == 0x80


def test_maximum_subscriptions(made: Made) -> None:
    client = made("maximum_subscriptions: 2").client("a")
    assert [client.subscribe(name) for name in ("a", "b", "c", "a")] == [0, 0, 0x97, 0]


def test_maximum_shared_subscriptions(made: Made) -> None:
    client = made("maximum_shared_subscriptions: 2").client("a")
    shares = ("$share/g/a", "$share/g/b", "$share/g/c", "$share/g/a", "c")
    assert [client.subscribe(name) for name in shares] == [0, 0, 0x97, 0, 0]


def test_maximum_subscription_identifiers(made: Made) -> None:
    """A subscription that has an identifier may change it; one that loses it, or is deleted, makes room."""
    client = made("maximum_subscription_identifiers: 2").client("a")

    def subscribe(name: str, identifier: int = 0) -> int:
        properties = SubscribeProperties(subscription_identifier=identifier) if identifier else None
        client.send(Subscribe(1, [Subscription(name)], properties))
        suback: Suback = client.one(Suback)
        return suback.reason_codes[0]

    asked = (("a", 1), ("$share/g/b", 1), ("c", 2), ("c", 0), ("c", 3), ("a", 4), ("a", 0), ("c", 3), ("d", 3))
    assert [subscribe(*one) for one in asked] == [0, 0, 0x97, 0, 0x97, 0, 0, 0, 0x97]
    client.send(Unsubscribe(2, ["$share/g/b"]))
    assert client.one(Unsuback).reason_codes == [0]
    assert subscribe("d", 3) == 0


@pytest.mark.parametrize("version", [4, 5])
def test_maximum_parts(made: Made, version: int) -> None:
    world = made("maximum_parts: 3")
    client = world.client("a", version)
    client.send(Subscribe(1, [Subscription(name) for name in ("a", "b", "c")]))
    assert client.one(Suback).reason_codes == [0, 0, 0]
    client.send(Publish("a", b"before"), Subscribe(2, [Subscription(name) for name in "abcd"]), Publish("a", b"after"))
    got = client.read()
    assert [packet.payload for packet in got if isinstance(packet, Publish)] == [b"before"]
    assert [packet.reason_code for packet in got if isinstance(packet, Disconnect)] == ([0x97] if version == 5 else [])
    assert client.closed


def test_maximum_topic_levels(made: Made) -> None:
    client = made("maximum_topic_levels: 3").client("a")
    assert [client.subscribe(name) for name in ("a/b/c", "a/b/c/d")] == [0, 0x8F]
    assert client.publish("a/b/c", qos=1).reason_code == 0
    assert client.publish("a/b/c/d", qos=1).reason_code == 0x90


# ---------------------------------------------------------------- how much


def test_maximum_packet_size(made: Made) -> None:
    client = made("maximum_packet_size: 100").client("a")
    assert client.connack.properties.maximum_packet_size == 100
    client.publish("t", bytes(90), qos=0)
    assert not client.closed
    client.send(Publish("t", bytes(200)))
    assert client.one(Disconnect).reason_code == 0x95


def test_receive_maximum(made: Made) -> None:
    client = made("receive_maximum: 2").client("a")
    assert client.connack.properties.receive_maximum == 2
    client.send(*(Publish("t", b"", 2, packet_id=number) for number in (1, 2)))
    assert len(client.read()) == 2
    client.send(Publish("t", b"", 2, packet_id=3))
    assert client.one(Disconnect).reason_code == 0x93


def test_maximum_inflight(made: Made) -> None:
    world = made("maximum_inflight: 3")
    client = world.client("a")
    client.subscribe("t", qos=1)
    publisher = world.client("b")
    for number in range(5):
        publisher.publish("t", bytes([number]), qos=1)
    sent = client.read()
    assert [packet.payload for packet in sent] == [b"\x00", b"\x01", b"\x02"]
    client.send(Puback(sent[0].packet_id))
    assert client.one(Publish).payload == b"\x03"


@pytest.mark.parametrize("bound", ["maximum_client_writes_pending: 3", "maximum_queued_bytes: 2103"])
def test_maximum_client_writes_pending(made: Made, bound: str) -> None:
    world = made(bound)
    keep = ConnectProperties(session_expiry_interval=1000)
    away = world.client("a", properties=keep)
    away.subscribe("t", qos=1)
    away.drop()
    publisher = world.client("b")
    for number in range(5):
        publisher.publish("t", bytes([number]) * 100, qos=1)
    assert world.broker.counters.dropped == 2
    again = world.client("a", clean_start=False, properties=keep)
    assert [payload[0] for payload in again.payloads()] == [0, 1, 2]


test_maximum_queued_bytes = test_maximum_client_writes_pending


def test_maximum_inflight_bytes(made: Made) -> None:
    world = made("maximum_inflight_bytes: 2103")
    client = world.client("a")
    client.subscribe("t", qos=1)
    publisher = world.client("b")
    for number in range(5):
        publisher.publish("t", bytes([number]) * 100, qos=1)
    sent = client.read()
    assert [packet.payload[0] for packet in sent] == [0, 1, 2]
    client.send(Puback(sent[0].packet_id))
    assert client.one(Publish).payload[0] == 3


def test_maximum_memory(made: Made) -> None:
    world = made("maximum_memory: 100000")
    client = world.client("a")
    number = 0
    while client.publish(f"t/{number}", b"x" * 1000, qos=1, retain=True).reason_code < 0x80:
        number += 1
        assert world.broker.budget.used <= 90_000
    assert world.broker.budget.used > 85_000
    assert refused(world, Connect("b", will=Will("t", b"x" * 5000))).reason_code == 0x97
    assert client.subscribe("t" * 5000) == 0
    assert client.subscribe("u") == 0x97
    assert client.publish("t/0", b"", qos=1, retain=True).reason_code < 0x80


def test_maximum_queued_memory(made: Made) -> None:
    """1,104 bytes are two messages of 52 and 500 bytes."""
    options = made("maximum_queued_memory: 1104").broker.options
    world = World(options, storage=MemoryStore())
    keep = ConnectProperties(session_expiry_interval=1000)
    for name in ("a", "b"):
        away = world.client(name, properties=keep)
        away.subscribe("tt", qos=1)
        away.drop()
    publisher = world.client("c")
    for number in range(5):
        publisher.publish("tt", bytes([number]) * 50, qos=1)
    counters = world.broker.counters
    assert (counters.messages_queued, counters.queued_in_store) == (10, 8)
    for name in ("a", "b"):
        again = world.client(name, clean_start=False, properties=keep)
        assert [payload[0] for payload in again.payloads()] == [0, 1, 2, 3, 4]
    assert (counters.messages_queued, counters.queued_in_store) == (0, 0)


def test_maximum_retained(made: Made) -> None:
    world = made("maximum_retained: 2")
    client = world.client("a")
    for number in range(2):
        client.publish(f"t/{number}", qos=1, retain=True)
    assert client.publish("t/2", qos=1, retain=True).reason_code == 0x97
    assert client.publish("t/2", qos=2, retain=True).reason_code == 0x97
    assert client.publish("t/2", b"", qos=1, retain=True).reason_code < 0x80
    client.publish("t/2", retain=True)
    assert client.publish("t/0", b"new", qos=1, retain=True).reason_code < 0x80
    client.subscribe("t/#")
    assert {message.topic for message in client.messages()} == {"t/0", "t/1"}
    assert world.broker.counters.retained_refused == 3
    # What cannot be told is delivered all the same, and not kept.
    old = world.client("old", 4)
    assert old.publish("t/2", b"live", qos=1, retain=True).reason_code == 0
    assert client.payloads() == [b"live"]
    assert world.broker.counters.retained_refused == 4


def test_topic_alias_maximum(made: Made) -> None:
    client = made("topic_alias_maximum: 2").client("a")
    assert client.connack.properties.topic_alias_maximum == 2
    client.subscribe("t")
    client.send(Publish("t", b"1", properties=PublishProperties(topic_alias=2)))
    client.send(Publish("", b"2", properties=PublishProperties(topic_alias=2)))
    assert client.payloads() == [b"1", b"2"]
    client.send(Publish("t", b"", properties=PublishProperties(topic_alias=3)))
    assert client.one(Disconnect).reason_code == 0x94


@pytest.mark.parametrize(("bound", "topics"), [(0, ["t/0", "t/1", "t/0", "t/1"]), (1, ["t/0", "t/1", "", "t/1"])])
def test_outbound_topic_aliases(made: Made, bound: int, topics: list[str]) -> None:
    client = made(f"outbound_topic_aliases: {bound}").client("a", properties=ConnectProperties(topic_alias_maximum=9))
    client.subscribe("t/+")
    for _ in range(2):
        client.publish("t/0")
        client.publish("t/1")
    assert [packet.topic for packet in client.read()] == topics


def test_maximum_message_expiry_interval(made: Made) -> None:
    world = made("maximum_message_expiry_interval: 60")
    keep = ConnectProperties(session_expiry_interval=1000)
    world.client("a", properties=keep).subscribe("t", qos=1)
    world.clients[1].drop()
    publisher = world.client("b")
    publisher.publish("t", b"for ever", qos=1, retain=True)
    publisher.publish("t", b"long", qos=1, properties=PublishProperties(message_expiry_interval=500))
    world.pass_time(61)
    publisher.publish("t", b"new", qos=1)
    assert world.client("a", clean_start=False, properties=keep).payloads() == [b"new"]
    late = world.client("late")
    late.subscribe("t")
    assert late.payloads() == []


# ---------------------------------------------------------------- compatibilities


class Denies(Hook):
    def on_acl_check(self, client: Client, topic: str, write: bool) -> bool | None:
        return False if topic == "denied" else None


@pytest.mark.parametrize(("switch", "code"), [("false", 0x87), ("true", 0x80)])
def test_obscure_not_authorized(made: Made, switch: str, code: int) -> None:
    world = made(f"refused_filters: ['no'], compatibilities: {{obscure_not_authorized: {switch}}}")
    Dispatcher(world.broker, [Denies(), AllowAll()])
    client = world.client("a")
    assert client.subscribe("no") == client.subscribe("denied") == code
    assert client.publish("denied", qos=1).reason_code == client.publish("denied", qos=2).reason_code == code


@pytest.mark.parametrize("switch", ["false", "true"])
def test_passive_client_disconnect(switch: str, tmp_path: Path) -> None:
    file = tmp_path / "broker.yaml"
    file.write_text(
        "listeners: [{type: tcp, address: '127.0.0.1:0'}]\n"
        f"options: {{capabilities: {{compatibilities: {{passive_client_disconnect: {switch}}}}}}}\n"
    )

    def talk(port: int) -> None:
        with RawClient(port) as client:
            client.connect("a")
            client.send(Connect("a"))  # a second CONNECT is a Protocol Error
            assert client.expect(Disconnect).reason_code == 0x82
            if switch == "true":
                with pytest.raises(TimeoutError):
                    client.read(0.2)
            else:
                assert client.until_closed() == []

    async def run() -> None:
        parts = compose(load(file, {}))
        async with Server(parts.options, parts.listeners, hooks=[AllowAll()]) as server:
            await asyncio.to_thread(talk, server.port)

    asyncio.run(run())


@pytest.mark.parametrize(("switch", "told"), [("false", None), ("true", "answers/")])
def test_always_return_response_info(made: Made, switch: str, told: str | None) -> None:
    world = made(f"response_information: answers/, compatibilities: {{always_return_response_info: {switch}}}")
    assert getattr(world.client("a").connack.properties, "response_information", None) == told


class Kept(Hook):
    """What a store would give back."""

    def stored_sys_info(self) -> dict[str, int]:
        return {"messages_sent": 1000}


@pytest.mark.parametrize(("switch", "sent"), [("false", 0), ("true", 1000)])
def test_restore_sys_info_on_restart(made: Made, switch: str, sent: int) -> None:
    options = made(f"compatibilities: {{restore_sys_info_on_restart: {switch}}}").broker.options

    async def run() -> None:
        async with Server(options, hooks=[Kept()]) as server:
            assert server.broker.counters.messages_sent == sent

    asyncio.run(run())


@pytest.mark.parametrize(("switch", "inherited"), [("true", []), ("false", [("k", "v")])])
def test_no_inherited_properties_on_ack(made: Made, switch: str, inherited: list[tuple[str, str]]) -> None:
    client = made(f"compatibilities: {{no_inherited_properties_on_ack: {switch}}}").client("a")
    got = client.publish("t", qos=1, properties=PublishProperties(user_property=[("k", "v")]))
    assert (got.properties.user_property if got.properties else []) == inherited


# ---------------------------------------------------------------- clients of 3.x, whose standards are silent


@pytest.mark.parametrize("version", [3, 4])
def test_bounds_of_5_0_hold_for_older_clients(made: Made, version: int) -> None:
    world = made("maximum_inflight: 1, maximum_message_expiry_interval: 60, maximum_session_expiry_interval: 300")
    client = world.client("old", version, clean_start=False)
    client.subscribe("t", qos=1)
    publisher = world.client("pub", version)
    publisher.publish("t", b"1", qos=1, retain=True)
    publisher.publish("t", b"2", qos=1)
    assert [packet.payload for packet in client.read()] == [b"1"]
    client.drop()
    world.pass_time(61)
    again = world.client("old", version, clean_start=False)
    assert again.payloads() == [b"1"]  # it was in flight; what waited has expired
    assert len(world.broker.retained.store) == 0
    again.drop()
    world.pass_time(301)
    assert "old" not in world.broker.sessions.by_client_id


# ---------------------------------------------------------------- options beside the capabilities


@pytest.mark.parametrize(
    ("text", "where", "value"),
    [
        ("client_net_write_buffer_size: 1000", "bounds.write_buffer", 1000),
        ("client_net_read_buffer_size: 1000", "bounds.read_buffer", 1000),
        ("sys_topic_resend_interval: 3", "sys_topic_resend_interval", 3),
        ("inline_client: false", "inline_client", False),
        ("reason_strings: false", "reason_strings", False),
        ("hook_timeout: 0.5", "bounds.hook_timeout", 0.5),
        ("decisions: {overlapping: each}", "decisions", {"overlapping": "each"}),
    ],
)
def test_options(tmp_path: Path, text: str, where: str, value: object) -> None:
    file = tmp_path / "broker.yaml"
    file.write_text(f"options: {{{text}}}\n")
    found: Any = compose(load(file, {})).options
    for name in where.split("."):
        found = getattr(found, name)
    assert found == value


def test_each_option_has_its_row() -> None:
    rows = {row[0].split(":")[0] for row in test_options.pytestmark[0].args[1]}  # type: ignore[attr-defined]
    assert rows | {"capabilities"} == set(msgspec.structs.asdict(Options()))
