# SPDX-License-Identifier: MIT
"""Listeners: the base class of all, custom ones included, and the base class of those on sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mqtt_ref.engine.options import Terms
from mqtt_ref.net.channel import Channel, peer_name
from mqtt_ref.net.forked import release_in_children
from mqtt_ref.net.layer import Layer, Stack
from mqtt_ref.net.tls import Handshakes, Tls, TlsSettings

if TYPE_CHECKING:
    from mqtt_ref.net.driver import Driver

__all__ = ["BACKLOG", "LOCAL", "Listener", "ListenerError", "StreamListener", "url_of"]

LOCAL: Final = "local"
"""Name of every client on a Unix socket."""
BACKLOG: Final = 1024
"""Connections that the kernel queues before they are accepted."""
ACCEPTED: Final = 100
"""Connections that asyncio accepts in one turn. Without free descriptors, it also logs this many errors in a turn."""


class ListenerError(Exception):
    """A listener cannot use its address or its certificates. The text says why."""


class Listener(ABC):
    """A way for clients to connect. Derive from it to write your own.

    `name` identifies the listener in the log, in `Client.listener` and for `Server.close_listener`. `terms` apply to
    its clients. `urls` are its addresses while it is open. Without an address, `host` is empty and `port` is 0.

    Your own listener overrides `open` and `close`. For each new client, it calls `channel(driver, self)`, which returns
    an `asyncio.Protocol`. A transport then drives this protocol in the event loop of the driver. `loop.create_server`
    and similar functions make such transports. Your own transport needs the methods of `asyncio.Transport` for writing,
    reading and closing: `MemoryListener` is a short example. Override `layers` to put a layer such as TLS or WebSocket
    between the transport and MQTT.
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
        """Begin to accept connections. A closed listener may be opened again.

        Raises:
            ListenerError: the listener cannot be opened; the text says why.
        """

    @abstractmethod
    async def close(self) -> None:
        """Accept no more connections. Existing ones stay."""

    def peer(self, transport: asyncio.BaseTransport) -> str:
        """Return the name of a client in rules (`remote`), hooks and the log: `127.0.0.1:5000`, `[::1]:5000`, `local`.

        Only a client on a Unix socket is `local`. The result is empty if the name is not known: a client that resets
        the link at once may have no address any more. It is closed, because rules about its address could not match.
        Override this if your transports do not know the `peername` of their clients.
        """
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(socket, "AF_UNIX") and sock.family == socket.AF_UNIX:
            return LOCAL  # the path that such a client may have bound its own socket to is no name: the client chose it
        return peer_name(transport.get_extra_info("peername"))

    def layers(self, stack: Stack) -> Iterable[Layer]:
        """Return the lowest layers of a new connection, from the bottom to the top. See `net.layer`."""
        return ()

    def reload(self) -> None:
        """Read certificates and revocation lists again, for new connections. Existing ones stay.

        Raises:
            ListenerError: the files cannot be used; the old ones stay in use.
        """
        self.renewal()()

    def renewal(self) -> Callable[[], None]:
        """Read the files of `reload`. Return a function that puts them into use and does not fail.

        Raises:
            ListenerError: the files cannot be used.
        """
        return lambda: None


class StreamListener(Listener):
    """A listener on sockets of the operating system, with or without TLS."""

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
        self._bound: list[socket.socket] = []
        self._all_tcp = False
        """True if no client can be on a Unix socket."""

    @abstractmethod
    def bind(self) -> list[socket.socket]:
        """Return the bound sockets.

        Raises:
            ListenerError: the address is in use, does not belong to this machine, or is not permitted.
        """

    def explain(self, error: OSError) -> str:
        """Return the text that says why the listener cannot be opened."""
        return f"cannot listen on {self.name}: {error.strerror or error}"

    async def open(self, driver: Driver, channel: Callable[[Driver, Listener], Channel] = Channel) -> None:
        """Begin to accept connections.

        Raises:
            ListenerError: the address or the certificates cannot be used.
        """
        factory = partial(channel, driver, self)
        if self.tls is not None:
            self._handshakes = Handshakes(self, driver, self._context())
        sockets = self._bound = self.bind()
        self._all_tcp = all(bound.family in (socket.AF_INET, socket.AF_INET6) for bound in sockets)
        release_in_children(self)
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
        """Accept no more connections. Existing ones stay."""
        servers, self._servers = self._servers, []
        self._bound = []
        for server in servers:
            server.close()
        if self._handshakes is not None:
            self._handshakes.close()
            self._handshakes = None

    def peer(self, transport: asyncio.BaseTransport) -> str:
        """Return the name of a client, as for every listener."""
        if self._all_tcp:
            return peer_name(transport.get_extra_info("peername"))
        return super().peer(transport)

    def sockets(self) -> Iterable[int]:
        """Return the descriptors of the sockets that it listens on."""
        return [bound.fileno() for bound in self._bound if bound.fileno() >= 0]

    def layers(self, stack: Stack) -> Iterable[Layer]:
        """Return the TLS layer, if the listener has TLS."""
        return () if self._handshakes is None else (Tls(self._handshakes, stack),)

    def renewal(self) -> Callable[[], None]:
        """Read the files of `TlsSettings`. An `SSLContext` from the caller is kept: the caller changes it."""
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
    # The listener that made the file removes it. From Python 3.13 on, loops would remove it too, if not told.
    more: dict[str, Any] = {"cleanup_socket": False}
    try:
        serving = loop.create_unix_server(factory, sock=bound, backlog=ACCEPTED, **more)
    except TypeError:  # a loop of an older version
        serving = loop.create_unix_server(factory, sock=bound, backlog=ACCEPTED)
    return await serving


def url_of(scheme: str, bound: socket.socket) -> str:
    """Return the URL of a bound socket. For a Unix socket it contains the path."""
    address = bound.getsockname()
    if not isinstance(address, tuple):
        path = address.decode(errors="replace") if isinstance(address, bytes) else str(address)
        return f"unix:{path}" if scheme == "mqtt" else f"{scheme}+unix:{path}"
    host, port = address[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
