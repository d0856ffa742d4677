# SPDX-License-Identifier: MIT
"""Metrics: they parse, mean what they say, and have the names that dashboards ask for."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mqtt_ref.broker.sys_topics import SYS_TOPICS
from mqtt_ref.engine.counters import COUNTERS, GAUGES
from mqtt_ref.http import HttpListener
from mqtt_ref.http.metrics import alias
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import Connect, Publish
from tests.http.conftest import Site

EXPORTED = """
broker_bytes_received broker_bytes_sent broker_clients_connected broker_clients_disconnected broker_clients_expired
broker_clients_maximum broker_clients_total broker_heap_current broker_heap_maximum broker_load_bytes_received_1min
broker_load_bytes_sent_15min broker_load_connections_5min broker_load_messages_received_1min
broker_load_messages_sent_1min broker_load_publish_dropped_1min broker_load_publish_received_1min
broker_load_publish_sent_1min broker_load_sockets_1min broker_messages_received broker_messages_sent
broker_messages_stored broker_publish_bytes_received broker_publish_bytes_sent broker_publish_messages_dropped
broker_publish_messages_received broker_publish_messages_sent broker_retained_messages_count
broker_store_messages_bytes broker_store_messages_count broker_subscriptions_count broker_uptime
"""


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    return serve(HttpListener(port=0))


def scrape(site: Site) -> dict[str, float]:
    """The samples, by name with labels; everything that holds for the format is checked."""
    answer = site.get("/metrics", {"host": "scraped.example:9"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    # As they stand there: the parser adds `_total` to counters that lack it, which Prometheus itself does not.
    found = {name: float(value) for name, value in re.findall(r"(?m)^(\w+) (\S+)$", answer.body.decode())}
    names = []
    for family in text_string_to_metric_families(answer.body.decode()):
        names.append(family.name)
        assert family.documentation
        assert family.type in ("counter", "gauge")
        assert family.samples
        for sample in family.samples:
            labels = "".join(f"{{{name}={value}}}" for name, value in sample.labels.items())
            if labels:
                found[sample.name + labels] = sample.value
            else:
                assert sample.value == found[sample.name if sample.name in found else family.name]
    assert len(names) == len(set(names)), "a family comes twice"
    return found


def test_own_metrics(site: Site) -> None:
    samples = scrape(site)
    own = {name for name in samples if name.startswith("mqtt_ref_")}
    for name in COUNTERS:
        if name.startswith("dropped_"):
            assert f"mqtt_ref_messages_dropped_total{{reason={name.removeprefix('dropped_')}}}" in own
        else:
            assert f"mqtt_ref_{name}_total" in own
    assert {f"mqtt_ref_{name}" for name in GAUGES} <= own
    parts = [samples[f"mqtt_ref_memory_{part}_bytes"] for part in ("messages", "state", "output")]
    assert samples["mqtt_ref_memory_held_bytes"] == sum(parts) > 1000
    assert samples["mqtt_ref_memory_maximum_bytes"] == 1 << 30
    assert samples["mqtt_ref_start_time_seconds"] > 1_700_000_000
    assert samples["process_cpu_seconds_total"] > 0
    assert any(name.startswith("mqtt_ref_build_info{version=mqtt_ref version ") for name in own)


def test_what_they_count(site: Site) -> None:
    with RawClient(site.server.port) as client:
        client.send(Connect("a"))
        client.read()
        client.send(Publish("t", b"12345", retain=True))
        client.send(Publish("u", b"", 1, packet_id=1))
        client.read()
        samples = scrape(site)
    assert samples["mqtt_ref_clients_connected"] == samples["mqtt_ref_connections"] == 1
    assert samples["mqtt_ref_packets_received_total"] == samples["broker_messages_received"] == 3
    assert samples["mqtt_ref_packets_sent_total"] == 2
    assert samples["mqtt_ref_connects_received_total"] == 1
    assert samples["mqtt_ref_retained_messages"] == len(SYS_TOPICS) + 1
    assert samples["broker_retained_messages_count"] == 1
    assert samples["broker_publish_messages_received"] == 2
    assert samples["broker_publish_bytes_received"] == 5


def test_the_names_that_an_exporter_makes_of_sys_topics(site: Site) -> None:
    samples = scrape(site)
    assert set(EXPORTED.split()) <= samples.keys()
    for topic in SYS_TOPICS:
        name = alias(topic)
        assert re.fullmatch("broker_[a-z0-9_]+", name)
        assert (name in samples) == (topic != "$SYS/broker/version")


def test_aliases() -> None:
    assert alias("$SYS/broker/retained messages/count") == "broker_retained_messages_count"
    assert alias("$SYS/broker/load/bytes/sent/1min") == "broker_load_bytes_sent_1min"
