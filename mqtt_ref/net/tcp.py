# SPDX-License-Identifier: MIT
"""The TCP listener, with or without TLS."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import sys

from mqtt_ref.engine.options import Terms
from mqtt_ref.net.listener import ListenerError, StreamListener
from mqtt_ref.net.tls import TlsSettings

__all__ = ["TcpListener", "is_loopback"]


def is_loopback(host: str) -> bool:
    """True if only this machine can reach a listener on `host`. The only host name that counts is `localhost`."""
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


class TcpListener(StreamListener):
    """A TCP listener. Port 0 takes a free port: `port` and `urls` show it once the listener is open.

    The default is the registered port: 1883, or 8883 with TLS.

    Cites: MQTT5-4.2.0-1, MQTT311-7.1.1-1, X31-transport-tcp, X31-port, X311-tls-port
    """

    default_port = 1883
    default_port_tls = 8883

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int | None = None,
        name: str = "",
        tls: TlsSettings | ssl.SSLContext | None = None,
        terms: Terms | None = None,
    ) -> None:
        if port is None:
            port = self.default_port if tls is None else self.default_port_tls
        scheme = self.scheme if tls is None else self.scheme_tls
        super().__init__(name or f"{scheme}:{host}:{port}", terms, tls)
        self.host = host
        self.port = port
        self._named = bool(name)

    def bind(self) -> list[socket.socket]:
        """Return one bound socket for each address of the host, all with the same port.

        Raises:
            ListenerError: the address is in use, does not belong to this machine, or is not permitted.
        """
        # For getaddrinfo, `None` means all interfaces. The resolver of asyncio would need a thread.
        host = self.host or None
        try:
            found = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except OSError as error:
            raise ListenerError(f"cannot listen on {self.host}: {error.strerror or error}") from error
        sockets: list[socket.socket] = []
        try:
            for family, address in dict.fromkeys((row[0], row[4]) for row in found):
                sockets.append(_bind(family, (address[0], self.port, *address[2:])))
                if not self.port:
                    self.port = sockets[-1].getsockname()[1]
                    if not self._named:
                        self.name = self.name.removesuffix("0") + str(self.port)
        except OSError as error:
            # Skip an address family that this machine lacks, if another one has worked.
            if not sockets or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                for bound in sockets:
                    bound.close()
                raise ListenerError(self.explain(error)) from error
        return sockets

    def explain(self, error: OSError) -> str:
        """Return the text that says why the listener cannot use this address."""
        where = f"{self.host or 'all addresses'}:{self.port}"
        if error.errno == errno.EADDRINUSE:
            return f"cannot listen on {where}: the port is in use, perhaps by another broker; --port 0 takes a free one"
        if error.errno == errno.EADDRNOTAVAIL:
            return f"cannot listen on {where}: this machine does not have that address"
        if error.errno == errno.EACCES:
            return f"cannot listen on {where}: permission denied; ports below 1024 need extra privileges"
        return f"cannot listen on {where}: {error.strerror or error}"


def _bind(family: int, address: tuple[object, ...]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        elif sys.platform == "win32":
            # On Windows, SO_REUSEADDR would let a second program take over the port.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound
