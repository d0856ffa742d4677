# SPDX-License-Identifier: MIT
"""Sockets that somebody else bound: the program that embeds the broker, or systemd."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping

from mqtt_ref.engine.options import Terms
from mqtt_ref.net.listener import ListenerError, StreamListener
from mqtt_ref.net.tls import TlsSettings

__all__ = ["SocketListener", "activated_sockets"]

FIRST: int = 3
"""The descriptor of the first socket that systemd hands over."""


class SocketListener(StreamListener):
    """Listens on a stream socket that is bound already, and may listen already. The socket is the listener's then.

    Once closed it cannot be opened again: the socket is gone.
    """

    def __init__(
        self,
        sock: socket.socket,
        name: str = "",
        tls: TlsSettings | ssl.SSLContext | None = None,
        terms: Terms | None = None,
    ) -> None:
        super().__init__(name or f"socket:{sock.fileno()}", terms, tls)
        self.socket = sock

    def bind(self) -> list[socket.socket]:
        """The socket.

        Raises:
            ListenerError: it is closed, no stream socket, or bound to nothing.
        """
        sock = self.socket
        if sock.fileno() < 0:
            raise ListenerError(f"cannot listen on {self.name}: the socket was closed")
        if sock.type != socket.SOCK_STREAM:
            raise ListenerError(f"cannot listen on {self.name}: MQTT needs a stream socket, this is {sock.type!r}")
        address = sock.getsockname()
        if not address or (isinstance(address, tuple) and address[1] == 0):
            raise ListenerError(f"cannot listen on {self.name}: the socket is not bound to an address")
        sock.setblocking(False)
        self.port = address[1] if isinstance(address, tuple) else 0
        return [sock]


def activated_sockets(environ: Mapping[str, str] | None = None) -> list[tuple[str, socket.socket]]:
    """The sockets that systemd opened for this process, with their names (`FileDescriptorName=`, else empty).

    It says so in LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. Programs that this one starts do not inherit them.

    Raises:
        ListenerError: LISTEN_FDS is no number, or a descriptor is no socket.
    """
    env = os.environ if environ is None else environ
    if env.get("LISTEN_PID") != str(os.getpid()):
        return []
    try:
        count = int(env.get("LISTEN_FDS", "0"))
    except ValueError:
        raise ListenerError(f"LISTEN_FDS={env['LISTEN_FDS']}: expected the number of sockets") from None
    names = env.get("LISTEN_FDNAMES", "").split(":")
    found: list[tuple[str, socket.socket]] = []
    for index in range(count):
        descriptor = FIRST + index
        try:
            os.set_inheritable(descriptor, False)
            sock = socket.socket(fileno=descriptor)
        except OSError as error:
            raise ListenerError(f"descriptor {descriptor} of LISTEN_FDS is no socket: {error.strerror}") from error
        found.append((names[index] if index < len(names) else "", sock))
    return found
