# SPDX-License-Identifier: MIT
"""What stands between a stream and a channel: TLS, WebSocket. To the channel it looks like the stream itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

__all__ = ["Layer", "Units"]


class Layer(asyncio.Transport):
    """A transport that does with another one what it does not do itself; `write` is what the layer does to bytes."""

    def __init__(self, stream: asyncio.Transport, write: Callable[[bytes], None]) -> None:
        super().__init__()
        self.stream = stream
        # The layers of a connection are few and its calls many: no method in between.
        self.write = write  # type: ignore[method-assign, assignment]
        self.abort = stream.abort  # type: ignore[method-assign]
        self.is_closing = stream.is_closing  # type: ignore[method-assign]
        self.pause_reading = stream.pause_reading  # type: ignore[method-assign]
        self.resume_reading = stream.resume_reading  # type: ignore[method-assign]
        self.get_write_buffer_size = stream.get_write_buffer_size  # type: ignore[method-assign]
        self.set_write_buffer_limits = stream.set_write_buffer_limits  # type: ignore[method-assign]

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.stream.get_extra_info(name, default)


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
