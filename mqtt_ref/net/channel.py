# SPDX-License-Identifier: MIT
"""One accepted byte stream: its events become calls of the broker, the broker's output becomes writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from mqtt_ref.net.pace import PACED, Pacer

if TYPE_CHECKING:
    from mqtt_ref.net.driver import Driver
    from mqtt_ref.net.listener import Listener

__all__ = [
    "ASKED",
    "CHOKED",
    "LINGER",
    "PACED",
    "READ",
    "RESTING",
    "TURN",
    "Channel",
    "peer_name",
]

READ: Final = 64 * 1024
"""Bytes of one read at most, where the loop lets us choose."""
TURN: Final = 128 * 1024
"""Bytes that are read between two flushes."""
PATIENCE: Final = 5.0
"""Seconds that a client has to close a connection itself, where that is left to it."""
LINGER: Final = 1.0
"""Seconds that a client has to take the last packet and close its side."""

# Why nothing is read from a client for the time being.
CHOKED: Final = 1
"""It takes nothing itself."""
RESTING: Final = 2
"""It had its share of this turn."""
ASKED: Final = 8
"""A question about it is open: what it sends would only be held."""
HTTP: Final = (b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ")


class Channel(asyncio.Protocol):
    """A stream of packets, whatever carries it [X5-any-transport]: the transport is a socket's or one that looks alike.

    `write` and `receive` are attributes, so that the usual way between the transport and the connection has nothing
    in between.
    """

    __slots__ = (
        "choked",
        "connection",
        "driver",
        "halted",
        "lingering",
        "listener",
        "pacer",
        "receive",
        "remote",
        "transport",
        "write",
    )

    notes_arrivals = False
    """Whether it wants to know what is on its way, and is not given on by a layer before it is whole."""
    transport: asyncio.Transport
    write: Callable[[bytes], object]
    receive: Callable[[bytes, int], None]

    def __init__(self, driver: Driver, listener: Listener) -> None:
        self.driver = driver
        self.listener = listener
        self.remote = ""
        self.choked = False
        self.halted = 0
        self.lingering = False
        self.pacer: Pacer | None = None

    # ---------------------------------------------------------------- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        bounds = self.driver.broker.options.bounds
        self.transport.set_write_buffer_limits(bounds.write_buffer)
        if hasattr(transport, "max_size"):
            transport.max_size = bounds.read_buffer
        self.write = self.transport.write
        self.remote = peer_name(transport.get_extra_info("peername"))
        driver = self.driver
        terms = self.listener.terms
        now = driver.now()
        self.connection = driver.broker.connect(now, self.listener.name, self.remote, terms)
        self.connection.peer_certificate = transport.get_extra_info("peercert") or None
        self.receive = self._first
        if terms.bytes_per_second or terms.packets_per_second:
            self.pacer = Pacer(self, terms, now)
        driver.channels[self.connection] = self
        if not driver.scheduled:
            driver.schedule()

    def data_received(self, data: bytes) -> None:
        """One pass over all packets of this read; one flush per turn of the loop."""
        self.receive(data, self.driver.now())
        driver = self.driver
        driver.taken += len(data)
        if driver.taken >= TURN:
            driver.pace(self)
        elif not driver.scheduled:
            driver.schedule()

    def _first(self, data: bytes, now: int) -> None:
        """The first bytes: what can't be MQTT gets a line that says what it looks like."""
        self.receive = self.connection.receive if self.pacer is None else self.pacer.receive
        if data[:2] == b"\x16\x03":
            self.connection.turn_away("TLS came to a listener without TLS", now)
        elif data.startswith(HTTP):
            self.connection.turn_away("HTTP came to a listener for plain MQTT; WebSocket has its own", now)
        else:
            self.receive(data, now)

    def eof_received(self) -> bool:
        """The client sends nothing more: it gets what it has coming, and the link is closed."""
        if self.pacer is not None:
            self.pacer.finish(self.driver.now())
        if not self.lingering:
            self.driver.flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        driver = self.driver
        if self.pacer is not None:
            self.pacer.finish(self.driver.now())
        driver.forget(self, exc)
        self.connection.lost(self.driver.now())
        driver.schedule()

    def pause_writing(self) -> None:
        self.choked = True
        self.connection.choke()

    def resume_writing(self) -> None:
        self.choked = False
        self.go_on(CHOKED)
        self.connection.unchoke(self.driver.now())
        self.driver.schedule()

    # ---------------------------------------------------------------- from a WebSocket in between

    def offered(self, protocols: tuple[str, ...]) -> bool:
        """The sub-protocols that the client offers; whether it is let in though none of them is that of MQTT."""
        return False

    def text_frame(self, data: bytes) -> None:
        """A data frame came that is not binary; the link is closed because of it."""

    # ---------------------------------------------------------------- from any layer in between

    def arriving(self, begun: bool) -> None:
        """Whether more of what holds packets has begun to come, not yet whole; layers call it if `notes_arrivals`."""

    # ---------------------------------------------------------------- reading

    def halt(self, why: int) -> None:
        """Read nothing from this client until every reason for that has gone."""
        if not self.halted and not self.transport.is_closing():
            self.transport.pause_reading()
        self.halted |= why

    def go_on(self, why: int) -> None:
        """A reason not to read has gone."""
        if self.halted & why:
            self.halted &= ~why
            if not self.halted and not self.lingering and not self.transport.is_closing():
                self.transport.resume_reading()

    # ---------------------------------------------------------------- from the driver

    def settle(self, said: bool) -> None:
        """After a write: close the link if the broker wants that, or stop reading from a client that takes nothing.

        `said` is whether the client was told something in this turn.
        """
        if not self.connection.closing:
            if self.transport.get_write_buffer_size() > self.driver.broker.options.bounds.hard_limit:
                self.halt(CHOKED)
        elif not self.lingering:
            self.lingering = True
            self.close(said)

    def close(self, said: bool) -> None:
        """Close the stream so that the last packet arrives, within the time there is for it."""
        transport = self.transport
        if self.connection.outbox.patient:
            self.driver.loop.call_later(PATIENCE, transport.close)
        elif said and transport.can_write_eof():
            # Closing with unread input would reset the connection, and the client might never see what we said.
            # So it is read on; the broker takes no notice of it.
            try:
                transport.write_eof()
            except OSError:  # the client has gone already
                transport.abort()
                return
            if self.halted and not transport.is_closing():
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
