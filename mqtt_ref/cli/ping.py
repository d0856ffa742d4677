# SPDX-License-Identifier: MIT
"""`mqtt-ref ping`: whether a broker takes a client. CONNECT, CONNACK, DISCONNECT; for health checks."""

from __future__ import annotations

import argparse
import os
import socket
import ssl
import sys
import time
from contextlib import ExitStack
from typing import Final
from urllib.parse import unquote, urlsplit

from mqtt_ref.cli.failure import named, plainly
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connack, Connect, Disconnect
from mqtt_ref.wire.primitives import SERVER

__all__ = ["configure", "run"]

FINE, FINDINGS, USAGE = 0, 1, 2
VERSIONS: Final = {"5": 5, "311": 4, "31": 3}
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
WEB_SOCKET: Final = ("ws", "wss")
EXAMPLE: Final = """\
examples:
  mqtt-ref ping mqtt://127.0.0.1:1883
  mqtt-ref ping mqtts://user:password@broker.example --timeout 2
  mqtt-ref ping ws://127.0.0.1:1882/mqtt

Exit codes: 0 the broker took the client, 1 it refused it or answered with something else, 2 nobody answered in time or
the URL is none."""
"""What `--help` shows."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = EXAMPLE
    parser.add_argument("url", nargs="?", default="mqtt://127.0.0.1:1883", help="mqtt:, mqtts:, ws:, wss: or unix: URL")
    parser.add_argument("-V", dest="version", choices=sorted(VERSIONS), default="311", help="(default: 311)")
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for all of it (default: 5)")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing when all is well")


def run(args: argparse.Namespace) -> int:
    """Do it."""
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
            pass  # it has said what we wanted to know
    if not args.quiet:
        print(f"{where}: accepted within {(time.monotonic() - began) * 1000:.1f} ms")
    return FINE


class _WebSocket:
    """What of a socket is used here, over WebSocket."""

    def __init__(self, url: str, timeout: float) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect
        from websockets.typing import Subprotocol

        self._stack = ExitStack()
        try:
            link = connect(url, subprotocols=[Subprotocol("mqtt")], compression=None, proxy=None, open_timeout=timeout)
            self._link = self._stack.enter_context(link)
        except WebSocketException as error:
            raise ValueError(f"no WebSocket for MQTT: {error}") from error
        self._timeout = timeout

    def settimeout(self, seconds: float) -> None:
        self._timeout = seconds

    def sendall(self, data: bytes) -> None:
        self._link.send(data)

    def recv(self, size: int) -> bytes:
        from websockets.exceptions import ConnectionClosed

        try:
            data = self._link.recv(self._timeout)
        except ConnectionClosed:
            return b""
        return data.encode() if isinstance(data, str) else data

    def __enter__(self) -> _WebSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _open(url: str, timeout: float) -> tuple[socket.socket | _WebSocket, str | None, bytes | None]:
    """A link to the broker, and who the URL says that we are.

    Raises:
        ValueError: it is no URL of a broker.
        OSError: nobody is there.
    """
    if url.startswith("unix:"):
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(timeout)
        link.connect(url.removeprefix("unix:").removeprefix("//"))
        return link, None, None
    parts = urlsplit(url)
    if parts.scheme not in (*PORTS, *WEB_SOCKET) or not parts.hostname:
        raise ValueError("not a URL of a broker: mqtt://HOST:PORT, mqtts:, ws: and wss: alike, or unix:PATH")
    username = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password).encode()
    if parts.scheme in WEB_SOCKET:
        nameless = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        return _WebSocket(nameless.geturl(), timeout), username, password
    link = socket.create_connection((parts.hostname, parts.port or PORTS[parts.scheme]), timeout)
    if parts.scheme == "mqtts":
        link = ssl.create_default_context().wrap_socket(link, server_hostname=parts.hostname)
    return link, username, password


def _answer(link: socket.socket | _WebSocket, version: int, end: float) -> object:
    """The first packet of the broker.

    Raises:
        OSError: there is none in time.
    """
    decoder = Decoder(version, SERVER)
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        link.settimeout(left)
        data = link.recv(4096)
        if not data:
            raise ConnectionError("closed without an answer")
        found = decoder.feed(data)
        if found:
            return found[0]
