# SPDX-License-Identifier: MIT
"""The `$SYS` topics: what the broker says about itself, as retained messages of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.engine.message import SECOND

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker

__all__ = ["SYS_TOPICS", "SysTopics"]

SYS_TOPICS: Final = {
    "$SYS/broker/version": "what this broker is",
    "$SYS/broker/uptime": "seconds since the start",
    "$SYS/broker/clients/connected": "clients that are connected",
    "$SYS/broker/clients/disconnected": "sessions whose client is away",
    "$SYS/broker/clients/total": "sessions",
    "$SYS/broker/clients/expired": "sessions that expired",
    "$SYS/broker/messages/received": "Control Packets received",
    "$SYS/broker/publish/messages/received": "PUBLISH packets routed",
    "$SYS/broker/publish/messages/sent": "PUBLISH packets sent",
    "$SYS/broker/publish/messages/dropped": "messages that a subscriber did not get",
    "$SYS/broker/retained messages/count": "retained messages",
    "$SYS/broker/subscriptions/count": "subscriptions",
    "$SYS/broker/shared_subscriptions/count": "shared subscriptions",
}
"""By topic, with the names that other brokers use: what it says."""


class SysTopics:
    """Publishes what has changed, every `interval` seconds; call `due` now and then."""

    def __init__(self, broker: Broker, version: str, now: int, interval: int = 10) -> None:
        self._broker = broker
        self._version = version
        self._started = now
        self._interval = interval * SECOND
        self._told: dict[str, str] = {}
        self.next = now
        """When `due` has something to do."""

    def due(self, now: int) -> None:
        """Publish the values that differ from what was last published, if it is time."""
        if now < self.next:
            return
        self.next = now + self._interval
        values = self._values(now)
        watch = self._broker.watch
        if watch is not None and watch.sys_info is not None:
            watch.sys_info(values)
        for topic, value in values.items():
            if self._told.get(topic) != value:
                self._told[topic] = value
                self._broker.inject(topic, value.encode(), now, retain=True)

    def _values(self, now: int) -> dict[str, str]:
        broker = self._broker
        counters = broker.counters
        total = len(broker.by_client_id)
        connected = len(broker.connections)
        dropped = (
            counters.dropped_queue_full
            + counters.dropped_too_large
            + counters.dropped_expired
            + counters.dropped_offline
            + counters.dropped_slow
            + counters.dropped_unshared
            + counters.dropped_denied
        )
        return {
            "$SYS/broker/version": self._version,
            "$SYS/broker/uptime": f"{(now - self._started) // SECOND} seconds",
            "$SYS/broker/clients/connected": str(connected),
            "$SYS/broker/clients/disconnected": str(max(0, total - connected)),
            "$SYS/broker/clients/total": str(total),
            "$SYS/broker/clients/expired": str(counters.sessions_expired),
            "$SYS/broker/messages/received": str(counters.packets_received),
            "$SYS/broker/publish/messages/received": str(counters.messages_routed),
            "$SYS/broker/publish/messages/sent": str(counters.messages_sent),
            "$SYS/broker/publish/messages/dropped": str(dropped),
            "$SYS/broker/retained messages/count": str(len(broker.retained_messages)),
            "$SYS/broker/subscriptions/count": str(len(broker.router)),
            "$SYS/broker/shared_subscriptions/count": str(broker.router.shared),
        }
