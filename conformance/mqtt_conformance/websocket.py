# SPDX-License-Identifier: MIT
"""MQTT over WebSocket on the client's side. Imported only for ws and wss targets."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from mqtt_conformance.target import Stream, TargetError
from mqtt_conformance.verdict import FLOOD, Flooded

if TYPE_CHECKING:
    from mqtt_conformance.target import Target

__all__ = ["WebSocketStream", "open_websocket"]

TOO_BIG = 1009
"""The code with which a frame of more than the maximum size is refused."""


class WebSocketStream:
    """A byte stream in binary frames. `connection` is for cases that test frames, `texts` counts text frames."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.texts = 0

    async def read(self) -> bytes:
        """Return the content of the next binary frame. Empty after the broker closed."""
        try:
            while True:
                data = await self.connection.recv()
                if isinstance(data, str):
                    self.texts += 1
                elif data:
                    return data
        except ConnectionClosed as closed:
            if closed.sent is not None and closed.sent.code == TOO_BIG:
                raise Flooded from None
            return b""

    async def write(self, data: bytes) -> None:
        """Send one binary frame. Ignored after the broker closed."""
        try:
            await self.connection.send(data)
        except ConnectionClosed:
            pass

    async def finish(self) -> None:
        """Do nothing: WebSocket has no half-close."""

    async def close(self) -> None:
        """Close with the WebSocket closing handshake."""
        await self.connection.close()

    def abort(self) -> None:
        """Reset the TCP connection below the WebSocket."""
        self.connection.transport.abort()


async def open_websocket(target: Target, context: ssl.SSLContext | None) -> Stream:
    """Connect with the sub-protocol `mqtt`.

    Raises:
        TargetError: the handshake is refused.

    Cites: MQTT5-6.0.0-3
    """
    scheme = "wss" if context else "ws"
    url = f"{scheme}://{target.host}:{target.port}{target.path}"
    try:
        connection = await connect(
            url, subprotocols=[Subprotocol("mqtt")], ssl=context, max_size=FLOOD, compression=None, proxy=None
        )
    except InvalidHandshake as error:
        raise TargetError(f"{target.url}: the broker refuses the WebSocket: {error}") from error
    return WebSocketStream(connection)
