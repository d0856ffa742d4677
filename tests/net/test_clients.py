# SPDX-License-Identifier: MIT
"""Clients that others wrote, over every listener of one running broker that a file configures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

SIZES = [0, 1, 127, 5_000, 200_000]
SEEN = [(qos, size) for qos in (0, 1, 2) for size in SIZES]
LISTENERS = ["tcp", "tls", "mutual", "ws", "wss", "unix"]
VERSIONS = {"3.1": 3, "3.1.1": 4, "5.0": 5}


CONFIG = """\
listeners:
  - {type: tcp, address: "127.0.0.1:0"}
  - {type: tcp, address: "127.0.0.1:0", tls: {certificate: server.pem}}
  - type: tcp
    address: "127.0.0.1:0"
    tls: {certificate: server.pem, client_ca: ca.pem, require_certificate: true}
  - {type: ws, address: "127.0.0.1:0"}
  - {type: ws, address: "127.0.0.1:0", tls: {certificate: server.pem}}
  - {type: unix, address: mqtt.sock}
hooks: {auth: {allow_all: true}}
"""


@pytest.fixture(scope="module")
def urls(serving_module: Callable[..., Any], authority: Any) -> Generator[dict[str, str]]:
    """The URL of each listener of one broker that has all of them."""
    file = authority.path("broker.yaml")
    file.write_text(re.sub(r"\w+\.(pem|sock)", lambda name: str(authority.path(name[0])), CONFIG))
    with serving_module([sys.executable, "-m", "mqtt_ref", "serve", "--config", str(file)], "") as broker:
        broker.out.wait(r"listening on unix:")
        yield dict(zip(LISTENERS, (line.removeprefix("listening on ") for line in broker.out.lines), strict=True))


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    return "".join(c if c.isalnum() else "-" for c in request.node.name)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("listener", LISTENERS)
def test_paho(urls: dict[str, str], authority: Any, topic: str, listener: str, version: str) -> None:
    parts = urlsplit(urls[listener])
    transport: Any = {"ws": "websockets", "wss": "websockets", "unix": "unix"}.get(parts.scheme, "tcp")
    client = Client(
        CallbackAPIVersion.VERSION2,
        f"paho-{listener}-{version}",
        protocol=MQTTProtocolVersion(VERSIONS[version]),
        transport=transport,
    )
    if listener in ("tls", "mutual", "wss"):
        client.tls_set_context(authority.client("client.pem" if listener == "mutual" else ""))
    seen: list[tuple[int, int]] = []
    subscribed, finished = threading.Event(), threading.Event()

    def on_message(client: Client, userdata: object, message: MQTTMessage) -> None:
        seen.append((message.qos, len(message.payload)))
        if len(seen) == len(SEEN):
            finished.set()

    client.on_message = on_message
    client.on_connect = lambda client, *more: client.subscribe(f"{topic}/#", 2)
    client.on_subscribe = lambda *more: subscribed.set()
    client.connect(parts.path if transport == "unix" else "127.0.0.1", parts.port or 1)
    client.loop_start()
    try:
        assert subscribed.wait(15)
        for qos, size in SEEN:
            client.publish(f"{topic}/{qos}", bytes(size), qos)
        assert finished.wait(15), seen
    finally:
        client.disconnect()
        client.loop_stop()
    assert seen == SEEN


@pytest.mark.parametrize("version", ["31", "311", "5"])
@pytest.mark.parametrize("listener", ["tcp", "tls", "mutual", "unix"])
def test_mosquitto(urls: dict[str, str], authority: Any, topic: str, require: Any, listener: str, version: str) -> None:
    sub, pub = require.program("mosquitto_sub"), require.program("mosquitto_pub")
    parts = urlsplit(urls[listener])
    where = ["--unix", parts.path] if listener == "unix" else ["-h", "127.0.0.1", "-p", str(parts.port)]
    if listener in ("tls", "mutual"):
        where += ["--cafile", str(authority.path("ca.pem")), "--tls-alpn", "mqtt"]
    if listener == "mutual":
        where += ["--cert", str(authority.path("client.pem")), "--key", str(authority.path("client.key"))]
    where += ["-V", version, "-t", topic, "-q", "2"]
    subprocess.run([pub, *where, "-r", "-m", "hello"], check=True, timeout=15)
    done = subprocess.run([sub, *where, "-C", "1"], check=True, timeout=15, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "hello\n"
    subprocess.run([pub, *where, "-r", "-n"], check=True, timeout=15)


def test_mosquitto_without_a_certificate_is_refused(urls: dict[str, str], authority: Any, require: Any) -> None:
    pub = require.program("mosquitto_pub")
    parts = urlsplit(urls["mutual"])
    where = ["-h", "127.0.0.1", "-p", str(parts.port), "--cafile", str(authority.path("ca.pem"))]
    done = subprocess.run([pub, *where, "-t", "t", "-m", "x"], capture_output=True, text=True, timeout=15, check=False)
    assert done.returncode != 0


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("listener", ["tcp", "tls", "mutual", "ws", "wss"])
def test_mqtt_js(
    urls: dict[str, str], authority: Any, topic: str, require: Any, root: Path, listener: str, version: str
) -> None:
    node = require.program("node")
    folder = root / "tests" / "js"
    require.that((folder / "node_modules" / "mqtt").is_dir(), "MQTT.js is not installed: npm ci --prefix tests/js")
    settings: dict[str, Any] = {"url": urls[listener], "version": VERSIONS[version], "topic": topic, "sizes": SIZES}
    if listener in ("tls", "mutual", "wss"):
        settings["ca"] = str(authority.path("ca.pem"))
    if listener == "mutual":
        settings |= {"cert": str(authority.path("client.pem")), "key": str(authority.path("client.key"))}
    done = subprocess.run(
        [node, str(folder / "talk.mjs"), json.dumps(settings)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["granted"] == [2]
    content = "bytes" if version == "5.0" else None
    assert said["seen"] == [[f"{topic}/{qos}", size, qos, content] for qos, size in SEEN]
