# SPDX-License-Identifier: MIT
"""What a broker tells: its state, its health; and that nothing of this is loaded unasked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from mqtt_ref.broker.sys_topics import SYS_TOPICS
from mqtt_ref.engine.options import Options
from mqtt_ref.http import Guard, HttpListener
from mqtt_ref.http.health_app import health_app
from mqtt_ref.http.models import info_name
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import Connack, Connect, Publish, Suback, Subscribe, Subscription
from tests.http.conftest import Site

Serve = Callable[..., Site]


@pytest.fixture
def site(serve: Serve) -> Site:
    return serve(HttpListener(port=0))


def test_the_state_as_it_is_now(site: Site) -> None:
    for target in ("/", "/info"):
        state = site.get(target).json
        assert state.keys() == {info_name(topic) for topic in SYS_TOPICS}
        assert state["version"].startswith("mqtt_ref version ")
        assert state["clients_connected"] == 0
    with RawClient(site.server.port) as client:
        client.send(Connect("a"))
        assert isinstance(client.read(), Connack)
        state = site.get("/info").json
        assert (state["clients_connected"], state["packets_received"], state["packets_sent"]) == (1, 1, 1)
        assert state["bytes_received"] == state["load_bytes_received"] > 10
        assert state["bytes_sent"] > 3
        assert state["system_memory"] > 1_000_000
        assert state["heap_maximum"] >= state["heap_current"] > 0
        assert state["system_threads"] >= 2
        assert state["time"] >= state["started"] > 1_700_000_000


def test_bytes_and_packets_are_counted_as_they_pass(site: Site) -> None:
    with RawClient(site.server.port) as client:
        client.send(Connect("a"))
        client.read()
        client.send(Subscribe(1, [Subscription("t", 0)]))
        assert isinstance(client.read(), Suback)
        before = site.get("/info").json
        for _ in range(3):
            client.send(Publish("t", b"x" * 1000))
            assert isinstance(client.read(), Publish)
        after = site.get("/info").json
    for way in ("received", "sent"):
        assert after[f"bytes_{way}"] - before[f"bytes_{way}"] == 3 * 1007
        assert after[f"packets_{way}"] - before[f"packets_{way}"] == 3
        assert after[f"publish_messages_{way}"] - before[f"publish_messages_{way}"] == 3
        assert after[f"publish_bytes_{way}"] - before[f"publish_bytes_{way}"] == 3000


def test_the_server_publishes_sys_topics(serve: Serve) -> None:
    site = serve(HttpListener(port=0), options=Options(sys_topic_resend_interval=1))
    with RawClient(site.server.port) as client:
        client.send(Connect("a"))
        client.read()
        client.send(Subscribe(1, [Subscription("$SYS/broker/uptime", 0)]))
        assert isinstance(client.read(), Suback)
        first = client.read()
        second = client.read()
    assert isinstance(first, Publish)
    assert isinstance(second, Publish)
    assert first.retain
    assert not second.retain
    assert second.payload == b"1 seconds"


def test_no_sys_topics_are_wished(serve: Serve) -> None:
    site = serve(HttpListener(port=0), options=Options(sys_topic_resend_interval=0))
    assert len(site.server.broker.retained.store) == 0
    assert site.get("/info").json["uptime"] >= 0


def test_healthy_and_ready(site: Site) -> None:
    for target in ("/healthz", "/healthcheck", "/readyz"):
        answer = site.get(target, {"host": "balancer.example"})
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert site.ask("HEAD", target).status == 200


def test_not_ready(site: Site) -> None:
    driver, broker = site.server.driver, site.server.broker
    driver.serving = False
    assert site.get("/readyz").detail == "not all listeners are open"
    driver.serving = True
    broker.store_fails = True
    assert site.get("/readyz").detail == "the store cannot save: its last commit failed"
    broker.shutting_down = True
    answer = site.get("/readyz")
    assert answer.status == 503
    assert answer.detail.startswith("the server is shutting down; the store")
    assert site.get("/healthz").status == 200
    broker.shutting_down = broker.store_fails = False
    assert site.get("/readyz").status == 200


def test_a_listener_for_health_checks_alone(serve: Serve) -> None:
    site = serve(HttpListener(port=0, app=health_app()))
    assert site.get("/healthz").status == site.get("/readyz").status == 200
    for target in ("/", "/info", "/metrics", "/api/v1/clients"):
        assert site.get(target).status == 404


def test_the_address_can_be_read_back(site: Site) -> None:
    assert site.listener.urls == [f"http://127.0.0.1:{site.port}"]
    assert site.listener.name == f"http:127.0.0.1:{site.port}"
    assert HttpListener().port == 8080
    assert HttpListener().host == "127.0.0.1"


def test_a_listener_comes_and_goes_while_the_server_runs(site: Site) -> None:
    second = HttpListener(port=0, name="second", guard=Guard("t"))
    site.call(lambda: site.server.add_listener(second))
    other = Site(second)
    assert other.get("/healthz").status == 200
    site.call(lambda: site.server.close_listener("second"))
    with pytest.raises(ConnectionError):
        other.get("/healthz")
    assert site.get("/healthz").status == 200


def test_a_server_without_http_loads_neither_h11_nor_msgspec() -> None:
    code = """
import asyncio, sys
from mqtt_ref.server import Server
async def main():
    async with Server():
        pass
asyncio.run(main())
print(sorted({"h11", "msgspec", "mqtt_ref.http", "http.client"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
