# SPDX-License-Identifier: MIT
"""One accepted byte stream: its events become calls of the broker, the broker's output becomes writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from mqtt_ref.net.driver import Driver

__all__ = ["HARD_LIMIT", "HIGH_WATER", "LINGER", "READ", "TURN", "Channel"]

HIGH_WATER: Final = 256 * 1024
"""Bytes the transport holds for a client before the engine is told to send it no more messages."""
HARD_LIMIT: Final = 4 * HIGH_WATER
"""Bytes it holds, answers to the client's own packets mostly, before nothing more is read from that client."""
READ: Final = 64 * 1024
"""Bytes of one read at most, where the loop lets us choose."""
TURN: Final = 128 * 1024
"""Bytes that are read between two flushes."""
PATIENCE: Final = 5.0
"""Seconds that a client has to close a connection itself, where that is left to it."""
LINGER: Final = 1.0
"""Seconds that a client has to take the last packet and close its side."""


class Channel(asyncio.Protocol):
    """A TCP, TLS or Unix stream [X5-any-transport]; other framing (WebSocket) overrides `data_received` and `write`.

    `write` is an attribute, so that the usual way from the driver to the transport has nothing in between.
    """

    __slots__ = ("choked", "connection", "driver", "lingering", "listener", "reading", "remote", "transport", "write")

    transport: asyncio.Transport
    write: Callable[[bytes], object]

    def __init__(self, driver: Driver, listener: str) -> None:
        self.driver = driver
        self.listener = listener
        self.remote = ""
        self.choked = False
        self.reading = True
        self.lingering = False

    # ---------------------------------------------------------------- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(HIGH_WATER)
        if hasattr(transport, "max_size"):
            transport.max_size = READ
        self.write = self.transport.write
        self.remote = peer_name(transport.get_extra_info("peername"))
        driver = self.driver
        self.connection = driver.broker.connect(monotonic_ns(), self.listener, self.remote)
        driver.channels[self.connection] = self
        if not driver.scheduled:
            driver.schedule()

    def data_received(self, data: bytes) -> None:
        """One pass over all packets of this read; one flush per turn of the loop."""
        self.connection.receive(data, monotonic_ns())
        driver = self.driver
        driver.taken += len(data)
        if driver.taken >= TURN:
            driver.pace(self)
        elif not driver.scheduled:
            driver.schedule()

    def eof_received(self) -> bool:
        """The client sends nothing more: it gets what it has coming, and the link is closed."""
        if not self.lingering:
            self.driver.flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        driver = self.driver
        driver.forget(self, exc)
        self.connection.lost(monotonic_ns())
        driver.schedule()

    def pause_writing(self) -> None:
        self.choked = True
        self.connection.choke()

    def resume_writing(self) -> None:
        self.choked = False
        if not self.reading and not self.lingering:
            self.reading = True
            self.transport.resume_reading()
        self.connection.unchoke(monotonic_ns())
        self.driver.schedule()

    # ---------------------------------------------------------------- from the driver

    def settle(self, said: bool) -> None:
        """After a write: close the link if the broker wants that, or stop reading from a client that takes nothing.

        `said` is whether the client was told something in this turn.
        """
        if not self.connection.closing:
            if self.reading and self.transport.get_write_buffer_size() > HARD_LIMIT:
                self.reading = False
                self.transport.pause_reading()
        elif not self.lingering:
            self.lingering = True
            self.close(said)

    def close(self, said: bool) -> None:
        """Close the stream so that the last packet arrives, within the time there is for it."""
        transport = self.transport
        if self.connection.patient:
            self.driver.loop.call_later(PATIENCE, transport.close)
        elif said and transport.can_write_eof():
            # Closing with unread input would reset the connection, and the client might never see what we said.
            # So it is read on; the broker takes no notice of it.
            try:
                transport.write_eof()
            except OSError:  # the client has gone already
                transport.abort()
                return
            if not self.reading:
                transport.resume_reading()
            self.driver.loop.call_later(LINGER, transport.abort)
        else:
            transport.close()
            if transport.get_write_buffer_size():
                self.driver.loop.call_later(LINGER, transport.abort)

    def abort(self) -> None:
        """Cut the link now."""
        self.transport.abort()


def peer_name(peer: Any) -> str:
    """`127.0.0.1:5000`, `[::1]:5000`; for a Unix socket, whose clients have no address, `local`."""
    if isinstance(peer, tuple) and len(peer) >= 2:
        host, port = peer[0], peer[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return str(peer) if peer else "local"
