# SPDX-License-Identifier: MIT
"""Every declared event fires in a running server, with the arguments that its declaration names."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from codegen.events import HOOK, imported
from mqtt_ref.engine.options import Options
from mqtt_ref.engine.tables import TABLES, changed
from mqtt_ref.hooks import Decision, Hook
from mqtt_ref.hooks.declare import EVENTS
from mqtt_ref.net.clock import Clock
from mqtt_ref.server import Server
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Publish,
    PublishProperties,
    Unsuback,
    Unsubscribe,
    Will,
)

Calls = dict[str, list[tuple[Any, ...]]]
ANSWERS: Mapping[str, object] = {
    "on_connect_authenticate": True,
    "on_auth_packet": Decision(True),
    "on_acl_check": True,
}
"""What the hook answers; None to all other events."""
KEEP = ConnectProperties(session_expiry_interval=100)
METHOD = "M"


def everything(port: int, jump: Callable[[float], None]) -> None:
    """Clients do all that leads to an event. `jump` lets so many seconds of the broker pass.

    An event that none of this leads to needs a few lines more here.
    """
    with ExitStack() as stack:

        def client(version: int = 5) -> RawClient:
            return stack.enter_context(RawClient(port, version=version))

        _messages(client())
        _retained(client())
        _in_flight(client(), client(), client())
        _goodbyes(client)
        _authentication(client())
        client(4).connect("old")
        client(3).connect("older")
        client().send(b"\x00\x00")
        jump(200)  # the session of "away" and a retained message have expired
        client().connect("last")


def _messages(one: RawClient) -> None:
    """Subscribes, publishes and receives with each QoS, unsubscribes; PINGREQ."""
    one.connect("one")
    one.subscribe("t", "$share/group/t", qos=2)
    for qos in range(3):
        one.publish("t", b"x", qos)
        for _ in range(2):
            one.message()
    one.send(Publish("t", b"x", properties=PublishProperties(topic_alias=1)))
    one.send(Publish("", b"x", properties=PublishProperties(topic_alias=1)))
    one.send(Unsubscribe(2, ["t", "$share/group/t"]))
    while not isinstance(one.read(), Unsuback):
        pass
    one.ping()


def _retained(one: RawClient) -> None:
    """A retained message that is received, one that expires, and one that is removed."""
    one.connect("two")
    one.publish("kept", b"x", retain=True, properties=PublishProperties(message_expiry_interval=5))
    one.subscribe("kept")
    assert one.message().retain
    one.publish("gone", b"x", 1, retain=True)
    one.publish("gone", b"", 1, retain=True)


def _in_flight(one: RawClient, again: RawClient, other: RawClient) -> None:
    """More messages than there are packet identifiers; sent again; given up; dropped for a client that is away."""
    one.connect("away", properties=KEEP)
    one.subscribe("u", qos=1)
    other.connect("other")
    for packet_id in range(1, 4):
        other.publish("u", b"x", 1, packet_id)
    one.close()
    again.connect("away", clean_start=False, properties=KEEP)  # takes the session over
    assert again.expect(Publish).dup
    again.close()
    other.ping()
    other.publish("u", b"x")


def _goodbyes(client: Callable[[], RawClient]) -> None:
    """A will that is published, a connection that is taken over, one that says goodbye."""
    one = client()
    one.connect("will", will=Will("w", b"gone"))
    one.send(Disconnect(4))
    one.until_closed()
    old = client()
    old.connect("same")
    new = client()
    new.connect("same")
    old.until_closed()
    new.disconnect()


def _authentication(one: RawClient) -> None:
    """Enhanced authentication, and again while connected."""
    one.send(Connect("who", properties=ConnectProperties(authentication_method=METHOD)))
    one.expect(Connack)
    one.send(Auth(0x19, AuthProperties(authentication_method=METHOD)))
    one.expect(Auth)


@cache
def fired() -> Calls:
    """The arguments of every call of a handler, by event, of a server from its start to its end."""
    calls: Calls = defaultdict(list)

    def handler(event: str) -> Callable[..., object]:
        def method(self: Hook, *arguments: object) -> object:
            calls[event].append(arguments)
            return ANSWERS.get(event)

        return method

    members: dict[str, Any] = {event: handler(event) for event in EVENTS}
    hook: Hook = type("Every", (Hook,), members | {"auth_methods": frozenset({METHOD})})()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        clock = Clock()

        def jump(seconds: float) -> None:
            loop.call_soon_threadsafe(clock.jump, seconds)

        tables = changed(TABLES, limits={"packet_id_maximum": 2})
        async with Server(Options(), hooks=[hook], tables=tables, clock=clock) as server:
            await asyncio.wait_for(asyncio.to_thread(everything, server.port, jump), 30)
            until = loop.time() + 5
            while loop.time() < until and set(EVENTS) - {"on_stopped"} - set(calls):
                await asyncio.to_thread(RawClient(server.port).close)  # the broker may not have seen yet how late it is

    asyncio.run(run())
    return calls


@pytest.mark.parametrize("name", EVENTS)
def test_it_fires(name: str) -> None:
    """If not: nothing calls it, or `everything` above lacks what leads to it."""
    assert fired()[name], f"{name}, declared in {HOOK}, did not fire: add to `everything` what leads to it"


@pytest.mark.parametrize("name", EVENTS)
def test_its_arguments_are_those_declared(root: Path, name: str) -> None:
    modules = imported((root / HOOK).read_text(encoding="utf-8"))
    known = {one: getattr(import_module(module), one) for one, module in modules.items()}
    types = get_type_hints(getattr(Hook, name), globalns=known, localns={"Told": None, "Answer": list})
    types.pop("return")
    for arguments in fired()[name]:
        assert len(arguments) == len(types)
        for (argument, wanted), value in zip(types.items(), arguments, strict=True):
            assert fits(value, wanted), f"{name}: {argument} is {value!r} and not {wanted}"


def fits(value: object, wanted: Any) -> bool:
    """Whether a value has the type of an annotation."""
    origin = get_origin(wanted)
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in get_args(wanted))
    if origin is not None and issubclass(origin, Mapping):
        key, inner = get_args(wanted)
        return isinstance(value, origin) and all(fits(k, key) and fits(v, inner) for k, v in value.items())
    if origin is list:
        return isinstance(value, list) and all(fits(one, get_args(wanted)[0]) for one in value)
    if wanted in (None, NoneType):
        return value is None
    return isinstance(value, wanted) and (wanted is not int or not isinstance(value, bool))


def test_a_wrong_type_does_not_fit() -> None:
    assert not fits(True, int)
    assert not fits(None, str)
    assert not fits([1, "x"], list[int])
    assert not fits({"a": 1}, Mapping[str, str])
    assert fits(None, Hook | None)
