# SPDX-License-Identifier: MIT
"""What one HTTP client may cost."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of an HTTP listener; sizes in bytes, times in seconds."""

    connections: int = 100
    """Connections at once; more are answered with 503."""
    head: int = 16 * 1024
    """Request line and headers; more is 431."""
    body: int = 1024 * 1024
    """The body; more is 413."""
    idle: float = 60.0
    """Silence between two requests."""
    request: float = 10.0
    """From the first byte of a request to its last, however slowly they come: then 408."""
    handler: float = 30.0
    """For an `async` handler to answer; then 503."""
    write: float = 30.0
    """For a client to take an answer that the transport could not send at once."""
    linger: float = 1.0
    """For a client to read an answer after which the connection is closed."""
    closing: float = 0.5
    """For requests under way to be finished when the listener closes."""
