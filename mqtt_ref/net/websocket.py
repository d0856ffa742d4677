# SPDX-License-Identifier: MIT
"""MQTT over WebSocket: binary frames in, a stream of packets out; `websockets` keeps the rules of the frames."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Sequence
from typing import Final, cast

from websockets.exceptions import InvalidOrigin, NegotiationError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from mqtt_ref.engine.options import Terms
from mqtt_ref.net.channel import CHOKED, LINGER, Channel
from mqtt_ref.net.layer import Layer, Units
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.tls import TlsSettings
from mqtt_ref.wire.primitives import V31

__all__ = ["FRAME", "LOCAL_PAGES", "WebSocket", "WebSocketListener"]

FRAME: Final = 64 * 1024
"""Bytes of a frame of ours at most; some clients take no large ones."""
SLACK: Final = 64 * 1024
"""Bytes of a message beyond the largest packet: small packets that came with it."""
SUBPROTOCOL: Final = Subprotocol("mqtt")
SUBPROTOCOL_V31: Final = Subprotocol("mqttv3.1")
"""What clients of 3.1 offered before there was a standard for it; only 3.1 is spoken then."""
LOCAL_PAGES: Final = re.compile(r"https?://(?:(?:[a-z0-9-]+\.)*localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?")
"""The sites of this machine, at any port."""

NORMAL, UNSUPPORTED_DATA = 1000, 1003
LOG = logging.getLogger("mqtt_ref.websocket")
LOG.setLevel(logging.ERROR)  # it tells each connection, which we do ourselves


class WebSocketListener(TcpListener):
    """A WebSocket listener, over TCP or TLS; any path will do [X5-websocket-uri, X311-websocket-uri].

    `origins` are the web sites whose pages may connect (`https://example.org`, or a pattern of such); None: any.
    Clients that are no browsers name no origin and may always connect.
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
    ) -> None:
        super().__init__(host, port, name, tls, terms)
        self.origins = origins

    def protocol(self, channel: Channel) -> asyncio.Protocol:
        """Takes the frames apart for the channel."""
        return WebSocket(channel, self.origins)


class Frames(Units):
    """The frames of a WebSocket client, behind its request (RFC 6455, section 5.2)."""

    def __init__(self) -> None:
        super().__init__()
        self._request: bytes | None = b""

    def feed(self, data: bytes) -> bool:
        if self._request is None:
            return super().feed(data)
        data = self._request + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._request = data[-3:]
            return False
        self._request = None
        return super().feed(data[end + 4 :])

    def holds_packets(self, head: bytearray) -> bool:
        return head[0] & 0x0F < 8  # the others are control frames: a ping of WebSocket is no packet

    def length(self, head: bytearray) -> int | None:
        if len(head) < 2:
            return None
        short = head[1] & 0x7F
        extended = {126: 2, 127: 8}.get(short, 0)
        if len(head) < 2 + extended + (4 if head[1] & 0x80 else 0):
            return None
        return int.from_bytes(head[2 : 2 + extended]) if extended else short


class WebSocket(asyncio.Protocol):
    """One WebSocket connection, between the stream below and the channel above."""

    def __init__(self, channel: Channel, origins: Sequence[str | re.Pattern[str]] | None = None) -> None:
        self.channel = channel
        bounds = channel.driver.broker.options.bounds
        self._waited_for = bounds.connect_bytes + bounds.held_bytes
        """Bytes that are read at most before the client is accepted; 0 afterwards."""
        self._received = 0
        largest = channel.driver.broker.options.capabilities.maximum_packet_size
        self.protocol = ServerProtocol(
            origins=None if origins is None else [*map(_origin, origins), None],
            extensions=None,
            subprotocols=[SUBPROTOCOL, SUBPROTOCOL_V31],
            select_subprotocol=lambda protocol, offered: self._select(offered),
            max_size=largest + SLACK,
            logger=LOG,
        )
        self.notes_arrivals = getattr(channel, "notes_arrivals", False)
        self._frames = Frames() if self.notes_arrivals else None
        self.stream: asyncio.Transport

    # ---------------------------------------------------------------- from the stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.stream = cast("asyncio.Transport", transport)
        if hasattr(transport, "max_size"):
            transport.max_size = self.channel.driver.broker.options.bounds.read_buffer
        self.channel.connection_made(_Transport(self))

    def data_received(self, data: bytes) -> None:
        protocol = self.protocol
        if self._waited_for and not self._may_wait(data):
            return
        came = data
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
            data = payloads[0] if len(payloads) == 1 else b"".join(payloads)
            if data:
                self.channel.data_received(data)
        if self._frames is not None:
            self.channel.arriving(self._frames.feed(came))
        if text is not None:
            self.channel.text_frame(text)
            # What came before it counts, and is answered first [MQTT5-6.0.0-1, MQTT311-6.0.0-1].
            self.channel.driver.flush()
            protocol.fail(UNSUPPORTED_DATA, "MQTT is sent in binary frames")
            self._turn_away("A text frame: MQTT is sent in binary frames", "MQTT5-6.0.0-1")
        elif protocol.parser_exc is not None:
            self._turn_away(f"WebSocket: {protocol.parser_exc}")
        elif protocol.state is State.CONNECTING and protocol.handshake_exc is not None:
            self._turn_away(f"The WebSocket handshake is refused: {_why(protocol.handshake_exc)}")
        self.flush()

    def eof_received(self) -> bool:
        """The client sends nothing more, without a word of WebSocket."""
        self.channel.eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.channel.connection_lost(exc)

    def arriving(self, begun: bool) -> None:
        """What the layer below says: more may be on its way than the frames that have come."""
        if self._frames is not None:
            self.channel.arriving(begun or self._frames.begun)

    def pause_writing(self) -> None:
        self.channel.pause_writing()

    def resume_writing(self) -> None:
        self.channel.resume_writing()

    # ---------------------------------------------------------------- to the stream

    @property
    def _open(self) -> bool:
        """Whether frames may be sent: not behind an end that was decided on before the handshake was answered."""
        return self.protocol.state is State.OPEN and not self.protocol.eof_sent

    def write(self, data: bytes) -> None:
        """Packets, in binary frames."""
        protocol = self.protocol
        if not self._open:
            return
        if len(data) <= FRAME:
            protocol.send_binary(data)
        else:
            for start in range(0, len(data), FRAME):
                protocol.send_binary(data[start : start + FRAME])
        self.stream.write(b"".join(protocol.data_to_send()))

    def flush(self) -> None:
        """Write what the rules of WebSocket want written: an answer to the handshake, a pong, a close frame."""
        stream = self.stream
        writes = self.protocol.data_to_send()
        if not writes:
            return
        stream.write(b"".join(writes))
        if b"" in writes:  # nothing follows
            self._end()
        elif stream.get_write_buffer_size() > self.channel.driver.broker.options.bounds.hard_limit:
            self.channel.halt(CHOKED)

    def close(self) -> None:
        """Close with the handshake of WebSocket; a client that does not answer it is given a moment."""
        if self._open:
            self.protocol.send_close(NORMAL)
            self.stream.write(b"".join(self.protocol.data_to_send()))
            self.channel.driver.loop.call_later(LINGER, self.stream.abort)
        elif not self.protocol.eof_sent:
            self.stream.close()

    def _end(self) -> None:
        """Close the stream so that what was written arrives; a client that closed first sends nothing more."""
        if self.protocol.close_rcvd is None and self.stream.can_write_eof():
            try:
                self.stream.write_eof()
            except OSError:
                self.stream.abort()
                return
            self.channel.driver.loop.call_later(LINGER, self.stream.abort)
        else:
            self.stream.close()

    # ---------------------------------------------------------------- the handshake

    def _answer(self, request: Request) -> None:
        response = self.protocol.accept(request)
        self.protocol.send_response(response)
        if self.protocol.subprotocol == SUBPROTOCOL_V31:
            connection = self.channel.connection
            connection.agreement.offered = Terms(versions=(V31,)).offered(connection.agreement.offered)

    def _select(self, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        """The sub-protocol [MQTT5-6.0.0-4, MQTT311-6.0.0-4]; no rule has one for 3.1 [X31-websocket-subprotocol]."""
        passed_over = self.channel.offered(tuple(offered))
        for one in (SUBPROTOCOL, SUBPROTOCOL_V31):
            if one in offered:
                return one
        if passed_over:
            return None
        what = f"the sub-protocols {', '.join(offered)} were offered" if offered else "no sub-protocol was offered"
        raise NegotiationError(f'{what}; MQTT needs "mqtt" (Sec-WebSocket-Protocol: mqtt)')

    def _may_wait(self, data: bytes) -> bool:
        """Whether a client that was not accepted yet may have this held; the engine sees only whole frames."""
        if self.channel.connection.session is not None:
            self._waited_for = 0
            return True
        if not self._received and not data[:1].isupper():
            what = "TLS" if data[:2] == b"\x16\x03" else "Something else than HTTP, perhaps plain MQTT,"
            self._turn_away(f"{what} came to a listener for WebSocket")
            return False
        self._received += len(data)
        if self._received > self._waited_for:
            self._turn_away("A CONNECT of that size is not waited for")
            return False
        return True

    def _turn_away(self, why: str, statement: str = "") -> None:
        self.channel.connection.turn_away(why, self.channel.driver.now(), 0, statement)
        self.channel.driver.schedule()


class _Transport(Layer):
    """What the channel sees of the stream."""

    def __init__(self, websocket: WebSocket) -> None:
        super().__init__(websocket.stream, websocket.write)
        self._websocket = websocket

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self._websocket.close()


def _origin(site: str | re.Pattern[str]) -> Origin | re.Pattern[str]:
    return Origin(site) if isinstance(site, str) else site


def _why(error: Exception) -> str:
    if isinstance(error, InvalidOrigin) and error.value:
        return f"pages of {error.value} may not connect; `origins` of the listener names those that may"
    return str(error)
