# SPDX-License-Identifier: MIT
"""A large message to many subscribers: all of them get it, and those that do not read share one copy."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.sync.client import connect

from mqtt_ref.net.listener import Listener
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.tls import TlsSettings
from mqtt_ref.net.websocket import WebSocketListener
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connect, Publish, Subscribe, Subscription
from mqtt_ref.wire.primitives import SERVER

MEBIBYTE = 1 << 20
LOOPS = ["uvloop", "asyncio"] if sys.platform != "win32" else ["asyncio"]

CONFIG = """\
listeners:
  - {type: tcp, address: "127.0.0.1:0"}
  - {type: ws, address: "127.0.0.1:0"}
  - {type: tcp, address: "127.0.0.1:0", tls: {certificate: CERTIFICATE, key: KEY}}
hooks: {auth: {allow_all: true}}
"""


@contextlib.contextmanager
def deaf_ws(url: str, qos: int) -> Iterator[None]:
    """A subscriber over WebSocket that reads its SUBACK and nothing after it."""
    with connect(url, subprotocols=["mqtt"], compression=None, proxy=None, max_queue=1, max_size=None) as link:  # type: ignore[list-item]
        link.send(encode(5, Connect("")) + encode(5, Subscribe(1, [Subscription("big", qos)])))
        decoder, seen = Decoder(5, SERVER), 0
        while seen < 2:
            data = link.recv(10)
            assert isinstance(data, bytes)
            seen += len(decoder.feed(data))
        yield
        link.socket.close()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("kind", "qos"), [("tcp", 0), ("tcp", 1), ("ws", 1), ("tls", 1)])
def test_those_that_do_not_read_share_one_copy(
    serve: Callable[..., Any], authority: Any, tmp_path: Any, kind: str, qos: int, loop: str
) -> None:
    config = tmp_path / "broker.yaml"
    text = CONFIG.replace("CERTIFICATE", str(authority.path("server.pem")))
    config.write_text(text.replace("KEY", str(authority.path("server.key"))))
    broker = serve("--config", str(config), loop=loop, port=None)
    ws = broker.out.wait(r"^listening on (ws://127\.0\.0\.1:\d+)")[1]
    tls = int(broker.out.wait(r"^listening on mqtts://127\.0\.0\.1:(\d+)")[1])
    broker.wait_ready()
    size = 20 * MEBIBYTE
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            if kind == "ws":
                stack.enter_context(deaf_ws(ws, qos))
            else:
                made = authority.connect(tls) if kind == "tls" else broker.client(receive_buffer=4096)
                deaf = stack.enter_context(made)
                deaf.connect("")
                deaf.subscribe("big", qos=qos)
        publisher = stack.enter_context(broker.client())
        publisher.connect("publisher")
        before = broker.resident()
        publisher.publish("big", bytes(size), qos=qos)
        publisher.ping()
        # The message as it came, its payload, and the buffers of 20 transports.
        assert broker.resident() - before < 4 * size


@pytest.mark.parametrize("kind", ["tcp", "ws", "tls", "wss"])
@pytest.mark.parametrize("qos", [0, 1])
def test_every_byte_arrives(running: Callable[..., Any], authority: Any, kind: str, qos: int) -> None:
    """Small and large ones in turn, more than the kernel takes: nothing is lost, overtaken or counted twice."""
    tls = TlsSettings(authority.path("server.pem"), authority.path("server.key")) if kind in ("tls", "wss") else None
    plain = TcpListener(port=0)
    tested: Listener = plain
    if kind in ("ws", "wss"):
        tested = WebSocketListener(port=0, tls=tls)
    elif kind == "tls":
        tested = TcpListener(port=0, tls=tls)
    server = running(*({plain, tested}))
    port = int(tested.urls[0].rpartition(":")[2])
    payloads = [
        bytes([number]) * size for number, size in enumerate((1, 300_000, 2, 16_384, 16_383, 65_530, 70_000, 3))
    ]
    with contextlib.ExitStack() as stack:
        subscriber: Any
        if kind in ("tcp", "tls"):
            made = authority.connect(port) if tls else RawClient(port, version=5)
            subscriber = stack.enter_context(made)
            subscriber.connect("s")
            subscriber.subscribe("t", qos=qos)
            received = subscriber.message
        else:
            context = authority.threaded_client() if tls else None
            link = stack.enter_context(
                connect(tested.urls[0], subprotocols=["mqtt"], ssl=context, compression=None, proxy=None, max_size=None)  # type: ignore[list-item]
            )
            decoder = Decoder(5, SERVER)
            waiting: list[Any] = []

            def packet() -> Any:
                while not waiting:
                    data = link.recv(10)
                    assert isinstance(data, bytes)
                    waiting.extend(decoder.feed(data))
                return waiting.pop(0)

            link.send(encode(5, Connect("s")) + encode(5, Subscribe(1, [Subscription("t", qos)])))
            packet(), packet()
            received = packet
        publisher = stack.enter_context(RawClient(int(plain.urls[0].rpartition(":")[2]), version=5))
        publisher.connect("p")
        before = server.do(lambda: server.server.broker.counters.packets_sent)
        publisher.send(*[Publish("t", one, qos, packet_id=n + 1 if qos else 0) for n, one in enumerate(payloads)])
        publisher.ping()
        assert [received().payload for _ in payloads] == payloads
        # To the subscriber the messages; to the publisher a PINGRESP, and a PUBACK for each message of QoS 1.
        sent = server.do(lambda: server.server.broker.counters.packets_sent) - before
        assert sent == len(payloads) * (1 + qos) + 1
