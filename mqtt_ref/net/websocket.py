# SPDX-License-Identifier: MIT
"""MQTT over WebSocket: turns binary frames into a stream of packets. `websockets` implements the frames."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, cast

from websockets.exceptions import InvalidOrigin, NegotiationError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from mqtt_ref.clocks import monotonic_ns
from mqtt_ref.engine.options import Terms
from mqtt_ref.net.channel import CHOKED, LINGER, Channel
from mqtt_ref.net.handshake import HANDSHAKE, Handshake, HandshakeError
from mqtt_ref.net.layer import Layer, Parts, Stack, Units, joined
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.tls import TlsSettings
from mqtt_ref.wire.primitives import V31
from mqtt_ref.wire.printable import printable

__all__ = [
    "ANY_PAGE",
    "FRAME",
    "LOCAL_PAGES",
    "WebSocket",
    "WebSocketListener",
    "binary_frames",
    "binary_head",
    "origin_problem",
]

FRAME: Final = 64 * 1024
"""Largest frame that the broker sends, in bytes. Some clients do not accept larger ones."""
BINARY: Final = b"\x82"
"""First byte of a frame that is a binary message of its own."""
SLACK: Final = 64 * 1024
"""Bytes that a message may have beyond the largest packet, for small packets in the same message."""
SUBPROTOCOL: Final = Subprotocol("mqtt")
SUBPROTOCOL_V31: Final = Subprotocol("mqttv3.1")
"""Offered by clients of 3.1, before a standard existed. It allows only MQTT 3.1."""
LOCAL_PAGES: Final = re.compile(r"https?://(?:(?:[a-z0-9-]+\.)*localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?")
"""Origins on this machine, with any port."""
ANY_PAGE: Final = "*"
"""As an entry of `origins`: pages of every site may connect."""
SITE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#@\s]+")
DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}

NORMAL, UNSUPPORTED_DATA = 1000, 1003
LOG = logging.getLogger("mqtt_ref.websocket")
LOG.setLevel(logging.ERROR)  # `websockets` logs each connection, and the broker does so already
OVER: Final = ServerProtocol(state=State.CLOSED, logger=LOG)
"""The protocol of a connection that is over."""
OVER.eof_sent = True


class WebSocketListener(TcpListener):
    """A WebSocket listener, over TCP or TLS. It accepts any path.

    `origins` are the web sites whose pages may connect: `https://example.org`, a compiled pattern, `null` for pages
    without a site, or `*` for all pages. None: only pages of this machine (`LOCAL_PAGES`), because a browser lets a
    page of any site connect from the address of its user. Clients that are not browsers send no Origin and may always
    connect.

    Raises:
        ValueError: an origin is not one that a browser would send; the text says what would be right.

    `handshake_size` limits the request line and headers of a client, in bytes. Above it, the answer is 431.

    Cites: X5-websocket-uri, X311-websocket-uri
    """

    scheme = "ws"
    scheme_tls = "wss"
    alpn = ("http/1.1",)
    default_port = 1882
    default_port_tls = 8884

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int | None = None,
        name: str = "",
        tls: TlsSettings | ssl.SSLContext | None = None,
        terms: Terms | None = None,
        *,
        origins: Sequence[str | re.Pattern[str]] | None = None,
        handshake_size: int = HANDSHAKE,
    ) -> None:
        super().__init__(host, port, name, tls, terms)
        for site in () if origins is None else origins:
            problem = origin_problem(site)
            if problem:
                raise ValueError(problem)
        self.origins: Sequence[str | re.Pattern[str]] = (LOCAL_PAGES,) if origins is None else origins
        self.handshake_size = handshake_size

    def layers(self, stack: Stack) -> Iterable[Layer]:
        """Return the layers: WebSocket, above TLS if the listener has TLS."""
        yield from super().layers(stack)
        yield WebSocket(cast("Channel", stack), self.origins, self.handshake_size)


class Frames:
    """The frames of a WebSocket client, which follow its HTTP request (RFC 6455, section 5.2)."""

    def __init__(self) -> None:
        self._request: bytes | None = b""
        self._frames = Units(frame_head)

    @property
    def begun(self) -> bool:
        """See `Units.begun`."""
        return self._frames.begun

    def feed(self, data: bytes) -> bool:
        """Take more bytes of the stream. Return True if a frame that may hold packets has begun to arrive."""
        if self._request is None:
            return self._frames.feed(data)
        data = self._request + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._request = data[-3:]
            return False
        self._request = None
        return self._frames.feed(data[end + 4 :])


def frame_head(head: bytearray) -> tuple[bool, int | None]:
    """Read the head of a WebSocket frame, for `Units`. A control frame holds no packets."""
    data = head[0] & 0x0F < 8
    if len(head) < 2:
        return data, None
    short = head[1] & 0x7F
    extended = {126: 2, 127: 8}.get(short, 0)
    if len(head) < 2 + extended + (4 if head[1] & 0x80 else 0):
        return data, None
    return data, int.from_bytes(head[2 : 2 + extended]) if extended else short


def binary_head(size: int) -> bytes:
    """Return the head of a binary frame of the server with `size` bytes (RFC 6455, section 5.2)."""
    if size < 126:
        return BINARY + size.to_bytes(1)
    return BINARY + b"\x7e" + size.to_bytes(2) if size < 65_536 else BINARY + b"\x7f" + size.to_bytes(8)


def binary_frames(parts: Parts) -> Iterator[bytes | memoryview]:
    """Yield the frames of the server with these bytes, in parts: heads, and views of the parts, which are not copied.

    Each but the last has `FRAME` bytes.
    """
    frame: list[bytes | memoryview] = []
    room = FRAME
    for part in parts:
        view = memoryview(part)
        while view:
            piece = view[:room]
            view = view[room:]
            frame.append(piece)
            room -= len(piece)
            if not room:
                yield binary_head(FRAME)
                yield from frame
                frame = []
                room = FRAME
    if frame:
        yield binary_head(FRAME - room)
        yield from frame


class WebSocket(Layer):
    """One WebSocket connection."""

    __slots__ = ("_channel", "_frames", "_handshake", "_origins", "_received", "_waited_for", "protocol")

    protocol: ServerProtocol

    def __init__(
        self,
        channel: Channel,
        origins: Sequence[str | re.Pattern[str]] = (LOCAL_PAGES,),
        handshake_size: int = HANDSHAKE,
    ) -> None:
        self._channel = channel
        self._origins = origins
        self._handshake: Handshake | None = Handshake(handshake_size)
        bounds = channel.driver.broker.options.bounds
        self._waited_for = bounds.connect_bytes + bounds.held_bytes
        """Limit of the bytes that are read before the client is accepted. 0 afterwards."""
        self._received = 0
        self._frames: Frames | None = None

    # ---------------------------------------------------------------- upwards

    def opened(self, now: int) -> None:
        channel, origins = self._channel, self._origins
        largest = channel.driver.broker.options.capabilities.maximum_packet_size
        self.protocol = ServerProtocol(
            origins=None if ANY_PAGE in origins else [*map(_origin, origins), None],
            extensions=None,
            subprotocols=[SUBPROTOCOL, SUBPROTOCOL_V31],
            select_subprotocol=lambda protocol, offered: self._select(offered),
            max_size=largest + SLACK,
            logger=LOG,
        )
        if channel.notes_arrivals:
            self._frames = Frames()
        self.above.opened(now)

    def receive(self, data: bytes, now: int) -> None:
        protocol = self.protocol
        if self._waited_for and not self._may_wait(data):
            return
        came = data
        if self._handshake is not None:
            try:
                request = self._handshake.feed(data)
            except HandshakeError as error:
                self._refuse(error, now)
                return
            if request is None:
                if self._frames is not None:
                    self.above.arriving(self._frames.feed(came), now)
                return
            data = request + self._handshake.rest
            self._handshake = None
        protocol.receive_data(data)
        payloads: list[bytes] = []
        text: bytes | None = None
        for event in protocol.events_received():
            if isinstance(event, Request):
                self._answer(event)
            elif not isinstance(event, Frame):
                continue
            elif event.opcode is Opcode.BINARY or event.opcode is Opcode.CONT:
                payloads.append(bytes(event.data))
            elif event.opcode is Opcode.TEXT:
                text = bytes(event.data)
                break
        if payloads:
            # [MQTT5-6.0.0-2, MQTT311-6.0.0-2]
            data = joined(payloads)
            if data:
                self.above.receive(data, now)
        if self._frames is not None:
            self.above.arriving(self._frames.feed(came), now)
        if text is not None:
            self.above.text_frame(text, now)
            # Packets before the text frame are valid. They are answered first [MQTT5-6.0.0-1, MQTT311-6.0.0-1].
            self._channel.driver.flush()
            protocol.fail(UNSUPPORTED_DATA, "MQTT is sent in binary frames")
            self._turn_away("A text frame: MQTT is sent in binary frames", "MQTT5-6.0.0-1")
        elif protocol.parser_exc is not None:
            self._turn_away(f"WebSocket: {protocol.parser_exc}")
        elif protocol.state is State.CONNECTING and protocol.handshake_exc is not None:
            self._turn_away(f"The WebSocket handshake is refused: {_why(protocol.handshake_exc)}")
        self._flush(now)

    def lost(self, now: int, error: Exception | None) -> None:
        super().lost(now, error)
        # The parser of `websockets` is a generator that refers to the object that holds it, and errors to the frames
        # that hold them. So only the collector would free them.
        protocol, self.protocol = self.protocol, OVER
        for cause in (protocol.handshake_exc, protocol.parser_exc):
            if cause is not None:
                cause.__traceback__ = None
        vars(protocol).clear()

    def arriving(self, begun: bool, now: int) -> None:
        """Report an incomplete unit of the layer below, or an incomplete frame of this one."""
        if self._frames is not None:
            self.above.arriving(begun or self._frames.begun, now)

    # ---------------------------------------------------------------- downwards

    @property
    def _open(self) -> bool:
        """True if frames may be sent. False if the end was decided before the handshake was answered."""
        return self.protocol.state is State.OPEN and not self.protocol.eof_sent

    def write(self, parts: Parts, now: int) -> None:
        """Send packets in binary frames. Only their heads are made for this client: a server does not mask its frames.

        So all clients share a large payload, which is cut into frames of `FRAME` bytes.
        """
        protocol = self.protocol
        if not self._open:
            return
        if len(parts) == 1 and len(parts[0]) <= FRAME:
            protocol.send_binary(parts[0])
            self.below.write(protocol.data_to_send(), now)
            return
        self.below.write([*protocol.data_to_send(), *binary_frames(parts)], now)

    def _send(self, writes: list[bytes], now: int) -> bool:
        """Write the output of `websockets`. Return True if it was the end of the stream."""
        last = b"" in writes  # `websockets` marks the end like this
        parts = [part for part in writes if part] if last else writes
        if parts:
            self.below.write(parts, now)
        return last

    def _flush(self, now: int) -> None:
        """Write what WebSocket itself needs: the handshake response, a pong, a close frame."""
        channel = self._channel
        writes = self.protocol.data_to_send()
        if not writes:
            return
        if self._send(writes, now):
            self._end()
        elif channel.transport.get_write_buffer_size() > channel.driver.broker.options.bounds.hard_limit:
            channel.halt(CHOKED)

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        """Close with the closing handshake of WebSocket. A client has `LINGER` seconds to answer it."""
        if self._open:
            self.protocol.send_close(NORMAL)
            self._send(self.protocol.data_to_send(), monotonic_ns())
            self._abort_later()
        elif not self.protocol.eof_sent:
            self.below.close()

    def _end(self) -> None:
        """Close the stream so that all output arrives. If the client closed first, close at once."""
        if self.protocol.close_rcvd is None and self.below.can_write_eof():
            try:
                self.below.write_eof()
            except OSError:
                self._channel.abort()
                return
            self._abort_later()
        else:
            self.below.close()

    def _abort_later(self) -> None:
        self._channel.driver.loop.call_later(LINGER, self._channel.transport.abort)

    # ---------------------------------------------------------------- the handshake

    def _answer(self, request: Request) -> None:
        response = self.protocol.accept(request)
        self.protocol.send_response(response)
        if self.protocol.subprotocol == SUBPROTOCOL_V31:
            connection = self._channel.connection
            agreement = connection.agreement
            agreement.capabilities = Terms(versions=(V31,)).limit(agreement.capabilities)

    def _refuse(self, error: HandshakeError, now: int) -> None:
        """Answer a request that is not a handshake."""
        self._handshake = None
        response = self.protocol.reject(error.status, f"{error}\n")
        if error.status == 405:
            response.headers["Allow"] = "GET"
        if error.method == b"HEAD":
            response.body = b""
        self.protocol.send_response(response)
        self._turn_away(f"The WebSocket handshake is refused: {error}")
        self._flush(now)

    def _select(self, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        """Select the sub-protocol. For 3.1 there is only a convention, not a rule.

        Cites: MQTT5-6.0.0-4, MQTT311-6.0.0-4, X31-websocket-subprotocol
        """
        passed_over = self.above.subprotocols(tuple(offered), monotonic_ns())
        for one in (SUBPROTOCOL, SUBPROTOCOL_V31):
            if one in offered:
                return one
        if passed_over:
            return None
        what = f"the sub-protocols {', '.join(offered)} were offered" if offered else "no sub-protocol was offered"
        raise NegotiationError(f'{what}; MQTT needs "mqtt" (Sec-WebSocket-Protocol: mqtt)')

    def _may_wait(self, data: bytes) -> bool:
        """True if these bytes of a client not yet accepted may be held. The engine sees only complete frames."""
        if self._channel.connection.session is not None:
            self._waited_for = 0
            return True
        if not self._received and not data[:1].isupper():
            what = "TLS" if data[:2] == b"\x16\x03" else "Data that is not HTTP, perhaps plain MQTT,"
            self._turn_away(f"{what} came to a listener for WebSocket")
            return False
        self._received += len(data)
        if self._received > self._waited_for:
            self._turn_away("The CONNECT is larger than this server accepts")
            return False
        return True

    def _turn_away(self, why: str, statement: str = "") -> None:
        self._channel.connection.turn_away(why, self._channel.driver.now(), 0, statement)
        self._channel.driver.schedule()


def origin_problem(site: str | re.Pattern[str]) -> str:
    """Return what is wrong with an entry of `origins` and what would be right; empty if it is valid."""
    if not isinstance(site, str) or site in (ANY_PAGE, "null") or SITE.fullmatch(site):
        return ""
    return f"{site!r} is not a web site; write scheme and host, without a path, such as https://example.org, or `*`"


def _origin(site: str | re.Pattern[str]) -> Origin | re.Pattern[str]:
    """Return an entry in the form in which browsers send it: in lower case, without the default port."""
    if not isinstance(site, str):
        return site
    site = site.lower()
    return Origin(site.removesuffix(DEFAULT_PORTS.get(site.partition("://")[0], "\0")))


def _why(error: Exception) -> str:
    if isinstance(error, InvalidOrigin) and error.value:
        return f"pages of {printable(error.value)} may not connect; `origins` of the listener names those that may"
    return printable(str(error))
