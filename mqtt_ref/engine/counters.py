# SPDX-License-Identifier: MIT
"""What is counted: every message in, out, dropped, and why; and what there is of things that come and go."""

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
    "messages_routed": "messages taken in for delivery, with those of the server itself",
    "messages_own": "messages of the server itself, Will Messages included, among those taken in",
    "payload_routed_bytes": "bytes of the payloads of messages taken in",
    "payload_own_bytes": "bytes of the payloads of the server's own among them",
    "messages_sent": "PUBLISH packets queued for sending, retransmissions included",
    "payload_sent_bytes": "bytes of the payloads of PUBLISH packets queued for sending",
    "messages_resent": "PUBLISH packets sent again when a session was resumed",
    "dropped_queue_full": "messages dropped because the queue of the session was full",
    "dropped_too_large": "messages dropped because the client takes no packet of that size",
    "dropped_expired": "messages dropped because their expiry interval had passed",
    "dropped_offline": "QoS 0 messages not kept for a client that is away",
    "dropped_slow": "QoS 0 messages dropped because the client does not read",
    "dropped_unshared": "messages for shared groups that nobody could take",
    "dropped_denied": "messages not delivered because the subscriber may not read the topic",
    "dropped_by_hook": "messages of clients that a hook let vanish",
    "retained_refused": "messages not retained because there were as many as there may be",
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


GAUGES: Final = {
    "clients_maximum": "clients that were connected at once, at most",
    "messages_inflight": "messages sent with QoS 1 or 2 that are not completely acknowledged",
    "messages_queued": "messages that wait for a client",
    "queued_bytes": "bytes of topics and payloads that wait for clients",
}
"""By name: what there is now, and what it means."""


class Counters:
    """The numbers, from the start of the broker."""

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
        self.queued_bytes = 0

    def as_dict(self) -> dict[str, int]:
        """All counts by name, without the gauges."""
        return {name: getattr(self, name) for name in COUNTERS}

    def restore(self, totals: Iterable[tuple[str, int]]) -> None:
        """Go on from totals of an earlier run. Names that do not exist any more are ignored."""
        for name, value in totals:
            if name in COUNTERS:
                setattr(self, name, value)

    @property
    def dropped(self) -> int:
        """Messages that a subscriber did not get, for whatever reason."""
        return (
            self.dropped_queue_full
            + self.dropped_too_large
            + self.dropped_expired
            + self.dropped_offline
            + self.dropped_slow
            + self.dropped_unshared
            + self.dropped_denied
        )
