# SPDX-License-Identifier: MIT
"""Every way that the properties of a message go through the broker, walked with properties that no standard has.

`python -m tests.codegen.ways` prints what came of each way as JSON. It needs an `mqtt_ref` that was generated from
tables with the properties of `tests.codegen.made_up`; `test_ways` makes one.
"""

from __future__ import annotations

import http.client
import io
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

from mqtt_ref.broker.inline import InlineClient, Received
from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.http import Guard, HttpListener
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.trace import Trace
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.threaded import ThreadedServer
from mqtt_ref.wire.describe import describe
from mqtt_ref.wire.jsonform import packet_from_json, packet_to_json
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Puback,
    Publish,
    PublishProperties,
    Will,
    WillProperties,
)
from mqtt_ref.wire.primitives import V5, V311
from tests.codegen.made_up import MADE_UP
from tests.sansio import Client, World

__all__ = ["WAYS", "main"]

VALUES: dict[str, Any] = {new.name: new.value for new in MADE_UP}
WAYS: dict[str, Callable[[], None]] = {}
"""What each way is called, and the walk."""


def way(walk: Callable[[], None]) -> Callable[[], None]:
    """Declare a way, by its name."""
    WAYS[walk.__name__] = walk
    return walk


def given(**more: Any) -> PublishProperties:
    """The properties of a message, the made-up ones among them."""
    return PublishProperties(**{**VALUES, "user_property": [("k", "v")], **more})


def changed(value: Any) -> Any:
    """Another value of the same property."""
    if isinstance(value, int):
        return value + 1
    return value[::-1] if isinstance(value, list) else value + value


CHANGED = {name: changed(value) for name, value in VALUES.items()}


def has(properties: Any, values: dict[str, Any] = VALUES) -> None:
    """All of the made-up properties are there."""
    assert properties is not None
    assert {name: getattr(properties, name) for name in values} == values


def arrived(client: Client, payload: bytes = b"x", **fields: Any) -> Publish:
    """The one message that came has all of them; one to a client of 3.1.1 has none, and nothing in their place."""
    (packet,) = client.messages()
    assert packet.payload == payload
    assert {name: getattr(packet, name) for name in fields} == fields
    if client.version == V5:
        has(packet.properties)
        assert packet.properties is not None
        assert packet.properties.user_property == [("k", "v")]
    else:
        assert not packet.has_properties
    return packet


def lasting() -> dict[str, Any]:
    """The fields of a CONNECT of 5.0 whose session outlives its connection."""
    return {"clean_start": False, "properties": ConnectProperties(session_expiry_interval=1000)}


def held_by(world: World, client_id: str, version: int) -> Client:
    """A client with a session that outlives its connection."""
    return world.client(client_id, version, **(lasting() if version == V5 else {"clean_start": False}))


def live(qos: int) -> None:
    world = World()
    new, old = world.client("new"), world.client("old", V311)
    several, shared = world.client("several"), world.client("shared")
    new.subscribe("t", qos)
    old.subscribe("t", qos)
    several.subscribe("+", qos, identifier=300)
    shared.subscribe("$share/g/t", qos)
    world.client("from").publish("t", qos=qos, properties=given(topic_alias=5))
    for client in (new, old, several, shared):
        packet = arrived(client, qos=qos, dup=False)
        if client is several:
            assert packet.properties is not None
            assert packet.properties.subscription_identifier == [300]


@way
def live_with_qos_0() -> None:
    live(0)


@way
def live_with_qos_1() -> None:
    live(1)


@way
def live_with_qos_2() -> None:
    live(2)


@way
def with_a_topic_alias_of_the_subscriber() -> None:
    world = World()
    to = world.client("to", properties=ConnectProperties(topic_alias_maximum=10))
    to.subscribe("t")
    source = world.client("from")
    for _ in range(3):
        source.publish("t", properties=given())
    came = to.messages()
    assert len(came) == 3
    for packet in came:
        has(packet.properties)


@way
def queued_for_an_absent_session() -> None:
    world = World()
    for version in (V5, V311):
        client = held_by(world, f"to {version}", version)
        client.subscribe("t", 1)
        client.drop()
    world.client("from").publish("t", qos=1, properties=given(message_expiry_interval=100))
    world.pass_time(10)
    packet = arrived(held_by(world, f"to {V5}", V5), dup=False)
    assert packet.properties is not None
    assert packet.properties.message_expiry_interval == 90
    arrived(held_by(world, f"to {V311}", V311), dup=False)


@way
def waiting_for_the_receive_maximum() -> None:
    world = World()
    to = world.client("to", properties=ConnectProperties(receive_maximum=1))
    to.subscribe("t", 1)
    source = world.client("from")
    source.publish("t", b"1", qos=1)
    source.publish("t", qos=1, properties=given())
    first = to.one(Publish)
    to.send(Puback(first.packet_id))
    arrived(to)


@way
def resent_after_a_resume() -> None:
    for qos in (1, 2):
        world = World()
        for version in (V5, V311):
            held_by(world, f"to {version}", version).subscribe("t", qos)
        world.client("from").publish("t", qos=qos, properties=given())
        for client in [one for one in world.clients.values() if one.connection.client_id.startswith("to")]:
            first = client.one(Publish)
            client.drop()
            again = held_by(world, client.connection.client_id, client.version)
            arrived(again, dup=True, packet_id=first.packet_id)


@way
def retained() -> None:
    world = World()
    world.client("from").publish("a/b", qos=1, retain=True, properties=given())
    for version in (V5, V311):
        for topic_filter in ("a/b", "a/+", "#"):
            client = world.client("", version)
            client.subscribe(topic_filter, 1)
            arrived(client, retain=True)


def left(world: World, *, retain: bool = False, **more: Any) -> Client:
    """A client with a Will Message."""
    properties = WillProperties(**{**VALUES, "user_property": [("k", "v")], **more})
    return world.client(
        "leaving",
        will=Will("t", b"x", 1, retain, properties=properties),
        properties=ConnectProperties(session_expiry_interval=1000),
    )


@way
def as_a_will() -> None:
    world = World()
    new, old = world.client("new"), world.client("old", V311)
    for client in (new, old):
        client.subscribe("t", 1)
    left(world).drop()
    arrived(new)
    arrived(old)


@way
def as_a_delayed_and_retained_will() -> None:
    world = World()
    to = world.client("to")
    to.subscribe("t", 1)
    left(world, retain=True, will_delay_interval=10).drop()
    assert to.messages() == []
    world.pass_time(11)
    arrived(to)
    late = world.client("late")
    late.subscribe("#", 1)
    arrived(late, retain=True)


@way
def restored_from_a_store() -> None:
    store = MemoryStore()
    world = World(storage=store)
    for name in ("queued", "in flight"):
        held_by(world, name, V5).subscribe("t", 1)
    next(one for one in world.clients.values() if one.connection.client_id == "queued").drop()
    world.client("from").publish("t", qos=1, retain=True, properties=given())
    left(world, will_delay_interval=10).drop()

    again = World(storage=store)
    late = again.client("late")
    late.subscribe("t", 1)
    arrived(late, retain=True)
    arrived(held_by(again, "queued", V5), dup=False)
    arrived(held_by(again, "in flight", V5), dup=True)
    again.pass_time(20)
    arrived(late, retain=False)


class Changing(Hook):
    """Sees the properties of what comes in, and changes them."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_publish(self, client: Any, packet: Publish) -> Publish:
        self.seen.append(packet.properties)
        assert packet.properties is not None
        for name, value in CHANGED.items():
            setattr(packet.properties, name, value)
        return packet

    def on_will(self, client: Any, will: Will) -> Will:
        self.seen.append(will.properties)
        properties = WillProperties(**CHANGED)
        return Will(will.topic, will.payload, will.qos, will.retain, properties=properties)


class Seeing(Hook):
    """Sees the properties wherever a hook is shown a message."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}

    def on_packet_read(self, client: Any, packet: Any) -> None:
        if isinstance(packet, Publish):
            self.seen["on_packet_read"] = packet.properties

    def on_publish(self, client: Any, packet: Publish) -> None:
        self.seen["on_publish"] = packet.properties

    def on_published(self, client: Any, message: Any, matched: bool) -> None:
        self.seen["on_published"] = message.properties

    def on_packet_encode(self, client: Any, packet: Any) -> None:
        if isinstance(packet, Publish):
            self.seen["on_packet_encode"] = packet.properties

    def on_packet_sent(self, client: Any, packet: Any, data: bytes) -> None:
        if isinstance(packet, Publish):
            self.seen["on_packet_sent"] = packet.properties

    def on_retain_message(self, client: Any, message: Any, stored: bool) -> None:
        self.seen["on_retain_message"] = message.properties

    def on_will_sent(self, client: Any, message: Any) -> None:
        self.seen["on_will_sent"] = message.properties


@way
def seen_by_hooks() -> None:
    world = World()
    hook = Seeing()
    Dispatcher(world.broker, [AllowAll(), hook])
    to = world.client("to")
    to.subscribe("t", 1)
    world.client("from").publish("t", qos=1, retain=True, properties=given())
    arrived(to)
    left(world).drop()
    arrived(to)
    for name in [one for one in vars(Seeing) if one.startswith("on_")]:
        has(hook.seen[name])


@way
def changed_by_a_hook() -> None:
    world = World()
    hook = Changing()
    Dispatcher(world.broker, [AllowAll(), hook])
    to = world.client("to")
    for qos in (0, 1, 2):
        to.subscribe("t", qos)
        world.client("from").publish("t", qos=qos, properties=given())
        (packet,) = to.messages()
        has(packet.properties, CHANGED)
    left(world).drop()
    (packet,) = to.messages()
    has(packet.properties, CHANGED)
    assert len(hook.seen) == 4


@way
def from_python_to_python() -> None:
    world = World()
    got: list[Received] = []
    InlineClient(world.broker, "inside").subscribe("#", got.append, world.now)
    world.broker.inject("t", b"x", world.now, properties=given())
    world.client("from").publish("t", properties=given())
    world.turn()
    assert len(got) == 2
    for received in got:
        has(received.properties)


@way
def in_the_json_form() -> None:
    packet = Publish("t", properties=given())
    again = packet_from_json(json.loads(json.dumps(packet_to_json(packet))))
    assert again == packet
    connect = Connect("c", will=Will("t", b"", properties=WillProperties(**VALUES)))
    assert packet_from_json(json.loads(json.dumps(packet_to_json(connect)))) == connect


@way
def over_http_and_in_the_trace() -> None:
    lines, words = io.StringIO(), io.StringIO()
    listener = HttpListener(port=0, guard=Guard("token"))
    shown = packet_to_json(Publish("t", properties=PublishProperties(**VALUES)))["properties"]
    with ThreadedServer(
        listeners=[TcpListener(port=0), listener], hooks=[AllowAll()], trace=Trace(lines, "jsonl")
    ) as server:
        document = ask(listener.port, "GET", "/openapi.json")
        assert set(VALUES) <= set(document["components"]["schemas"]["PublishProperties"]["properties"])
        with RawClient(server.port) as to:
            to.connect("to")
            to.subscribe("#")
            body = {"topic": "a/b", "payload": "x", "retain": True, "properties": shown}
            assert ask(listener.port, "POST", "/api/v1/publish", body)["matched"]
            has(to.message().properties)
        answer = ask(listener.port, "GET", "/api/v1/retained/a%2Fb")
        assert answer["properties"] == shown
        for new in MADE_UP:
            if new.more:
                wrong = {"topic": "a", "properties": {new.name: 0 if "min" in new.more else 10}}
                refused = ask(listener.port, "POST", "/api/v1/publish", wrong)
                assert refused["status"] == 400
                assert new.name in refused["detail"]
    records = [json.loads(line)["packet"] for line in lines.getvalue().splitlines()]
    (traced,) = [form for form in records if form and form["type"] == "PUBLISH"]
    has(packet_from_json(traced).properties)  # type: ignore[union-attr]
    Trace(words).packet(1, "in", packet_from_json(traced), b"", V5, "c")
    assert all(f"{name}=" in words.getvalue() for name in VALUES)
    assert describe(packet_from_json(traced)) in words.getvalue()


def ask(port: int, method: str, path: str, body: Any = None) -> Any:
    """A request and its answer, both JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"authorization": "Bearer token", "content-type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def main() -> int:
    """Walk every way; prints by name the traceback of each that failed, or nothing for it."""
    outcomes = {}
    for name, walk in WAYS.items():
        outcomes[name] = ""
        try:
            walk()
        except Exception:
            outcomes[name] = traceback.format_exc()
    print(json.dumps(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
