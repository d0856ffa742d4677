# SPDX-License-Identifier: MIT
"""Random clients over sockets: of a server with all its listeners, and of the oracle that judges and records them."""

from __future__ import annotations

import asyncio
import gc
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Final

from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.http import HttpListener
from mqtt_ref.net.clock import Clock
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.websocket import WebSocketListener
from mqtt_ref.oracle.facade import AsyncOracle
from mqtt_ref.server import Server
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Publish,
    PublishProperties,
    Subscribe,
    Subscription,
    Will,
)
from mqtt_ref.wire.primitives import V5
from tests.soak.graph import modules, sizes

__all__ = ["Crowd", "JudgedCrowd"]

FILTERS: Final = ("#", "+/b", "a/+", "a/b", "$share/g/a/#", "$share/h/+/b", "own/{}")
TOPICS: Final = ("a/b", "a/c", "c", "d/b", "own/{}", "one/{}")
LATEST: Final = 400_000.0
"""Seconds of broker time after which everything has expired."""
SENDING: Final = 0.5
"""Seconds that a client tries to send. One that does not read is not read from."""


class Slow(Hook):
    """Lets everything pass, some of it later."""

    id = "slow"

    async def on_subscribe(self, client: object, packet: Subscribe) -> Subscribe:
        """Take a turn of the loop."""
        await asyncio.sleep(0)
        return packet


class Crowd:
    """A server with TCP, WebSocket and HTTP listeners, and its random clients."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.clock = Clock()
        self.connections = 0
        self.bounds = Bounds(queued_messages=50, write_buffer=16_384)

    async def start(self) -> None:
        """Open the listeners."""
        options = Options(bounds=self.bounds)
        listeners = [TcpListener(port=0), WebSocketListener(port=0), HttpListener(port=0)]
        self.server = Server(options, listeners, hooks=[AllowAll(), Slow()], clock=self.clock)
        await self.server.start()

    async def stop(self) -> None:
        """Close the listeners."""
        await self.server.stop(0.1)

    def sizes(self) -> Counter[str]:
        """Return the sizes of all collections, and how many tasks and open files there are."""
        gc.collect()
        self.server.broker.drops.take()  # the driver does that after a while
        self.server.driver._told.clear()  # and that
        found = sizes(server=self.server, driver=self.server.driver, **modules())
        found["tasks"] = len(asyncio.all_tasks())
        found["files"] = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
        return found

    async def round(self, clients: int) -> None:
        """Let clients come, act and go, some at the same time; then end everything that they have begun."""
        kinds: list[Callable[[], Awaitable[None]]] = [self._client] * 8 + self._others()
        for begun in range(0, clients, 20):
            count = min(20, clients - begun)
            await asyncio.gather(*(self.random.choice(kinds)() for _ in range(count)))
            self.connections += count
            self.clock.jump(self.random.choice((0.0, 1.0, 100.0)))
        await self.end()

    def _others(self) -> list[Callable[[], Awaitable[None]]]:
        return [self._websocket, self._http, self._silent]

    # ---------------------------------------------------------------- clients

    def _packets(self) -> list[Packet]:
        """What one client sends, CONNECT first."""
        random = self.random
        name = f"c{random.randrange(20)}" if random.random() < 0.5 else f"n{random.randrange(10**9)}"
        properties = None
        if random.random() < 0.8:
            properties = ConnectProperties(session_expiry_interval=random.choice((0, 1, 1000, 300_000)))
        will = Will("a/b", b"gone", 1, random.random() < 0.3) if random.random() < 0.3 else None
        keep_alive = random.choice((0, 10, 60_000))
        out: list[Packet] = [Connect(name, V5, random.random() < 0.4, keep_alive, will=will, properties=properties)]
        for number in range(1, random.randrange(2, 20)):
            if random.random() < 0.3:
                chosen = random.sample(FILTERS, random.randrange(1, 4))
                entries = [Subscription(one.format(name), random.randrange(3)) for one in chosen]
                out.append(Subscribe(number, entries))
            else:
                out.append(self._message(name, number))
        return [*out, Pingreq()]

    def _message(self, name: str, number: int) -> Publish:
        random = self.random
        qos = random.randrange(2)
        size = random.choice((1, 100, 20_000))
        expiry = PublishProperties(message_expiry_interval=random.choice((1, 200_000 - self.connections % 100_000)))
        topic = random.choice(TOPICS).format(name)
        return Publish(
            topic, bytes(size), qos, random.random() < 0.3, packet_id=number if qos else 0, properties=expiry
        )

    async def _client(self) -> None:
        random = self.random
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1024)
        except OSError:
            return
        slow = random.random() < 0.3
        reading = None if slow else asyncio.create_task(_read(reader))
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(SENDING):
                for packet in self._packets():
                    writer.write(encode(V5, packet))
                    await writer.drain()
                    if random.random() < 0.1:
                        await asyncio.sleep(0.001)
                if random.random() < 0.5:
                    writer.write(encode(V5, Disconnect()))
                    await writer.drain()
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if random.random() < 0.3:
            writer.transport.abort()
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(SENDING):
                await writer.wait_closed()
        writer.transport.abort()

    async def _silent(self) -> None:
        """A link on which nothing is sent, or not all of a packet."""
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(self.random.choice((b"", b"\x10", b"\x10\x20\x00\x04MQTT")))
            await asyncio.sleep(0)
            writer.transport.abort()

    async def _websocket(self) -> None:
        url = self.server.listeners[1].urls[0]
        with suppress(OSError, WebSocketException, TimeoutError):
            async with asyncio.timeout(SENDING):
                link = await open_websocket(url, subprotocols=[Subprotocol("mqtt")], compression=None, proxy=None)
                try:
                    for packet in self._packets():
                        await link.send(encode(V5, packet))
                finally:
                    link.transport.abort()

    async def _http(self) -> None:
        port = self.server.listeners[2].port
        path = self.random.choice(("/", "/metrics", "/health", "/v1/clients", "/nothing"))
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(SENDING):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
                if self.random.random() < 0.7:
                    await reader.read(1000)
                writer.transport.abort()

    # ---------------------------------------------------------------- the end

    @property
    def port(self) -> int:
        """The port of the MQTT listener."""
        return self.server.port

    async def end(self) -> None:
        """Wait until all links are closed, let everything expire, and remove what is retained."""
        await self._until(lambda: not self.server.driver.channels)
        for _ in range(3):
            self.clock.jump(LATEST)
            await asyncio.sleep(0.02)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(encode(V5, Connect("last", V5, True, 0)))
        for message in self.server.retained():
            writer.write(encode(V5, Publish(message.topic, b"", retain=True)))
        writer.write(encode(V5, Disconnect()))
        await _read(reader)
        writer.close()
        await writer.wait_closed()
        await self._until(lambda: not self.server.driver.channels)
        self.clock.jump(LATEST)
        await self._until(lambda: len(asyncio.all_tasks()) == 1 and not len(self.server.broker.timers))

    async def _until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not done():  # noqa: ASYNC110 -- what it waits for tells nobody
                await asyncio.sleep(0.005)


class JudgedCrowd(Crowd):
    """The same clients, of an oracle: it judges and records them, and is reset at the end."""

    async def start(self) -> None:
        """Start the oracle."""
        options = Options(bounds=self.bounds)
        self.oracle = AsyncOracle(options, [TcpListener(port=0)], clock=self.clock, check=False, kept=500)
        await self.oracle.start()
        self.server = self.oracle.server

    async def stop(self) -> None:
        """Stop the oracle."""
        await self.oracle.stop()

    def sizes(self) -> Counter[str]:
        """Return the sizes of all collections, those of the oracle included."""
        found = sizes(oracle=self.oracle, driver=self.server.driver, **modules())
        found["tasks"] = len(asyncio.all_tasks())
        return found

    def _others(self) -> list[Callable[[], Awaitable[None]]]:
        return [self._silent]

    async def end(self) -> None:
        """Let everything end, and reset the oracle."""
        await super().end()
        await self.oracle.reset()
        await self._until(lambda: len(asyncio.all_tasks()) == 1)


async def _read(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while await reader.read(65_536):
            pass
