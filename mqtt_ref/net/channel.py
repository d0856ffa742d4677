# SPDX-License-Identifier: MIT
"""One accepted byte stream: its events become calls of the broker, the broker's output becomes writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from mqtt_ref.clocks import monotonic_ns
from mqtt_ref.net.layer import Layer, Stack
from mqtt_ref.net.pace import PACED, Pace

if TYPE_CHECKING:
    import asyncio

    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.net.driver import Driver
    from mqtt_ref.net.listener import Listener

__all__ = [
    "ASKED",
    "BIG",
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
"""Bytes of one read at most, where the loop lets us choose."""
TURN: Final = 128 * 1024
"""Bytes that are read between two flushes."""
BIG: Final = 64 * 1024
"""Bytes of a packet that is not copied into one write with others. Joining small ones is quicker than many parts."""
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


Layers = Callable[["Channel"], Iterable[Layer]]
"""Makes the layers of a channel, from the bottom to the top."""


class Channel(Stack):
    """A stream of packets, whatever carries it: a stack with a connection of the broker on top.

    The layers are those of the listener (TLS, WebSocket), then `layers`, then the pace if the terms of the listener
    have one. Without any, bytes go from the transport to the connection, and packets to the transport, directly.

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
    )

    connection: Connection
    """There once the stack is open."""

    def __init__(self, driver: Driver, listener: Listener, layers: Layers | None = None) -> None:
        self.driver = driver
        self.listener = listener
        self.remote = ""
        self.choked = False
        self.halted = 0
        self.lingering = False
        self.greeted = False
        """Whether the first bytes came."""
        self.direct = False
        """Whether what comes from the transport is for the connection: they were MQTT, and there is no layer."""
        terms = listener.terms
        pace = (Pace(self),) if terms.bytes_per_second or terms.packets_per_second else ()
        self.compose((*listener.layers(self), *(() if layers is None else layers(self)), *pace), self)

    # ---------------------------------------------------------------- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if hasattr(transport, "max_size"):
            transport.max_size = self.driver.broker.options.bounds.read_buffer
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """One pass over all packets of this read; one flush per turn of the loop."""
        if not self.direct:
            self.lowest.receive(data, monotonic_ns())
            return
        driver = self.driver
        self.connection.receive(data, driver.now())
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
        self.go_on(CHOKED)
        self.connection.unchoke(self.driver.now())
        self.driver.schedule()

    # ---------------------------------------------------------------- the upper end

    def opened(self, now: int) -> None:
        """Make the connection."""
        driver = self.driver
        listener = self.listener
        self.transport.set_write_buffer_limits(driver.broker.options.bounds.write_buffer)
        self.remote = peer_name(self.transport.get_extra_info("peername"))
        self.connection = driver.broker.connect(driver.now(), listener.name, self.remote, listener.terms)
        self.connection.peer_certificate = self.top.get_extra_info("peercert") or None
        driver.channels[self.connection] = self
        driver.schedule()

    def receive(self, data: bytes, now: int) -> None:
        """Bytes for the connection. The first ones may be of another protocol: the log says which."""
        driver = self.driver
        other = "" if self.greeted else _other_protocol(data)
        self.greeted = True
        self.direct = not self.layers
        if other:
            self.connection.turn_away(other, driver.now())
        else:
            self.connection.receive(data, driver.now())
        driver.taken += len(data)
        if driver.taken >= TURN:
            driver.pace(self)
        elif not driver.scheduled:
            driver.schedule()

    def ended(self, now: int) -> bool:
        """The client gets what it has coming, and the link is closed."""
        if not self.lingering:
            self.driver.flush()
        return False

    def lost(self, now: int, error: Exception | None) -> None:
        """Tell the broker."""
        driver = self.driver
        driver.forget(self, error)
        self.connection.lost(driver.now())
        driver.schedule()

    def arriving(self, begun: bool, now: int) -> None:
        """Only layers want to know."""

    def subprotocols(self, offered: tuple[str, ...], now: int) -> bool:
        """Refuse a WebSocket client that does not offer MQTT's sub-protocol."""
        return False

    def text_frame(self, data: bytes, now: int) -> None:
        """Only layers want to know."""

    # ---------------------------------------------------------------- the lower end

    def write(self, parts: list[bytes], now: int) -> None:
        """Give them to the transport, which may take several without a copy."""
        if len(parts) == 1:
            self.transport.write(parts[0])
        else:
            self.transport.writelines(parts)

    def finish(self, said: bool) -> None:
        """Close the stream so that the last packet arrives, within the time there is for it."""
        transport, top = self.transport, self.top
        if self.connection.outbox.patient:
            self.driver.loop.call_later(PATIENCE, top.close)
        elif said and top.can_write_eof():
            # Closing with unread input would reset the connection, and the client might never see what we said.
            # So it is read on; the broker takes no notice of it.
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

    def send(self, out: list[bytes], now: int) -> int:
        """Send the packets of a turn; gives their size. The driver does it itself where no layer and nothing big is."""
        if len(out) > 1 and len(out[0]) < BIG and len(out[-1]) < BIG:
            out = [b"".join(out)]
        size = len(out[0]) if len(out) == 1 else sum(map(len, out))
        (self.layers[-1] if self.layers else self).write(out, now)
        return size

    def settle(self, said: bool) -> None:
        """After a write: close the link if the broker wants that, or stop reading from a client that takes nothing.

        `said` is whether the client was told something in this turn.
        """
        if not self.connection.closing:
            if self.transport.get_write_buffer_size() > self.driver.broker.options.bounds.hard_limit:
                self.halt(CHOKED)
        elif not self.lingering:
            self.lingering = True
            self.top.finish(said)


def _other_protocol(data: bytes) -> str:
    """What the first bytes look like that are of no MQTT client; empty for all others."""
    if data[:2] == b"\x16\x03":
        return "TLS came to a listener without TLS"
    if data.startswith(HTTP):
        return "HTTP came to a listener for plain MQTT; WebSocket has its own"
    return ""


def peer_name(peer: Any) -> str:
    """`127.0.0.1:5000`, `[::1]:5000`; for a Unix socket, whose clients have no address, `local`."""
    if isinstance(peer, tuple) and len(peer) >= 2:
        host, port = peer[0], peer[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return str(peer) if peer else "local"
