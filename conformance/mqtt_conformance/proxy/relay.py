# SPDX-License-Identifier: MIT
"""The driver of the proxy: sockets and timers with asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable

from mqtt_conformance.proxy.world import Link, World
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connect, Publish

__all__ = ["Relay"]


class Relay:
    """Listens on loopback and forwards each connection to the broker at `host`, `port`."""

    def __init__(self, world: World, host: str, port: int) -> None:
        self.world = world
        self.host = host
        self.port = port
        self.listening = 0
        self._server: asyncio.Server | None = None
        self._own: _Own | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> None:
        """Listen on `port`; 0 takes a free one. `listening` is the port then."""
        loop = asyncio.get_running_loop()
        world = self.world
        world.now = loop.time

        def call_later(seconds: float, do: Callable[[], None]) -> None:
            loop.call_later(seconds, self._due, do)

        world.call_later = call_later
        world.publish = self._publish
        self._server = await loop.create_server(lambda: _ClientSide(self), "127.0.0.1", port)
        self.listening = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        for link in list(self.world.links):
            for side in (link.memo.get("client"), link.memo.get("server")):
                if isinstance(side, _Side) and side.transport is not None:
                    side.transport.abort()
        if self._own is not None and self._own.transport is not None:
            self._own.transport.abort()
        await asyncio.sleep(0)

    def spawn(self, side: _ClientSide) -> None:
        """Connect to the broker for a new client."""
        task = asyncio.get_running_loop().create_task(self._connect(side))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, side: _ClientSide) -> None:
        link = side.link
        try:
            await asyncio.get_running_loop().create_connection(lambda: _ServerSide(self, link), self.host, self.port)
        except OSError:
            side.abort()
            return
        self.flush()

    def _publish(self, packet: Publish) -> None:
        if self._own is None:
            self._own = _Own()
            task = asyncio.get_running_loop().create_task(self._connect_own(self._own))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._own.publish(packet)

    async def _connect_own(self, own: _Own) -> None:
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().create_connection(lambda: own, self.host, self.port)

    def _due(self, do: Callable[[], None]) -> None:
        do()
        self.flush()

    def flush(self) -> None:
        """Write what the links have to send, and close what they closed."""
        dirty = self.world.dirty
        while dirty:
            link = dirty.pop()
            client = link.memo.get("client")
            server = link.memo.get("server")
            if isinstance(server, _Side):
                server.put(link.out_server, link.close_server)
            if isinstance(client, _Side):
                client.put(link.out_client, link.close_client)


class _Side(asyncio.Protocol, ABC):
    """One of the two connections of a link."""

    def __init__(self, relay: Relay, link: Link) -> None:
        self.relay = relay
        self.link = link
        self.transport: asyncio.Transport | None = None
        self.ended = False
        self.eof = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def put(self, data: list[bytes], close: bool) -> None:
        """Write and, if asked for, close."""
        if self.transport is not None and not self.ended:
            if data and (not self.eof or isinstance(self, _ClientSide)):
                self.transport.write(b"".join(data))
            if close:
                self.ended = True
                self.transport.close()
        data.clear()

    def abort(self) -> None:
        """Close with a reset."""
        self.ended = True
        if self.transport is not None:
            self.transport.abort()

    @abstractmethod
    def _other(self) -> _Side | None:
        """The other connection of the link; None if there is none."""

    def pause_writing(self) -> None:
        other = self._other()
        if other is not None and other.transport is not None:
            other.transport.pause_reading()

    def resume_writing(self) -> None:
        other = self._other()
        if other is not None and other.transport is not None:
            other.transport.resume_reading()


class _ClientSide(_Side):
    """The connection of the client."""

    def __init__(self, relay: Relay) -> None:
        super().__init__(relay, relay.world.open())

    def _other(self) -> _Side | None:
        found = self.link.memo.get("server")
        return found if isinstance(found, _Side) else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.link.memo["client"] = self
        self.relay.spawn(self)

    def data_received(self, data: bytes) -> None:
        self.link.from_client(data)
        self.relay.flush()

    def eof_received(self) -> bool:
        self.relay.world.client_gone(self.link)
        self.relay.flush()
        self.eof = True
        server = self._other()
        if isinstance(server, _ServerSide):
            server.pass_end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.relay.world.client_gone(self.link)
        self.relay.flush()
        server = self._other()
        if server is not None and not server.ended and server.transport is not None:
            server.ended = True
            if exc is not None:
                server.transport.abort()
            else:
                server.transport.close()
        self.relay.world.drop(self.link)


class _ServerSide(_Side):
    """The connection to the broker."""

    def _other(self) -> _Side | None:
        found = self.link.memo.get("client")
        return found if isinstance(found, _Side) else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.link.memo["server"] = self
        client = self._other()
        if client is None or client.ended:
            data = list(self.link.out_server)
            self.put(data, True)
            return
        self.relay.world.dirty.add(self.link)
        self.relay.flush()
        if client.eof:
            self.pass_end()

    def pass_end(self) -> None:
        """Tell the broker that the client sends nothing more."""
        if self.ended or self.transport is None or self.eof:
            return
        self.eof = True
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def data_received(self, data: bytes) -> None:
        self.link.from_server(data)
        self.relay.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        keep = self.relay.world.server_gone(self.link)
        self.relay.flush()
        client = self._other()
        if keep or client is None or client.ended or client.transport is None:
            return
        client.ended = True
        client.transport.close()


class _Own(asyncio.Protocol):
    """A connection of the proxy itself, to publish messages that no client published."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._waiting = [encode(5, Connect("proxyfaults"))]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"".join(self._waiting))

    def publish(self, packet: Publish) -> None:
        """Publish a message. Acknowledgements are not looked at."""
        data = encode(5, packet)
        if self.transport is None:
            self._waiting.append(data)
        else:
            self.transport.write(data)
