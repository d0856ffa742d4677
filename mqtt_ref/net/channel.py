# SPDX-License-Identifier: MIT
"""One accepted byte stream: passes its events to the broker, and the broker's output to the transport."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, cast

from mqtt_ref.clocks import monotonic_ns
from mqtt_ref.net.layer import LARGE, Layer, Parts, Stack, gathered
from mqtt_ref.net.pace import PACED, Pace
from mqtt_ref.net.unsent import Unsent

if TYPE_CHECKING:
    import asyncio

    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.net.driver import Driver
    from mqtt_ref.net.listener import Listener

__all__ = [
    "ASKED",
    "BIG",
    "BUSY",
    "CHOKED",
    "LINGER",
    "PACED",
    "READ",
    "RESTING",
    "TURN",
    "Channel",
    "Layers",
    "peer_name",
]

READ: Final = 64 * 1024
"""Largest number of bytes of one read, if the event loop allows a choice."""
TURN: Final = 128 * 1024
"""Bytes that are read between two flushes."""
BIG: Final = 64 * 1024
"""Bytes of a packet that may be written without joining it with others."""
PIECE: Final = 64 * 1024
"""Bytes of a large output that are written before the transport is asked if it has room for more."""
PATIENCE: Final = 5.0
"""Seconds that a client has to close a connection itself, if that is left to it."""
SAMPLE: Final = 4
"""Of so many new connections, one is asked for its descriptor: fewer than are kept in reserve."""
LINGER: Final = 1.0
"""Seconds that a client has to read the last packet and close its side."""

# Reasons not to read from a client for a while.
CHOKED: Final = 1
"""It does not read its own output."""
RESTING: Final = 2
"""It had its share of this turn."""
BUSY: Final = 4
"""What it sent is work for more than one turn."""
ASKED: Final = 8
"""A question about it is open: its packets would only wait."""
MAPPED: Final = "::ffff:"
"""Beginning of an IPv4 address on an IPv6 socket."""
CONNECT: Final = b"\x10"
"""The first byte of nearly every connection."""
LOG = logging.getLogger("mqtt_ref.connection")
HTTP: Final = (b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ")


Layers = Callable[["Channel"], Iterable[Layer]]
"""Makes the layers of a channel, from the bottom to the top."""


class Channel(Stack):
    """A stream of packets over any transport: a stack with a connection of the broker on top.

    The layers are those of the listener (TLS, WebSocket), then `layers`, then the pace if the terms of the listener
    have one. Without layers, bytes go directly from the transport to the connection, and packets directly back.

    Cites: X5-any-transport
    """

    __slots__ = (
        "choked",
        "connection",
        "direct",
        "driver",
        "greeted",
        "halted",
        "lingering",
        "listener",
        "remote",
        "unsent",
    )

    connection: Connection
    """Set once the stack is open."""

    def __init__(self, driver: Driver, listener: Listener, layers: Layers | None = None) -> None:
        self.driver = driver
        self.listener = listener
        self.remote = ""
        self.choked = False
        self.halted = 0
        self.lingering = False
        self.unsent: Unsent | None = None
        """Output that waits for the transport. The driver's own short way is closed meanwhile."""
        self.greeted = False
        """True if the first bytes have come."""
        self.direct = False
        """True if bytes of the transport go straight to the connection: the first have come, and there is no layer."""
        terms = listener.terms
        stack = list(listener.layers(self))
        if layers is not None:
            stack += layers(self)
        if terms.bytes_per_second or terms.packets_per_second:
            stack.append(Pace(self))
        if stack:
            self.compose(stack, self)
        else:
            self.layers, self.lowest = (), self

    # ---------------------------------------------------------------- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        driver = self.driver
        self.transport = cast("asyncio.Transport", transport)
        if hasattr(transport, "max_size"):
            transport.max_size = driver.broker.options.bounds.read_buffer
        if len(driver.channels) % SAMPLE == 0:
            link = transport.get_extra_info("socket")
            if link is not None and link.fileno() >= driver.last_descriptor:
                driver.fills_up(link.fileno())
        self.lowest.opened(monotonic_ns())

    def data_received(self, data: bytes) -> None:
        """Handle all packets of this read in one pass; flush once for each turn of the loop."""
        if not self.direct:
            self.lowest.receive(data, monotonic_ns())
            return
        driver = self.driver
        connection = self.connection
        connection.receive(data, driver.now())
        if connection.waiting is not None:
            driver.hold(self)
        driver.taken += len(data)
        if driver.taken >= TURN:
            driver.pace(self)
        elif not driver.scheduled:
            driver.schedule()

    def pause_writing(self) -> None:
        self.choked = True
        self.connection.choke()

    def resume_writing(self) -> None:
        self.choked = False
        if self.unsent is not None:
            self._feed(monotonic_ns())
            if self.unsent is not None:
                return
            if self.lingering:
                self.top.finish(True)
        self.go_on(CHOKED)
        self.connection.unchoke(self.driver.now())
        self.driver.schedule()

    # ---------------------------------------------------------------- the upper end

    def opened(self, now: int) -> None:
        """Make the connection."""
        driver = self.driver
        listener = self.listener
        transport = self.transport
        transport.set_write_buffer_limits(driver.broker.options.bounds.write_buffer)
        self.remote = remote = listener.peer(transport)
        connection = driver.broker.connect(driver.now(), listener.name, remote, listener.terms)
        self.connection = connection
        below = self.layers[-1] if self.layers else transport
        connection.peer_certificate = below.get_extra_info("peercert") or None
        driver.channels[connection] = self
        if not remote:
            LOG.info("%s: closed a client that cannot be named: its address is not known any more", listener.name)
            connection.lost(driver.now())
            transport.abort()
        if not driver.scheduled:
            driver.schedule()

    def receive(self, data: bytes, now: int) -> None:
        """Give bytes to the connection. If the first ones are of another protocol, turn it away; the log says why."""
        driver = self.driver
        connection = self.connection
        other = ""
        if not self.greeted:
            self.greeted = True
            self.direct = not self.layers
            if data[:1] != CONNECT:
                other = _other_protocol(data)
        if other:
            connection.turn_away(other, driver.now())
        else:
            connection.receive(data, driver.now())
            if connection.waiting is not None:
                driver.hold(self)
        driver.taken += len(data)
        if driver.taken >= TURN:
            driver.pace(self)
        elif not driver.scheduled:
            driver.schedule()

    def ended(self, now: int) -> bool:
        """Send the client the output that it has not got yet. The link is then closed."""
        if not self.lingering:
            self.driver.flush()
        return False

    def lost(self, now: int, error: Exception | None) -> None:
        """Tell the broker that the link is gone."""
        driver = self.driver
        self.unsent = None
        driver.forget(self, error)
        self.connection.lost(driver.now())
        driver.schedule()

    def arriving(self, begun: bool, now: int) -> None:
        """Do nothing: only layers use it."""

    def subprotocols(self, offered: tuple[str, ...], now: int) -> bool:
        """Refuse a WebSocket client that does not offer MQTT's sub-protocol."""
        return False

    def text_frame(self, data: bytes, now: int) -> None:
        """Do nothing: only layers use it."""

    # ---------------------------------------------------------------- the lower end

    def write(self, parts: Parts, now: int) -> None:
        """Give the parts to the transport, one by one: `writelines` of asyncio would join them before Python 3.12."""
        transport = self.transport
        if len(parts) == 1:
            transport.write(parts[0])
            return
        for part in parts:
            if not transport.is_closing():
                transport.write(part)

    def finish(self, said: bool) -> None:
        """Close the stream so that the last packet arrives, within a time limit."""
        transport = self.transport
        top = self.layers[-1] if self.layers else self  # as the property, without its call
        if self.connection.outbox.patient:
            self.driver.loop.call_later(PATIENCE, top.close)
        elif said and top.can_write_eof():
            # Closing with unread input would reset the connection, and the client might never get the last packet.
            # So input is still read; the broker ignores it.
            try:
                top.write_eof()
            except OSError:  # the client has gone already
                transport.abort()
                return
            if self.halted and not transport.is_closing():
                transport.resume_reading()
            self.driver.loop.call_later(LINGER, transport.abort)
        else:
            top.close()
            if transport.get_write_buffer_size():
                self.driver.loop.call_later(LINGER, transport.abort)

    # ---------------------------------------------------------------- reading

    def halt(self, why: int) -> None:
        """Read nothing from this client until all reasons for it are gone."""
        if not self.halted and not self.transport.is_closing():
            self.transport.pause_reading()
        self.halted |= why

    def go_on(self, why: int) -> None:
        """Remove a reason not to read. Read again if there is no other."""
        if self.halted & why:
            self.halted &= ~why
            if not self.halted and not self.lingering and not self.transport.is_closing():
                self.transport.resume_reading()

    # ---------------------------------------------------------------- from the driver

    def send(self, out: list[bytes], now: int) -> int:
        """Send the output of a turn: small items joined, large ones as they are. Return its size in bytes.

        What the transport has no room for waits here, uncopied, until it has. So a client that does not read costs the
        buffer of its transport, but not its own copy of a large message, with any layers and any event loop.

        The driver does it itself if there is no layer and no large item.
        """
        size = len(out[0])
        if len(out) > 1:
            size = sum(map(len, out))
            out = gathered(out)
        if self.unsent is None:
            if size < LARGE:
                (self.layers[-1] if self.layers else self).write(out, now)
                return size
            self.unsent = Unsent()
        self.unsent.add(out)
        self._feed(now)
        return size

    def _feed(self, now: int) -> None:
        """Write what is unsent until the transport is full."""
        unsent = self.unsent
        assert unsent is not None
        top = self.layers[-1] if self.layers else self
        while unsent.size and not self.choked and not self.transport.is_closing():
            top.write(unsent.take(PIECE), now)
        if not unsent.size or self.transport.is_closing():
            self.unsent = None

    def settle(self, said: bool) -> None:
        """After a write, close the link if the broker wants that, or stop reading from a client that does not read.

        `said` is True if something was sent to the client in this turn.
        """
        unsent = 0 if self.unsent is None else self.unsent.size
        if not self.connection.outbox.closing:
            if self.transport.get_write_buffer_size() + unsent > self.driver.broker.options.bounds.hard_limit:
                self.halt(CHOKED)
        elif not self.lingering:
            self.lingering = True
            if unsent:
                patience = PATIENCE if self.connection.outbox.patient else LINGER
                self.driver.loop.call_later(patience, self.transport.abort)
            elif self.layers:
                self.top.finish(said)
            else:
                self.finish(said)


def _other_protocol(data: bytes) -> str:
    """Say which other protocol the first bytes are of; empty if they may be MQTT."""
    if data[:2] == b"\x16\x03":
        return "TLS came to a listener without TLS"
    if data.startswith(HTTP):
        return "HTTP came to a listener for plain MQTT; WebSocket needs a listener of its own"
    return ""


def peer_name(peer: Any) -> str:
    """Return an address as text: `127.0.0.1:5000`, `[::1]:5000`. Empty if there is none.

    An IPv4 client of a socket for both families has the same name as on a socket for IPv4 only.
    """
    if isinstance(peer, tuple) and len(peer) >= 2:
        host, port = str(peer[0]), peer[1]
        if host.startswith(MAPPED) and "." in host:
            host = host[len(MAPPED) :]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return str(peer) if peer else ""
