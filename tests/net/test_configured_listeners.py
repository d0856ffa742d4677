# SPDX-License-Identifier: MIT
"""Every type of listener that a file can name, and the terms of each."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.sync.client import connect as websocket
from websockets.typing import Subprotocol

from mqtt_ref.config import model
from mqtt_ref.config.check import alternatives
from mqtt_ref.config.compose import compose
from mqtt_ref.config.load import load
from mqtt_ref.net.websocket import LOCAL_PAGES
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Connect, Disconnect, Publish

Run = Callable[..., Any]


@pytest.fixture
def run(running: Callable[..., Any], tmp_path: Path) -> Run:
    """`run("{type: tcp, ...}", ...)`: a server with these listeners, from a file."""

    def start(*listeners: str) -> Any:
        file = tmp_path / "broker.yaml"
        file.write_text("listeners:\n" + "".join(f"  - {listener}\n" for listener in listeners))
        parts = compose(load(file, {}))
        return running(*parts.listeners, options=parts.options)

    return start


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@contextlib.contextmanager
def over(url: str) -> Iterator[RawClient]:
    if url.startswith("unix:"):
        link = socket.socket(socket.AF_UNIX)
        link.connect(url.removeprefix("unix:").removeprefix("//"))
        client = RawClient(connected=link)
    else:
        client = RawClient(int(url.rpartition(":")[2]))
    with client:
        yield client


def test_each_type_has_its_test() -> None:
    assert {f"test_{name}" for name in alternatives(model.Listener)} <= globals().keys()


def test_tcp(run: Run, authority: Any) -> None:
    tls = f'{{certificate: "{authority.path("server.pem")}"}}'
    server = run('{type: tcp, address: "127.0.0.1:0"}', f'{{type: tcp, address: "127.0.0.1:0", tls: {tls}}}').server
    plain, secure = server.listeners
    assert plain.urls[0].startswith("mqtt://")
    with RawClient(plain.port) as client:
        client.connect("a")
    assert secure.urls[0].startswith("mqtts://")
    with authority.connect(secure.port) as client:
        client.connect("b")


def test_ws(run: Run, authority: Any) -> None:
    tls = f'{{certificate: "{authority.path("server.pem")}"}}'
    server = run(
        '{type: ws, address: "127.0.0.1:0", origins: ["https://example.org"]}',
        f'{{type: ws, address: "127.0.0.1:0", tls: {tls}}}',
    ).server
    assert [listener.origins for listener in server.listeners] == [["https://example.org"], (LOCAL_PAGES,)]
    for listener, context in zip(server.listeners, (None, authority.threaded_client()), strict=True):
        assert listener.urls[0].startswith("ws" if context is None else "wss")
        with websocket(listener.urls[0], subprotocols=[Subprotocol("mqtt")], proxy=None, ssl=context) as web:
            web.send(encode(5, Connect("a")))
            assert web.recv(timeout=10)[:1] == b"\x20"


@pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets there")
def test_unix(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mqtt.sock"
    server = run(f'{{type: unix, address: "{path}", mode: "600"}}').server
    assert path.stat().st_mode & 0o777 == 0o600
    with over(server.url) as client:
        client.connect("a")
        client.ping()


@pytest.mark.skipif(sys.platform == "win32", reason="sockets have no file descriptors there")
def test_net(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
        number = bound.detach()
    run(f'{{type: net, address: "fd:{number}"}}')
    with RawClient(port) as client:
        client.connect("a")


def test_sysinfo(run: Run) -> None:
    server = run('{type: tcp, address: "127.0.0.1:0"}', '{type: sysinfo, address: "127.0.0.1:0", token: t}').server
    url = server.listeners[1].urls[0]
    with RawClient(server.port) as client:
        client.connect("a")
        status, text = get(f"{url}/")
        assert status == 200
        assert msgspec.json.decode(text)["clients_connected"] == 1
        assert "mqtt_ref_clients_connected 1\n" in get(f"{url}/metrics")[1]
        assert '"a"' in get(f"{url}/api/v1/clients")[1]


def test_healthcheck(run: Run) -> None:
    server = run('{type: tcp, address: "127.0.0.1:0"}', '{type: healthcheck, address: "127.0.0.1:0"}').server
    url = server.listeners[1].urls[0]
    assert get(f"{url}/healthz")[0] == 200
    assert get(f"{url}/metrics")[0] == 404


def test_terms(run: Run) -> None:
    """Each listener has its own; who comes in elsewhere has those of the broker."""
    server = run(
        '{type: tcp, address: "127.0.0.1:0", protocol_versions: ["3.1.1"]}',
        '{type: tcp, address: "127.0.0.1:0", maximum_qos: 1}',
        '{type: tcp, address: "127.0.0.1:0", maximum_connections: 1}',
        '{type: tcp, address: "127.0.0.1:0", connect_timeout: 1}',
        '{type: tcp, address: "127.0.0.1:0", packets_per_second: 3}',
        '{type: tcp, address: "127.0.0.1:0", bytes_per_second: 1000}',
        '{type: tcp, address: "127.0.0.1:0"}',
    ).server
    versions, qos, connections, timeout, packets, bytes_, plain = (listener.port for listener in server.listeners)
    with RawClient(versions) as client:
        client.send(Connect("five"))
        assert client.expect(Connack).reason_code == 0x84
    with RawClient(versions, version=4) as client:
        client.connect("four", clean_start=True)
    with RawClient(qos) as client:
        assert client.connect("qos").properties.maximum_qos == 1
        client.send(Publish("t", b"x", 2, packet_id=1))
        assert client.expect(Disconnect).reason_code == 0x9B
    with RawClient(connections) as client, RawClient(connections) as second:
        client.connect("first")
        assert second.until_closed() == []
    with RawClient(timeout, timeout=8) as client:
        assert client.until_closed() == []
    with RawClient(plain) as client:
        assert client.connect("plain", clean_start=True).properties.maximum_qos is None
    with RawClient(plain) as hears:
        hears.connect("hears")
        hears.subscribe("#")
        for port, name in ((packets, "packets"), (bytes_, "bytes")):
            with RawClient(port) as client:
                client.connect(name)
                begun = time.monotonic()
                client.send(*(Publish(name, bytes(400)) for _ in range(7)))
                assert [hears.message().topic for _ in range(7)] == [name] * 7
                assert time.monotonic() - begun > 0.8  # what is above the rate had to wait
