# SPDX-License-Identifier: MIT
"""What a closed connection leaves: nothing that only the garbage collector could free."""

from __future__ import annotations

import gc
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any, Final

import pytest

from mqtt_ref.broker.views import Client
from mqtt_ref.engine.connection import Connection
from mqtt_ref.engine.options import Terms
from mqtt_ref.engine.session import Session
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.http import HttpListener
from mqtt_ref.net.layer import Layer, Stack
from mqtt_ref.net.memory import MemoryListener
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.tls import TlsSettings
from mqtt_ref.net.trace import Trace
from mqtt_ref.net.websocket import WebSocketListener
from mqtt_ref.oracle.actions import Delay
from mqtt_ref.oracle.disturbed import DisturbedLive
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.oracle.live import policy
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.recorder import Recorder
from mqtt_ref.oracle.rules import Rule, Script
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Disconnect,
    Pingreq,
    Publish,
    Pubrel,
    Subscribe,
    Subscription,
    Will,
)
from mqtt_ref.wire.primitives import V5

ROUNDS: Final = 3
OURS: Final = (Stack, Layer, Connection, Session)
"""What belongs to a connection or to a session."""
UPGRADE: Final = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
MQTT: Final = UPGRADE + b"Sec-WebSocket-Protocol: mqtt\r\n\r\n"
STAYS: Final = 3600
ASYNCIO: Final = (
    "asyncio.selector_events._SelectorSocketTransport",
    "asyncio.trsock.TransportSocket",
    "socket.socket",
    "builtins.method",
    "builtins.dict",
    "builtins.tuple",
    "collections.deque",
)
"""The garbage that asyncio's transports leave. uvloop leaves none."""


class Ports:
    """The ports of a server's listeners, and how its clients make TLS."""

    def __init__(self, tcp: int = 0, tls: int = 0, ws: int = 0, wss: int = 0, http: int = 0, authority: Any = None):
        self.tcp, self.tls, self.ws, self.wss, self.http = tcp, tls, ws, wss, http
        self.authority = authority

    def context(self) -> ssl.SSLContext:
        return self.authority.client()  # type: ignore[no-any-return]


@contextmanager
def link(port: int, context: ssl.SSLContext | None = None) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        if context is None:
            yield plain
        else:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                yield secure


def frame(payload: bytes, opcode: int = 2, masked: bool = True) -> bytes:
    return bytes([0x80 | opcode, len(payload) | (0x80 if masked else 0)]) + (bytes(4) if masked else b"") + payload


def until_end(sock: socket.socket) -> bytes:
    """Read until the server closes, or begins to close a WebSocket."""
    got = b""
    try:
        while (data := sock.recv(65536)) and b"\x88" not in data:
            got += data
    except OSError:
        pass
    return got


def client(port: int, client_id: str = "c", **fields: Any) -> RawClient:
    made = RawClient(port)
    made.connect(client_id, **fields)
    return made


# -------------------------------------------------------------------- clients over TCP


def farewell(ports: Ports) -> None:
    with client(ports.tcp) as one:
        one.subscribe("a/#", "$share/g/b", qos=2)
        one.publish("a/b", b"x", qos=1)
        assert one.message().payload == b"x"
        one.ping()
        one.disconnect()


def crash(ports: Ports) -> None:
    with client(ports.tcp, will=Will("a/w", b"gone", 1)) as one:
        one.subscribe("a/#", qos=2)
        one.send(Publish("a/b", b"x", 2, packet_id=7))


def reset(ports: Ports) -> None:
    with client(ports.tcp) as one:
        one.reset()


def resumed(ports: Ports) -> None:
    keeping = ConnectProperties(session_expiry_interval=STAYS)
    with client(ports.tcp, "kept", properties=keeping) as one:
        one.subscribe("a/#", qos=2)
    with client(ports.tcp, "other") as other:
        other.publish("a/b", b"x", qos=1)
    with client(ports.tcp, "kept", clean_start=False) as one:
        assert one.message().payload == b"x"
        one.send(Pubrel(9))
        one.disconnect()


def replaced(ports: Ports) -> None:
    with client(ports.tcp, "kept", properties=ConnectProperties(session_expiry_interval=STAYS)) as one:
        one.subscribe("a/#", qos=2)
    farewell(Ports(ports.tcp))
    with client(ports.tcp, "kept"):
        pass


def takeover(ports: Ports) -> None:
    with client(ports.tcp, "same") as one, client(ports.tcp, "same"):
        one.until_closed()


def refused(ports: Ports) -> None:
    with RawClient(ports.tcp) as one:
        one.send(Connect("nobody", V5))
        one.until_closed()


def future(ports: Ports) -> None:
    with link(ports.tcp) as sock:
        sock.sendall(bytes.fromhex("100d00044d515454630200000000ff"))
        until_end(sock)


def malformed(ports: Ports) -> None:
    with client(ports.tcp) as one:
        one.send(bytes.fromhex("36030001610000"))
        one.until_closed()


def twice(ports: Ports) -> None:
    with client(ports.tcp) as one:
        one.send(Connect("c", V5))
        one.until_closed()


def half_a_packet(ports: Ports) -> None:
    with client(ports.tcp) as one:
        one.send(encode(V5, Publish("a", bytes(100)))[:50])


def probe(ports: Ports) -> None:
    with link(ports.tcp):
        pass


def wrong_protocol(ports: Ports) -> None:
    with link(ports.tcp) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        until_end(sock)


def flood(ports: Ports) -> None:
    with client(ports.tcp) as one:
        one.send(*[Pingreq()] * 20_000)


# -------------------------------------------------------------------- over TLS


def secure(ports: Ports) -> None:
    with ports.authority.connect(ports.tls) as one:
        one.connect("c")
        one.subscribe("a/#")
        one.disconnect()


def secure_crash(ports: Ports) -> None:
    with ports.authority.connect(ports.tls) as one:
        one.connect("c")


def plain_to_tls(ports: Ports) -> None:
    with link(ports.tls) as sock:
        sock.sendall(encode(V5, Connect("c", V5)))
        until_end(sock)


def half_a_handshake(ports: Ports) -> None:
    with link(ports.tls) as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01")


def silent_tls(ports: Ports) -> None:
    with link(ports.tls):
        pass


# -------------------------------------------------------------------- over WebSocket


def _web(ports: Ports, *frames: bytes, request: bytes = MQTT, secure: bool = False, stays: bool = False) -> None:
    with link(ports.wss if secure else ports.ws, ports.context() if secure else None) as sock:
        sock.sendall(request)
        if request is MQTT:
            got = b""
            while b"\r\n\r\n" not in got:
                got += sock.recv(65536)
        for one in frames:
            sock.sendall(one)
        if stays:
            sock.recv(65536)
        else:
            until_end(sock)


CONNECT: Final = frame(encode(V5, Connect("w", V5)))
LEAVE: Final = frame(encode(V5, Disconnect()))


def web(ports: Ports) -> None:
    _web(ports, CONNECT, frame(encode(V5, Subscribe(1, [Subscription("a/#")]))), LEAVE)


def web_secure(ports: Ports) -> None:
    _web(ports, CONNECT, LEAVE, secure=True)


def web_crash(ports: Ports) -> None:
    _web(ports, CONNECT, stays=True)


def web_close(ports: Ports) -> None:
    _web(ports, CONNECT, frame(b"\x03\xe8", 8))


def web_text(ports: Ports) -> None:
    _web(ports, CONNECT, frame(b"hello", 1))


def web_unmasked(ports: Ports) -> None:
    _web(ports, CONNECT, frame(b"hello", 2, masked=False))


def web_no_subprotocol(ports: Ports) -> None:
    _web(ports, request=UPGRADE + b"\r\n")


def web_wrong_page(ports: Ports) -> None:
    _web(ports, request=UPGRADE + b"Sec-WebSocket-Protocol: mqtt\r\nOrigin: https://example.org\r\n\r\n")


def web_post(ports: Ports) -> None:
    _web(ports, request=b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")


def web_invalid(ports: Ports) -> None:
    _web(ports, request=b"HELLO\r\n\r\n")


def web_not_http(ports: Ports) -> None:
    _web(ports, request=encode(V5, Connect("c", V5)))


def web_half_a_request(ports: Ports) -> None:
    with link(ports.ws) as sock:
        sock.sendall(UPGRADE)


def web_refused(ports: Ports) -> None:
    _web(ports, frame(encode(V5, Connect("nobody", V5))))


# -------------------------------------------------------------------- HTTP


def http(ports: Ports) -> None:
    with link(ports.http) as sock:
        for _ in range(2):
            sock.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 ")


def http_close(ports: Ports) -> None:
    with link(ports.http) as sock:
        sock.sendall(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        until_end(sock)


def http_invalid(ports: Ports) -> None:
    with link(ports.http) as sock:
        sock.sendall(b"\r\nno HTTP at all\r\n\r\n")
        until_end(sock)


TCP: Final = (farewell, crash, reset, resumed, replaced, takeover, refused, future, malformed, twice, half_a_packet,
              probe, wrong_protocol, flood)  # fmt: skip
OVER_TLS: Final = (secure, secure_crash, plain_to_tls, half_a_handshake, silent_tls)
WEB: Final = (web, web_secure, web_crash, web_close, web_text, web_unmasked, web_no_subprotocol, web_wrong_page,
              web_post, web_invalid, web_not_http, web_half_a_request, web_refused)  # fmt: skip
HTTP: Final = (http, http_close, http_invalid)


# -------------------------------------------------------------------- what is left


class Doorkeeper(Hook):
    """Refuses one client, is told of all, and takes its time for some packets."""

    id = "doorkeeper"

    def on_connect_authenticate(self, client: Client, packet: Connect) -> bool:
        return client.id != "nobody"

    def on_acl_check(self, client: Client, topic: str, write: bool) -> bool:
        return True

    async def on_subscribe(self, client: Client, packet: Subscribe) -> Subscribe:
        return packet

    def on_disconnect(self, client: Client, reason_code: int, text: str) -> None:
        assert client.remote


def kept() -> Counter[str]:
    """What belongs to connections and sessions, whether something refers to it or not."""
    found = Counter(type(one).__name__ for one in gc.get_objects() if issubclass(type(one), OURS))
    del found["Stack"]  # where the layers of a closed connection lead to
    return found


def garbage() -> Counter[str]:
    """What the collector alone could free, by type. asyncio's own transports refer to themselves."""
    gc.collect()
    found = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.garbage)
    gc.garbage.clear()
    if found["asyncio.selector_events._SelectorSocketTransport"]:
        for name in ASYNCIO:
            del found[name]
    return +found


Visit = Callable[[Ports], None]


@pytest.fixture
def leaves_nothing(wait_until: Callable[..., Any]) -> Generator[Callable[..., None]]:
    """`leaves_nothing(ports, visit, ...)`: what each visit makes is freed without a collection."""

    def check(ports: Ports, *visits: Visit) -> None:
        gc.collect()
        gc.freeze()  # what is there already is not looked at again
        gc.set_debug(gc.DEBUG_SAVEALL)
        left = {}
        for visit in visits:
            visit(ports)  # what is made once, for all connections, is made now
            wait_until(lambda: not kept(), deadline=20, what="the first visit has gone")
            garbage()
            for _ in range(ROUNDS):
                visit(ports)
            wait_until(lambda: not kept(), deadline=20, what=f"all of {visit.__name__} is freed")
            left[visit.__name__] = garbage()
        assert not {name: found for name, found in left.items() if found}

    gc.disable()
    try:
        yield check
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()


@pytest.fixture
def ports(running: Callable[..., Any], authority: Any) -> Callable[..., Ports]:
    """`ports(...)`: starts a server with listeners of all kinds. Its arguments are those of `running`."""

    def start(terms: Terms | None = None, **more: Any) -> Ports:
        tls = TlsSettings(authority.path("server.pem"), authority.path("server.key"))
        listeners = [
            TcpListener(port=0, terms=terms),
            TcpListener(port=0, tls=tls, terms=terms),
            WebSocketListener(port=0, terms=terms),
            WebSocketListener(port=0, tls=tls, terms=terms),
            HttpListener(port=0),
        ]
        running(*listeners, **{"hooks": [Doorkeeper()], **more})
        return Ports(*(listener.port for listener in listeners), authority=authority)

    return start


@pytest.mark.parametrize("visits", [TCP, OVER_TLS, WEB, HTTP], ids=["tcp", "tls", "websocket", "http"])
def test_a_closed_connection_needs_no_collector(
    visits: tuple[Visit, ...], ports: Callable[..., Ports], leaves_nothing: Callable[..., None]
) -> None:
    leaves_nothing(ports(), *visits)


def test_nor_does_one_that_is_judged_and_disturbed(
    ports: Callable[..., Ports], leaves_nothing: Callable[..., None]
) -> None:
    recorder = Recorder(1000)
    slow = Rule(when=Match(), do=Delay(0.001))
    live = DisturbedLive(Judge(), recorder, Script([slow]), recorder.fired)
    visits = (farewell, crash, takeover, refused, secure, web, web_crash, web_text)
    leaves_nothing(ports(layers=live.layers, tables=policy("record")), *visits)


def test_nor_does_one_that_is_traced_and_paced(
    ports: Callable[..., Ports], leaves_nothing: Callable[..., None]
) -> None:
    terms = Terms(bytes_per_second=100_000, packets_per_second=100_000)
    leaves_nothing(ports(terms=terms, trace=Trace(StringIO())), farewell, crash, refused, secure, web)


def test_nor_does_one_in_memory(running: Callable[..., Any], leaves_nothing: Callable[..., None]) -> None:
    listener = MemoryListener()
    it = running(listener)

    async def come_and_go() -> None:
        reader, writer = listener.connect()
        writer.write(encode(V5, Connect("m", V5)) + encode(V5, Disconnect()))
        await reader.read()
        await writer.wait_closed()

    leaves_nothing(Ports(), lambda ports: it.do(come_and_go()))


def test_the_client_that_a_hook_keeps_stays_as_it_was(
    running: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    told: list[Client] = []

    class Keeper(AllowAll):
        def on_disconnect(self, client: Client, reason_code: int, text: str) -> None:
            told.append(client)

    listener = TcpListener(port=0)
    running(listener, hooks=[Keeper()])
    with client(listener.port, "one") as one:
        name = "{}:{}".format(*one.socket.getsockname())
    wait_until(lambda: told)
    gc.collect()
    (found,) = told
    assert (found.id, found.remote, found.connected) == ("one", name, False)
