# SPDX-License-Identifier: MIT
"""MQTT over WebSocket: frames as a real client makes them, and as nobody should."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from mqtt_ref.broker.broker import Broker
from mqtt_ref.engine.options import Bounds, Capabilities, Options
from mqtt_ref.net.layer import Stack
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.tls import TlsSettings
from mqtt_ref.net.websocket import FRAME, LOCAL_PAGES, WebSocket, WebSocketListener, binary_frames, binary_head
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Publish,
    Suback,
    Subscribe,
    Subscription,
)
from mqtt_ref.wire.primitives import SERVER

MQTT = [Subprotocol("mqtt")]


@pytest.fixture
def listener() -> WebSocketListener:
    return WebSocketListener(port=0)


class Ws:
    """A client over WebSocket that reads packets; frames are the test's own."""

    def __init__(self, url: str, version: int = 5, **more: Any) -> None:
        more.setdefault("subprotocols", MQTT)
        self._stack = contextlib.ExitStack()
        self.link = self._stack.enter_context(connect(url, max_size=None, compression=None, proxy=None, **more))
        self.decoder = Decoder(version, SERVER)
        self.version = version
        self.inbox: list[Any] = []

    def __enter__(self) -> Ws:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._stack.close()

    def send(self, *packets: Any) -> None:
        self.link.send(b"".join(encode(self.version, packet) for packet in packets))

    def read(self) -> Any:
        while not self.inbox:
            data = self.link.recv(timeout=10)
            assert isinstance(data, bytes)
            assert len(data) <= FRAME
            self.inbox.extend(self.decoder.feed(data))
        return self.inbox.pop(0)

    def connect(self, client_id: str) -> Connack:
        self.send(Connect(client_id, protocol_version=self.version))
        got = self.read()
        assert isinstance(got, Connack)
        return got

    def closed(self) -> tuple[int, str]:
        """With which code and reason the broker closed."""
        try:
            while True:
                self.link.recv(timeout=10)
        except ConnectionClosed as closed:
            rcvd = closed.rcvd
        return (rcvd.code, rcvd.reason) if rcvd is not None else (0, "no close frame")


# ---------------------------------------------------------------- what works


@pytest.mark.parametrize("path", ["", "/mqtt", "/", "/any/path?and=query"])
def test_any_path_will_do(running: Callable[..., Any], listener: WebSocketListener, path: str) -> None:
    running(listener)
    with Ws(listener.urls[0] + path) as client:
        assert client.link.subprotocol == "mqtt"
        client.connect("one")


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_messages_of_every_size_pass(running: Callable[..., Any], authority: Any, secure: bool) -> None:
    tls = TlsSettings(authority.path("server.pem")) if secure else None
    listener = WebSocketListener(port=0, tls=tls)
    running(listener)
    assert listener.urls == [f"{'wss' if secure else 'ws'}://127.0.0.1:{listener.port}"]
    more: dict[str, Any] = {"ssl": authority.threaded_client()} if secure else {}
    with Ws(listener.urls[0], **more) as one, Ws(listener.urls[0], version=4, **more) as other:
        one.connect("one")
        one.send(Subscribe(1, [Subscription("#")]))
        assert isinstance(one.read(), Suback)
        other.connect("other")
        for size in (0, 1, 125, 126, 65_535, 65_536, 1_000_000):
            other.send(Publish("t", bytes(size)))
            assert len(one.read().payload) == size


def test_several_packets_share_a_frame_and_several_frames_a_packet(
    running: Callable[..., Any], listener: WebSocketListener
) -> None:
    running(listener)
    with Ws(listener.urls[0]) as client:
        stream = encode(5, Connect("one")) + encode(5, Pingreq()) * 3
        client.link.send(stream[:1])
        client.link.send([stream[1:3], b"", stream[3:9]])  # one message in several frames
        client.link.send(b"")
        client.link.send(stream[9:])
        assert isinstance(client.read(), Connack)
        assert [type(client.read()) for _ in range(3)] == [Pingresp] * 3


class Transport:
    """A stream that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closing = True

    write_eof = close
    abort = close
    pause_reading = resume_reading = lambda self: None

    def is_closing(self) -> bool:
        return self.closing

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int) -> None: ...

    def get_extra_info(self, name: str) -> None:
        return None


class Top(Stack):
    """A WebSocket, and on top of it what keeps the bytes that come."""

    def __init__(self) -> None:
        self.driver = self
        self.broker = Broker()
        self.loop = self
        self.received = b""
        self.compose([WebSocket(self)], self)  # type: ignore[arg-type]

    def opened(self, now: int) -> None:
        self.connection = self.broker.connect(1)

    def receive(self, data: bytes, now: int) -> None:
        assert data
        self.received += data

    def arriving(self, begun: bool, now: int) -> None: ...

    def ended(self, now: int) -> bool:
        return False

    def lost(self, now: int, error: Exception | None) -> None: ...

    def subprotocols(self, offered: tuple[str, ...], now: int) -> bool:
        return False

    def text_frame(self, data: bytes, now: int) -> None: ...

    def schedule(self) -> None: ...

    def call_later(self, *what: Any) -> None: ...


@settings(max_examples=200)
@given(
    stream=st.binary(max_size=300),
    frames=st.lists(st.tuples(st.integers(0, 80), st.booleans(), st.booleans()), max_size=40),
    reads=st.lists(st.integers(1, 40), max_size=80),
)
def test_any_frames_in_any_reads_give_the_same_stream(
    stream: bytes, frames: list[tuple[int, bool, bool]], reads: list[int]
) -> None:
    """Bytes cut into frames, fragmented messages and reads in every way, with pings between; not one is lost."""
    client = ClientProtocol(parse_uri("ws://127.0.0.1/"), subprotocols=MQTT)
    stack, transport = Top(), Transport()
    stack.connection_made(transport)  # type: ignore[arg-type]
    client.send_request(client.connect())
    stack.data_received(b"".join(client.data_to_send()))
    client.receive_data(transport.written)
    left = stream
    within = False
    pings = 0
    for size, fin, ping in frames:
        part, left = left[:size], left[size:]
        client.send_continuation(part, fin) if within else client.send_binary(part, fin)
        within = not fin
        if ping:
            client.send_ping(b"p")
            pings += 1
    client.send_continuation(left, True) if within else client.send_binary(left)
    raw = b"".join(client.data_to_send())
    before = len(transport.written)
    for size in reads:
        if raw:
            stack.data_received(raw[:size])
            raw = raw[size:]
    if raw:
        stack.data_received(raw)
    assert stack.received == stream
    client.receive_data(transport.written[before:])
    assert [event.opcode for event in client.events_received()[1:]] == [Opcode.PONG] * pings


@given(st.binary(min_size=1, max_size=3 * FRAME))
def test_what_is_written_arrives_in_frames_that_every_client_takes(data: bytes) -> None:
    client = ClientProtocol(parse_uri("ws://127.0.0.1/"), subprotocols=MQTT, max_size=FRAME)
    stack, transport = Top(), Transport()
    stack.connection_made(transport)  # type: ignore[arg-type]
    client.send_request(client.connect())
    stack.data_received(b"".join(client.data_to_send()))
    stack.top.write([data[:10], data[10:]] if len(data) > 10 else [data], 1)
    client.receive_data(transport.written)
    frames = [event for event in client.events_received() if isinstance(event, Frame)]
    assert {frame.opcode for frame in frames} == {Opcode.BINARY}
    assert b"".join(bytes(frame.data) for frame in frames) == data


def test_large_parts_are_cut_into_frames_without_a_copy() -> None:
    large = bytes(range(256)) * (3 * FRAME // 256)
    out = list(binary_frames([b"head", large, b"tail"]))
    assert [len(part) for part in out] == [10, 4, FRAME - 4, 10, FRAME, 10, FRAME, 2, 4, 4]
    assert [part for part in out if isinstance(part, memoryview) and part.obj is not large] == [b"head", b"tail"]
    assert list(binary_frames([])) == []
    assert list(binary_frames([bytes(FRAME)])) == [binary_head(FRAME), bytes(FRAME)]


@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536])
def test_the_head_of_a_frame_is_the_one_of_websockets(size: int) -> None:
    frame = Frame(Opcode.BINARY, bytes(size)).serialize(mask=False)
    assert binary_head(size) == frame[:-size]


def test_a_ping_is_answered_and_compression_declined(running: Callable[..., Any], listener: WebSocketListener) -> None:
    running(listener)
    with Ws(listener.urls[0], extensions=[ClientPerMessageDeflateFactory()]) as client:
        assert client.link.protocol.extensions == []
        assert client.link.ping(b"now").wait(10)
        client.connect("one")


def test_the_close_handshake_is_kept_on_both_sides(
    running: Callable[..., Any], listener: WebSocketListener, wait_until: Callable[..., Any]
) -> None:
    server = running(listener)
    with Ws(listener.urls[0]) as client:
        client.connect("one")
        client.link.close(1000)  # raises if it is not answered in time
    wait_until(lambda: not server.server.broker.connections)
    with Ws(listener.urls[0]) as client:
        client.connect("one")
        client.send(Disconnect())
        assert client.closed() == (1000, "")


def test_the_last_packet_comes_before_the_close(running: Callable[..., Any], listener: WebSocketListener) -> None:
    server = running(listener)
    with Ws(listener.urls[0]) as client:
        client.connect("one")
        server.do(server.server.close_listener(listener.name))
        last = client.read()
        assert isinstance(last, Disconnect)
        assert last.reason_code == 0x98
        assert client.closed() == (1000, "")


def test_the_old_name_is_for_3_1(running: Callable[..., Any], listener: WebSocketListener) -> None:
    """`mqttv3.1` is what clients of 3.1 offered; where both are offered, `mqtt` is taken [MQTT5-6.0.0-4]."""
    running(listener)
    old = [Subprotocol("mqttv3.1")]
    with Ws(listener.urls[0], version=3, subprotocols=old) as client:
        assert client.link.subprotocol == "mqttv3.1"
        assert client.connect("one").reason_code == 0
    with Ws(listener.urls[0], version=4, subprotocols=old) as client:
        assert client.connect("one").reason_code == 1
    with Ws(listener.urls[0], subprotocols=old + MQTT) as client:
        assert client.link.subprotocol == "mqtt"
        assert client.connect("one").reason_code == 0


# ---------------------------------------------------------------- what is refused


def test_a_text_frame_ends_the_connection(
    running: Callable[..., Any], listener: WebSocketListener, said: Callable[..., str]
) -> None:
    """[MQTT5-6.0.0-1], and what came before it counts."""
    server = running(listener)
    with Ws(listener.urls[0]) as client:
        client.connect("one")
        client.send(Pingreq())
        client.link.send("text")
        assert isinstance(client.read(), Pingresp)
        assert client.closed() == (1003, "MQTT is sent in binary frames")
    assert "MQTT5-6.0.0-1" in said("A text frame")
    assert server.server.url


@pytest.mark.parametrize("offered", [None, [Subprotocol("soap"), Subprotocol("wamp")]])
def test_without_the_sub_protocol_the_handshake_is_refused(
    running: Callable[..., Any], listener: WebSocketListener, said: Callable[..., str], offered: Any
) -> None:
    running(listener)
    with pytest.raises(InvalidStatus) as caught:
        Ws(listener.urls[0], subprotocols=offered)
    assert caught.value.response.status_code == 400
    assert b'MQTT needs "mqtt" (Sec-WebSocket-Protocol: mqtt)' in caught.value.response.body
    assert ("soap, wamp were offered" if offered else "no sub-protocol was offered") in said("handshake is refused")


def upgraded(url: str, origin: str | None) -> bool:
    """True if a page of this origin may connect; None: a client that is not a browser."""
    try:
        with Ws(url, origin=origin) as client:
            client.connect("one")
    except InvalidStatus as refused:
        if refused.response.status_code != 403:
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [
        (None, {None, "http://localhost:3000", "http://127.0.0.1"}),
        ([], {None}),
        (["*"], {None, "http://localhost:3000", "http://127.0.0.1", "https://evil.example", "null"}),
        (["null"], {None, "null"}),
        (["https://EVIL.example:443"], {None, "https://evil.example"}),
    ],
)
def test_which_pages_may_connect(
    running: Callable[..., Any], origins: list[str] | None, allowed: set[str | None]
) -> None:
    listener = WebSocketListener(port=0, origins=origins)
    running(listener)
    sites = (None, "http://localhost:3000", "http://127.0.0.1", "https://evil.example", "null")
    assert {site for site in sites if upgraded(listener.urls[0], site)} == allowed


@pytest.mark.parametrize("site", ["example.org", "https://example.org/", "https://example.org/page", "//a", ""])
def test_an_origin_that_no_browser_sends_is_refused(site: str) -> None:
    with pytest.raises(ValueError, match=r"such as https://example\.org"):
        WebSocketListener(port=0, origins=[site])


def test_pages_of_other_sites_may_be_kept_out(running: Callable[..., Any], said: Callable[..., str]) -> None:
    listener = WebSocketListener(port=0, origins=["https://example.org"])
    running(listener)
    for origin, allowed in (("https://example.org", True), (None, True), ("https://evil.example", False)):
        if allowed:
            with Ws(listener.urls[0], origin=origin) as client:
                client.connect("one")
        else:
            with pytest.raises(InvalidStatus) as caught:
                Ws(listener.urls[0], origin=origin)
            assert caught.value.response.status_code == 403
    said("pages of https://evil.example may not connect; `origins` of the listener names those that may")


@pytest.mark.parametrize(
    ("site", "local"),
    [
        ("http://localhost", True),
        ("http://localhost:3000", True),
        ("https://app.localhost:8443", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("null", False),
        ("http://localhost.evil.example", False),
        ("http://evil-localhost", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://evil.example:1882", False),
        ("http://localhost:3000@evil.example", False),
        ("https://192.168.1.2", False),
    ],
)
def test_pages_of_this_machine(site: str, local: bool) -> None:
    assert (LOCAL_PAGES.fullmatch(site) is not None) == local


@pytest.mark.parametrize(
    ("data", "answer", "line"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", rb"HTTP/1\.1 426 ", "handshake is refused: missing Connection header"),
        (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", rb"HTTP/1\.1 405(?s:.*)a GET, this is POST", "refused: .* a GET, this"),
        (b"OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n", rb"HTTP/1\.1 405(?s:.*)\r\nAllow: GET\r\n", "this is OPTIONS"),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", rb"HTTP/1\.1 405(?s:.*)\r\n\r\n$", "this is HEAD"),
        (
            b"GET / HTTP/1.0\r\n\r\n",
            rb"HTTP/1\.1 505(?s:.*)proxy_http_version 1\.1",
            "needs HTTP/1.1, this is HTTP/1.0",
        ),
        (b"GET nonsense\r\n\r\n", rb"HTTP/1\.1 400", "handshake is refused: this is not HTTP/1.1"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", rb"HTTP/1\.1 400", "has no body"),
        (encode(5, Connect("plain")), rb"^$", "perhaps plain MQTT, came to a listener for WebSocket"),
        (b"\x16\x03\x01\x02\x00", rb"^$", "TLS came to a listener for WebSocket"),
        (b"GET /" + b"x" * 40_000, rb"HTTP/1\.1 431", "headers have more than 32768 bytes"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Protocol: " + b"x" * 9000 + b"\r\n\r\n",
            rb"HTTP/1\.1 431",
            "431|4096",
        ),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\n" + b"Sec-WebSocket-Key: x\r\n" * 99 + b"\r\n",
            rb"HTTP/1\.1 431",
            "than 64 headers",
        ),
    ],
    ids=[
        "browser",
        "post",
        "options",
        "head",
        "1.0",
        "nonsense",
        "body",
        "mqtt",
        "tls",
        "long",
        "wide",
        "many",
    ],
)
def test_what_is_no_websocket_is_told_as_such(
    running: Callable[..., Any],
    listener: WebSocketListener,
    said: Callable[..., str],
    data: bytes,
    answer: bytes,
    line: str,
) -> None:
    running(listener)
    with socket.create_connection(("127.0.0.1", listener.port), 10) as plain:
        plain.sendall(data)
        plain.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while part := plain.recv(10_000):
                got += part
        except ConnectionResetError:
            pass
        assert re.search(answer, got)
    said(line)
    with Ws(listener.urls[0]) as client:
        client.connect("goes on")


@pytest.mark.parametrize(
    "more",
    [b"Cookie: " + b"c" * 9000, b"\r\n".join(b"X-%d: y" % at for at in range(150)), b"X-Latin: \xe4"],
    ids=["cookies", "150 headers", "latin"],
)
def test_headers_that_are_not_for_the_handshake_do_not_matter(
    running: Callable[..., Any], listener: WebSocketListener, more: bytes
) -> None:
    running(listener)
    with socket.create_connection(("127.0.0.1", listener.port), 10) as plain:
        head, _, rest = HANDSHAKE.replace(b"GET /", b"GET /mqtt?token=" + b"t" * 9000).partition(b"\r\n")
        for part in (
            head,
            b"\r\n",
            more,
            b"\r\n" + rest[:20],
            rest[20:] + frame(0x82, encode(4, Connect("one", protocol_version=4))),
        ):
            plain.sendall(part)
        got = b""
        while b"\x20\x02\x00\x00" not in got:
            part = plain.recv(1000)
            assert part, got
            got += part
    assert got.startswith(b"HTTP/1.1 101 ")


def test_the_limit_of_a_handshake_is_an_option(running: Callable[..., Any], said: Callable[..., str]) -> None:
    listener = WebSocketListener(port=0, handshake_size=2000)
    running(listener)
    with socket.create_connection(("127.0.0.1", listener.port), 10) as plain:
        plain.sendall(HANDSHAKE[:-2] + b"Cookie: " + b"c" * 2000 + b"\r\n\r\n")
        assert plain.recv(1000).startswith(b"HTTP/1.1 431 ")
    said("have more than 2000 bytes")


HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)


def opened(port: int) -> socket.socket:
    """A socket on which the handshake of WebSocket is done; from here on the test makes the frames."""
    plain = socket.create_connection(("127.0.0.1", port), 10)
    plain.sendall(HANDSHAKE)
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        got += plain.recv(1)
    assert got.startswith(b"HTTP/1.1 101 ")
    return plain


def frame(head: int, data: bytes, mask: bytes = b"\0\0\0\0") -> bytes:
    return bytes([head, 0x80 | len(data)]) + mask + data


def close_code(plain: socket.socket) -> int:
    got = b""
    try:
        while part := plain.recv(1000):
            got += part
    except ConnectionResetError:
        pass
    assert got[:1] == b"\x88", got
    return int(struct.unpack(">H", got[2:4])[0])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x82\x01x", 1002),
        (frame(0xC2, b"x"), 1002),
        (frame(0x83, b"x"), 1002),
        (frame(0x80, b"x"), 1002),
        (frame(0x09, b"x"), 1002),
        (frame(0x02, b"\x10") + frame(0x82, b"\x10"), 1002),
        (b"\x82\xff" + struct.pack(">Q", 1 << 40) + bytes(4), 1009),
        (frame(0x88, b"\x03"), 1002),
    ],
    ids=["unmasked", "reserved", "opcode", "continues nothing", "long ping", "interleaved", "a terabyte", "bad close"],
)
def test_frames_that_break_a_rule_of_websocket_end_the_connection(
    running: Callable[..., Any], listener: WebSocketListener, said: Callable[..., str], data: bytes, code: int
) -> None:
    running(listener)
    with opened(listener.port) as plain:
        plain.sendall(data)
        assert close_code(plain) == code
    said("WebSocket: ")


def test_frames_behind_the_handshake_that_break_a_rule(
    running: Callable[..., Any], listener: WebSocketListener, said: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    """They are read before the handshake is answered, so that the connection ends with the answer."""
    running(listener)
    connect = encode(5, Connect("one"))
    for data in (b"\x82\x01x", frame(0x82, connect) + frame(0xC2, b"x")):
        with socket.create_connection(("127.0.0.1", listener.port), 10) as plain:
            plain.sendall(HANDSHAKE + data)
            got = b""
            while part := plain.recv(1000):
                got += part
            assert got.startswith(b"HTTP/1.1 101 ")
    said("WebSocket: incorrect masking")
    said("WebSocket: reserved bits must be 0")
    assert not [record for record in caplog.records if record.exc_info]


def test_a_connect_without_end_is_not_waited_for(running: Callable[..., Any], said: Callable[..., str]) -> None:
    """In a frame too, which nobody but the frame's end would give to the engine."""
    listener = WebSocketListener(port=0)
    running(listener, options=Options(bounds=Bounds(connect_bytes=10_000, held_bytes=10_000)))
    with opened(listener.port) as plain:
        plain.sendall(b"\x82\xfe" + struct.pack(">H", 60_000) + bytes(4) + bytes(30_000))
        try:
            while plain.recv(1000):
                pass
        except ConnectionResetError:
            pass
    said("The CONNECT is larger than this server accepts")


def test_a_message_of_more_than_the_largest_packet_is_refused(running: Callable[..., Any]) -> None:
    listener = WebSocketListener(port=0)
    running(listener, options=Options(Capabilities(maximum_packet_size=1000)))
    with Ws(listener.urls[0]) as client:
        client.connect("one")
        client.link.send(os.urandom(100_000))
        assert client.closed()[0] == 1009


@pytest.mark.parametrize("sent", ["nothing", "half a handshake", "no connect"])
def test_a_client_that_does_not_go_on_has_its_time(
    running: Callable[..., Any], said: Callable[..., str], sent: str
) -> None:
    listener = WebSocketListener(port=0)
    running(listener, options=Options(bounds=Bounds(connect_timeout=1)))
    plain = (
        opened(listener.port) if sent == "no connect" else socket.create_connection(("127.0.0.1", listener.port), 10)
    )
    with plain:
        if sent == "half a handshake":
            plain.sendall(b"GET / HTTP/1.1\r\n")
        begin = time.monotonic()
        while plain.recv(100):
            pass
        assert time.monotonic() - begin < 5
    said("No CONNECT within the connect timeout")


def test_a_flood_of_pings_without_reading_costs_bounded_memory(
    running: Callable[..., Any], listener: WebSocketListener
) -> None:
    server = running(listener)
    with opened(listener.port) as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(1)
        pings = frame(0x89, bytes(125)) * 1000
        plain.sendall(frame(0x82, encode(5, Connect("flood"))))
        with pytest.raises(TimeoutError):
            plain.sendall(pings * 200)
        (channel,) = server.server.driver.channels.values()
        assert server.do(channel.transport.get_write_buffer_size) < Bounds().hard_limit + (1 << 20)
        with Ws(listener.urls[0]) as other:
            other.connect("other")


def test_a_client_that_does_not_answer_the_close_is_cut(
    running: Callable[..., Any], listener: WebSocketListener, wait_until: Callable[..., Any]
) -> None:
    server = running(listener)
    with opened(listener.port) as plain:
        plain.sendall(frame(0x82, encode(5, Connect("one")) + encode(5, Disconnect())))
        begin = time.monotonic()
        wait_until(lambda: not server.server.driver.channels, deadline=5)
        assert time.monotonic() - begin < 4


def test_tcp_and_websocket_clients_talk_to_each_other(running: Callable[..., Any], listener: WebSocketListener) -> None:
    plain = TcpListener(port=0)
    running(plain, listener)
    with Ws(listener.urls[0]) as one, RawClient(plain.port) as other:
        one.connect("one")
        other.connect("other")
        other.subscribe("#", qos=1)
        one.send(Publish("t", b"hello"))
        assert other.message().payload == b"hello"


def test_the_port_is_ours_unless_told() -> None:
    assert WebSocketListener().port == 1882
