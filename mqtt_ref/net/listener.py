# SPDX-License-Identifier: MIT
"""Where the broker listens: an address that becomes sockets, and a channel for whoever connects to them."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from mqtt_ref.net.channel import Channel

if TYPE_CHECKING:
    from mqtt_ref.net.driver import Driver

__all__ = ["Listener", "ListenerError", "is_loopback"]

BACKLOG: Final = 1024
"""Connections that the kernel holds for us."""
ACCEPTED: Final = 100
"""Connections that asyncio accepts in one turn; it also complains so often in a turn when no descriptors are left."""


class ListenerError(Exception):
    """An address that cannot be listened on; the text says why."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on `host`; of names only `localhost` is known to be."""
    if host == "localhost":
        return True
    try:
        return socket.inet_pton(socket.AF_INET, host)[0] == 127
    except OSError:
        pass
    try:
        return socket.inet_pton(socket.AF_INET6, host) == bytes(15) + b"\x01"
    except OSError:
        return False


class Listener:
    """A TCP listener. Port 0 takes a free one: `port` and `urls` say which, once it is open.

    [MQTT5-4.2.0-1, MQTT311-7.1.1-1, X31-transport-tcp, X31-port]
    """

    scheme = "mqtt"

    def __init__(self, host: str = "127.0.0.1", port: int = 1883, name: str = "") -> None:
        self.host = host
        self.port = port
        self.name = name or f"{self.scheme}:{host}:{port}"
        self.urls: list[str] = []
        self._servers: list[asyncio.Server] = []

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.host!r}, {self.port})"

    async def open(self, driver: Driver, channel: Callable[[Driver, str], Channel] = Channel) -> None:
        """Begin to accept.

        Raises:
            ListenerError: the address is taken, not one of this machine, or may not be used.
        """
        sockets = self.bind()
        try:
            for bound in sockets:
                factory = partial(channel, driver, self.name)
                server = await driver.loop.create_server(factory, sock=bound, backlog=ACCEPTED)
                self._servers.append(server)
                bound.listen(BACKLOG)
        except OSError as error:
            await self.close()
            raise ListenerError(_explain(error, self.host, self.port)) from error
        finally:
            for bound in sockets[len(self._servers) :]:
                bound.close()
        self.urls = [_url(self.scheme, bound) for bound in sockets]

    def bind(self) -> list[socket.socket]:
        """A socket per address that the host has, all with the same port."""
        # `None` is what getaddrinfo calls every interface; asyncio's own resolution would need a thread.
        host = self.host or None
        try:
            found = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except OSError as error:
            raise ListenerError(f"cannot listen on {self.host}: {error.strerror or error}") from error
        sockets: list[socket.socket] = []
        try:
            for family, address in dict.fromkeys((row[0], row[4]) for row in found):
                sockets.append(_bind(family, (address[0], self.port, *address[2:])))
                self.port = sockets[-1].getsockname()[1]
        except OSError as error:
            # A family that this machine has no address of is left out if there is another one.
            if not sockets or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                for bound in sockets:
                    bound.close()
                raise ListenerError(_explain(error, self.host, self.port)) from error
        return sockets

    async def close(self) -> None:
        """Accept no more connections; those that exist stay."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()


def _bind(family: int, address: tuple[object, ...]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        elif sys.platform == "win32":
            # There, reuse would let two programs share a port, and a second one steal it.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound


def _explain(error: OSError, host: str, port: int) -> str:
    where = f"{host or 'all addresses'}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {where}: the port is in use, perhaps by another broker; --port 0 takes a free one"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"cannot listen on {where}: this machine does not have that address"
    if error.errno == errno.EACCES:
        return f"cannot listen on {where}: ports below 1024 need a privilege"
    return f"cannot listen on {where}: {error.strerror or error}"


def _url(scheme: str, bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
