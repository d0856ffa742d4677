# SPDX-License-Identifier: MIT
"""Rate limits for one client: bytes and packets per second. Excess data waits; nothing is dropped."""

from __future__ import annotations

from asyncio import TimerHandle
from time import monotonic_ns
from typing import TYPE_CHECKING, Final

from mqtt_ref.net.layer import Layer

if TYPE_CHECKING:
    from mqtt_ref.net.channel import Channel

__all__ = ["PACED", "Bucket", "Pace"]

PACED: Final = 4
"""A reason not to read from a client (see `channel`): it has reached its rate limit."""

SECOND: Final = 1_000_000_000
SHORTEST: Final = 0.01
"""Shortest pause, in seconds."""
PACKET: Final = 2
"""Size of the smallest packet, in bytes."""


class Bucket:
    """Token bucket with `rate` tokens per second and a burst of one second. The caller passes the time."""

    __slots__ = ("_credit", "_since", "rate")

    def __init__(self, rate: int, now: int) -> None:
        self.rate = rate
        self._credit = SECOND
        """Saved nanoseconds. One token costs a second divided by `rate`."""
        self._since = now

    def left(self, now: int) -> int:
        """Return the number of tokens that are available at `now` (nanoseconds)."""
        self._credit = min(SECOND, self._credit + now - self._since)
        self._since = now
        return max(0, self._credit * self.rate // SECOND)

    def take(self, count: int) -> None:
        """Remove `count` tokens."""
        self._credit -= count * SECOND // self.rate

    def wait(self, count: int) -> float:
        """Return the seconds until `count` tokens are available. More than `rate` never are."""
        return max(0, -(-count * SECOND // self.rate) - self._credit) / SECOND


class Pace(Layer):
    """Passes a client's data to its connection, at most at the rate in the listener's terms. Uses the broker's time.

    Excess data is held here, at most one read, and reading is paused. A paused client does not count as silent: its
    Keep Alive starts again with each part.
    """

    __slots__ = ("_bytes", "_channel", "_held", "_packets", "_timer")

    def __init__(self, channel: Channel) -> None:
        terms, now = channel.listener.terms, channel.driver.now()
        self._channel = channel
        self._bytes = Bucket(terms.bytes_per_second, now) if terms.bytes_per_second else None
        self._packets = Bucket(terms.packets_per_second, now) if terms.packets_per_second else None
        self._held = b""
        self._timer: TimerHandle | None = None

    def receive(self, data: bytes, now: int) -> None:
        """Pass on what the limits allow, and hold the rest."""
        self._held = self._held + data if self._held else data
        if self._timer is None:
            self._pass_on()

    def ended(self, now: int) -> bool:
        self._finish(now)
        return super().ended(now)

    def lost(self, now: int, error: Exception | None) -> None:
        self._finish(now)
        super().lost(now, error)

    def _finish(self, now: int) -> None:
        """Pass on all held data: the client sends nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._held:
            data, self._held = self._held, b""
            self.above.receive(data, now)

    def _pass_on(self) -> None:
        channel = self._channel
        connection = channel.connection
        counters = channel.driver.broker.counters
        now = channel.driver.now()
        data = self._held
        pos = 0
        while pos < len(data) and not connection.ending:
            size = len(data) - pos
            if self._packets is not None:
                packets = self._packets.left(now)
                # `n * PACKET` bytes hold at most `n` packets, and the rest of an incomplete packet is one packet.
                size = min(size, max(packets * PACKET, connection.decoder.missing) if packets else 0)
            if self._bytes is not None:
                size = min(size, self._bytes.left(now))
            if not size:
                break
            before = counters.packets_received
            self.above.receive(data[pos : pos + size], monotonic_ns())
            pos += size
            if self._bytes is not None:
                self._bytes.take(size)
            if self._packets is not None:
                self._packets.take(counters.packets_received - before)
        if connection.ending:
            self._held = b""
            return
        self._held = data[pos:]
        if self._held:
            channel.halt(PACED)
            self._timer = channel.driver.loop.call_later(self._pause(), self._go_on)
        else:
            channel.go_on(PACED)

    def _pause(self) -> float:
        """Return the seconds until one packet, and at least 1/20 of a second's bytes or all that is held, may pass."""
        pause = SHORTEST
        if self._packets is not None:
            pause = max(pause, self._packets.wait(1))
        if self._bytes is not None:
            pause = max(pause, self._bytes.wait(min(len(self._held), -(-self._bytes.rate // 20))))
        return pause

    def _go_on(self) -> None:
        self._timer = None
        self._channel.connection.heard = self._channel.driver.now()
        self._pass_on()
