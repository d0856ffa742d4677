# SPDX-License-Identifier: MIT
"""Connections without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mqtt_ref.engine.options import Bounds, Terms
from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.listener import ListenerError
from mqtt_ref.net.memory import MemoryListener
from mqtt_ref.server import Server
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
)
from mqtt_ref.wire.primitives import SERVER


class Client:
    """The few calls that a test needs, on the stream pair that `connect` gives."""

    def __init__(self, listener: MemoryListener) -> None:
        self.reader, self.writer = listener.connect()
        self.decoder = Decoder(5, SERVER)
        self.inbox: list[Any] = []

    def send(self, *packets: Any) -> None:
        self.writer.write(b"".join(encode(5, packet) for packet in packets))

    async def read(self) -> Any:
        while not self.inbox:
            data = await asyncio.wait_for(self.reader.read(1 << 16), 5)
            if not data:
                return None
            self.inbox.extend(self.decoder.feed(data))
        return self.inbox.pop(0)


def with_server(test: Callable[[Server, MemoryListener], Awaitable[None]], **more: Any) -> None:
    async def run() -> None:
        listener = MemoryListener(**more)
        async with Server(listeners=[listener], hooks=[AllowAll()]) as server:
            await asyncio.wait_for(test(server, listener), 20)

    asyncio.run(run())


def test_messages_pass() -> None:
    async def test(server: Server, listener: MemoryListener) -> None:
        assert server.url == "memory:memory"
        one, other = Client(listener), Client(listener)
        one.send(Connect("one"), Subscribe(1, [Subscription("a/#", 1)]))
        assert isinstance(await one.read(), Connack)
        assert isinstance(await one.read(), Suback)
        other.send(Connect("other"))
        assert isinstance(await other.read(), Connack)
        for number in range(100):
            other.send(Publish(f"a/{number}", b"x" * number, 1, packet_id=number + 1))
        for number in range(100):
            got = await one.read()
            assert (got.topic, got.payload) == (f"a/{number}", b"x" * number)
            one.send(Puback(got.packet_id))
        acked = [(await other.read()).packet_id for _ in range(100)]
        assert acked == list(range(1, 101))

    with_server(test)


def test_each_side_sees_the_other_close() -> None:
    async def test(server: Server, listener: MemoryListener) -> None:
        one = Client(listener)
        one.send(Connect("one"), Disconnect())
        assert isinstance(await one.read(), Connack)
        assert await one.read() is None  # the broker closed, as it has to
        await one.writer.wait_closed()
        assert one.writer.is_closing()
        one.send(Pingreq())  # nobody hears it
        other = Client(listener)
        other.send(Connect("other"))
        assert isinstance(await other.read(), Connack)
        other.writer.close()
        await other.writer.wait_closed()
        assert not server.broker.connections
        third = Client(listener)
        third.send(Connect("third"), Pingreq())
        third.writer.write_eof()
        assert isinstance(await third.read(), Connack)
        assert isinstance(await third.read(), Pingresp)
        assert await third.read() is None

    with_server(test)


def test_a_client_that_does_not_read_costs_bounded_memory() -> None:
    async def test(server: Server, listener: MemoryListener) -> None:
        slow, busy = Client(listener), Client(listener)
        slow.send(Connect("slow"), Subscribe(1, [Subscription("#")]))
        assert isinstance(await slow.read(), Connack)
        assert isinstance(await slow.read(), Suback)
        busy.send(Connect("busy"))
        for _ in range(200):
            busy.send(Publish("t", bytes(50_000)))
            await busy.writer.drain()
            await asyncio.sleep(0)
        (link,) = [one for one in server.driver.channels if one.client_id == "slow"]
        assert server.driver.channels[link].transport.get_write_buffer_size() <= Bounds().hard_limit + 200_000
        assert server.broker.counters.dropped_slow > 0
        busy.send(Pingreq())
        assert isinstance(await busy.read(), Connack)
        assert isinstance(await busy.read(), Pingresp)
        got = await slow.read()
        assert got.payload == bytes(50_000)

    with_server(test)


def test_who_sends_without_reading_is_not_read_any_more() -> None:
    async def test(server: Server, listener: MemoryListener) -> None:
        greedy = Client(listener)
        greedy.send(Connect("greedy"))
        pings = encode(5, Pingreq()) * 50_000
        answers = encode(5, Pingresp()) * (40 * 50_000)
        for _ in range(40):
            greedy.writer.write(pings)
            await asyncio.sleep(0)
        channel = next(iter(server.driver.channels.values()))
        assert channel.halted
        assert channel.transport.get_write_buffer_size() < Bounds().hard_limit + 2 * len(pings)
        drained = asyncio.ensure_future(greedy.writer.drain())
        await asyncio.sleep(0)
        assert not drained.done()
        got = b""
        while len(got) < len(answers) or not got.endswith(answers):
            got += await asyncio.wait_for(greedy.reader.read(1 << 20), 5)
        assert isinstance(Decoder(5, SERVER).feed(got[: -len(answers)])[0], Connack)
        await drained

    with_server(test)


def test_a_closed_listener_takes_nobody() -> None:
    listener = MemoryListener("mine")
    with pytest.raises(ListenerError, match="mine is not open"):
        listener.connect()

    async def run() -> None:
        async with Server(listeners=[listener], hooks=[AllowAll()]):
            listener.connect()
        with pytest.raises(ListenerError):
            listener.connect()

    asyncio.run(run())


def test_stop_says_goodbye() -> None:
    async def run() -> None:
        listener = MemoryListener()
        server = Server(listeners=[listener], hooks=[AllowAll()])
        await server.start()
        one = Client(listener)
        one.send(Connect("one"))
        assert isinstance(await one.read(), Connack)
        await server.stop()
        last = await one.read()
        assert isinstance(last, Disconnect)
        assert last.reason_code == 0x8B
        assert await one.read() is None

    asyncio.run(run())


def test_terms_hold_here_too() -> None:
    async def test(server: Server, listener: MemoryListener) -> None:
        one = Client(listener)
        one.send(Connect("one"))
        connack = await one.read()
        assert connack.properties.maximum_qos == 0

    with_server(test, terms=Terms(maximum_qos=0))
