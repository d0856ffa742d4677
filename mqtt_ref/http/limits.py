# SPDX-License-Identifier: MIT
"""The limits of an HTTP listener."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of an HTTP listener: sizes in bytes, times in seconds."""

    connections: int = 100
    """Open connections. Above it: 503."""
    head: int = 16 * 1024
    """Size of request line and headers. Above it: 431."""
    body: int = 1024 * 1024
    """Size of the body. Above it: 413."""
    idle: float = 60.0
    """Time between two requests."""
    request: float = 10.0
    """Time from the first byte of a request to its last. Above it: 408."""
    handler: float = 30.0
    """Time of an `async` handler. Above it: 503."""
    write: float = 30.0
    """Time of a client to read a response that could not be sent at once."""
    linger: float = 1.0
    """Time of a client to read the last response before the connection is closed."""
    closing: float = 0.5
    """Time to finish open requests when the listener closes."""
