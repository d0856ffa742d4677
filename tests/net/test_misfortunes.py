# SPDX-License-Identifier: MIT
"""What goes wrong at a configured broker, as its operator sees it: a clear line in the log, an
answer to who did it, and somebody else who notices nothing.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
import ssl
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as websocket
from websockets.typing import Subprotocol

from mqtt_ref.testing.rawclient import LinkClosed, RawClient
from mqtt_ref.wire.packets import Connack, Connect, Puback, Publish

CONFIG = """\
listeners:
  - {{type: tcp, id: plain, address: "127.0.0.1:0"}}
  - {{type: tcp, id: mutual, address: "127.0.0.1:0", tls: {tls}}}
  - {{type: ws, id: web, address: "127.0.0.1:0"}}
hooks:
  auth:
    ledger:
      users:
        alice: {{password: secret, acl: {{"mine/#": readwrite, "odd/#": write, "#": deny}}}}
      auth: [{{remote: "127.0.0.1:*", username: "", allow: true}}]
  custom: [{{hook: "odd_hook:Odd"}}]
options: {{hook_timeout: 0.3}}
logging: {{level: INFO}}
"""
HOOK = """\
import asyncio
from mqtt_ref.hooks import Hook

class Odd(Hook):
    async def on_publish(self, client, packet):
        if packet.topic == "odd/raises":
            raise RuntimeError("no idea")
        if packet.topic == "odd/never":
            await asyncio.Event().wait()
"""


class Scene:
    """The broker, the ports of its listeners, and a client that has to notice nothing."""

    def __init__(self, running: Any, authority: Any) -> None:
        self.authority = authority
        self.err = running.err
        self.ports = [urlsplit(running.out.wait(rf"^listening on ({scheme}://.*)$")[1]).port or 0
                      for scheme in ("mqtt", "mqtts", "ws")]  # fmt: skip
        self.bystander = self.client("bystander")
        self.bystander.subscribe("mine/#", qos=1)

    @property
    def plain(self) -> int:
        return self.ports[0]

    def client(self, client_id: str, version: int = 5) -> RawClient:
        client = RawClient(self.plain, version=version)
        client.connect(client_id, username="alice", password=b"secret")
        return client

    def said(self, pattern: str) -> str:
        return str(self.err.wait(pattern)[0])

    def serves(self) -> None:
        """The one who was there is, and everybody who comes is served, over each listener."""
        with self.client("newcomer") as client:
            client.publish("mine/news", b"still there", qos=1)
        assert self.bystander.message().payload == b"still there"
        with self.authority.connect(self.ports[1], self.authority.client("client.pem")) as client:
            client.connect("secure", username="alice", password=b"secret")
        with websocket(f"ws://127.0.0.1:{self.ports[2]}", subprotocols=[Subprotocol("mqtt")], proxy=None) as web:
            web.ping().wait(10)


@pytest.fixture(scope="module")
def scene(
    serving_module: Callable[..., Any], authority: Any, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Scene]:
    folder = tmp_path_factory.mktemp("misfortunes")
    certificate, client_ca = authority.path("server.pem"), authority.path("ca.pem")
    tls = f'{{certificate: "{certificate}", client_ca: "{client_ca}", require_certificate: true}}'
    (folder / "broker.yaml").write_text(CONFIG.format(tls=tls))
    (folder / "odd_hook.py").write_text(HOOK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        command = [sys.executable, "-m", "mqtt_ref", "serve", "-v", "--config", str(folder / "broker.yaml")]
        with serving_module(command, "") as running:
            running.out.wait("listening on ws:")
            made = Scene(running, authority)
            with made.bystander:
                yield made


@pytest.fixture(autouse=True)
def goes_on_serving(scene: Scene) -> Generator[None]:
    yield
    scene.serves()


@pytest.mark.parametrize(("version", "code"), [(5, 0x86), (4, 4)])
def test_a_wrong_password(scene: Scene, version: int, code: int) -> None:
    with RawClient(scene.plain, version=version) as client:
        client.send(Connect(f"w{version}", protocol_version=version, username="alice", password=b"wrong"))
        assert client.expect(Connack).reason_code == code
        assert client.until_closed() == []
    line = scene.said(f"'w{version}'.*login refused.*|login refused.*'w{version}'.*")
    assert "not the password of this user" in line
    assert "wrong" not in line


@pytest.mark.parametrize(("version", "code"), [(5, 0x87), (4, 0x80)])
def test_a_denied_topic(scene: Scene, version: int, code: int) -> None:
    with scene.client(f"d{version}", version) as client:
        assert client.subscribe("secret/plans", qos=1) == [code]
        client.send(Publish("secret/plans", b"x", 1, packet_id=5))
        answer = client.expect(Puback)
        if version == 5:
            assert answer.reason_code == 0x87
            assert answer.properties is not None
            assert answer.properties.reason_string == "Not authorized"
    scene.said(f"denied: client 'd{version}', user 'alice' at .* may not publish to 'secret/plans'")
    scene.said(f"denied: client 'd{version}', user 'alice' at .* may not read 'secret/plans'")


def test_an_expired_certificate(scene: Scene) -> None:
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    scene.authority.certificate("late", not_before=then - datetime.timedelta(days=1), not_after=then)
    with pytest.raises((ssl.SSLError, OSError, LinkClosed)):
        with scene.authority.connect(scene.ports[1], scene.authority.client("late.pem")) as client:
            client.connect("late")
    scene.said("The client's certificate is refused: certificate has expired")


def test_plain_bytes_on_the_tls_port(scene: Scene) -> None:
    with RawClient(scene.ports[1]) as client:
        client.send(Connect("plain"))
        with contextlib.suppress(LinkClosed):
            client.until_closed()
    scene.said("Plain bytes came to a listener with TLS: the client has to use TLS")


def test_a_websocket_without_the_sub_protocol(scene: Scene) -> None:
    with pytest.raises(InvalidStatus) as caught:
        websocket(f"ws://127.0.0.1:{scene.ports[2]}", proxy=None)
    assert b"Sec-WebSocket-Protocol: mqtt" in caught.value.response.body
    scene.said("no sub-protocol was offered")


def test_a_text_frame(scene: Scene) -> None:
    with websocket(f"ws://127.0.0.1:{scene.ports[2]}", subprotocols=[Subprotocol("mqtt")], proxy=None) as web:
        web.send("text")
        with pytest.raises(ConnectionClosed) as caught:
            web.recv(timeout=10)
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1003, "MQTT is sent in binary frames")
    scene.said("A text frame.*MQTT5-6.0.0-1")


def test_a_hook_that_raises(scene: Scene) -> None:
    with scene.client("r") as client:
        client.send(Publish("odd/raises", b"x", 1, packet_id=5))
        assert client.expect(Puback).reason_code == 0x80
    scene.said("hook Odd failed in on_publish: RuntimeError\\('no idea'\\)")


def test_a_hook_that_never_returns(scene: Scene) -> None:
    with scene.client("n") as client:
        client.send(Publish("odd/never", b"x", 1, packet_id=5))
        scene.serves()  # meanwhile
        assert client.expect(Puback).reason_code == 0x80
    scene.said("hook Odd.*on_publish.*0.3 s")


def test_a_file_in_disorder(scene: Scene, tmp_path: Path, serve: Callable[..., Any]) -> None:
    (tmp_path / "wrong.yaml").write_text("options:\n  capabilities:\n    maximum_qoz: 1\n")
    refused = serve("--config", str(tmp_path / "wrong.yaml"), port=None)
    assert refused.wait() == 2
    wanted = r"wrong\.yaml:3:5: options\.capabilities\.maximum_qoz: is not known here; did you mean maximum_qos\?"
    assert refused.err.having(wanted), refused.err.lines


def test_noise(scene: Scene) -> None:
    with socket.create_connection(("127.0.0.1", scene.plain), 10) as link:
        link.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert link.recv(100) == b""
