# SPDX-License-Identifier: MIT
"""Layers between a transport and a connection: TLS, WebSocket, judge, trace, disturber, pace.

A stack is composed when a link is accepted: the layers of the listener at the bottom, then those of the server, then
the pace. It does not change until the link is lost. From the bottom to the top:

    transport | TLS | WebSocket | judge | trace | hold | disturber | pace | receiver

Bytes of the client go up with `receive`, packets of the broker go down with `write`, in parts. A large part may be the
payload of a message that many clients get: all of them share one object until the kernel has it, if no layer has to
change its bytes. A layer overrides what it changes and passes on the rest. Above the highest layer is a `Receiver`,
below the lowest one the `Stack`, which writes to the transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol, cast

from mqtt_ref.clocks import monotonic_ns

__all__ = ["LARGE", "Layer", "Parts", "Receiver", "Stack", "Units", "gathered", "joined"]

Parts = Sequence[bytes | memoryview]
"""Bytes of a stream, one part after the other."""
LARGE: Final = 16 * 1024
"""Bytes from which a part is not joined with others: a copy would cost more than a write."""


class Receiver(Protocol):
    """The upper end of a stack, above the highest layer. `now` is as for `Layer`."""

    def opened(self, now: int) -> None:
        """The link is open."""

    def receive(self, data: bytes, now: int) -> None:
        """Bytes of the client came."""

    def arriving(self, begun: bool, now: int) -> None:
        """See `Layer.arriving`."""

    def ended(self, now: int) -> bool:
        """The client sends nothing more. Return True to keep the link open for output."""

    def lost(self, now: int, error: Exception | None) -> None:
        """The link is gone."""

    def subprotocols(self, offered: tuple[str, ...], now: int) -> bool:
        """See `Layer.subprotocols`."""

    def text_frame(self, data: bytes, now: int) -> None:
        """See `Layer.text_frame`."""


class Layer:
    """One layer of a stack. `now` is the time of `time.monotonic_ns` in nanoseconds, not the broker's."""

    __slots__ = ("above", "below")

    notes_arrivals = False
    """True if it wants `arriving`."""

    above: Receiver
    """The layer above, or the receiver."""
    below: Layer | Stack
    """The layer below, or the stack, which writes to the transport."""

    # ---------------------------------------------------------------- upwards

    def opened(self, now: int) -> None:
        """The link is open. TLS passes it on after the handshake. After `above.opened`, the connection exists."""
        self.above.opened(now)

    def receive(self, data: bytes, now: int) -> None:
        """Bytes of the client came."""
        self.above.receive(data, now)

    def arriving(self, begun: bool, now: int) -> None:
        """A unit of a layer below (record, frame) that may hold packets has begun to arrive, or is complete."""
        self.above.arriving(begun, now)

    def ended(self, now: int) -> bool:
        """The client sends nothing more. Return True to keep the link open for output."""
        return self.above.ended(now)

    def lost(self, now: int, error: Exception | None) -> None:
        """The link is gone. Pass it on at once: afterwards the layer has no neighbours any more."""
        self.above.lost(now, error)

    def subprotocols(self, offered: tuple[str, ...], now: int) -> bool:
        """A WebSocket client offers these sub-protocols. Return True to accept it without the sub-protocol of MQTT."""
        return self.above.subprotocols(offered, now)

    def text_frame(self, data: bytes, now: int) -> None:
        """A WebSocket data frame came that is not binary. The link is closed because of it."""
        self.above.text_frame(data, now)

    # ---------------------------------------------------------------- downwards

    def write(self, parts: Parts, now: int) -> object:
        """Send these bytes, one part after the other."""
        return self.below.write(parts, now)

    def finish(self, said: bool) -> None:
        """The broker ends the connection: close the link once all output has passed.

        `said` is True if something was sent to the client in this turn.
        """
        self.below.finish(said)

    def close(self) -> None:
        """Close the link now, in the way of this layer."""
        self.below.close()

    def can_write_eof(self) -> bool:
        """True if one direction can be closed alone."""
        return self.below.can_write_eof()

    def write_eof(self) -> None:
        """Close the sending direction and continue to read.

        Raises:
            OSError: the client is gone.
        """
        self.below.write_eof()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return a fact about the link; see `asyncio.BaseTransport.get_extra_info`."""
        return self.below.get_extra_info(name, default)


class Stack(asyncio.Protocol):
    """An accepted byte stream: the transport and the layers on it. `compose` sets the layers and the receiver."""

    __slots__ = ("layers", "lowest", "transport")

    layers: tuple[Layer, ...]
    lowest: Receiver
    """Where input enters: the lowest layer, or the receiver if there are no layers."""
    transport: asyncio.Transport

    def compose(self, layers: Iterable[Layer], receiver: Receiver) -> None:
        """Join the layers, which come from the bottom to the top, and put the receiver above them."""
        self.layers = tuple(layers)
        below: Layer | Stack = self
        for layer in self.layers:
            layer.below = below
            layer.above = receiver
            if isinstance(below, Layer):
                below.above = layer
            below = layer
        self.lowest = self.layers[0] if self.layers else receiver

    @property
    def top(self) -> Layer | Stack:
        """Where output enters: the highest layer, or the stack itself if there are no layers."""
        return self.layers[-1] if self.layers else self

    @property
    def notes_arrivals(self) -> bool:
        """True if a layer wants `arriving`."""
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
        # Let transport and layers go. They refer to the stack and to each other, so only the collector could do it.
        if self.layers:
            for layer in self.layers:
                layer.below, layer.above = NOWHERE, NOBODY
            self.layers = ()
        self.lowest = NOBODY
        self.transport = GONE

    # ---------------------------------------------------------------- the lower end

    def write(self, parts: Parts, now: int) -> object:
        """Write the parts to the transport."""
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


class _Gone(asyncio.Transport):
    """The transport of a stack whose link is gone."""

    def is_closing(self) -> bool:
        return True

    def is_reading(self) -> bool:
        return False

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None: ...

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None: ...

    def can_write_eof(self) -> bool:
        return False

    def write_eof(self) -> None: ...


class _Nobody:
    """The layers and the receiver of a stack whose link is gone."""

    def opened(self, now: int) -> None: ...

    def receive(self, data: bytes, now: int) -> None: ...

    def arriving(self, begun: bool, now: int) -> None: ...

    def ended(self, now: int) -> bool:
        return False

    def lost(self, now: int, error: Exception | None) -> None: ...

    def subprotocols(self, offered: tuple[str, ...], now: int) -> bool:
        return False

    def text_frame(self, data: bytes, now: int) -> None: ...


GONE: Final = _Gone()
NOBODY: Final = _Nobody()
NOWHERE: Final = Stack()
NOWHERE.layers = ()
NOWHERE.lowest = NOBODY
NOWHERE.transport = GONE


def joined(parts: Parts) -> bytes:
    """Join the parts; a single part is not copied."""
    if len(parts) == 1:
        only = parts[0]
        return only if isinstance(only, bytes) else bytes(only)
    return b"".join(parts)


def gathered(parts: Sequence[bytes]) -> list[bytes]:
    """Join small parts that follow one another. Large ones stay the objects that they are."""
    found: list[bytes] = []
    start = 0
    for at, part in enumerate(parts):
        if len(part) >= LARGE:
            if start < at:
                found.append(joined(parts[start:at]))
            found.append(part)
            start = at + 1
    if start < len(parts):
        found.append(joined(parts[start:]))
    return found


Head = Callable[[bytearray], tuple[bool, int | None]]
"""Reads the head of a unit. Returns True if the unit may hold packets, and how many bytes follow; None: read more."""


class Units:
    """Follows the units (records, frames) into which a layer cuts a stream. Detects that one has begun to arrive.

    A layer passes nothing on before such a unit is complete.
    """

    def __init__(self, head: Head) -> None:
        self.begun = False
        """True if a unit that may hold packets has begun to arrive and is not complete."""
        self._read_head = head
        self._head = bytearray()
        self._left = 0

    def feed(self, data: bytes) -> bool:
        """Take more bytes of the stream. Return `begun` as it is after them."""
        pos, end = 0, len(data)
        head = self._head
        while pos < end:
            if not self._left:
                head.append(data[pos])
                pos += 1
                self.begun, length = self._read_head(head)
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
