# SPDX-License-Identifier: MIT
"""What stands between a stream and a channel: TLS, WebSocket. To the channel it looks like the stream itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

__all__ = ["Layer"]


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
