# SPDX-License-Identifier: MIT
"""A server inside a program: its life, what it tells, and what can be done from inside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from mqtt_ref import AllowAll, MemoryListener, Options, Server, TcpListener
from mqtt_ref.engine.options import Bounds
from mqtt_ref.net.channel import Channel
from mqtt_ref.net.driver import Driver
from mqtt_ref.net.listener import Listener, ListenerError
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import Disconnect, Pingreq, Publish, PublishProperties


def talking(talk: Callable[[Server, RawClient], None]) -> None:
    """A server, and a client that is connected to it, in a thread."""

    async def serve() -> None:
        async with Server(hooks=[AllowAll()]) as server:
            with await asyncio.to_thread(RawClient, server.port) as client:
                await asyncio.to_thread(client.connect, "melon", username="carol")
                await asyncio.to_thread(talk, server, client)

    asyncio.run(serve())


def test_clients_are_seen_as_they_are() -> None:
    def talk(server: Server, client: RawClient) -> None:
        client.subscribe("a/+", qos=2)
        found = server.client("melon")
        assert found is not None
        assert found is server.clients()[0]
        assert (found.id, found.username, found.connected, found.protocol_version) == ("melon", "carol", True, 5)
        assert found.remote.startswith("127.0.0.1:")
        assert found.listener == server.listeners[0].name
        (row,) = server.subscriptions()
        assert (row.client_id, row.topic_filter, row.qos) == ("melon", "a/+", 2)
        assert server.client("lemon") is None

    talking(talk)


def test_a_session_without_a_connection_is_seen_too() -> None:
    def talk(server: Server, client: RawClient) -> None:
        from mqtt_ref.wire.packets import ConnectProperties

        with RawClient(server.port) as other:
            other.connect("lemon", properties=ConnectProperties(session_expiry_interval=60))
            other.disconnect()
        found = server.client("lemon")
        assert found is not None
        assert (found.connected, found.session_expiry) == (False, 60)

    talking(talk)


def test_retained_messages_are_seen() -> None:
    async def play() -> None:
        async with Server(hooks=[AllowAll()]) as server:
            server.publish("a/b", "ripe", qos=1, retain=True, properties=PublishProperties(content_type="text/plain"))
            (found,) = server.retained("a/+")
            assert (found.topic, found.payload, found.qos) == ("a/b", b"ripe", 1)
            assert server.retained("b/#") == []
            assert not [one for one in server.retained() if one.topic.startswith("$")]

    asyncio.run(play())


def test_packets_are_handled_as_if_a_client_had_sent_them() -> None:
    async def play() -> None:
        listener = MemoryListener()
        async with Server(listeners=[listener], hooks=[AllowAll()]) as server:
            with pytest.raises(LookupError, match="'melon'"):
                server.inject("melon", Publish("a"))
            reader, writer = listener.connect()
            writer.write(bytes.fromhex("101200044d515454050200000000056d656c6f6e"))
            await reader.readexactly(2)
            async with server.messages("a") as messages:
                server.inject("melon", Publish("a", b"ripe"))
                message = await anext(messages)
                assert (message.payload, message.publisher) == (b"ripe", "melon")
            with pytest.raises(ValueError, match="not a packet that a client may send"):
                server.inject("melon", Publish("a/#"))

    asyncio.run(play())


def test_an_inline_client_can_be_spoken_for_too() -> None:
    async def play() -> None:
        async with Server(hooks=[AllowAll()]) as server:
            server.inline_client("tree")
            async with server.messages("a") as messages:
                server.inject("tree", Publish("a", b"ripe", retain=True))
                message = await anext(messages)
                assert (message.payload, message.publisher) == (b"ripe", "tree")
            assert [found.payload for found in server.retained("a")] == [b"ripe"]
            with pytest.raises(ValueError, match="can inject only PUBLISH"):
                server.inject("tree", Pingreq())
            with pytest.raises(ValueError, match="not a Topic Name"):
                server.inject("tree", Publish("a/#"))

    asyncio.run(play())


def test_disconnecting_a_client() -> None:
    async def play() -> None:
        async with Server(hooks=[AllowAll()]) as server:
            with await asyncio.to_thread(RawClient, server.port) as client:
                await asyncio.to_thread(client.connect, "melon")
                assert server.disconnect("melon")
                (packet,) = await asyncio.to_thread(client.until_closed)
                assert isinstance(packet, Disconnect)
                assert packet.reason_code == 0x98
                assert not server.disconnect("lemon")

    asyncio.run(play())


def test_reset_keeps_what_sys_says() -> None:
    async def play() -> None:
        async with Server(hooks=[AllowAll()]) as server:
            server.publish("a", "kept", retain=True)
            told = len(server.retained("$SYS/#"))
            assert told
            server.reset()
            assert server.retained() == []
            assert len(server.retained("$SYS/#")) == told

    asyncio.run(play())


def test_misuse_is_explained() -> None:
    async def play() -> None:
        server = Server(hooks=[AllowAll()])
        with pytest.raises(RuntimeError, match="does not run"):
            _ = server.driver
        await server.stop()
        async with server:
            with pytest.raises(RuntimeError, match="runs already"):
                await server.start()
            with pytest.raises(ListenerError, match="in use"):
                await server.add_listener(TcpListener(port=server.port, name="again"))
            assert len(server.listeners) == 1

    asyncio.run(play())


def test_it_may_be_used_before_it_runs() -> None:
    """What is published then is there when it starts."""

    async def play() -> None:
        server = Server(hooks=[AllowAll()])
        server.publish("a", "early", retain=True)
        came: list[bytes] = []
        server.subscribe("b", lambda received: came.append(received.payload))
        async with server:
            assert [one.payload for one in server.retained()] == [b"early"]
            server.publish("b", "1")
            await asyncio.sleep(0.01)
        assert came == [b"1"]

    asyncio.run(play())


def test_it_starts_again_at_the_same_port_also_on_another_loop() -> None:
    server = Server(hooks=[AllowAll()])

    async def once() -> int:
        async with server:
            with await asyncio.to_thread(RawClient, server.port) as client:
                await asyncio.to_thread(client.connect, "melon")
            return server.port

    assert len({asyncio.run(once()) for _ in range(3)}) == 1


def test_several_in_one_loop() -> None:
    async def play() -> None:
        async with Server(hooks=[AllowAll()]) as one, Server(hooks=[AllowAll()]) as two:
            assert one.port != two.port
            one.publish("a", "1", retain=True)
            assert two.retained() == []

    asyncio.run(play())


@pytest.mark.alone
def test_listeners_that_do_not_close_hold_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    class Opens(Listener):
        async def open(self, driver: Driver, channel: Callable[[Driver, Listener], Channel] = Channel) -> None: ...

    class Fails(Opens):
        async def close(self) -> None:
            raise ValueError("stuck")

    class Stays(Opens):
        async def close(self) -> None:
            await asyncio.Event().wait()

    async def play() -> float:
        tcp = TcpListener(port=0)
        options = Options(bounds=Bounds(hook_timeout=0.1))
        async with Server(options, [Fails("a"), Stays("b"), tcp], hooks=[AllowAll()]):
            client = await asyncio.to_thread(RawClient, tcp.port)
            await asyncio.to_thread(client.connect, "c")
            begin = time.monotonic()
        assert [type(packet) for packet in await asyncio.to_thread(client.until_closed)] == [Disconnect]
        client.close()
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", tcp.port)
        return time.monotonic() - begin

    assert asyncio.run(play()) < 2
    assert "listener a could not be closed" in caplog.text
    assert "listener b did not close within 0.1 s" in caplog.text


def test_the_end_is_bounded_with_clients_that_do_nothing() -> None:
    async def play() -> float:
        server = Server(hooks=[AllowAll()])
        await server.start()
        clients = [await asyncio.to_thread(RawClient, server.port) for _ in range(10)]
        for number, client in enumerate(clients):
            await asyncio.to_thread(client.connect, str(number))
        begin = time.monotonic()
        await server.stop(0.1)
        taken = time.monotonic() - begin
        for client in clients:
            client.close()
        return taken

    assert asyncio.run(play()) < 0.2
