# SPDX-License-Identifier: MIT
"""The broker under test: where it is, how to reach it, and what it offers."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote, urlsplit

__all__ = ["Capabilities", "Stream", "Target", "TargetError"]

PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


class TargetError(Exception):
    """The broker cannot be reached, or its URL is invalid. The text says what would be right."""


class Stream(Protocol):
    """A byte stream to the broker over any transport."""

    async def read(self) -> bytes:
        """Return the bytes that have arrived. Empty after the broker closed."""

    async def write(self, data: bytes) -> None:
        """Send bytes. Ignored after the broker closed."""

    async def finish(self) -> None:
        """Close the sending side, if the transport can."""

    async def close(self) -> None:
        """Close at once, without waiting for the broker."""

    def abort(self) -> None:
        """Reset the connection."""


@dataclass
class Capabilities:
    """What the broker offers. Read from CONNACKs and probes; a profile can override it.

    Values of 5.0 also apply to the other versions, because a broker has one configuration.
    """

    versions: frozenset[int] = frozenset({3, 4, 5})
    maximum_qos: int = 2
    retain: bool = True
    wildcard: bool = True
    shared: bool = True
    shared_v3: bool = False
    subscription_identifiers: bool = True
    topic_alias_maximum: int = 0
    receive_maximum: int = 65_535
    maximum_packet_size: int = 0
    server_keep_alive: int | None = None
    session_expiry: bool = True
    assigned_id: bool = True

    def offers(self, need: str) -> bool:
        """True if the broker offers a need that is a capability."""
        return {
            "retain": self.retain,
            "qos1": self.maximum_qos >= 1,
            "qos2": self.maximum_qos >= 2,
            "wildcard": self.wildcard,
            "shared": self.shared,
            "subscription_identifiers": self.subscription_identifiers,
            "topic_alias": self.topic_alias_maximum > 0,
            "assigned_id": self.assigned_id,
            "session": self.session_expiry,
        }[need]


@dataclass
class Target:
    """The address of the broker and the credentials. All URLs use one grammar: `mqtt:// mqtts:// ws:// wss:// unix:`.

    `factor` multiplies every timeout, for slow brokers and machines. `refusals` holds, by version, how the broker
    refuses clients with missing or wrong credentials.
    """

    url: str
    username: str | None = None
    password: bytes | None = None
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    insecure: bool = False
    factor: float = 1.0
    capabilities: Capabilities = field(default_factory=Capabilities)
    refusals: dict[int, frozenset[tuple[str, int]]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if "://" not in self.url and not self.url.startswith("unix:"):
            self.url = f"mqtt://{self.url}"
        parts = urlsplit(self.url)
        if parts.scheme not in (*PORTS, "unix"):
            raise TargetError(
                f"{self.url}: the scheme must be one of mqtt, mqtts, ws, wss, unix; example: mqtt://localhost:1883"
            )
        self.scheme = parts.scheme
        try:
            port = parts.port
        except ValueError:
            raise TargetError(f"{self.url}: the port must be a number from 1 to 65535") from None
        self.host = parts.hostname or "127.0.0.1"
        self.port = port or PORTS.get(self.scheme, 0)
        self.path = parts.path or "/mqtt"
        if self.scheme == "unix":
            self.path = self.url.removeprefix("unix:").removeprefix("//")
        if self.username is None and parts.username:
            self.username = unquote(parts.username)
        if self.password is None and parts.password:
            self.password = unquote(parts.password).encode()

    @property
    def transport(self) -> str:
        """The transport as the needs of a case name it: tcp, tls or ws."""
        return {"mqtt": "tcp", "unix": "tcp", "mqtts": "tls"}.get(self.scheme, "ws")

    async def open(self, within: float = 5.0) -> Stream:
        """Open a connection to the broker.

        Raises:
            TargetError: the broker does not answer, or refuses TLS or WebSocket.
        """
        try:
            async with asyncio.timeout(within * self.factor):
                if self.scheme in ("ws", "wss"):
                    from mqtt_conformance.websocket import open_websocket

                    return await open_websocket(self, self.tls() if self.scheme == "wss" else None)
                if self.scheme == "unix":
                    reader, writer = await asyncio.open_unix_connection(self.path)
                else:
                    context = self.tls() if self.scheme == "mqtts" else None
                    reader, writer = await asyncio.open_connection(self.host, self.port, ssl=context)
                return _Socket(reader, writer)
        except (OSError, TimeoutError) as error:
            raise TargetError(f"{self.url}: cannot be reached: {_plainly(error)}") from error

    async def ready(self, within: float = 30.0) -> None:
        """Wait until a broker that was started accepts connections.

        Raises:
            TargetError: it does not within `within` seconds (times the factor).
        """
        deadline = time.monotonic() + within * self.factor
        while True:
            try:
                stream = await self.open(1.0)
                await stream.close()
                return
            except TargetError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)

    def tls(self) -> ssl.SSLContext:
        """Return the TLS context of the client."""
        context = ssl.create_default_context(cafile=self.cafile)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certfile:
            context.load_cert_chain(self.certfile, self.keyfile)
        return context


class _Socket:
    """A TCP, TLS or Unix stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        try:
            return await self._reader.read(65_536)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        if self._writer.is_closing():
            return
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            pass

    async def finish(self) -> None:
        try:
            if self._writer.can_write_eof():
                self._writer.write_eof()
        except OSError:
            pass

    async def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()


def _plainly(error: Exception) -> str:
    """Return why the connection failed, without the error numbers of the system."""
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    return getattr(error, "strerror", None) or str(error) or "no answer in time"
