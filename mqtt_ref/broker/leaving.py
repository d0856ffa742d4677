# SPDX-License-Identifier: MIT
"""The end of a session that held more than one turn may discard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.engine.turns import Job

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.broker.subscription import Subscribed
    from mqtt_ref.engine.session import Delivery

__all__ = ["NO_HANDLE", "Leaving"]

CHUNK: Final = 64
"""Subscriptions or messages between two looks at the work that is left."""
NO_HANDLE: Final = -1
"""The handle of a session that has left already."""
COST: Final = 6
"""Units of work of one of them."""


class Leaving(Job):
    """Takes the subscriptions of a session out of the router, then lets its messages go: to other members of groups.

    The handle is free when both are done. The budget counts a message until it is let go.
    """

    def __init__(self, broker: Broker, handle: int, left: list[Subscribed], unfinished: list[Delivery]) -> None:
        self._broker = broker
        self._handle = handle
        self._left = left
        self._unfinished = unfinished
        self._at = 0

    def start(self, now: int) -> None:
        """Discard at once if it is little, else in turns."""
        broker = self._broker
        if len(self._left) + len(self._unfinished) > broker.turn // 8 or not self.step(now):
            broker.turns.add(self)

    def step(self, now: int) -> bool:
        """Discard until the work of the turn is used up."""
        broker = self._broker
        left = self._left
        while left and broker.work > 0:
            broker.work -= CHUNK * COST
            broker.router.detach(left, CHUNK)
        unfinished = self._unfinished
        while not left and self._at < len(unfinished) and broker.work > 0:
            broker.work -= CHUNK * COST
            some = unfinished[self._at : self._at + CHUNK]
            broker.deliverer.share_again(some, now)
            for delivery in some:
                broker.budget.release(delivery.message)
            self._at += CHUNK
        if left or self._at < len(unfinished):
            return False
        if self._handle != NO_HANDLE:
            broker.sessions.free_handle(self._handle)
        return True
