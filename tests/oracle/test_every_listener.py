# SPDX-License-Identifier: MIT
"""Rules act on whatever carries the packets: TLS, WebSocket, a Unix socket."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect as websocket

from mqtt_ref.net.listener import Listener
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.tls import TlsSettings
from mqtt_ref.net.unix import UnixListener
from mqtt_ref.net.websocket import WebSocketListener
from mqtt_ref.oracle.actions import Close, Drop, Freeze, Limit
from mqtt_ref.oracle.facade import Oracle
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.recorder import Condition
from mqtt_ref.oracle.rules import Rule
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connack, Connect, Pingreq, Pingresp, Puback, Publish
from mqtt_ref.wire.primitives import SERVER

RULES = [
    Rule(when=Match(packet="CONNECT", by="X"), do=Limit(receive_maximum=7)),
    Rule(when=Match(packet="PUBACK", to="X", nth=1), do=Drop()),
    Rule(when=Match(packet="PINGRESP", to="X", nth=2), do=Close(place="after")),
]
SENT = b"".join(
    encode(5, packet)
    for packet in (
        Connect("X"),
        Publish("a", b"", 1, packet_id=1),
        Publish("a", b"", 1, packet_id=2),
        Pingreq(),
        Pingreq(),
    )
)


class Pipe:
    """Bytes to and from a listener, up to its end."""

    def __init__(self, url: str, authority: str | None) -> None:
        self.web = None
        self._stack = ExitStack()
        if url.startswith("ws:"):
            self.web = self._stack.enter_context(websocket(url, subprotocols=["mqtt"]))  # type: ignore[list-item]
            return
        if url.startswith("unix:"):
            self.link: socket.socket = socket.socket(socket.AF_UNIX)
            self.link.connect(url.removeprefix("unix:"))
        else:
            self.link = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 5)
        if authority is not None:
            self.link = ssl.create_default_context(cafile=authority).wrap_socket(self.link, server_hostname="localhost")
        self.link.settimeout(5)

    def send(self, data: bytes) -> None:
        if self.web is not None:
            self.web.send(data)
        else:
            self.link.sendall(data)

    def rest(self) -> bytes:
        """All that comes until the broker closes."""
        if self.web is not None:
            return b"".join(part for part in self.web if isinstance(part, bytes))
        out = b""
        while part := self.link.recv(4096):
            out += part
        return out

    def close(self) -> None:
        self._stack.close()
        if self.web is None:
            self.link.close()


@pytest.fixture(params=["tcp", "tls", "websocket", "unix"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Listener, str | None]]:
    if request.param == "tcp":
        yield TcpListener(port=0), None
    elif request.param == "websocket":
        yield WebSocketListener(port=0), None
    elif request.param == "unix":
        yield UnixListener(tmp_path / "mqtt.sock"), None
    else:
        trustme = pytest.importorskip("trustme")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
        yield TcpListener(port=0, tls=TlsSettings(tmp_path / "server.pem")), str(tmp_path / "ca.pem")


def test_rules_act(place: tuple[Listener, str | None]) -> None:
    listener, authority = place
    with Oracle(rules=RULES, listeners=[listener], check=False) as oracle:
        pipe = Pipe(oracle.url, authority)
        pipe.send(SENT)
        connack, puback, first, second = Decoder(5, SERVER).feed(pipe.rest())
        pipe.close()
        assert isinstance(connack, Connack)
        assert connack.properties is not None
        assert connack.properties.receive_maximum == 7
        assert isinstance(puback, Puback)
        assert (puback.packet_id, first, second) == (2, Pingresp(), Pingresp())
        oracle.wait(Condition(disconnected="X"))


def test_a_frozen_link_is_cut_by_a_reset(place: tuple[Listener, str | None]) -> None:
    listener, authority = place
    rule = Rule(when=Match(packet="CONNECT", by="X"), do=Freeze())
    with Oracle(rules=[rule], listeners=[listener], check=False) as oracle:
        pipe = Pipe(oracle.url, authority)
        pipe.send(encode(5, Connect("X")))
        oracle.wait(Condition(fired="1"))
        oracle.reset()
        try:
            assert pipe.rest() == b""
        except (OSError, ConnectionClosedError):
            pass  # it was reset, as it may be
        pipe.close()
