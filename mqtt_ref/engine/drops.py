# SPDX-License-Identifier: MIT
"""Counts the messages that clients did not get because they are too slow, or their limits too small. For the log."""

from __future__ import annotations

from typing import Final

__all__ = ["CLIENTS", "OTHERS", "REASONS", "Drops"]

CLIENTS: Final = 1000
"""Clients that are counted by name."""
OTHERS: Final = ""
"""The Client Identifier under which all further clients are counted."""
REASONS: Final = {
    "slow": "the client reads too slowly",
    "queue_full": "its queue is full",
    "memory": "the memory for clients is used up",
    "too_large": "they are larger than its Maximum Packet Size",
    "message_size": "it publishes more than maximum_message_size",
}
"""What the log says for each reason of `on_publish_dropped`. Other reasons are usual and are not logged."""


class Drops:
    """The number of messages by client and reason since the last `take`."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = {}

    def add(self, client_id: str, why: str) -> bool:
        """Count one message. Return True if it is the first one since `take`."""
        counts = self.counts
        first = not counts
        found = counts.get(client_id)
        if found is None:
            if len(counts) >= CLIENTS:
                client_id = OTHERS
            found = counts.setdefault(client_id, {})
        found[why] = found.get(why, 0) + 1
        return first

    def take(self) -> dict[str, dict[str, int]]:
        """Return the numbers, and begin again."""
        taken, self.counts = self.counts, {}
        return taken
