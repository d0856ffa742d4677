# SPDX-License-Identifier: MIT
"""Metrics in the text format of Prometheus: the broker's own, and aliases of those that `mosquitto-exporter` has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from time import process_time
from typing import TYPE_CHECKING, Final

from mqtt_ref.broker.sys_topics import COUNTS, SYS_TOPICS
from mqtt_ref.engine.counters import COUNTERS, GAUGES
from mqtt_ref.net.process import outside

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.net.driver import Driver

__all__ = ["alias", "exposition"]

PREFIX: Final = "mqtt_ref_"
DROPPED: Final = "dropped_"
SECOND: Final = 1_000_000_000


def alias(topic: str) -> str:
    """Return the metric name that `mosquitto-exporter` gives a `$SYS` topic: `broker_clients_connected`."""
    return re.sub(r"[/ .-]", "_", topic.removeprefix("$SYS/"))


def exposition(driver: Driver) -> str:
    """Return all metrics, each with its description and its type."""
    return "".join([*_own(driver), *_aliases(driver)])


def _own(driver: Driver) -> Iterator[str]:
    counters = driver.broker.counters
    for name, text in COUNTERS.items():
        if not name.startswith(DROPPED):
            yield _metric(f"{PREFIX}{name}_total", "counter", text, getattr(counters, name))
    name = f"{PREFIX}messages_dropped_total"
    yield _head(name, "counter", "messages that a subscriber did not get, by reason")
    for counted in COUNTERS:
        if counted.startswith(DROPPED):
            yield f'{name}{{reason="{counted.removeprefix(DROPPED)}"}} {getattr(counters, counted)}\n'
    for name, text in GAUGES.items():
        yield _metric(PREFIX + name, "gauge", text, getattr(counters, name))
    for name, (text, value) in _present(driver.broker).items():
        yield _metric(PREFIX + name, "gauge", text, value)
    system = outside()
    values = driver.sys.values(driver.now(), system)
    yield _head(f"{PREFIX}build_info", "gauge", "the version of the broker, as a label")
    yield f'{PREFIX}build_info{{version="{values["$SYS/broker/version"]}"}} 1\n'
    started = values["$SYS/broker/started"]
    yield _metric(f"{PREFIX}start_time_seconds", "gauge", "when the broker started, in seconds since 1970", started)
    yield _metric("process_cpu_seconds_total", "counter", "processor time that the process used", process_time())
    if system.memory:
        yield _metric("process_resident_memory_bytes", "gauge", "bytes of memory in use", system.memory)


def _present(broker: Broker) -> dict[str, tuple[str, int]]:
    """Return the current values that are not kept in a gauge, with their descriptions."""
    budget = broker.budget
    return {
        "connections": ("links that are open", len(broker.connections)),
        "clients_connected": ("clients that are connected", broker.sessions.connected),
        "sessions": ("sessions", len(broker.by_client_id)),
        "subscriptions": ("subscriptions", len(broker.router)),
        "shared_subscriptions": ("shared subscriptions", broker.router.shared),
        "retained_messages": ("retained messages, those under $SYS included", len(broker.retained_messages)),
        "retained_bytes": ("bytes of topics, payloads and properties that are retained", broker.retained_messages.size),
        "memory_held_bytes": ("bytes that are held for clients", budget.used),
        "memory_messages_bytes": ("bytes of them for messages that are queued, in flight or retained", budget.messages),
        "memory_state_bytes": ("bytes of them for links, sessions, subscriptions and wills", budget.state),
        "memory_output_bytes": ("bytes of them that wait in links, as last measured", budget.output),
        "memory_maximum_bytes": ("maximum_memory; 0: no limit", broker.options.bounds.memory),
    }


def _aliases(driver: Driver) -> Iterator[str]:
    for topic, value in driver.sys.values(driver.now(), outside()).items():
        if not isinstance(value, str):
            kind = "counter" if topic in COUNTS else "gauge"
            yield _metric(alias(topic), kind, f"{topic}: {SYS_TOPICS[topic]}", value)


def _metric(name: str, kind: str, text: str, value: float | str) -> str:
    return f"{_head(name, kind, text)}{name} {value}\n"


def _head(name: str, kind: str, text: str) -> str:
    return f"# HELP {name} {text[0].upper()}{text[1:]}.\n# TYPE {name} {kind}\n"
