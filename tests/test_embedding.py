# SPDX-License-Identifier: MIT
"""A server inside a program: with an event loop, and as its twin without one."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import mqtt_ref
from mqtt_ref import AllowAll, Hook, Options, Server, TcpListener, ThreadedServer
from mqtt_ref.broker.inline import Received
from mqtt_ref.broker.views import Client
from mqtt_ref.engine.message import Message
from mqtt_ref.net.listener import ListenerError
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import Disconnect, Publish, PublishProperties, Suback, Subscribe, Subscription


def test_short_names_are_all_there() -> None:
    for name in mqtt_ref.__all__:
        assert getattr(mqtt_ref, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Sever'"):
        mqtt_ref.Sever  # noqa: B018 # type: ignore[attr-defined]


# ---------------------------------------------------------------- with an event loop


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def beside(work: Callable[..., Any], *args: Any) -> Any:
    """Work that blocks, in a thread."""
    return await asyncio.wait_for(asyncio.to_thread(work, *args), 20)


def test_it_is_ready_when_it_has_started_and_gone_when_it_has_stopped() -> None:
    async def run() -> None:
        async with Server(hooks=[AllowAll()]) as server:
            port = server.port
            assert server.url == f"mqtt://127.0.0.1:{port}"
            assert port != 0
            client = RawClient(port)
            await beside(client.connect, "stays")
        last = await beside(client.expect, Disconnect)
        assert last.reason_code == 0x8B
        client.close()
        with pytest.raises(OSError):
            await beside(socket.create_connection, ("127.0.0.1", port), 1)

    asyncio.run(run())


def test_stopping_is_bounded_though_nobody_listens_any_more() -> None:
    async def run() -> float:
        async with Server(hooks=[AllowAll()]) as server:
            with RawClient(server.port, receive_buffer=4096) as deaf:
                await beside(deaf.connect, "deaf")
                await beside(deaf.subscribe, "#")
                for _ in range(100):
                    server.publish("t", bytes(100_000))
                await asyncio.sleep(0)
                begun = time.monotonic()
                await server.stop(0.3)
                return time.monotonic() - begun

    assert asyncio.run(run()) < 3


def test_several_handlers_of_one_filter_are_told_apart_by_their_identifier() -> None:
    got: list[tuple[str, str, bytes]] = []

    def handler(name: str) -> Callable[[Received], None]:
        return lambda received: got.append((name, received.topic, received.payload))

    async def later(received: Received) -> None:
        await asyncio.sleep(0)
        got.append(("later", received.topic, received.payload))

    async def run() -> None:
        async with Server() as server:
            server.subscribe("a/+", handler("one"), identifier=1)
            server.subscribe("a/+", handler("two"), identifier=2)
            server.subscribe("a/#", later)
            assert server.publish("a/b", "x")
            await until(lambda: len(got) == 3)
            assert sorted(got) == [(name, "a/b", b"x") for name in ("later", "one", "two")]
            assert server.unsubscribe("a/+", 1)
            assert not server.unsubscribe("a/+", 1)
            got.clear()
            server.publish("a/b", "y", qos=2, retain=True)
            await until(lambda: len(got) == 2)
            assert sorted(name for name, *_ in got) == ["later", "two"]
            assert [message.payload for message in server.retained("a/#")] == [b"y"]

    asyncio.run(asyncio.wait_for(run(), 20))


def test_rules_do_not_hold_inside_and_sys_topics_are_open() -> None:
    """Nobody may do anything here but the program itself."""

    async def run() -> list[str]:
        async with Server() as server, server.messages("$SYS/mine/#") as messages:
            server.publish("$SYS/mine/a", "1", retain=True)
            server.publish("$SYS/mine/b", "2")
            return [(await anext(messages)).topic for _ in range(2)]

    assert asyncio.run(asyncio.wait_for(run(), 20)) == ["$SYS/mine/a", "$SYS/mine/b"]


def test_shared_subscriptions_among_clients_inside() -> None:
    async def run() -> list[int]:
        async with Server() as server:
            counts = [0, 0]
            for number in range(2):

                def count(received: Received, number: int = number) -> None:
                    counts[number] += 1

                server.inline_client(f"worker {number}").subscribe("$share/g/jobs", count)
            for _ in range(10):
                server.publish("jobs")
            await until(lambda: sum(counts) == 10)
            return counts

    assert asyncio.run(asyncio.wait_for(run(), 20)) == [5, 5]


def test_messages_can_be_looped_over() -> None:
    async def run() -> list[bytes]:
        async with Server(hooks=[AllowAll()]) as server:
            server.publish("t/0", "kept", retain=True)
            got: list[bytes] = []
            async with server.messages("t/#") as messages:
                with RawClient(server.port) as client:
                    await beside(client.connect, "c")
                    client.publish("t/1", b"sent")
                    async for message in messages:
                        got.append(message.payload)
                        if len(got) == 2:
                            break
            assert server.subscriptions() == []
            return got

    assert asyncio.run(asyncio.wait_for(run(), 20)) == [b"kept", b"sent"]


def test_without_an_inline_client() -> None:
    with pytest.raises(RuntimeError, match="no inline client"):
        Server(Options(inline_client=False)).publish("t")


# ---------------------------------------------------------------- without one, and what there is to see


@pytest.fixture
def hears() -> list[str]:
    return []


class Hears(Hook):
    def __init__(self, topics: list[str]) -> None:
        self.topics = topics

    def on_published(self, client: Client | None, message: Message, matched: bool) -> None:
        self.topics.append(message.topic)


def test_the_twin_starts_stops_and_starts_again() -> None:
    server = ThreadedServer(hooks=[AllowAll()])
    for _ in range(2):
        assert not server.running
        with server:
            assert server.running
            with RawClient(server.port) as client:
                client.connect("c")
                client.ping()
            with pytest.raises(RuntimeError, match="runs already"):
                server.start()
    with pytest.raises(RuntimeError, match="does not run"):
        server.publish("t")
    server.stop()  # nothing to stop
    assert not [one for one in threading.enumerate() if one.name == "mqtt_ref"]


def test_the_twin_that_cannot_listen_says_why_and_leaves_nothing() -> None:
    with ThreadedServer(hooks=[AllowAll()]) as server:
        second = ThreadedServer(listeners=[TcpListener(port=server.port)])
        with pytest.raises(ListenerError, match="in use"):
            second.start()
        assert not second.running


def test_the_twin_publishes_and_hears() -> None:
    got: list[bytes] = []
    came = threading.Event()

    def handler(received: Received) -> None:
        got.append(received.payload)
        came.set()

    with ThreadedServer(hooks=[AllowAll()]) as server, RawClient(server.port) as client:
        client.connect("c")
        client.subscribe("down", qos=1)
        server.subscribe("up", handler, identifier=5)
        assert server.publish("down", "hello", qos=1, properties=PublishProperties(content_type="text"))
        message = client.message()
        assert (message.payload, message.qos) == (b"hello", 1)
        assert message.properties is not None
        assert message.properties.content_type == "text"
        stream = server.messages("up", timeout=10)
        client.publish("up", b"there", qos=1)
        assert came.wait(10)
        assert next(stream).payload == b"there"
        stream.close()  # type: ignore[attr-defined]
        assert server.unsubscribe("up", 5)
        assert not server.publish("up")
        assert got == [b"there"]


def test_clients_sessions_subscriptions_and_retained_messages_can_be_seen() -> None:
    with ThreadedServer(hooks=[AllowAll()]) as server, RawClient(server.port) as client:
        client.connect("gauge", username="alice", keep_alive=30)
        client.subscribe("$share/g/a", "b/+", qos=1)
        client.publish("kept", b"x", 1, retain=True)
        (seen,) = server.clients()
        assert (seen.id, seen.username, seen.keep_alive, seen.protocol_version) == ("gauge", "alice", 30, 5)
        assert seen.connected
        assert seen.remote.startswith("127.0.0.1:")
        assert server.client("gauge") is not None
        assert server.client("nobody") is None
        rows = [(row.client_id, row.topic_filter, row.qos) for row in server.subscriptions()]
        assert rows == [("gauge", "$share/g/a", 1), ("gauge", "b/+", 1)]
        (kept,) = server.retained()
        assert (kept.topic, kept.payload, kept.qos, kept.publisher) == ("kept", b"x", 1, "gauge")
        assert server.disconnect("gauge", text="Enough")
        last = client.expect(Disconnect)
        assert last.reason_code == 0x98
        assert last.properties is not None
        assert last.properties.reason_string == "Enough"
        assert not server.disconnect("gauge")


def test_packets_are_put_in_the_mouth_of_a_client() -> None:
    with ThreadedServer(hooks=[AllowAll()]) as server, RawClient(server.port) as client:
        client.connect("c")
        server.inject("c", Subscribe(7, [Subscription("t", 0)]))
        assert client.expect(Suback).packet_id == 7  # it is answered like its own
        server.inject("c", Publish("t", b"not mine"))
        assert client.message().payload == b"not mine"
        assert [row.topic_filter for row in server.subscriptions()] == ["t"]
        with pytest.raises(LookupError):
            server.inject("nobody", Publish("t"))


def test_hooks_and_listeners_come_and_go_in_the_twin(hears: list[str]) -> None:
    hook = Hears(hears)
    with ThreadedServer(hooks=[AllowAll()]) as server:
        server.publish("before")
        server.add_hook(hook)
        server.publish("while")
        server.remove_hook(hook)
        server.publish("after")
        assert hears == ["while"]
        extra = TcpListener(port=0, name="extra")
        server.add_listener(extra)
        with RawClient(extra.port) as client:
            client.connect("c")
            server.close_listener("extra")
            assert client.expect(Disconnect).reason_code == 0x98


def test_the_twin_is_not_called_from_its_own_thread() -> None:
    found: list[str] = []

    def handler(received: Received) -> None:
        try:
            server.publish("again")
        except RuntimeError as error:
            found.append(str(error))

    with ThreadedServer() as server:
        server.subscribe("t", handler)
        server.publish("t")
        server.call(lambda: None)
    assert found == ["this is the server's own thread, use `server.server` here"]
