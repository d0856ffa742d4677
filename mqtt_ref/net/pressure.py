# SPDX-License-Identifier: MIT
"""Measures what waits in the links of clients, for the broker's budget, and closes the heaviest link above it."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

from mqtt_ref.net.layer import LARGE
from mqtt_ref.wire.codes import QUOTA_EXCEEDED

if TYPE_CHECKING:
    import asyncio

    from mqtt_ref.net.channel import Channel
    from mqtt_ref.net.driver import Driver

__all__ = ["AGAIN", "HEAVY", "Pressure"]

AGAIN: Final = 0.5
"""Seconds until what waited is measured again."""
SHARE: Final = 32
"""What part of the budget may pass through the links until they are measured."""
HEAVY: Final = 64 * 1024
"""Bytes below which closing a link would not help."""


class Pressure:
    """The bytes that wait in links: output that the kernel has not taken, held packets and incomplete ones.

    They are not counted one by one, since that would cost time for each packet. All links are measured when as many
    bytes as a small part of the budget have passed since the last time, and every half a second while much waits.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._timer: asyncio.Handle | None = None
        budget = driver.broker.budget
        self._step = max(HEAVY, budget.maximum // SHARE)
        self.next = self._step if budget.limited else sys.maxsize
        """How many bytes, received and sent, there are when the links are measured next."""

    def due(self) -> None:
        """Measure when this turn of the loop is over: then the kernel has taken what it can."""
        counters = self._driver.broker.counters
        self.next = counters.received_bytes + counters.sent_bytes + self._step
        self._set(0.0)

    def close(self) -> None:
        """Measure no more."""
        self.next = sys.maxsize
        if self._timer is not None:
            self._timer.cancel()

    def measure(self) -> None:
        """Tell the budget what waits. While it is exceeded, close the links in which most of that is."""
        self._timer = None
        driver = self._driver
        budget = driver.broker.budget
        large: list[tuple[Channel, dict[int, int]]] = []
        holders: Counter[int] = Counter()
        weights: dict[Channel, int] = {}
        for channel in driver.channels.values():
            size = _own(channel)
            if size:
                weights[channel] = size
            if channel.unsent is not None:
                shared = channel.unsent.shared(LARGE)
                large.append((channel, shared))
                holders.update(shared.keys())
        for channel, shared in large:
            # Those who wait for the same payload have equal parts of it.
            parts = sum([size // holders[one] for one, size in shared.items()])
            weights[channel] = weights.get(channel, 0) + parts
        total = sum(weights.values())
        budget.measured(total)
        if budget.used > budget.maximum:
            heaviest = sorted(weights, key=weights.__getitem__)
            while heaviest and weights[heaviest[-1]] >= HEAVY and budget.used > budget.maximum:
                channel = heaviest.pop()
                total -= weights[channel]
                self._shed(channel)
                budget.measured(total)
            driver.schedule()
        if total >= HEAVY and self.next != sys.maxsize:
            self._set(AGAIN)

    def _set(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._driver.loop.call_later(seconds, self.measure)

    def _shed(self, channel: Channel) -> None:
        """Close a link. The client is told if it reads."""
        connection = channel.connection
        now = self._driver.now()
        text = "The memory for clients is used up, and most of it waits for this client"
        unsent = channel.transport.get_write_buffer_size() + (0 if channel.unsent is None else channel.unsent.size)
        connection.decoder.stop()
        if unsent >= HEAVY:
            connection.turn_away(text, now, QUOTA_EXCEEDED)
            channel.abort()
        else:
            connection.dismiss(QUOTA_EXCEEDED, text, now)


def _own(channel: Channel) -> int:
    """Return the bytes that wait in one link, without large payloads that other links may share."""
    connection = channel.connection
    size: int = channel.transport.get_write_buffer_size() + connection.decoder.buffered + len(connection.decoder.rest)
    if channel.unsent is not None:
        size += channel.unsent.small(LARGE)
    if connection.waiting is not None:
        size += connection.waiting.held_bytes
    for gate in connection.outbox.gates or ():
        size += sum(len(part) for part in gate.out if len(part) < LARGE)
    return size
