# SPDX-License-Identifier: MIT
"""The part of a queue that waits in the store, behind the messages that are in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mqtt_ref.engine.session import Delivery

__all__ = ["UNKNOWN", "Backlog"]

UNKNOWN: Final = -1
"""`expires_at` of a message that was not looked at."""


class Backlog:
    """What waits for a session behind its queue in memory.

    First come `count` messages that only the store has, then those of `tail`. The store has not confirmed these yet, so
    they stay in memory.
    """

    __slots__ = ("after", "bytes", "count", "expires_at", "grouped", "reading", "tail")

    def __init__(self, after: int, expires_at: int) -> None:
        self.after = after
        """The `order` of the last message before those that only the store has."""
        self.count = 0
        self.bytes = 0
        """Bytes of the topics, payloads and properties of these `count` messages."""
        self.tail: list[Delivery] = []
        self.expires_at = expires_at
        """When the first message of the whole queue expires, if that is not in memory; or `UNKNOWN`."""
        self.grouped = False
        """True if messages of Shared Subscriptions may be among those that only the store has."""
        self.reading = 0
        """The number of the `Read` that is under way, or 0."""

    def __len__(self) -> int:
        return self.count + len(self.tail)
