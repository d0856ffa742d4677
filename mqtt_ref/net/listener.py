# SPDX-License-Identifier: MIT
"""Where clients come in: what every listener is, custom ones too, and those that accept from sockets of the system."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mqtt_ref.engine.options import Terms
from mqtt_ref.net.channel import Channel
from mqtt_ref.net.layer import Layer, Stack
from mqtt_ref.net.tls import Handshakes, Tls, TlsSettings

if TYPE_CHECKING:
    from mqtt_ref.net.driver import Driver

__all__ = ["BACKLOG", "Listener", "ListenerError", "StreamListener", "url_of"]

BACKLOG: Final = 1024
"""Connections that the kernel holds for us."""
ACCEPTED: Final = 100
"""Connections that asyncio accepts in one turn; it also complains so often in a turn when no descriptors are left."""


class ListenerError(Exception):
    """An address that cannot be listened on, or certificates that cannot be used; the text says why."""


class Listener(ABC):
    """A way for clients to come in. Derive from it for one of your own.

    `name` tells listeners of a server apart: in the log, in `Client.listener`, for `Server.close_listener`. `terms`
    hold for its clients. `urls` say where it is reached while it is open; `host` is empty and `port` 0 where there is
    none.

    A listener of your own overrides `open` and `close`. For each client that comes it calls `channel(driver, self)`,
    which gives an `asyncio.Protocol`, and lets a transport drive that protocol in the event loop of the driver, by
    itself or through `loop.create_server` and the like. A transport of your own needs what `asyncio.Transport` has for
    writing, reading and closing; `MemoryListener` is a short example. Override `layers` if
    something stands between its transports and MQTT, as TLS and WebSocket do.
    """

    def __init__(self, name: str = "", terms: Terms | None = None) -> None:
        self.name = name or type(self).__name__
        self.terms = Terms() if terms is None else terms
        self.urls: list[str] = []
        self.host = ""
        self.port = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @abstractmethod
    async def open(self, driver: Driver, channel: Callable[[Driver, Listener], Channel] = Channel) -> None:
        """Begin to accept; it may be opened again after it was closed.

        Raises:
            ListenerError: it cannot; the text says why.
        """

    @abstractmethod
    async def close(self) -> None:
        """Accept no more connections; those that exist stay."""

    def layers(self, stack: Stack) -> Iterable[Layer]:
        """The lowest layers of a connection that is accepted here, from the bottom to the top; see `net.layer`."""
        return ()

    def reload(self) -> None:
        """Read certificates and revocation lists again, for the connections to come; those that exist stay.

        Raises:
            ListenerError: they cannot be used; the old ones stay in use.
        """
        self.renewal()()

    def renewal(self) -> Callable[[], None]:
        """The first half of `reload`: read them. What it gives takes them into use, and does not fail.

        Raises:
            ListenerError: they cannot be used.
        """
        return lambda: None


class StreamListener(Listener):
    """A listener on sockets of the system, with TLS or without."""

    scheme = "mqtt"
    scheme_tls = "mqtts"
    alpn: tuple[str, ...] = ("mqtt",)

    def __init__(
        self, name: str = "", terms: Terms | None = None, tls: TlsSettings | ssl.SSLContext | None = None
    ) -> None:
        super().__init__(name, terms)
        self.tls = tls
        self._handshakes: Handshakes | None = None
        self._servers: list[asyncio.Server] = []

    @abstractmethod
    def bind(self) -> list[socket.socket]:
        """The sockets, bound.

        Raises:
            ListenerError: the address is taken, not one of this machine, or may not be used.
        """

    def explain(self, error: OSError) -> str:
        """Why it cannot be listened on."""
        return f"cannot listen on {self.name}: {error.strerror or error}"

    async def open(self, driver: Driver, channel: Callable[[Driver, Listener], Channel] = Channel) -> None:
        """Begin to accept.

        Raises:
            ListenerError: the address or the certificates cannot be used.
        """
        factory = partial(channel, driver, self)
        if self.tls is not None:
            self._handshakes = Handshakes(self, driver, self._context())
        sockets = self.bind()
        try:
            for bound in sockets:
                self._servers.append(await _serve(driver.loop, factory, bound))
                bound.listen(BACKLOG)
        except OSError as error:
            await self.close()
            raise ListenerError(self.explain(error)) from error
        finally:
            for bound in sockets[len(self._servers) :]:
                bound.close()
        self.urls = [url_of(self.scheme if self.tls is None else self.scheme_tls, bound) for bound in sockets]

    async def close(self) -> None:
        """Accept no more connections; those that exist stay."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        if self._handshakes is not None:
            self._handshakes.close()
            self._handshakes = None

    def layers(self, stack: Stack) -> Iterable[Layer]:
        """TLS, if there is any."""
        return () if self._handshakes is None else (Tls(self._handshakes, stack),)

    def renewal(self) -> Callable[[], None]:
        """A context that was handed in is the owner's to change."""
        handshakes = self._handshakes
        if handshakes is None:
            return lambda: None
        context = self._context()

        def take() -> None:
            handshakes.context = context

        return take

    def _context(self) -> ssl.SSLContext:
        if isinstance(self.tls, TlsSettings):
            try:
                return self.tls.context(self.alpn)
            except ValueError as error:
                raise ListenerError(f"{self.name}: {error}") from error
        assert self.tls is not None
        return self.tls


async def _serve(
    loop: asyncio.AbstractEventLoop, factory: Callable[[], asyncio.Protocol], bound: socket.socket
) -> asyncio.Server:
    if not hasattr(socket, "AF_UNIX") or bound.family != socket.AF_UNIX:
        return await loop.create_server(factory, sock=bound, backlog=ACCEPTED)
    more: dict[str, Any] = {}
    if sys.version_info >= (3, 13) and type(loop).__module__.startswith("asyncio."):
        more["cleanup_socket"] = False  # the file is removed by who made it
    return await loop.create_unix_server(factory, sock=bound, backlog=ACCEPTED, **more)


def url_of(scheme: str, bound: socket.socket) -> str:
    """The URL of a bound socket; that of a Unix socket is its path."""
    address = bound.getsockname()
    if not isinstance(address, tuple):
        path = address.decode(errors="replace") if isinstance(address, bytes) else str(address)
        return f"unix:{path}" if scheme == "mqtt" else f"{scheme}+unix:{path}"
    host, port = address[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
