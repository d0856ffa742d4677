# SPDX-License-Identifier: MIT
"""Keep Alive where packets come slowly: bytes count when they arrive, whatever waits for the rest of them."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.layer import Units
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.tls import TlsSettings, record_head
from mqtt_ref.net.websocket import Frames, WebSocketListener
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.oracle.live import Live, policy
from mqtt_ref.oracle.state import QUIET, SECOND
from mqtt_ref.server import Server
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Connect, Pingreq, Publish
from mqtt_ref.wire.primitives import V5

NOW = 1000 * SECOND
BINARY, CONTINUED, PING = 0x02, 0x00, 0x09
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: mqtt\r\n\r\n"
)


def frame(data: bytes, opcode: int = BINARY, final: bool = True) -> bytes:
    """A frame of a client, whose mask is all zeros."""
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = b"\xfe" + size.to_bytes(2) if size <= 0xFFFF else b"\xff" + size.to_bytes(8)
    return bytes([(0x80 if final else 0) | opcode]) + length + bytes(4) + data


# ---------------------------------------------------------------- what is on its way


def wholes(units: Units | Frames, data: bytes) -> list[bool]:
    return [units.feed(data[at : at + 1]) for at in range(len(data))]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 70_000])
def test_a_frame_with_data_is_on_its_way_from_its_first_byte_to_its_last(size: int) -> None:
    frames = Frames()
    assert wholes(frames, REQUEST) == [False] * len(REQUEST)
    for data in (frame(bytes(size)), frame(bytes(size), final=False), frame(bytes(size), CONTINUED)):
        assert wholes(frames, data) == [True] * (len(data) - 1) + [False]


def test_a_control_frame_is_nothing_on_its_way_even_in_the_middle_of_a_message() -> None:
    frames = Frames()
    assert not frames.feed(REQUEST + frame(b"a", final=False) + frame(b"x", PING)[:3])
    assert not frames.feed(frame(b"x", PING)[3:])
    assert frames.feed(frame(b"b", CONTINUED)[:1])


def test_a_record_with_data_is_on_its_way_and_an_alert_is_not() -> None:
    records = Units(record_head)
    for kind, data in ((22, False), (21, False), (23, True)):
        record = bytes([kind, 3, 3]) + (300).to_bytes(2) + bytes(300)
        assert wholes(records, record) == [data] * (len(record) - 1) + [False]


def judged() -> tuple[Judge, Callable[[float, bytes], None], Callable[[float, bool], None]]:
    judge = Judge()
    watched = judge.open("1", NOW, local=True)
    watched.client(encode(V5, Connect("c", keep_alive=10)), NOW)
    watched.server(encode(V5, Connack()), NOW + QUIET)

    def at(seconds: float, data: bytes) -> None:
        judge.passed(NOW + int(seconds * SECOND))
        watched.client(data, NOW + int(seconds * SECOND))

    def arriving(seconds: float, begun: bool) -> None:
        judge.passed(NOW + int(seconds * SECOND))
        watched.arriving(NOW + int(seconds * SECOND), begun)

    return judge, at, arriving


def test_what_has_begun_to_come_was_begun_in_time() -> None:
    judge, at, arriving = judged()
    arriving(9, True)
    arriving(25, True)
    at(30, encode(V5, Publish("a", b"")))
    arriving(30, False)
    at(40, encode(V5, Publish("a", b"")))
    assert not judge.findings
    arriving(60, True)
    assert [finding.rule for finding in judge.findings] == ["MQTT5-3.1.2-20"]


def test_what_came_to_nothing_is_no_packet() -> None:
    judge, at, arriving = judged()
    arriving(5, True)
    arriving(6, False)
    at(20, b"")
    assert [finding.rule for finding in judge.findings] == ["MQTT5-3.1.2-20"]


# ---------------------------------------------------------------- over real links


class Slow:
    """A client that connects with a Keep Alive of one second, and then sends what it has piece by piece."""

    def __init__(self, port: int, name: str, authority: trustme.CA | None, web: bool) -> None:
        self.link = socket.create_connection(("127.0.0.1", port), 5)
        self.link.settimeout(5)
        self.web = web
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls: ssl.SSLObject | None = None
        if authority is not None:
            context = ssl.create_default_context()
            authority.configure_trust(context)
            self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
            while True:
                try:
                    self.tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    self.link.sendall(self.outgoing.read())
                    self.incoming.write(self.link.recv(9999))
            self.link.sendall(self.outgoing.read())
        if web:
            self.link.sendall(self.sealed(REQUEST))
            self.link.recv(9999)
        self.link.sendall(self.sealed(self.framed(encode(V5, Connect(name, keep_alive=1)))))
        self.link.recv(9999)
        self.rest = b""

    def framed(self, data: bytes) -> bytes:
        return frame(data) if self.web else data

    def sealed(self, data: bytes) -> bytes:
        if self.tls is None:
            return data
        self.tls.write(data)
        return self.outgoing.read()

    def piece(self, size: int) -> None:
        self.link.sendall(self.rest[:size])
        self.rest = self.rest[size:]


def test_no_client_that_is_sending_is_silent(tmp_path: Path) -> None:
    """A message in pieces over two and a half seconds on each kind of link; pings of WebSocket are no packets."""
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    tls = TlsSettings(os.fspath(tmp_path / "server.pem"))
    listeners = [
        TcpListener(port=0),
        WebSocketListener(port=0),
        TcpListener(port=0, tls=tls),
        WebSocketListener(port=0, tls=tls),
    ]
    judge = Judge()

    def play() -> None:
        clients = [
            Slow(listener.port, listener.name, authority if listener.tls is not None else None, at % 2 == 1)
            for at, listener in enumerate(listeners)
        ]
        pings = Slow(listeners[1].port, "pings", None, True)
        for client in clients:
            client.rest = client.sealed(client.framed(encode(V5, Publish("a", bytes(6000)))))
        for _ in range(12):
            for client in clients:
                client.piece(500)
            pings.link.sendall(frame(b"", PING))
            time.sleep(0.2)  # it is the time that is played
        for client in clients:
            client.piece(9999)
            client.link.sendall(client.sealed(client.framed(encode(V5, Pingreq()))))
        for client in clients:
            assert client.link.recv(9999)
        for client in [*clients, pings]:
            client.link.close()

    async def run() -> None:
        layers = Live(judge).layers
        async with Server(listeners=listeners, hooks=[AllowAll()], tables=policy("record"), layers=layers):
            await asyncio.to_thread(play)

    asyncio.run(run())
    assert [(finding.client_id, finding.rule) for finding in judge.findings] == [("pings", "MQTT5-3.1.2-20")]
