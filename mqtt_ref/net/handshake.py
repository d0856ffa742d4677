# SPDX-License-Identifier: MIT
"""The HTTP request with which a WebSocket client begins. h11 reads it, so that each refusal has an HTTP answer."""

from __future__ import annotations

from typing import Final

import h11

__all__ = ["HANDSHAKE", "Handshake", "HandshakeError"]

HANDSHAKE: Final = 32 * 1024
"""Default limit of request line and headers, in bytes. Browsers send all cookies of a host to each of its ports."""
NEEDED: Final = frozenset({b"host", b"connection", b"upgrade", b"origin"})
PREFIX: Final = b"sec-websocket-"
LONGEST: Final = 4096
"""Bytes of a header that the handshake needs. `websockets` accepts 8192 bytes in one line."""
MOST: Final = 64
"""Number of headers that the handshake needs. `websockets` accepts 128."""


class HandshakeError(Exception):
    """A request that is not a WebSocket handshake. The text says why, `status` is that of the HTTP answer."""

    def __init__(self, status: int, text: str, method: bytes = b"") -> None:
        super().__init__(text)
        self.status = status
        self.method = method
        """The method of the request, or empty if it was not read."""


class Handshake:
    """Reads one request, in any chunks. Afterwards `rest` is what follows it.

    Only the headers that decide a handshake are passed on, so that cookies count for `limit` and for nothing else.
    """

    def __init__(self, limit: int = HANDSHAKE) -> None:
        self._limit = limit
        self._h11 = h11.Connection(h11.SERVER, limit)
        self._size = 0
        self.rest = b""

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes of the client. Return a request with the needed headers once it is complete, before that None.

        Raises:
            HandshakeError: it cannot become a WebSocket handshake.
        """
        http = self._h11
        self._size += len(data)
        try:
            http.receive_data(data)
            event = http.next_event()
            if not isinstance(event, h11.Request):
                return None
            request = self._request(event)
            http.next_event()  # the end of the message: there is no body
        except h11.RemoteProtocolError as error:
            error.__traceback__ = None  # it holds a frame of h11 that holds the error
            if error.error_status_hint == 431:
                raise HandshakeError(431, self._too_long()) from error
            raise HandshakeError(error.error_status_hint, f"this is not HTTP/1.1: {error}") from error
        self.rest = bytes(http.trailing_data[0])
        if self._size - len(self.rest) > self._limit:  # h11 compares only while it is incomplete
            raise HandshakeError(431, self._too_long(), b"GET")
        return request

    def _too_long(self) -> str:
        return f"request line and headers have more than {self._limit} bytes"

    def _request(self, event: h11.Request) -> bytes:
        method = bytes(event.method)
        if event.http_version != b"1.1":
            text = f"WebSocket needs HTTP/1.1, this is HTTP/{event.http_version.decode()}"
            if event.http_version == b"1.0":
                text += "; a proxy in between must use 1.1 too (nginx: proxy_http_version 1.1)"
            raise HandshakeError(505, text, method)
        if method != b"GET":
            raise HandshakeError(405, f"a WebSocket handshake is a GET, this is {method.decode()}", method)
        lines = [b"GET / HTTP/1.1"]
        for name, value in event.headers:
            if name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0")):
                raise HandshakeError(400, "a WebSocket handshake has no body", method)
            if name in NEEDED or name.startswith(PREFIX):
                if len(name) + len(value) > LONGEST:
                    raise HandshakeError(431, f"the header {name.decode()} has more than {LONGEST} bytes", method)
                lines.append(name + b": " + value)
        if len(lines) > MOST:
            raise HandshakeError(431, f"there are more than {MOST} headers of WebSocket", method)
        return b"\r\n".join(lines) + b"\r\n\r\n"
