# SPDX-License-Identifier: MIT
"""What is counted: every message in, out, dropped, and why."""

from __future__ import annotations

from typing import Final

__all__ = ["COUNTERS", "Counters"]

COUNTERS: Final = {
    "packets_received": "Control Packets received",
    "publish_refused": "PUBLISH packets refused: not authorized, or to a topic of the server",
    "messages_routed": "messages taken in for delivery, with those of the server itself",
    "messages_sent": "PUBLISH packets queued for sending, retransmissions included",
    "messages_resent": "PUBLISH packets sent again when a session was resumed",
    "dropped_queue_full": "messages dropped because the queue of the session was full",
    "dropped_too_large": "messages dropped because the client takes no packet of that size",
    "dropped_expired": "messages dropped because their expiry interval had passed",
    "dropped_offline": "QoS 0 messages not kept for a client that is away",
    "dropped_slow": "QoS 0 messages dropped because the client does not read",
    "dropped_unshared": "messages for shared groups that nobody could take",
    "dropped_denied": "messages not delivered because the subscriber may not read the topic",
    "dropped_by_hook": "messages of clients that a hook let vanish",
    "unknown_acks": "acknowledgements of unknown packet identifiers",
    "connections_accepted": "links accepted",
    "connections_refused": "connections refused before or with the CONNACK",
    "connections_closed": "connections that are over",
    "sessions_created": "sessions created",
    "sessions_resumed": "sessions resumed",
    "sessions_taken_over": "connections that a newer one replaced",
    "sessions_expired": "sessions that expired",
    "wills_published": "Will Messages published",
    "violations": "broken rules of clients",
    "keep_alive_timeouts": "clients that were silent for too long",
    "commits": "batches handed to the store",
    "commits_failed": "batches that the store did not take",
}
"""By name: what is counted."""


class Counters:
    """The numbers, from the start of the broker."""

    __slots__ = tuple(COUNTERS)

    def __init__(self) -> None:
        self.packets_received = 0
        self.publish_refused = 0
        self.messages_routed = 0
        self.messages_sent = 0
        self.messages_resent = 0
        self.dropped_queue_full = 0
        self.dropped_too_large = 0
        self.dropped_expired = 0
        self.dropped_offline = 0
        self.dropped_slow = 0
        self.dropped_unshared = 0
        self.dropped_denied = 0
        self.dropped_by_hook = 0
        self.unknown_acks = 0
        self.connections_accepted = 0
        self.connections_refused = 0
        self.connections_closed = 0
        self.sessions_created = 0
        self.sessions_resumed = 0
        self.sessions_taken_over = 0
        self.sessions_expired = 0
        self.wills_published = 0
        self.violations = 0
        self.keep_alive_timeouts = 0
        self.commits = 0
        self.commits_failed = 0

    def as_dict(self) -> dict[str, int]:
        """All numbers by name."""
        return {name: getattr(self, name) for name in COUNTERS}
