# SPDX-License-Identifier: MIT
"""`mqtt-ref ping`: checks if a broker accepts a client (CONNECT, CONNACK, DISCONNECT), for health checks."""

from __future__ import annotations

import argparse
import os
import socket
import ssl
import sys
import time
from contextlib import suppress
from typing import Final
from urllib.parse import unquote, urlsplit

from mqtt_ref.cli.failure import named, plainly
from mqtt_ref.wire.codes import PACKET_TOO_LARGE
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connack, Connect, Disconnect
from mqtt_ref.wire.primitives import SERVER
from mqtt_ref.wire.violation import Violation

__all__ = ["configure", "run"]

FINE, FINDINGS, USAGE = 0, 1, 2
VERSIONS: Final = {"5": 5, "311": 4, "31": 3}
PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
FRAME: Final = 1 << 20
"""Maximum size of an answer in bytes."""
SHORTEST: Final = 0.001
"""Minimum timeout in seconds. A timeout of 0 would not wait, and would raise another error."""
EXAMPLE: Final = """\
examples:
  mqtt-ref ping mqtt://127.0.0.1:1883
  mqtt-ref ping mqtts://user:password@broker.example --timeout 2
  mqtt-ref ping ws://127.0.0.1:1882/mqtt

Exit codes: 0 the broker accepted the client, 1 it refused it or gave another answer, 2 there was no answer in time or
the URL is invalid."""
"""What `--help` shows."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = EXAMPLE
    parser.add_argument("url", nargs="?", default="mqtt://127.0.0.1:1883", help="mqtt:, mqtts:, ws:, wss: or unix: URL")
    parser.add_argument("-V", dest="version", choices=sorted(VERSIONS), default="311", help="(default: 311)")
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for all of it (default: 5)")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing when all is well")


def run(args: argparse.Namespace) -> int:
    """Ping the broker and print the result."""
    end = time.monotonic() + args.timeout
    version = VERSIONS[args.version]
    where = named(args.url)
    try:
        link, username, password = _open(args.url, args.timeout)
    except (OSError, ValueError) as error:
        print(f"mqtt-ref ping: {where}: {plainly(error)}", file=sys.stderr)
        return USAGE
    with link:
        began = time.monotonic()
        try:
            connect = Connect(f"ping{os.getpid()}", version, True, 10, username, password)
            link.sendall(encode(version, connect))
            answer = _answer(link, version, end)
        except (OSError, ValueError) as error:
            print(f"mqtt-ref ping: {where}: {plainly(error)}", file=sys.stderr)
            return USAGE
        if not isinstance(answer, Connack) or answer.reason_code:
            print(f"mqtt-ref ping: {where}: the answer is {answer!r}", file=sys.stderr)
            return FINDINGS
        try:
            link.sendall(encode(version, Disconnect()))
        except OSError:
            pass  # the broker has already accepted the client
    if not args.quiet:
        print(f"{where}: accepted within {(time.monotonic() - began) * 1000:.1f} ms")
    return FINE


class _WebSocket:
    """The socket methods that this module uses, over WebSocket.

    One thread reads and writes. `websockets.sync` uses two, but `ssl` does not protect a connection against this.
    """

    def __init__(self, link: socket.socket, url: str, timeout: float) -> None:
        from websockets.client import ClientProtocol
        from websockets.typing import Subprotocol
        from websockets.uri import parse_uri

        self._link = link
        self._protocol = ClientProtocol(parse_uri(url), subprotocols=[Subprotocol("mqtt")], max_size=FRAME)
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        end = time.monotonic() + timeout
        while self._protocol.state is self._protocol.state.CONNECTING and self._protocol.handshake_exc is None:
            self.settimeout(max(SHORTEST, end - time.monotonic()))
            self._receive()
        if self._protocol.handshake_exc is not None:
            raise ValueError(f"no WebSocket for MQTT: {self._protocol.handshake_exc}")

    def settimeout(self, seconds: float) -> None:
        self._link.settimeout(seconds)

    def sendall(self, data: bytes) -> None:
        if self._protocol.state is not self._protocol.state.OPEN:
            raise ConnectionError("closed without an answer")
        self._protocol.send_binary(data)
        self._flush()

    def recv(self, size: int) -> bytes:
        from websockets.frames import DATA_OPCODES, Frame

        while True:
            for event in self._protocol.events_received():
                if isinstance(event, Frame) and event.opcode in DATA_OPCODES and event.data:
                    return bytes(event.data)
            if self._protocol.close_expected() or self._protocol.parser_exc is not None:
                return b""
            self._receive()

    def _receive(self) -> None:
        data = self._link.recv(4096)
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._flush()

    def _flush(self) -> None:
        self._link.sendall(b"".join(self._protocol.data_to_send()))

    def __enter__(self) -> _WebSocket:
        return self

    def __exit__(self, *_: object) -> None:
        with self._link, suppress(OSError):
            if self._protocol.state is self._protocol.state.OPEN:
                self._protocol.send_close()
                self._flush()


def _open(url: str, timeout: float) -> tuple[socket.socket | _WebSocket, str | None, bytes | None]:
    """Connect to the broker. Returns the link, and the user name and password of the URL.

    Raises:
        ValueError: it is not a URL of a broker, or WebSocket failed.
        OSError: the broker cannot be reached.
    """
    if url.startswith("unix:"):
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(timeout)
        link.connect(url.removeprefix("unix:").removeprefix("//"))
        return link, None, None
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("not a URL of a broker; write mqtt://HOST:PORT (or mqtts:, ws:, wss:) or unix:PATH")
    username = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password).encode()
    link = socket.create_connection((parts.hostname, parts.port or PORTS[parts.scheme]), timeout)
    try:
        if parts.scheme in ("mqtts", "wss"):
            link = ssl.create_default_context().wrap_socket(link, server_hostname=parts.hostname)
        if parts.scheme in ("ws", "wss"):
            nameless = parts._replace(netloc=parts.netloc.rpartition("@")[2])
            return _WebSocket(link, nameless.geturl(), timeout), username, password
    except BaseException:
        link.close()
        raise
    return link, username, password


def _answer(link: socket.socket | _WebSocket, version: int, end: float) -> object:
    """Return the first packet of the broker, or a `Violation`.

    Raises:
        OSError: there was no answer in time.
        ValueError: the answer is too large for a CONNACK.
    """
    decoder = Decoder(version, SERVER, maximum_packet_size=FRAME)
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        link.settimeout(left)
        data = link.recv(4096)
        if not data:
            raise ConnectionError("closed without an answer")
        found = decoder.feed(data)
        if not found:
            continue
        answer = found[0]
        if isinstance(answer, Violation) and answer.reason == PACKET_TOO_LARGE:
            raise ValueError(f"the answer has more than {FRAME:,} bytes, and a CONNACK has some ten")
        return answer
