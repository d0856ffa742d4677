# SPDX-License-Identifier: MIT
"""Counters of messages, packets and connections, and gauges of what exists now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["COUNTERS", "GAUGES", "Counters"]

COUNTERS: Final = {
    "received_bytes": "bytes received from clients",
    "sent_bytes": "bytes sent to clients",
    "packets_received": "Control Packets received",
    "packets_sent": "Control Packets sent",
    "connects_received": "CONNECT packets received",
    "publish_refused": "PUBLISH packets refused: not authorized, or to a topic of the server",
    "messages_routed": "messages accepted for delivery, including the server's own",
    "messages_own": "the server's own messages accepted for delivery, including Will Messages",
    "payload_routed_bytes": "payload bytes of messages accepted for delivery",
    "payload_own_bytes": "payload bytes of the server's own messages accepted for delivery",
    "messages_sent": "PUBLISH packets queued for sending, retransmissions included",
    "payload_sent_bytes": "payload bytes of PUBLISH packets queued for sending",
    "messages_resent": "PUBLISH packets sent again when a session was resumed",
    "dropped_queue_full": "messages dropped because the queue of the session was full",
    "dropped_memory": "messages dropped because the memory for clients was used up",
    "dropped_too_large": "messages dropped because the client takes no packet of that size",
    "dropped_expired": "messages dropped because their expiry interval had passed",
    "dropped_offline": "QoS 0 messages not kept for a client that is away",
    "dropped_slow": "QoS 0 messages dropped because the client does not read",
    "dropped_unshared": "messages for Shared Subscriptions that no member could take",
    "dropped_denied": "messages not delivered because the subscriber may not read the topic",
    "dropped_by_hook": "messages of clients that a hook dropped",
    "retained_refused": "messages not retained because the maximum number was reached or the memory was used up",
    "unknown_acks": "acknowledgements of unknown packet identifiers",
    "connections_accepted": "links accepted",
    "connections_refused": "connections refused before or with the CONNACK",
    "connections_closed": "connections that are over",
    "sessions_created": "sessions created",
    "sessions_resumed": "sessions resumed",
    "sessions_taken_over": "connections that a newer one replaced",
    "sessions_expired": "sessions that expired",
    "wills_published": "Will Messages published",
    "violations": "rules that clients broke",
    "keep_alive_timeouts": "clients that were silent for too long",
    "commits": "batches handed to the store",
    "commits_failed": "batches that the store failed to write",
}
"""What is counted, by name."""


GAUGES: Final = {
    "clients_maximum": "largest number of clients connected at the same time",
    "messages_inflight": "messages sent with QoS 1 or 2 that are not completely acknowledged",
    "messages_queued": "messages that wait for a client",
    "queued_in_store": "messages that wait for a client in the store alone, and not in memory",
    "queued_bytes": "bytes of topics, payloads and properties that wait for clients",
}
"""What each gauge shows, by name."""


class Counters:
    """The numbers since the start of the broker."""

    __slots__ = (*COUNTERS, *GAUGES)

    def __init__(self) -> None:
        self.received_bytes = 0
        self.sent_bytes = 0
        self.packets_received = 0
        self.packets_sent = 0
        self.connects_received = 0
        self.publish_refused = 0
        self.messages_routed = 0
        self.messages_own = 0
        self.payload_routed_bytes = 0
        self.payload_own_bytes = 0
        self.messages_sent = 0
        self.payload_sent_bytes = 0
        self.messages_resent = 0
        self.dropped_queue_full = 0
        self.dropped_memory = 0
        self.dropped_too_large = 0
        self.dropped_expired = 0
        self.dropped_offline = 0
        self.dropped_slow = 0
        self.dropped_unshared = 0
        self.dropped_denied = 0
        self.dropped_by_hook = 0
        self.retained_refused = 0
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
        self.clients_maximum = 0
        self.messages_inflight = 0
        self.messages_queued = 0
        self.queued_in_store = 0
        self.queued_bytes = 0

    def as_dict(self) -> dict[str, int]:
        """Return all counters by name, without the gauges."""
        return {name: getattr(self, name) for name in COUNTERS}

    def restore(self, totals: Iterable[tuple[str, int]]) -> None:
        """Go on from totals of an earlier run. Names that do not exist any more are ignored."""
        for name, value in totals:
            if name in COUNTERS:
                setattr(self, name, value)

    @property
    def dropped(self) -> int:
        """Messages that a subscriber did not get, for any reason but a hook's answer."""
        return (
            self.dropped_queue_full
            + self.dropped_memory
            + self.dropped_too_large
            + self.dropped_expired
            + self.dropped_offline
            + self.dropped_slow
            + self.dropped_unshared
            + self.dropped_denied
        )
