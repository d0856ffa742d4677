# SPDX-License-Identifier: MIT
"""Hooks as a whole: declared once, added and removed while the server runs, and never able to take it down."""

from __future__ import annotations

import ast
import asyncio
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from inspect import getdoc, signature
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.broker.views import Client
from mqtt_ref.engine.generated.qos_send import AWAIT_PUBACK
from mqtt_ref.engine.message import Message
from mqtt_ref.engine.options import Options
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.hooks.declare import EVENTS, notify
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.ports import InflightPut, QueuePut, RetainedPut, SessionPut, StoredMessage, SubscriptionPut
from mqtt_ref.server import Server
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Disconnect,
    Puback,
    Publish,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
)
from tests.sansio import World

# ---------------------------------------------------------------- the declaration


def test_every_event_is_declared_once() -> None:
    assert [name for name in vars(Hook) if name.startswith(("on_", "stored_"))] == list(EVENTS)


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_documented_typed_and_does_nothing(name: str) -> None:
    method = getattr(Hook, name)
    assert getdoc(method)
    assert "return" in method.__annotations__
    parameters = list(signature(method).parameters)
    assert set(parameters) - {"self"} <= set(method.__annotations__)
    assert getattr(Hook(), name)(*([None] * (len(parameters) - 1))) is None


def test_the_client_of_an_event_comes_first() -> None:
    def on_late(self: Hook, text: str, client: Client) -> None: ...

    on_late.__annotations__["client"] = "Client"
    with pytest.raises(TypeError, match="event on_late: its client must be the first argument"):
        notify()(on_late)


def test_the_declaration_is_what_a_type_checker_sees() -> None:
    """No event is hidden behind a decorator that takes its signature away."""
    tree = ast.parse(Path(sys.modules["mqtt_ref.hooks.hook"].__file__ or "").read_text(encoding="utf-8"))
    (hook,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for node in hook.body:
        if isinstance(node, ast.FunctionDef):
            assert all(arg.annotation for arg in node.args.args[1:]), node.name
            assert node.returns is not None, node.name


# ---------------------------------------------------------------- adding and removing


class Counts(Hook):
    def __init__(self, name: str = "") -> None:
        self.id = name
        self.published = 0

    def on_published(self, client: Client | None, message: Message, matched: bool) -> None:
        self.published += 1


def test_hooks_are_called_in_the_order_in_which_they_were_added() -> None:
    order: list[str] = []

    class Named(Hook):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_published(self, client: Client | None, message: Message, matched: bool) -> None:
            order.append(self.name)

    world = World()
    hooks = Dispatcher(world.broker, [AllowAll(), Named("a"), Named("b")])
    hooks.add(Named("c"))
    world.client("c").publish("t")
    assert order == ["a", "b", "c"]


def test_a_hook_may_come_and_go_while_clients_are_there() -> None:
    world = World()
    allow, counts = AllowAll(), Counts()
    hooks = Dispatcher(world.broker, [allow])
    client = world.client("c")
    client.publish("t")
    hooks.add(counts)
    client.publish("t")
    hooks.remove(counts)
    client.publish("t")
    assert counts.published == 1
    assert world.broker.watch.on_published is None
    hooks.remove(allow)
    assert client.publish("t", qos=1).reason_code == 0x87
    assert hooks.hooks == ()


def test_a_hook_may_remove_itself_and_add_others_in_a_handler() -> None:
    world = World()
    later = Counts("later")

    class Once(Counts):
        def on_published(self, client: Client | None, message: Message, matched: bool) -> None:
            super().on_published(client, message, matched)
            hooks.remove(self)
            hooks.add(later)

    once, always = Once("once"), Counts("always")
    hooks = Dispatcher(world.broker, [AllowAll(), once, always])
    client = world.client("c")
    for _ in range(3):
        client.publish("t")
    assert (once.published, always.published, later.published) == (1, 3, 2)


def test_who_may_read_is_asked_anew_when_hooks_change() -> None:
    class Nobody(Hook):
        def on_acl_check(self, client: Client, topic: str, write: bool) -> bool | None:
            return None if write else False

    world = World()
    hooks = Dispatcher(world.broker, [AllowAll()])
    client = world.client("c")
    client.subscribe("t")
    client.publish("t")
    assert len(client.messages()) == 1
    nobody = Nobody()
    hooks.remove(hooks.hooks[0])
    hooks.add(nobody)
    hooks.add(AllowAll())
    client.publish("t")
    assert client.messages() == []
    hooks.remove(nobody)
    client.publish("t")
    assert len(client.messages()) == 1


def test_who_may_read_is_asked_anew_when_another_user_resumes_the_session() -> None:
    class ByUser(Hook):
        def on_connect_authenticate(self, client: Client, connect: Connect) -> bool:
            return True

        def on_acl_check(self, client: Client, topic: str, write: bool) -> bool:
            return write or "#" in topic or client.username == "carol"

    keep = ConnectProperties(session_expiry_interval=100)
    world = World()
    Dispatcher(world.broker, [ByUser()])
    pub = world.client("pub", username="carol")
    client = world.client("c", username="carol", properties=keep)
    client.subscribe("#")
    pub.publish("t")
    assert len(client.messages()) == 1
    other = world.client("c", username="mallory", clean_start=False, properties=keep)
    pub.publish("t")
    assert other.messages() == []


def test_mistakes_are_told_at_once() -> None:
    class Wrong(Hook):
        async def on_packet_sent(self, client: Client, packet: Any, data: bytes) -> None:  # type: ignore[override]
            """Nothing can wait for it."""

    world = World()
    counts = Counts("counter")
    hooks = Dispatcher(world.broker, [AllowAll(), counts])
    with pytest.raises(ValueError, match="counter cannot be added: it was added already"):
        hooks.add(counts)
    with pytest.raises(ValueError, match="Counts cannot be removed: it was not added"):
        hooks.remove(Counts())
    with pytest.raises(TypeError, match="is not a hook"):
        hooks.add(Counts)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Wrong: on_packet_sent cannot be async def"):
        hooks.add(Wrong())
    assert hooks.hooks[1:] == (counts,)
    with pytest.raises(TypeError, match="is not a hook"):
        Server(hooks=[object()])  # type: ignore[list-item]


def test_a_handler_on_the_object_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    hook = Hook()
    hook.on_published = lambda *_: None  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING, "mqtt_ref.hooks"):
        Dispatcher(World().broker, [hook])
    assert "on_published was set on the object, where it has no effect" in caplog.text


def test_an_event_that_is_misspelt_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    class Misspelt(Hook):
        def on_publsh(self, client: Client, packet: Publish) -> None: ...

        def on_the_side(self) -> None: ...

    with caplog.at_level(logging.WARNING, "mqtt_ref.hooks"):
        Dispatcher(World().broker, [Misspelt()])
    assert [record.getMessage() for record in caplog.records] == [
        "hook Misspelt: there is no event on_publsh; did you mean on_publish?"
    ]


# ---------------------------------------------------------------- hooks of every kind


def every(make: Callable[[str], Callable[..., Any]]) -> Hook:
    """A hook with a handler for every event."""
    made: Hook = type("Every", (Hook,), {"filters_only": True} | {event: make(event) for event in EVENTS})()
    return made


def scene(port: int) -> list[bytes]:
    """A publisher and a subscriber, with all three QoS; what was heard."""
    with RawClient(port) as one, RawClient(port) as two:
        one.connect("one", will=None)
        two.connect("two")
        one.subscribe("t", qos=2)
        for qos in range(3):
            two.publish("t", bytes([qos]), qos=qos, packet_id=qos + 1)
        heard = [one.message().payload for _ in range(3)]
        one.disconnect()
        two.disconnect()
        return heard


def serve(server: Server) -> list[bytes]:
    async def run() -> list[bytes]:
        async with server:
            return await asyncio.wait_for(asyncio.to_thread(scene, server.port), 20)

    return asyncio.run(run())


def test_a_hook_that_does_nothing_on_every_event_changes_nothing() -> None:
    nothing = every(lambda event: lambda self, *args: None)
    assert serve(Server(hooks=[nothing, AllowAll()])) == [b"\x00", b"\x01", b"\x02"]


def test_a_hook_that_waits_on_every_event_changes_nothing() -> None:
    def make(event: str) -> Callable[..., Any]:
        async def waits(self: Hook, *args: Any) -> None:
            await asyncio.sleep(0)

        return waits if EVENTS[event].waits else lambda self, *args: None

    assert serve(Server(hooks=[every(make), AllowAll()])) == [b"\x00", b"\x01", b"\x02"]


def misfortune(port: int) -> None:
    """A client that does a bit of everything, and takes what comes of it."""
    with RawClient(port) as bad:
        bad.send(Connect("bad", will=Will("gone")))
        bad.send(Publish("bad", b"kept", 1, True, packet_id=1), Subscribe(2, [Subscription("bad", 1)]))
        bad.send(Publish("bad", b"x", 1, packet_id=3), Puback(1), Puback(2), Unsubscribe(4, ["bad"]), Disconnect(4))
        bad.until_closed()


@pytest.mark.parametrize("name", [name for name in EVENTS if not name.startswith("stored")])
def test_a_hook_that_raises_takes_nobody_down(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it raises in about one client, the others are served, and the log names it."""

    raised: list[str] = []

    def method(self: Hook, *args: Any) -> Any:
        if not args or "bad" in {getattr(args[0], "id", ""), getattr(args[0], "publisher", "")}:
            raised.append(name)
            raise ZeroDivisionError
        return None

    async def run() -> list[bytes]:
        async with server:
            await asyncio.wait_for(asyncio.to_thread(misfortune, server.port), 20)
            return await asyncio.wait_for(asyncio.to_thread(scene, server.port), 20)

    bad: Hook = type("Bad", (Hook,), {name: method})()
    server = Server(hooks=[bad, AllowAll()])
    with caplog.at_level(logging.ERROR, "mqtt_ref.hooks"):
        assert asyncio.run(run()) == [b"\x00", b"\x01", b"\x02"]
    assert (f"hook Bad failed in {name}: ZeroDivisionError" in caplog.text) == bool(raised)


def test_what_a_broken_hook_logs_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    class Bad(Hook):
        def on_published(self, client: Client | None, message: Message, matched: bool) -> None:
            raise ZeroDivisionError

    world = World()
    Dispatcher(world.broker, [AllowAll(), Bad()])
    client = world.client("c")
    with caplog.at_level(logging.ERROR, "mqtt_ref.hooks"):
        client.send(*[Publish("t")] * 1000)
    assert 100 <= len(caplog.records) <= 300


def test_subclasses_of_subclasses_and_mixins() -> None:
    class Mixin:
        def on_published(self, client: Client | None, message: Message, matched: bool) -> None:
            seen.append(message.topic)

    class Base(Hook):
        def on_disconnect(self, client: Client, reason_code: int, text: str) -> None:
            seen.append(client.id)

    class Both(Mixin, Base):
        """Both of it."""

    seen: list[str] = []
    world = World()
    Dispatcher(world.broker, [AllowAll(), Both()])
    client = world.client("c")
    client.publish("t")
    client.drop()
    assert seen == ["t", "c"]


# -- the loaders: stored_clients, stored_subscriptions, stored_inflight_messages, stored_retained_messages,
# stored_sys_info


class Kept(Hook):
    """What a store would give back."""

    def __init__(self) -> None:
        self.message = StoredMessage(7, "t", b"kept", 1, True, b"", "pub", 1, 0)

    def stored_clients(self) -> Iterable[SessionPut]:
        return [SessionPut("c", 5, "carol", 1000, 0, None, 0, False)]

    def stored_subscriptions(self) -> Iterable[SubscriptionPut]:
        return [SubscriptionPut("c", "t", 1, 0)]

    def stored_inflight_messages(self) -> Iterable[InflightPut | QueuePut]:
        return [
            InflightPut("c", 3, AWAIT_PUBACK, 1, self.message, 1, False, (), ""),
            QueuePut("c", 2, self.message._replace(ident=8, payload=b"waits"), 1, False, (), ""),
        ]

    async def stored_retained_messages(self) -> Iterable[RetainedPut]:
        await asyncio.sleep(0)
        return [RetainedPut(self.message)]

    def stored_sys_info(self) -> Mapping[str, int]:
        return {"messages_routed": 1000, "unheard_of": 1}


@pytest.mark.parametrize("restore", [False, True])
def test_what_hooks_have_kept_is_taken_over(restore: bool) -> None:
    class Second(Kept):
        def stored_clients(self) -> Iterable[SessionPut]:
            raise AssertionError("the first answer counts")

        def stored_retained_messages(self) -> Any:
            raise AssertionError("the first answer counts")

    def work(port: int) -> None:
        with RawClient(port) as one:
            connack = one.connect("c", clean_start=False)
            assert connack.session_present
            first, second = one.message(), one.message()
            assert (first.payload, first.dup, first.packet_id) == (b"kept", True, 3)
            assert second.payload == b"waits"
            one.subscribe("t")
            assert one.message().retain

    async def run() -> Server:
        server = Server(Options(restore_sys_info=restore), hooks=[AllowAll(), Hook(), Kept(), Second()])
        for _ in range(2):
            async with server:
                await asyncio.wait_for(asyncio.to_thread(work, server.port), 20)
                server.broker.sessions.remove("c", 1)
                server.broker.retained.store.remove("t")
                break
        return server

    server = asyncio.run(run())
    assert (server.broker.counters.messages_routed >= 1000) == restore


def test_it_is_taken_over_once() -> None:
    async def run() -> int:
        server = Server(hooks=[AllowAll(), Kept()])
        async with server:
            server.broker.retained.store.remove("t")
        async with server:
            return "t" in dict(server.broker.retained.store.match("#"))

    assert not asyncio.run(run())


@pytest.mark.parametrize("name", [name for name in EVENTS if name.startswith("stored")])
def test_a_server_does_not_start_without_what_was_kept(name: str) -> None:
    def method(self: Hook) -> Any:
        raise OSError("the store is gone")

    bad: Hook = type("Bad", (Hook,), {name: method})()

    async def run() -> None:
        server = Server(hooks=[AllowAll(), bad])
        with pytest.raises(OSError, match="the store is gone"):
            await server.start()
        server.remove_hook(bad)
        async with server:
            pass

    asyncio.run(run())
