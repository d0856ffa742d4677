# SPDX-License-Identifier: MIT
"""Connections without sockets, inside one event loop: for tests, and for clients in the same program."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from mqtt_ref.engine.options import Terms
from mqtt_ref.net.channel import Channel
from mqtt_ref.net.listener import Listener, ListenerError

if TYPE_CHECKING:
    from mqtt_ref.net.driver import Driver

__all__ = ["MemoryListener", "MemoryWriter"]

HIGH_WATER: Final = 256 * 1024
"""Default limit of the bytes that are buffered for a side that does not read."""
LOW_WATER: Final = HIGH_WATER // 4


class MemoryListener(Listener):
    """A listener without sockets: each call of `connect` makes a client.

    listener = MemoryListener()
    async with Server(listeners=[listener]) as server:
        reader, writer = listener.connect()
        writer.write(connect_packet)
        connack = await reader.read(100)
    """

    def __init__(self, name: str = "memory", terms: Terms | None = None) -> None:
        super().__init__(name, terms)
        self._make: Callable[[], Channel] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._count = 0

    async def open(self, driver: Driver, channel: Callable[[Driver, Listener], Channel] = Channel) -> None:
        """Begin to accept connections."""
        self._make = lambda: channel(driver, self)
        self._loop = driver.loop
        self.urls = [f"memory:{self.name}"]

    async def close(self) -> None:
        """Accept no more connections. Existing ones stay."""
        self._make = None

    def connect(self) -> tuple[asyncio.StreamReader, MemoryWriter]:
        """Connect, and return the client's reader and writer, like `asyncio.open_connection`.

        Call it in the event loop of the server.

        Raises:
            ListenerError: the listener is not open.
        """
        if self._make is None or self._loop is None:
            raise ListenerError(f"the listener {self.name} is not open")
        self._count += 1
        reader = asyncio.StreamReader(HIGH_WATER, self._loop)
        transport = _Transport(self._loop, self._make(), reader, f"{self.name}:{self._count}")
        return reader, MemoryWriter(transport)


class MemoryWriter:
    """The client's writer. It has the methods of `asyncio.StreamWriter` that clients use."""

    def __init__(self, transport: _Transport) -> None:
        self.transport = transport

    def write(self, data: bytes) -> None:
        """Send bytes to the broker. Ignored after the connection is closed."""
        self.transport.feed(data)

    async def drain(self) -> None:
        """Wait until at most `LOW_WATER` bytes are unread by the broker."""
        await self.transport.taken()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Send nothing more."""
        self.transport.feed_eof()

    def close(self) -> None:
        """Close the connection. No packet is sent."""
        self.transport.hang_up()

    def is_closing(self) -> bool:
        return self.transport.is_closing()

    async def wait_closed(self) -> None:
        """Wait until the broker has dropped the connection."""
        await self.transport.gone.wait()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class _Transport(asyncio.Transport):
    """The broker's end. Its output goes directly into the client's reader, unless the reader is full."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, reader: asyncio.StreamReader, name: str
    ) -> None:
        super().__init__({"peername": name})
        self.gone = asyncio.Event()
        self._loop = loop
        self._protocol = protocol
        self._reader = reader
        self._unread: list[bytes] = []
        """Input from the client while the broker does not read."""
        self._unread_size = 0
        self._unsent: list[bytes] = []
        """Output of the broker while the client does not read."""
        self._unsent_size = 0
        self._paused = False
        self._full = False
        self._choked = False
        self._ended = False
        self._closing = False
        self._drained = asyncio.Event()
        self._drained.set()
        self._high = HIGH_WATER
        reader.set_transport(_Tap(self))
        protocol.connection_made(self)

    # ---------------------------------------------------------------- the client's side

    def feed(self, data: bytes) -> None:
        if self._closing or self._ended or not data:
            return
        if self._paused or self._unread:
            self._unread.append(data)
            self._unread_size += len(data)
            if self._unread_size > LOW_WATER:
                self._drained.clear()
        else:
            self._deliver(data)

    def feed_eof(self) -> None:
        if not self._ended and not self._closing:
            self._ended = True
            if not self._unread:
                self._deliver(b"")

    async def taken(self) -> None:
        await self._drained.wait()

    def hang_up(self) -> None:
        if not self._closing:
            unread, self._unread = self._unread, []
            for data in unread:
                self._deliver(data)
            self.abort()

    def stop_taking(self) -> None:
        self._full = True

    def take_again(self) -> None:
        self._full = False
        unsent, self._unsent = self._unsent, []
        self._unsent_size = 0
        for data in unsent:
            self._reader.feed_data(data)
        if self._choked:
            self._choked = False
            self._loop.call_soon(self._protocol.resume_writing)

    def _deliver(self, data: bytes) -> None:
        """Pass bytes to the broker; `b""` is the end of the stream."""
        try:
            if data:
                self._protocol.data_received(data)
            elif not self._protocol.eof_received():
                self.close()
        except Exception as error:
            self._loop.call_exception_handler({"message": "a connection failed", "exception": error})
            self.abort()

    # ---------------------------------------------------------------- the broker's side

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or not data:
            return
        if not self._full:
            self._reader.feed_data(cast("bytes", data))
            return
        self._unsent.append(bytes(data))
        self._unsent_size += len(data)
        if not self._choked and self._unsent_size > self._high:
            self._choked = True
            self._protocol.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = HIGH_WATER if high is None else high

    def get_write_buffer_size(self) -> int:
        return self._unsent_size

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            self._loop.call_soon(self._catch_up)

    def _catch_up(self) -> None:
        while self._unread and not self._paused and not self._closing:
            data = self._unread.pop(0)
            self._unread_size -= len(data)
            self._deliver(data)
        if self._unread_size <= LOW_WATER:
            self._drained.set()
        if self._ended and not self._unread and not self._closing:
            self._deliver(b"")

    def is_reading(self) -> bool:
        return not self._paused

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Close. The client can still read all output."""
        self._end(None)

    def abort(self) -> None:
        self._end(None)

    def _end(self, error: Exception | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._drained.set()
        for data in self._unsent:
            self._reader.feed_data(data)
        self._unsent = []
        self._unsent_size = 0
        self._reader.feed_eof()
        self._loop.call_soon(self._lost, error)

    def _lost(self, error: Exception | None) -> None:
        self._protocol.connection_lost(error)
        del self._reader  # which refers to this transport, too
        self.gone.set()


class _Tap(asyncio.ReadTransport):
    """The transport that the client's reader pauses when it is full."""

    def __init__(self, transport: _Transport) -> None:
        super().__init__()
        self._transport = transport

    def pause_reading(self) -> None:
        self._transport.stop_taking()

    def resume_reading(self) -> None:
        self._transport.take_again()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._transport.hang_up()
