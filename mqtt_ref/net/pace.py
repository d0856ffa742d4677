# SPDX-License-Identifier: MIT
"""How fast one client is read: bytes and packets in a second. What is above waits; nothing is dropped."""

from __future__ import annotations

from asyncio import TimerHandle
from time import monotonic_ns
from typing import TYPE_CHECKING, Final

from mqtt_ref.net.layer import Layer

if TYPE_CHECKING:
    from mqtt_ref.net.channel import Channel

__all__ = ["PACED", "Bucket", "Pace"]

PACED: Final = 4
"""Why nothing is read from a client (see `channel`): it had its share of this second."""

SECOND: Final = 1_000_000_000
SHORTEST: Final = 0.01
"""Seconds of a pause at least."""
PACKET: Final = 2
"""Bytes of the smallest packet."""


class Bucket:
    """So many of something in a second, and at most the share of one second at once. Time is an argument."""

    __slots__ = ("_credit", "_since", "rate")

    def __init__(self, rate: int, now: int) -> None:
        self.rate = rate
        self._credit = SECOND
        """Nanoseconds that are saved; each of `rate` things costs its part of a second."""
        self._since = now

    def left(self, now: int) -> int:
        """How many may pass now."""
        self._credit = min(SECOND, self._credit + now - self._since)
        self._since = now
        return max(0, self._credit * self.rate // SECOND)

    def take(self, count: int) -> None:
        """So many pass."""
        self._credit -= count * SECOND // self.rate

    def wait(self, count: int) -> float:
        """Seconds until so many may pass; more than a second's share never may."""
        return max(0, -(-count * SECOND // self.rate) - self._credit) / SECOND


class Pace(Layer):
    """Lets a connection have what its client sent no faster than the terms of its listener say, in the broker's time.

    What is above is held here, one read at most, and nothing more is read meanwhile. A client that has to wait is not
    silent: its Keep Alive begins anew with each part.
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
        """Pass on what may pass, and make the rest wait."""
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
        """The client sends nothing more: what it sent passes at once."""
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
                # So many bytes are no more than so many packets, and the rest of one packet is one.
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
        """Until one packet, and a part of a second's bytes that is worth it, may pass."""
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
