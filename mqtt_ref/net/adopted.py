# SPDX-License-Identifier: MIT
"""Listeners on sockets that are already bound: by the embedding program, or by systemd."""

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
"""The descriptor of the first socket that systemd passes."""


class SocketListener(StreamListener):
    """Listens on a stream socket that is already bound, and may already listen.

    The listener owns the socket. Once closed, it cannot be opened again: the socket is closed too.
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
        """Return the socket.

        Raises:
            ListenerError: the socket is closed, is not a stream socket, or is not bound.
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
    """Return the sockets that systemd opened for this process, each with its name (`FileDescriptorName=`, or empty).

    LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES describe them. Child processes do not inherit the sockets.

    Raises:
        ListenerError: LISTEN_FDS is not a number, or a descriptor is not a socket.
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
            raise ListenerError(f"descriptor {descriptor} of LISTEN_FDS is not a socket: {error.strerror}") from error
        found.append((names[index] if index < len(names) else "", sock))
    return found
