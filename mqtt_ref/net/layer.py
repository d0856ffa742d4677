# SPDX-License-Identifier: MIT
"""Layers between a transport and a connection: TLS, WebSocket, judge, trace, disturber, pace.

A stack is composed when a link is accepted: the layers of the listener at the bottom, then those of the server, then
the pace. It does not change afterwards. From the bottom to the top:

    transport | TLS | WebSocket | judge | trace | hold | disturber | pace | connection

Bytes of the client go up with `receive`, packets of the broker go down with `write`. A layer overrides what it changes;
all else passes. `Stack` is both ends: to its lowest layer it is the transport, to its top one the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from time import monotonic_ns
from typing import Any, cast

__all__ = ["Layer", "Stack", "Units", "joined"]


class Layer:
    """One layer of a stack. `now` is the time of the world in nanoseconds (`time.monotonic_ns`), not the broker's."""

    __slots__ = ("above", "below")

    notes_arrivals = False
    """Whether it wants `arriving`."""

    above: Layer | Stack
    """The layer above, or the stack: there the connection takes the bytes."""
    below: Layer | Stack
    """The layer below, or the stack: there the transport takes the bytes."""

    # ---------------------------------------------------------------- upwards

    def opened(self, now: int) -> None:
        """The link is there. Once `above.opened` returns there is a connection; TLS calls it after the handshake."""
        self.above.opened(now)

    def receive(self, data: bytes, now: int) -> None:
        """Bytes of the client."""
        self.above.receive(data, now)

    def arriving(self, begun: bool, now: int) -> None:
        """Whether a unit of a layer below has begun to come that may hold packets, and is not whole yet."""
        self.above.arriving(begun, now)

    def ended(self, now: int) -> bool:
        """The client sends nothing more. Returns whether the link stays open for output."""
        return self.above.ended(now)

    def lost(self, now: int, error: Exception | None) -> None:
        """The link is gone."""
        self.above.lost(now, error)

    def offered(self, protocols: tuple[str, ...], now: int) -> bool:
        """The sub-protocols that a WebSocket client offers. Returns whether it may go on without that of MQTT."""
        return self.above.offered(protocols, now)

    def text_frame(self, data: bytes, now: int) -> None:
        """A WebSocket data frame came that is not binary; the link is closed because of it."""
        self.above.text_frame(data, now)

    # ---------------------------------------------------------------- downwards

    def write(self, parts: list[bytes], now: int) -> object:
        """Send these bytes, one part after the other. The list belongs to the callee."""
        return self.below.write(parts, now)

    def finish(self, said: bool) -> None:
        """The broker ends the connection: close the link once all output has passed.

        `said` is whether the client was told something in this turn.
        """
        self.below.finish(said)

    def close(self) -> None:
        """Close the link now, in the way of this layer."""
        self.below.close()

    def can_write_eof(self) -> bool:
        """Whether one direction can be closed alone."""
        return self.below.can_write_eof()

    def write_eof(self) -> None:
        """Send nothing more, and go on reading.

        Raises:
            OSError: the client is gone.
        """
        self.below.write_eof()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the link; see `asyncio.BaseTransport.get_extra_info`."""
        return self.below.get_extra_info(name, default)


class Stack(asyncio.Protocol):
    """An accepted byte stream: the transport, layers on it, and on top a subclass that takes the bytes.

    The subclass implements `opened`, `receive`, `ended` and `lost`. It writes to `top`.
    """

    __slots__ = ("layers", "transport")

    layers: tuple[Layer, ...]
    transport: asyncio.Transport

    def compose(self, layers: Iterable[Layer]) -> None:
        """Join the layers, which come from the bottom to the top."""
        self.layers = tuple(layers)
        below: Layer | Stack = self
        for layer in self.layers:
            layer.below = below
            layer.above = self
            if isinstance(below, Layer):
                below.above = layer
            below = layer

    @property
    def top(self) -> Layer | Stack:
        """Where output goes in: the top layer, or the stack itself."""
        return self.layers[-1] if self.layers else self

    @property
    def lowest(self) -> Layer | Stack:
        """Where input goes in: the lowest layer, or the stack itself."""
        return self.layers[0] if self.layers else self

    @property
    def notes_arrivals(self) -> bool:
        """Whether a layer wants `arriving`."""
        return any(layer.notes_arrivals for layer in self.layers)

    # ---------------------------------------------------------------- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.lowest.opened(monotonic_ns())

    def data_received(self, data: bytes) -> None:
        self.lowest.receive(data, monotonic_ns())

    def eof_received(self) -> bool:
        return self.lowest.ended(monotonic_ns())

    def connection_lost(self, exc: Exception | None) -> None:
        self.lowest.lost(monotonic_ns(), exc)

    # ---------------------------------------------------------------- the upper end

    def opened(self, now: int) -> None:
        """The link is there."""
        raise NotImplementedError

    def receive(self, data: bytes, now: int) -> None:
        """Bytes of the client."""
        raise NotImplementedError

    def ended(self, now: int) -> bool:
        """The client sends nothing more. Returns whether the link stays open for output."""
        raise NotImplementedError

    def lost(self, now: int, error: Exception | None) -> None:
        """The link is gone."""
        raise NotImplementedError

    def arriving(self, begun: bool, now: int) -> None:
        """See `Layer.arriving`: only layers want that."""

    def offered(self, protocols: tuple[str, ...], now: int) -> bool:
        """See `Layer.offered`: without MQTT's sub-protocol there is no MQTT."""
        return False

    def text_frame(self, data: bytes, now: int) -> None:
        """See `Layer.text_frame`: only layers want that."""

    # ---------------------------------------------------------------- the lower end

    def write(self, parts: list[bytes], now: int) -> object:
        """Give them to the transport."""
        self.transport.write(joined(parts))
        return None

    def finish(self, said: bool) -> None:
        """Close the link once all output has passed."""
        self.top.close()

    def close(self) -> None:
        """Close the transport; what was written is still sent."""
        self.transport.close()

    def can_write_eof(self) -> bool:
        return self.transport.can_write_eof()

    def write_eof(self) -> None:
        self.transport.write_eof()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.transport.get_extra_info(name, default)

    def abort(self) -> None:
        """Cut the link now."""
        self.transport.abort()


def joined(parts: list[bytes]) -> bytes:
    """The parts as one; a single part is not copied."""
    return parts[0] if len(parts) == 1 else b"".join(parts)


class Units:
    """Follows what a layer cuts a stream into, records or frames, for whoever wants to know what is on its way.

    A layer gives nothing on before such a unit is whole; with this it can tell that one has begun to come.
    """

    def __init__(self) -> None:
        self.begun = False
        """Whether a unit that may hold packets has begun to come, and is not whole yet."""
        self._head = bytearray()
        self._left = 0

    def feed(self, data: bytes) -> bool:
        """More bytes of the stream; gives `begun` as it is behind them."""
        pos, end = 0, len(data)
        head = self._head
        while pos < end:
            if not self._left:
                head.append(data[pos])
                pos += 1
                self.begun = self.holds_packets(head)
                length = self.length(head)
                if length is None:
                    continue
                head.clear()
                self._left = length
            passed = min(self._left, end - pos)
            self._left -= passed
            pos += passed
            if not self._left:
                self.begun = False
        return self.begun

    def holds_packets(self, head: bytearray) -> bool:
        """Whether a unit that begins like this may hold packets."""
        raise NotImplementedError

    def length(self, head: bytearray) -> int | None:
        """How many bytes follow the head of a unit; None if the head is not whole yet."""
        raise NotImplementedError
