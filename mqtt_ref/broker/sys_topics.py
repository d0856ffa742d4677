# SPDX-License-Identifier: MIT
"""The `$SYS` topics: statistics of the broker, published as retained messages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from mqtt_ref.engine.message import SECOND

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker

__all__ = ["COUNTS", "SYS_TOPICS", "Outside", "SysTopics", "Value"]

Value = int | float | str

PREFIX: Final = "$SYS/broker/"
MINUTES: Final = (1, 5, 15)
_LOADS: Final = {
    "messages/received": "Control Packets received",
    "messages/sent": "Control Packets sent",
    "publish/received": "PUBLISH packets received",
    "publish/sent": "PUBLISH packets sent",
    "publish/dropped": "messages that a subscriber did not get",
    "bytes/received": "bytes received",
    "bytes/sent": "bytes sent",
    "sockets": "links accepted",
    "connections": "CONNECT packets received",
}
SYS_TOPICS: Final[dict[str, str]] = {
    PREFIX + name: text
    for name, text in {
        "version": "name and version of this broker",
        "time": "seconds since 1970, when this was published",
        "started": "seconds since 1970, when the broker started",
        "uptime": "seconds since the start",
        "clients/connected": "clients that are connected",
        "clients/disconnected": "sessions whose client is away",
        "clients/total": "sessions",
        "clients/maximum": "largest number of clients connected at the same time",
        "clients/expired": "sessions that expired",
        "packets/received": "Control Packets received",
        "packets/sent": "Control Packets sent",
        "messages/received": "Control Packets received",
        "messages/sent": "Control Packets sent",
        "messages/dropped": "messages that a subscriber did not get",
        "messages/inflight": "messages sent with QoS 1 or 2 that are not completely acknowledged",
        "messages/stored": "messages that are retained or wait for a client",
        "publish/messages/received": "PUBLISH packets accepted for delivery",
        "publish/messages/sent": "PUBLISH packets sent",
        "publish/messages/dropped": "messages that a subscriber did not get",
        "publish/bytes/received": "payload bytes of PUBLISH packets accepted for delivery",
        "publish/bytes/sent": "payload bytes of PUBLISH packets sent",
        "bytes/received": "bytes received",
        "bytes/sent": "bytes sent",
        "load/bytes/received": "bytes received",
        "load/bytes/sent": "bytes sent",
        "store/messages/count": "messages that are retained or wait for a client",
        "store/messages/bytes": "bytes of messages that are retained or wait for a client",
        "retained": "retained messages, those under $SYS left out",
        "retained messages/count": "retained messages, those under $SYS left out",
        "subscriptions": "subscriptions",
        "subscriptions/count": "subscriptions",
        "shared_subscriptions/count": "shared subscriptions",
        "memory/held": "bytes that are held for clients, as maximum_memory limits them",
        "heap/current": "bytes of memory in use",
        "heap/maximum": "largest number of bytes of memory in use",
        "system/memory": "bytes of memory in use",
        "system/threads": "threads of the process",
        **{
            f"load/{name}/{minutes}min": f"{text}: average in a minute, over {minutes} min"
            for name, text in _LOADS.items()
            for minutes in MINUTES
        },
    }.items()
}
"""What each topic shows. The names are those that other brokers use."""
COUNTS: Final = frozenset(
    PREFIX + name
    for name in (
        "clients/expired",
        "packets/received",
        "packets/sent",
        "messages/received",
        "messages/sent",
        "messages/dropped",
        "publish/messages/received",
        "publish/messages/sent",
        "publish/messages/dropped",
        "publish/bytes/received",
        "publish/bytes/sent",
        "bytes/received",
        "bytes/sent",
        "load/bytes/received",
        "load/bytes/sent",
    )
)
"""The topics whose value only grows while the broker runs."""


class Outside(NamedTuple):
    """Values that the broker cannot know itself; the driver provides them."""

    utc: int = 0
    """Nanoseconds since 1970."""
    memory: int = 0
    """Bytes that the process uses; 0: not known."""
    memory_maximum: int = 0
    threads: int = 0


class Load:
    """The rate of something per minute, as exponentially weighted averages over the last minutes."""

    __slots__ = ("averages", "before")

    def __init__(self, total: int) -> None:
        self.before = total
        self.averages: list[float] = [0.0] * len(MINUTES)

    def sample(self, total: int, minutes: float, fading: list[float]) -> None:
        """Add what happened since the last sample, `minutes` ago. `fading` is the weight of each old average."""
        rate = (total - self.before) / minutes
        self.before = total
        self.averages = [rate + fade * (old - rate) for fade, old in zip(fading, self.averages, strict=True)]


class SysTopics:
    """Publishes changed values every `interval` seconds (0: never). Call `due` at the time `next`.

    Most topics of an idle broker do not change, so that this costs very little. The topics are not stored.
    """

    def __init__(self, broker: Broker, version: str, now: int, outside: Outside, interval: int = 10) -> None:
        self._broker = broker
        self._version = version
        self._started = now
        self._started_utc = outside.utc
        self._interval = interval * SECOND
        self._sampled = now
        self._loads: dict[str, Load] = {name: Load(total) for name, total in self._totals().items()}
        self._told: dict[str, str] = {}
        self.next = now
        """When `due` has something to do; 0: never."""
        if interval <= 0:
            self.next = 0

    def due(self, now: int, outside: Outside) -> None:
        """Publish the values that have changed since they were last published, if it is time."""
        if not self.next or now < self.next:
            return
        self.next = now + self._interval
        self._sample(now)
        texts = {topic: _text(topic, value) for topic, value in self.values(now, outside).items()}
        watch = self._broker.watch
        if watch.on_sys_info_tick is not None:
            watch.on_sys_info_tick(texts)
        for topic, text in texts.items():
            if self._told.get(topic) != text:
                self._told[topic] = text
                self._broker.inject(topic, text.encode(), now, retain=True)

    def _sample(self, now: int) -> None:
        elapsed = now - self._sampled
        if elapsed <= 0:
            return
        self._sampled = now
        passed = elapsed / (60 * SECOND)
        fading = [math.exp(-passed / minutes) for minutes in MINUTES]
        for name, total in self._totals().items():
            self._loads[name].sample(total, passed, fading)

    def _totals(self) -> dict[str, int]:
        """Return the totals from which the loads are computed."""
        counters = self._broker.counters
        return {
            "messages/received": counters.packets_received,
            "messages/sent": counters.packets_sent,
            "publish/received": counters.messages_routed - counters.messages_own,
            "publish/sent": counters.messages_sent,
            "publish/dropped": counters.dropped,
            "bytes/received": counters.received_bytes,
            "bytes/sent": counters.sent_bytes,
            "sockets": counters.connections_accepted,
            "connections": counters.connects_received,
        }

    def values(self, now: int, outside: Outside) -> dict[str, Value]:
        """Return the current values by topic. The loads are those of the last sample."""
        broker = self._broker
        counters = broker.counters
        sessions = len(broker.sessions.by_client_id)
        held = broker.retained.store
        kept = len(held) + counters.messages_queued
        totals = self._totals()
        found: dict[str, Value] = {
            "version": self._version,
            "time": outside.utc // SECOND,
            "started": self._started_utc // SECOND,
            "uptime": (now - self._started) // SECOND,
            "clients/connected": broker.sessions.connected,
            "clients/disconnected": sessions - broker.sessions.connected,
            "clients/total": sessions,
            "clients/maximum": counters.clients_maximum,
            "clients/expired": counters.sessions_expired,
            "messages/dropped": totals["publish/dropped"],
            "messages/inflight": counters.messages_inflight,
            "messages/stored": kept,
            "publish/bytes/received": counters.payload_routed_bytes - counters.payload_own_bytes,
            "publish/bytes/sent": counters.payload_sent_bytes,
            "store/messages/count": kept,
            "store/messages/bytes": held.size + counters.queued_bytes,
            "retained": held.counted,
            "retained messages/count": held.counted,
            "subscriptions": len(broker.router),
            "subscriptions/count": len(broker.router),
            "shared_subscriptions/count": broker.router.shared,
            "memory/held": broker.budget.used,
            "heap/current": outside.memory,
            "heap/maximum": outside.memory_maximum,
            "system/memory": outside.memory,
            "system/threads": outside.threads,
        }
        for way in ("received", "sent"):
            found[f"packets/{way}"] = found[f"messages/{way}"] = totals[f"messages/{way}"]
            found[f"bytes/{way}"] = found[f"load/bytes/{way}"] = totals[f"bytes/{way}"]
        for name in ("received", "sent", "dropped"):
            found[f"publish/messages/{name}"] = totals[f"publish/{name}"]
        for name, load in self._loads.items():
            for minutes, average in zip(MINUTES, load.averages, strict=True):
                found[f"load/{name}/{minutes}min"] = average
        return {topic: found[topic.removeprefix(PREFIX)] for topic in SYS_TOPICS}


def _text(topic: str, value: Value) -> str:
    """Return a value as it is published."""
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value} seconds" if topic == PREFIX + "uptime" else str(value)
